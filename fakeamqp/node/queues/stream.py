"""Streams: what they do with messages, what they make of them, and what they refuse.

Their messages are in a `Log`, their consumers are `Readers`; to the rest of the node a stream is a queue.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable
from typing import Any, cast

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message, StreamEntry
from fakeamqp.node.queues.backlog import Backlog
from fakeamqp.node.queues.consumer import Consumer, Consumers, Receiver
from fakeamqp.node.queues.effects import Deliver, Effect, Forget
from fakeamqp.node.queues.log import Log
from fakeamqp.node.queues.queue import Queue, QueueType, Unacked
from fakeamqp.node.queues.queue_arguments import QueueArguments
from fakeamqp.node.queues.readers import FILTER_VALUE, Readers
from fakeamqp.node.queues.serving import cancel, nothing_more, publish_freely
from fakeamqp.node.words.names import queue_named
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, not_implemented, precondition_failed
from fakeamqp.spec.tables import Table

TRANSIENT = 1
"""The delivery mode of a message that need not survive."""


def log_of(queue: Queue) -> Log:
    """A stream's messages."""
    return cast("Log", queue.backlog)


def make_backlog(settings: QueueArguments, profile: Profile) -> Backlog:
    """A log."""
    return Log(settings, rolls_over_at_once=profile.streams_roll_over_at_once)


def make_consumers(settings: QueueArguments, profile: Profile, backlog: Backlog) -> Consumers:
    """Readers of the log."""
    return Readers(cast("Log", backlog), profile)


def enqueue(queue: Queue, message: Message, now_us: int) -> Entry:
    """A message is appended, and does not expire."""
    entry = StreamEntry(log_of(queue).next_offset(), stored(message, queue.profile), NO_EXPIRY_US, now_us)
    queue.admit(entry)
    return entry


def checkout(queue: Queue, now_us: int) -> list[Effect]:
    """Drop what the stream need not keep, and let every consumer read on."""
    log = log_of(queue)
    effects: list[Effect] = []
    for entry in log.retain(now_us) if log.is_retention_due else ():
        queue.ready_bytes -= len(entry.message.body)
        effects.append(Forget(entry))
    readers = cast("Readers", queue.consumers)
    effects += [Deliver(consumer, entry) for consumer, entry in readers.read(now_us)]
    return effects


def settle(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """A reader has room again; nothing changes in the log."""
    if consumer is not None:
        consumer.outstanding -= len(deliveries)
    return checkout(queue, now_us)


def take_back(queue: Queue, deliveries: list[Unacked], now_us: int) -> list[Effect]:
    """Nothing comes back to a log."""
    return checkout(queue, now_us)


def add_consumer(queue: Queue, consumer: Consumer, unsettled: int) -> None:
    """Somebody new reads."""
    queue.consumers.add(consumer)


def configure(queue: Queue, settings: QueueArguments, now_us: int) -> list[Effect]:
    """Policies have changed."""
    queue.configure(settings)
    log_of(queue).configure(settings)
    return checkout(queue, now_us) if queue.backlog else []


def has_recovered(queue: Queue) -> None:
    """The log is complete again."""
    log_of(queue).has_recovered()


def check(queue: Queue) -> None:
    """Nobody holds anything back, and everybody has read on."""
    assert not queue.unacked
    cast("Readers", queue.consumers).check()


# -- what streams refuse -------------------------------------------------------------------------------------------


def not_supported(what: str, queue: Queue) -> HardError:
    """540 for what streams cannot do."""
    return not_implemented(f"{what} not supported by stream queues {queue_named(queue.name, queue.fact.vhost)}")


def check_consumer(queue: Queue, no_ack: bool, exclusive: bool, prefetch_count: int, global_prefetch: int) -> None:
    """Raise 406 or 540 unless a consumer says how much it takes at once, for itself, and acknowledges.

    Source: rabbit_stream_queue.erl, consume.
    """
    where = queue_named(queue.name, queue.fact.vhost)
    says_stream = queue.profile.stream_refusals_say_stream
    if not prefetch_count:
        named = f"stream {where}" if says_stream else f"'{where}'"
        raise precondition_failed(f"consumer prefetch count is not set for {named}")
    if no_ack:
        kind = "stream" if says_stream else "stream queues"
        raise not_implemented(f"automatic acknowledgement not supported by {kind} {where}")
    if global_prefetch:
        raise not_implemented(f"{where} does not support global qos")


def check_get(queue: Queue) -> None:
    """Raise 540: nothing can be taken."""
    raise not_supported("basic.get", queue)


def get(queue: Queue, no_ack: bool, now_us: int) -> tuple[Entry, int, list[Effect]]:
    """`check_get` has refused it."""
    raise not_supported("basic.get", queue)


def check_purge(queue: Queue) -> None:
    """Raise 540."""
    raise not_supported("queue.purge", queue)


def check_delete(queue: Queue, if_unused: bool, if_empty: bool) -> None:
    """No condition is heeded (observed)."""


def check_recover(queue: Queue) -> None:
    """Raise 541 where the channel dies of it (3.10; observed)."""
    if not queue.profile.streams_take_returns:
        raise HardError(541, "", names_method=False)


def check_return(queue: Queue) -> None:
    """Raise 540 where deliveries can be acknowledged, but not rejected or returned."""
    if not queue.profile.streams_take_returns:
        raise not_supported("basic.nack and basic.reject", queue)


def check_headers(headers: Table, profile: Profile) -> None:
    """Raise 541 for headers that kill the channel that publishes them to a stream (observed)."""
    has_decimal = any(isinstance(each, decimal.Decimal) for each in headers.values())
    if has_decimal or (profile.streams_have_filters and not isinstance(headers.get(FILTER_VALUE, ""), str)):
        raise HardError(541, "", names_method=False)


def count_consumers(queue: Queue, holders: Iterable[tuple[Receiver, str | None]]) -> int:
    """None is told (observed)."""
    return 0


# -- what streams make of a message ----------------------------------------------------------------------------------


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


STREAM = QueueType(
    name="stream",
    make_backlog=make_backlog,
    make_consumers=make_consumers,
    enqueue=enqueue,
    checkout=checkout,
    acknowledge=settle,
    reject=settle,
    requeue=settle,
    take_back=take_back,
    cancel=cancel,
    get=get,
    add_consumer=add_consumer,
    configure=configure,
    stops=publish_freely,
    refuses=lambda queue, message: False,
    dies_of_publish=lambda queue: False,
    node_goes=nothing_more,
    has_recovered=has_recovered,
    check_consumer=check_consumer,
    check_get=check_get,
    check_purge=check_purge,
    check_delete=check_delete,
    check_return=check_return,
    check_recover=check_recover,
    check_headers=check_headers,
    count_messages=lambda queue: 0,
    count_consumers=count_consumers,
    delivered_properties=None,
    fetched_properties=None,
    takes_dead_letters=lambda at_least_once, profile: at_least_once or profile.streams_take_any_dead_letter,
    policy_wins=lambda setting, profile: True,
    check=check,
    heeds_global_prefetch=True,
    keeps_transient=True,
    entry_class=StreamEntry,
    remembers_deliveries=True,
    is_log=True,
)
