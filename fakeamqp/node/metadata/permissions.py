"""Access checks of methods: what a channel may do, remembered for a while once granted."""

from __future__ import annotations

from collections.abc import Callable

from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.access import DEFAULT_EXCHANGE_ALIAS, Access, refusal
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.words.names import exchange_named, queue_named
from fakeamqp.node.words.profile import Profile

REMEMBERED = 12
"""How many granted permissions a channel remembers (rabbit_channel.erl, MAX_PERMISSION_CACHE_SIZE)."""


def check_exchange(profile: Profile, access: Access, channel: Channel, permission: str, exchange: str) -> None:
    """Raise 403 unless the channel's user has `permission` (configure, write, read) on an exchange."""
    wanted = (permission, "exchange", exchange)
    if wanted not in channel.permitted:
        _check(profile, access, channel, permission, exchange or DEFAULT_EXCHANGE_ALIAS, exchange_named)
        _remember(channel.permitted, wanted)


def check_queue(profile: Profile, access: Access, channel: Channel, permission: str, queue: str) -> None:
    """Raise 403 unless the channel's user has `permission` (configure, write, read) on a queue."""
    wanted = (permission, "queue", queue)
    if wanted not in channel.permitted:
        _check(profile, access, channel, permission, queue, queue_named)
        _remember(channel.permitted, wanted)


def _check(
    profile: Profile, access: Access, channel: Channel, permission: str, name: str, named: Callable[[str, str], str]
) -> None:
    connection = channel.connection
    vhost = channel.vhost.name
    if not access.allows(connection.user, vhost, permission, name):
        raise refusal(profile, permission, named(name, vhost), connection.user)


def check_topic(
    profile: Profile, access: Access, channel: Channel, permission: str, exchange: Exchange, routing_key: str
) -> None:
    """Raise 403 where topic permissions on a topic exchange forbid a routing key (write) or a binding key (read)."""
    if exchange.fact.type != "topic" or not access.topic_permissions:
        return
    wanted = (permission, exchange.name, routing_key)
    if wanted in channel.permitted_topics:
        return
    connection = channel.connection
    vhost = channel.vhost.name
    if not access.allows_topic(connection.user, vhost, exchange.name, permission, routing_key):
        what = f"topic '{routing_key}' in {exchange_named(exchange.name, vhost)}"
        raise refusal(profile, permission, what, connection.user)
    _remember(channel.permitted_topics, wanted)


def _remember(cache: dict[tuple[str, str, str], None], granted: tuple[str, str, str]) -> None:
    if len(cache) >= REMEMBERED:
        del cache[next(iter(cache))]
    cache[granted] = None
