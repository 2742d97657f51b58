"""Resource alarms: a node that runs low on memory or disk reads nothing more from whoever publishes.

Source: rabbit_reader.erl (connection states blocking and blocked), rabbit_alarm.erl; observed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.state.connection import Connection
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import BasicPublish, ConnectionBlocked, ConnectionUnblocked, Method

if TYPE_CHECKING:
    from fakeamqp.node.node import Node

RESOURCES = ("disk", "memory")


def raise_alarm(node: Node, resource: str) -> None:
    """The node runs low on a resource; nothing is blocked before it publishes."""
    if resource not in RESOURCES:
        raise Misuse(f"no alarm {resource!r}; there is one for {' and one for '.join(RESOURCES)}")
    if resource not in node.alarms:
        node.alarms = tuple(sorted((*node.alarms, resource)))


def clear_alarm(node: Node, resource: str) -> None:
    """The node has enough of a resource again. With the last alarm, what blocked connections have sent is read."""
    if resource not in node.alarms:
        raise Misuse(f"there is no alarm {resource!r} to clear")
    node.alarms = tuple(each for each in node.alarms if each != resource)
    if node.alarms:
        return
    for connection in list(node.connections.values()):
        held = connection.held
        if held is None:
            continue
        connection.held = None
        if connection.can("connection.blocked"):
            connection.send(ConnectionUnblocked())
        for channel_number, method in held:
            node.handle(connection, channel_number, method, node.now_us)


def is_held(node: Node, connection: Connection, channel_number: int, method: Method) -> bool:
    """Whether what a client sends during an alarm is not read: from its first publish on."""
    if connection.held is None:
        if not isinstance(method, BasicPublish):
            return False
        connection.held = []
        if connection.can("connection.blocked"):
            connection.send(ConnectionBlocked(f"low on {' & '.join(node.alarms)}"))
    connection.held.append((channel_number, method))
    return True
