"""Limits that an operator sets: of virtual hosts and of users."""

from __future__ import annotations

from fakeamqp.node.state.access import Access
from fakeamqp.node.state.connection import Connection
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.names import NODE_NAME
from fakeamqp.node.words.parameters import limit
from fakeamqp.spec.errors import HardError, not_allowed, precondition_failed
from fakeamqp.spec.tables import EMPTY_TABLE, Table

MAX_CONNECTIONS = "max-connections"
MAX_QUEUES = "max-queues"
MAX_CHANNELS = "max-channels"

VHOST_LIMITS = (MAX_QUEUES, MAX_CONNECTIONS)
USER_LIMITS = (MAX_CONNECTIONS, MAX_CHANNELS)
"""Those there are, in the order in which bad ones are told."""


def vhost_limits(vhost: VirtualHost) -> Table:
    """What limits a virtual host."""
    return EMPTY_TABLE if vhost.limits is None else vhost.limits.limits


def assert_room_for_queue(vhost: VirtualHost, name: str) -> None:
    """Raise 406 where a virtual host has as many queues as it may."""
    most = limit(vhost_limits(vhost), MAX_QUEUES)
    if most is not None and len(vhost.queues) >= most:
        raise precondition_failed(
            f"cannot declare queue '{name}': queue limit in vhost '{vhost.name}' ({most}) is reached"
        )


def assert_room_for_connection(
    access: Access, connections: dict[int, Connection], user: str, vhost: VirtualHost
) -> None:
    """Raise 530 where a virtual host, or a user, has as many connections as it may."""
    others = connections.values()
    most = limit(vhost_limits(vhost), MAX_CONNECTIONS)
    if most is not None and sum(each.vhost is vhost for each in others) >= most:
        raise not_allowed(
            f"access to vhost '{vhost.name}' refused for user '{user}': connection limit ({most}) is reached"
        )
    most = limit(access.limits(user), MAX_CONNECTIONS)
    if most is not None and sum(each.vhost is not None and each.user == user for each in others) >= most:
        raise not_allowed(f"connection refused for user '{user}': user connection limit ({most}) is reached")


def assert_user_may_open_channel(state: NodeState, connection: Connection) -> None:
    """Raise 530 where a user has as many channels, over all connections, as he may."""
    most = limit(state.access.limits(connection.user), MAX_CHANNELS)
    if most is None:
        return
    if sum(len(each.channels) for each in state.connections.values() if each.user == connection.user) >= most:
        # Observed: 4.0 says the name of its node here.
        who = connection.user if state.profile.names_user_of_channel_limit else NODE_NAME
        raise HardError(
            530,
            f"number of channels opened for user '{who}' has reached the maximum allowed user limit of ({most})",
            names_method=False,
        )
