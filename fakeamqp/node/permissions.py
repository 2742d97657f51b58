"""Access checks of methods: what a channel may do, remembered once granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.access import DEFAULT_EXCHANGE_ALIAS, refusal
from fakeamqp.node.channels import Channel
from fakeamqp.node.exchanges import Exchange, exchange_named
from fakeamqp.node.queues import queue_named

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def check_exchange(node: Node, channel: Channel, permission: str, exchange: str) -> None:
    """Raise 403 unless the channel's user has `permission` (configure, write, read) on an exchange."""
    _check(node, channel, permission, "exchange", exchange or DEFAULT_EXCHANGE_ALIAS)


def check_queue(node: Node, channel: Channel, permission: str, queue: str) -> None:
    """Raise 403 unless the channel's user has `permission` (configure, write, read) on a queue."""
    _check(node, channel, permission, "queue", queue)


def _check(node: Node, channel: Channel, permission: str, kind: str, name: str) -> None:
    wanted = (permission, kind, name)
    if wanted in channel.permitted:
        return
    connection = channel.connection
    if not node.access.allows(connection.user, connection.world.name, permission, name):
        what = exchange_named if kind == "exchange" else queue_named
        raise refusal(node.profile, permission, what(name, connection.world.name), connection.user)
    channel.permitted.add(wanted)


def check_topic(node: Node, channel: Channel, permission: str, exchange: Exchange, routing_key: str) -> None:
    """Raise 403 where topic permissions on a topic exchange forbid a routing key (write) or a binding key (read)."""
    if exchange.fact.type != "topic" or not node.access.topic_permissions:
        return
    connection = channel.connection
    vhost = connection.world.name
    if not node.access.allows_topic(connection.user, vhost, exchange.name, permission, routing_key):
        what = f"topic '{routing_key}' in {exchange_named(exchange.name, vhost)}"
        raise refusal(node.profile, permission, what, connection.user)
