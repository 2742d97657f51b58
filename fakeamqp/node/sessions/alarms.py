"""Resource alarms: a node that runs low on memory or disk reads nothing more from whoever publishes.

Source: rabbit_reader.erl (connection states blocking and blocked), rabbit_alarm.erl; observed.
"""

from __future__ import annotations

from fakeamqp.node.state.connection import Connection
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import BasicPublish, ConnectionBlocked, ConnectionUnblocked, Method

RESOURCES = ("disk", "memory")


def raise_alarm(state: NodeState, resource: str) -> None:
    """The node runs low on a resource; nothing is blocked before it publishes."""
    if resource not in RESOURCES:
        raise Misuse(f"no alarm {resource!r}; there is one for {' and one for '.join(RESOURCES)}")
    if resource not in state.alarms:
        state.alarms = tuple(sorted((*state.alarms, resource)))


def clear_alarm(state: NodeState, resource: str) -> list[tuple[Connection, list[tuple[int, Method]]]]:
    """The node has enough of a resource again; what blocked connections have sent, which is to be read now."""
    if resource not in state.alarms:
        raise Misuse(f"there is no alarm {resource!r} to clear")
    state.alarms = tuple(each for each in state.alarms if each != resource)
    unread: list[tuple[Connection, list[tuple[int, Method]]]] = []
    for connection in () if state.alarms else state.connections.values():
        if connection.held is None:
            continue
        unread.append((connection, connection.held))
        connection.held = None
        if connection.can("connection.blocked"):
            connection.send(ConnectionUnblocked())
    return unread


def is_held(state: NodeState, connection: Connection, channel_number: int, method: Method) -> bool:
    """Whether what a client sends during an alarm is not read: from its first publish on."""
    if connection.held is None:
        if not isinstance(method, BasicPublish):
            return False
        connection.held = []
        if connection.can("connection.blocked"):
            connection.send(ConnectionBlocked(f"low on {' & '.join(state.alarms)}"))
    connection.held.append((channel_number, method))
    return True
