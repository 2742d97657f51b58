"""Quorum queues. Source: rabbit_fifo.erl and rabbit_quorum_queue.erl; the rules have observed it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message, QuorumEntry
from fakeamqp.node.queues.backlog import Backlog, QuorumBacklog
from fakeamqp.node.queues.consumer import Consumer, Consumers, Receiver
from fakeamqp.node.queues.effects import Deliver, Effect, GiveUp, Replaced, SettledAtOnce
from fakeamqp.node.queues.queue import Queue, QueueType, Registrations, Unacked
from fakeamqp.node.queues.queue_arguments import QueueArguments
from fakeamqp.node.queues.quorum_consumers import QuorumRoundRobin, QuorumSingleActive
from fakeamqp.node.queues.serving import (
    accept,
    cancel,
    check_served,
    drop_heads,
    expiry_us,
    reject,
    serve,
    wake_for,
)
from fakeamqp.node.queues.single_active import SingleActive
from fakeamqp.node.words import erlang
from fakeamqp.node.words.arguments import DELIVERY_COUNT
from fakeamqp.node.words.names import queue_named
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import not_implemented, resource_locked
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong


def make_backlog(settings: QueueArguments, profile: Profile) -> Backlog:
    """Two levels of priority where the version has them."""
    return QuorumBacklog(has_levels=profile.quorum_queues_have_priorities)


def make_consumers(settings: QueueArguments, profile: Profile, backlog: Backlog) -> Consumers:
    """Round robin, or a single active one, which 4.0 chooses by priority."""
    if not settings.single_active_consumer:
        return QuorumRoundRobin(knows_by_tag=profile.quorum_sorts_consumers_by_tag)
    return QuorumSingleActive() if profile.quorum_queues_have_priorities else SingleActive(by_priority=False)


def enqueue(queue: Queue, message: Message, now_us: int) -> Entry:
    """A message goes behind all others of its level; a dead letter remembers that its deliveries failed."""
    entry = queue.new_entry(message, expiry_us(queue, message, now_us))
    entry.is_redelivered = message.failures > 0
    queue.admit(entry)
    return entry


def checkout(queue: Queue, now_us: int) -> list[Effect]:
    """Expire heads, serve consumers and drop what is too much, until there is nothing left to do."""
    effects: list[Effect] = []
    head = serve(queue, now_us, charge, effects)
    if queue.is_limited:
        while dropped := drop_heads(queue):
            effects += reversed(dropped)  # dead letters come latest first (observed)
            head = serve(queue, now_us, charge, effects)
        if queue.settings.rejects:
            tell_publishers(queue)
    served = dict.fromkeys(each.consumer for each in effects if isinstance(each, Deliver))
    effects += [SettledAtOnce(consumer) for consumer in served if consumer.no_ack]
    wake_for(queue, head, effects)
    return effects


def charge(queue: Queue, consumer: Consumer) -> None:
    """A delivery counts until it is settled, which the channel does at once where nothing is to be acknowledged."""
    consumer.outstanding += 1
    consumer.channel.outstanding += not consumer.no_ack
    if not consumer.can_take():
        queue.consumers.park(consumer)


def tell_publishers(queue: Queue) -> None:
    """Publishers are stopped, or may go on."""
    if queue.is_over():
        queue.blocks += 1
    elif has_drained(queue):
        queue.released = queue.blocks


def has_drained(queue: Queue) -> bool:
    """Whether the queue is down to 80 percent of its limits."""
    settings = queue.settings
    messages = len(queue.backlog) + len(queue.discarded)
    size = queue.ready_bytes + queue.discarded_bytes
    return (settings.max_length is None or messages <= settings.max_length * 8 // 10) and (
        settings.max_length_bytes is None or size <= settings.max_length_bytes * 8 // 10
    )


def stops(queue: Queue, message: Message, registrations: Registrations | None) -> bool:
    """Whether a publisher has been told that there is no room, and does not send (x-overflow: reject-publish).

    A quorum queue takes what makes it too long, and then stops all publishers until it is down to 80 percent. One that
    comes new meanwhile may publish as long as the queue is not too long. Without registrations, as dead letters come
    that may be lost, it takes everything. Source: rabbit_fifo.erl (evaluate_limit, register_enqueuer) and
    rabbit_fifo_client.erl; observed.
    """
    if registrations is None:
        return False
    if not (queue.is_limited and queue.settings.rejects):
        return queue.blocks > max(registrations.get(queue, queue.blocks), queue.released)
    registered = registrations.setdefault(queue, queue.blocks - queue.is_over())
    if queue.blocks > max(registered, queue.released):
        return True
    queue.blocks += queue.is_over(1, len(message.body))
    return False


def acknowledge(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """Entries are gone, and leave room."""
    free(consumer, len(deliveries))
    for each in deliveries:
        del queue.unacked[each.entry.position]
    may_have_changed = activate_next(queue, channel)
    if queue.consumers.unpark(channel, consumer) or queue.is_limited or may_have_changed:
        return checkout(queue, now_us)
    return []


def requeue(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """Entries come back as a client says so.

    Without a limit to that each is a new entry, in a command of its own (rabbit_fifo.erl, requeue).
    """
    limit = queue.delivery_limit
    if limit is not None:
        too_often = sum(each.entry.deliveries >= limit for each in deliveries)
        if consumer is not None and queue.profile.over_limit_frees_twice:
            consumer.surplus += too_often
            free(consumer, too_often)
        free(consumer, len(deliveries))
        queue.consumers.unpark(channel, consumer)
        return return_together(queue, deliveries, now_us)
    free(consumer, len(deliveries))
    effects: list[Effect] = []
    for entry in (each.entry for each in deliveries):
        queue.consumers.unpark(channel, consumer)  # it joins the line before the message goes to whoever is first
        queue.drop(entry)
        new = renewed(queue, entry)
        queue.admit(new)
        effects += [Replaced(entry, new), *checkout(queue, now_us)]
    return effects


def _counting(entry: Entry) -> QuorumEntry:
    return cast("QuorumEntry", entry)  # as all in a quorum queue are


def renewed(queue: Queue, entry: Entry) -> Entry:
    """An entry that left, as a new one behind all others."""
    new = _counting(queue.new_entry(entry.message, entry.expires_us))
    new.is_redelivered = True
    new.deliveries = entry.deliveries + 1
    new.failed_here = entry.failed_here
    return new


def take_back(queue: Queue, deliveries: list[Unacked], now_us: int) -> list[Effect]:
    """Entries come back as their channel is over: first, even where a nack puts them last."""
    for entry in (_counting(each.entry) for each in deliveries):
        entry.failed_here += 1
    return return_together(queue, deliveries, now_us)


def return_together(queue: Queue, deliveries: list[Unacked], now_us: int) -> list[Effect]:
    """Entries come back to their places, unless they did so too often."""
    effects: list[Effect] = []
    has_returned = False
    for entry in (_counting(each.entry) for each in deliveries):
        entry.is_redelivered = True
        entry.deliveries += 1
        if queue.delivery_limit is not None and entry.deliveries > queue.delivery_limit:
            queue.drop(entry)
            effects.append(GiveUp(entry, "delivery_limit", entry.failures))
        else:
            queue.put_back(entry)
            has_returned = True
    served = checkout(queue, now_us)
    if has_returned:
        served.sort(key=lambda effect: turn_to_be_sent(effect, queue.profile))
    return effects + served


def turn_to_be_sent(effect: Effect, profile: Profile) -> tuple[int, str]:
    """What returns at once is sent consumer by consumer (observed)."""
    if not isinstance(effect, Deliver):
        return (0, "")
    consumer = effect.consumer
    return (0, consumer.tag) if profile.quorum_sorts_consumers_by_tag else (consumer.number, "")


def free(consumer: Consumer | None, count: int) -> None:
    """So many deliveries of a consumer no longer count. Nobody gets more credit than at first (increase_credit)."""
    if consumer is not None:
        consumer.outstanding = max(-consumer.surplus, consumer.outstanding - count)


def activate_next(queue: Queue, channel: Receiver) -> bool:
    """What is settled for good may let another consumer succeed the active one; whether this queue chooses so."""
    consumers = queue.consumers
    if not isinstance(consumers, QuorumSingleActive):
        return False
    consumers.unpark_all(channel)
    consumers.activate_next()
    return True


def get(queue: Queue, no_ack: bool, now_us: int) -> tuple[Entry, int, list[Effect]]:
    """The head; what has expired behind it counts, unless the head is settled at once (observed)."""
    entry = queue.take()
    ready = len(queue.backlog)
    head = queue.backlog.head()
    must_look = queue.is_limited or (head is not None and head.expires_us != NO_EXPIRY_US)
    effects = checkout(queue, now_us) if must_look else []
    return entry, len(queue.backlog) if no_ack else ready, effects


def add_consumer(queue: Queue, consumer: Consumer, unsettled: int) -> None:
    """Somebody new consumes, and inherits what is unsettled of an earlier one of that tag (merge_consumer)."""
    consumer.outstanding = min(unsettled, consumer.prefetch_count or unsettled)
    queue.consumers.add(consumer)


def configure(queue: Queue, settings: QueueArguments, now_us: int) -> list[Effect]:
    """Policies have changed. Whom it has stopped, no change frees in 3.10, not even one that takes every limit away."""
    queue.configure(settings)
    queue.delivery_limit = delivery_limit_of(settings.delivery_limit, queue.profile)
    if not queue.is_limited and queue.profile.unlimited_quorum_queues_unblock:
        queue.released = queue.blocks
    queue.may_refuse = queue.may_refuse or queue.blocks > queue.released
    return checkout(queue, now_us) if queue.backlog else []


def delivery_limit_of(limit: Any, profile: Profile) -> int | None:
    """What a quorum queue makes of its x-delivery-limit, which may be anything (observed)."""
    if limit is None:
        return profile.default_delivery_limit
    if isinstance(limit, bool) or not isinstance(limit, int):
        return None
    return limit if limit >= 0 else profile.negative_delivery_limit


def check_consumer(queue: Queue, no_ack: bool, exclusive: bool, prefetch_count: int, global_prefetch: int) -> None:
    """Raise 540 for a limit that counts for a whole channel."""
    if global_prefetch:
        raise not_implemented(f"{queue_named(queue.name, queue.fact.vhost)} does not support global qos")


def check_get(queue: Queue) -> None:
    """Raise 405 where a single consumer is active."""
    if queue.settings.single_active_consumer:
        raise resource_locked(
            f"cannot obtain access to locked {queue_named(queue.name, queue.fact.vhost)}. "
            "basic.get operations are not supported by quorum queues with single active consumer"
        )


def check_delete(queue: Queue, if_unused: bool, if_empty: bool) -> None:
    """Raise 540 for any condition."""
    for flag, is_set in (("if-unused", if_unused), ("if-empty", if_empty)):
        if is_set:
            raise not_implemented(
                f"cannot delete {queue_named(queue.name, queue.fact.vhost)}. queue.delete operations with {flag} "
                "flag set are not supported by quorum queues"
            )


def count_consumers(queue: Queue, holders: Iterable[tuple[Receiver, str | None]]) -> int:
    """Those that are served, and whoever else holds a message: each basic.get, and a consumer that was cancelled.

    That stays until it has nothing checked out (rabbit_fifo.erl; observed).
    """
    consumers = {(id(consumer.channel), consumer.tag) for consumer in queue.consumers.served()}
    fetches = 0
    for channel, tag in holders:
        if tag is None:
            fetches += 1
        else:
            consumers.add((id(channel), tag))
    return len(consumers) + fetches


def delivered_properties(queue: Queue, entry: Entry, *, counts_from_zero: bool = False) -> BasicProperties:
    """A message's properties with its returns counted in a header."""
    properties = entry.message.properties
    count = entry.deliveries or entry.message.failures
    if not (count or counts_from_zero):
        return properties
    headers = {**(properties.headers or {}), DELIVERY_COUNT: LongLong(count)}
    in_order = {name: headers[name] for name in sorted(headers, key=erlang.binary)}
    return properties.replace(headers=in_order)


