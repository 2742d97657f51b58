"""Streams at the methods: what they refuse, and what they make of a message.

Their messages are in `logs`, their consumers in `readers`; to the rest of the node a stream is a queue.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fakeamqp.node.queues.queue import queue_named
from fakeamqp.node.queues.readers import FILTER_VALUE
from fakeamqp.node.state.message import Message
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, not_implemented, precondition_failed
from fakeamqp.spec.tables import Table

if TYPE_CHECKING:
    from fakeamqp.node.state.channel import Channel, Unacked

TRANSIENT = 1
"""The delivery mode of a message that need not survive."""


def not_supported(what: str, where: str) -> HardError:
    """540 for what streams cannot do; `where` is how texts name the stream."""
    return not_implemented(f"{what} not supported by stream queues {where}")


def check_reader(channel: Channel, profile: Profile, where: str, *, no_ack: bool) -> None:
    """Raise 406 or 540 unless a consumer says how much it takes at once, for itself, and acknowledges.

    Source: rabbit_stream_queue.erl, consume.
    """
    named = f"stream {where}" if profile.stream_refusals_say_stream else f"'{where}'"
    if not channel.consumer_prefetch:
        raise precondition_failed(f"consumer prefetch count is not set for {named}")
    if no_ack:
        kind = "stream" if profile.stream_refusals_say_stream else "stream queues"
        raise not_implemented(f"automatic acknowledgement not supported by {kind} {where}")
    if channel.global_prefetch:
        raise not_implemented(f"{where} does not support global qos")


def assert_may_recover(deliveries: Iterable[Unacked], profile: Profile) -> None:
    """Raise 541 where one is of a stream and the channel dies of it (3.10; observed)."""
    if not profile.streams_take_returns and any(each.entry.queue.is_stream for each in deliveries):
        raise HardError(541, "", names_method=False)


def assert_may_return(deliveries: Iterable[Unacked], profile: Profile) -> None:
    """Raise 540 where one is of a stream, and those can be acknowledged, but not rejected or returned."""
    if profile.streams_take_returns:
        return
    for queue in (each.entry.queue for each in deliveries):
        if queue.is_stream:
            raise not_supported("basic.nack and basic.reject", queue_named(queue.name, queue.fact.vhost))


def check_storable(headers: Table, profile: Profile) -> None:
    """Raise 541 for headers that kill the channel that publishes them to a stream (observed)."""
    has_decimal = any(isinstance(each, decimal.Decimal) for each in headers.values())
    if has_decimal or (profile.streams_have_filters and not isinstance(headers.get(FILTER_VALUE, ""), str)):
        raise HardError(541, "", names_method=False)


def stored(message: Message, profile: Profile) -> Message:
    """What a stream keeps of a message: what has a place in AMQP 1.0, which it is stored as.

    That is neither the cluster id nor headers that are tables or arrays, but for what 4.0 takes for annotations.
    Source: rabbit_msg_record.erl of 3.10, mc_amqpl.erl of 4.0; observed.
    """
    properties = message.properties.replace(cluster_id=None)
    if properties.headers is not None:
        headers = {name: value for name, value in properties.headers.items() if _has_place(name, value, profile)}
        if profile.streams_store_annotations:
            headers = {name: _as_text(value) for name, value in headers.items()}
        properties = properties.replace(headers=headers)
    if profile.streams_store_annotations and properties.delivery_mode is None:
        properties = properties.replace(delivery_mode=TRANSIENT)
    return Message(message.exchange, message.routing_key, properties, message.body)


def _has_place(name: str, value: Any, profile: Profile) -> bool:
    if isinstance(value, dict | list):
        return profile.streams_store_annotations and (name.startswith("x-") or name == "CC")
    return not isinstance(value, decimal.Decimal)


def _as_text(value: Any) -> Any:
    """Bytes that are UTF-8 come back as a string."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