def node_goes(queue: Queue, out: list[int]) -> None:
    """The log knows in which order messages were returned; what is out returns when the node is back."""
    assert queue.store is not None  # it is durable
    queue.store.order = backlog_of(queue).order(out)


def has_recovered(queue: Queue) -> None:
    """The log has been read to its end."""
    assert queue.store is not None
    backlog_of(queue).restore(queue.store.order)


def backlog_of(queue: Queue) -> QuorumBacklog:
    """A quorum queue's backlog."""
    assert isinstance(queue.backlog, QuorumBacklog)
    return queue.backlog


def fetched_properties(queue: Queue, entry: Entry) -> BasicProperties:
    """The same for basic.get, which may tell of no return at all."""
    return delivered_properties(queue, entry, counts_from_zero=queue.profile.quorum_get_counts_from_zero)


def policy_wins(setting: str, profile: Profile) -> bool:
    """Whether a policy holds, whatever the argument says."""
    return setting == "overflow" or (setting == "expires_ms" and profile.policy_expiry_wins)


QUORUM = QueueType(
    name="quorum",
    expires_before_dropping=True,
    make_backlog=make_backlog,
    make_consumers=make_consumers,
    enqueue=enqueue,
    checkout=checkout,
    acknowledge=acknowledge,
    reject=reject,
    requeue=requeue,
    take_back=take_back,
    cancel=cancel,
    get=get,
    add_consumer=add_consumer,
    configure=configure,
    stops=stops,
    refuses=lambda queue, message: False,
    dies_of_publish=lambda queue: False,
    node_goes=node_goes,
    has_recovered=has_recovered,
    check_consumer=check_consumer,
    check_get=check_get,
    check_purge=accept,
    check_delete=check_delete,
    check_return=accept,
    check_recover=accept,
    check_headers=lambda headers, profile: None,
    count_messages=lambda queue: len(queue.backlog),
    count_consumers=count_consumers,
    delivered_properties=delivered_properties,
    fetched_properties=fetched_properties,
    takes_dead_letters=lambda at_least_once, profile: True,
    policy_wins=policy_wins,
    check=check_served,
    limits_no_ack=True,
    carries_failures=True,
    keeps_transient=True,
    entry_class=QuorumEntry,
    remembers_deliveries=True,
    is_applied_late=True,
    forgives_deletion=True,
    stops_publishers=True,
)
