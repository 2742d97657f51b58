"""Classic queues. Source: rabbit_amqqueue_process.erl; the rules have observed it."""

from __future__ import annotations

from collections.abc import Iterable

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.queues.backlog import Backlog, Line, PriorityBacklog
from fakeamqp.node.queues.consumer import Consumer, Consumers, Receiver
from fakeamqp.node.queues.effects import Effect, Unused
from fakeamqp.node.queues.queue import Queue, QueueType, Unacked
from fakeamqp.node.queues.queue_arguments import QueueArguments
from fakeamqp.node.queues.round_robin import RoundRobin
from fakeamqp.node.queues.serving import (
    accept,
    check_served,
    drop_heads,
    expiry_us,
    nothing_more,
    publish_freely,
    reject,
    serve,
    wake_for,
)
from fakeamqp.node.queues.single_active import SingleActive
from fakeamqp.node.words.names import queue_named
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import access_refused, precondition_failed


def make_backlog(settings: QueueArguments, profile: Profile) -> Backlog:
    """One line, or one for each priority."""
    if settings.max_priority is None:
        return Line()
    return PriorityBacklog(settings.max_priority or int(profile.zero_priorities_are_one))


def make_consumers(settings: QueueArguments, profile: Profile, backlog: Backlog) -> Consumers:
    """Round robin, or a single active one."""
    return SingleActive(by_priority=True) if settings.single_active_consumer else RoundRobin()


def enqueue(queue: Queue, message: Message, now_us: int) -> Entry:
    """A message goes behind all others of its priority."""
    expires_us = NO_EXPIRY_US
    if queue.ttl_us is not None or message.properties.expiration is not None:
        expires_us = expiry_us(queue, message, now_us)
    position = queue.next_position
    entry = Entry(position, message, expires_us)
    queue.next_position = position + 1
    queue.backlog.append(entry)
    if queue.is_limited:
        queue.ready_bytes += len(message.body)
    return entry


def checkout(queue: Queue, now_us: int) -> list[Effect]:
    """Expire heads, serve consumers and drop what is too much, until there is nothing left to do."""
    if queue.fact.auto_delete and queue.had_consumer and not queue.consumers:
        return [Unused()]  # what its last consumer has held goes with it, and is not dead-lettered (observed)
    effects: list[Effect] = []
    head = serve(queue, now_us, charge, effects)
    if queue.is_limited:
        while dropped := drop_heads(queue):
            effects += dropped
            head = serve(queue, now_us, charge, effects)
    wake_for(queue, head, effects)
    return effects


def charge(queue: Queue, consumer: Consumer) -> None:
    """A delivery counts until it is acknowledged."""
    if not consumer.no_ack:
        consumer.outstanding += 1
        consumer.channel.outstanding += 1


def acknowledge(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """Entries are gone, and leave room."""
    if consumer is not None:
        consumer.outstanding -= len(deliveries)
    for each in deliveries:
        del queue.unacked[each.entry.position]
    return checkout(queue, now_us) if queue.consumers.unpark(channel, consumer) or queue.is_limited else []


def requeue(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """Entries return to their old places."""
    if consumer is not None:
        consumer.outstanding -= len(deliveries)
    queue.consumers.unpark(channel, consumer)
    return take_back(queue, deliveries, now_us)


def cancel(queue: Queue, consumer: Consumer, now_us: int) -> list[Effect]:
    """A consumer goes. In 3.10 nobody looks then what the successor of a single active one might get."""
    consumers = queue.consumers
    leaves_successor = (
        queue.profile.cancelling_leaves_successor
        and isinstance(consumers, SingleActive)
        and consumers.active is consumer
    )
    queue.remove_consumer(consumer)
    if leaves_successor and consumers and queue.backlog:
        assert isinstance(consumers, SingleActive)
        consumers.is_stalled = queue.may_refuse = True
    return checkout(queue, now_us)


def is_stalled(queue: Queue) -> bool:
    """Whether the queue looks at its messages no more."""
    return isinstance(queue.consumers, SingleActive) and queue.consumers.is_stalled


def look_again(queue: Queue) -> None:
    """The queue looks at its messages again."""
    if isinstance(queue.consumers, SingleActive) and queue.consumers.is_stalled:
        queue.consumers.is_stalled = False
        queue.configure(queue.settings)


def dies_of_publish(queue: Queue) -> bool:
    """Whether the next message kills the process: it takes it for the only one (attempt_delivery; observed)."""
    if not queue.backlog:
        look_again(queue)
    return is_stalled(queue)


def take_back(queue: Queue, deliveries: list[Unacked], now_us: int) -> list[Effect]:
    """Entries return to their old places.

    The queue looks at its length before it serves what came back, and at what expired after that
    (rabbit_amqqueue_process.erl, requeue_and_run; observed).
    """
    look_again(queue)
    for entry in (each.entry for each in deliveries):
        entry.is_redelivered = True
        queue.put_back(entry)
    if queue.fact.auto_delete and queue.had_consumer and not queue.consumers:
        return [Unused()]
    return [*drop_heads(queue), *checkout(queue, now_us)]


def get(queue: Queue, no_ack: bool, now_us: int) -> tuple[Entry, int, list[Effect]]:
    """The head; what has expired behind it is not counted (observed)."""
    entry = queue.take()
    head = queue.backlog.head()
    must_look = head is not None and (queue.is_limited or head.expires_us != NO_EXPIRY_US)
    effects = checkout(queue, now_us) if must_look else []
    return entry, len(queue.backlog), effects


def add_consumer(queue: Queue, consumer: Consumer, unsettled: int) -> None:
    """Somebody new consumes."""
    look_again(queue)
    queue.consumers.add(consumer)
    if consumer.exclusive:
        queue.exclusive_consumer = consumer


def configure(queue: Queue, settings: QueueArguments, now_us: int) -> list[Effect]:
    """Policies have changed: it becomes shorter before it looks at what they say of overflow (observed)."""
    effects: list[Effect] = []
    if queue.backlog and settings.overflow != queue.settings.overflow:
        queue.configure(settings.replace(overflow=queue.settings.overflow))
        effects += checkout(queue, now_us)
    queue.configure(settings)
    queue.may_refuse = queue.may_refuse or is_stalled(queue)
    return effects + (checkout(queue, now_us) if queue.backlog else [])


def refuses(queue: Queue, message: Message) -> bool:
    """Whether a message that arrives would make the queue too long (x-overflow: reject-publish)."""
    return queue.is_over(1, len(message.body))


def check_consumer(queue: Queue, no_ack: bool, exclusive: bool, prefetch_count: int, global_prefetch: int) -> None:
    """Raise 403 where somebody consumes alone, or would like to and cannot."""
    is_taken = queue.exclusive_consumer is not None or (exclusive and len(queue.consumers) > 0)
    if is_taken or (exclusive and queue.settings.single_active_consumer):
        raise access_refused(f"{queue_named(queue.name, queue.fact.vhost)} in exclusive use")


def check_delete(queue: Queue, if_unused: bool, if_empty: bool) -> None:
    """Raise 406 where a condition does not hold."""
    where = queue_named(queue.name, queue.fact.vhost)
    if if_empty and len(queue.backlog):
        raise precondition_failed(f"{where} not empty")
    if if_unused and len(queue.consumers):
        raise precondition_failed(f"{where} in use")


def count_consumers(queue: Queue, holders: Iterable[tuple[Receiver, str | None]]) -> int:
    """Its consumers."""
    return len(queue.consumers)


CLASSIC = QueueType(
    name="classic",
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
    stops=publish_freely,
    refuses=refuses,
    dies_of_publish=dies_of_publish,
    node_goes=nothing_more,
    has_recovered=nothing_more,
    check_consumer=check_consumer,
    check_get=None,
    check_purge=accept,
    check_delete=check_delete,
    check_return=accept,
    check_recover=accept,
    check_headers=lambda headers, profile: None,
    count_messages=lambda queue: len(queue.backlog),
    count_consumers=count_consumers,
    delivered_properties=None,
    fetched_properties=None,
    takes_dead_letters=lambda at_least_once, profile: True,
    policy_wins=lambda setting, profile: False,
    check=check_served,
    heeds_global_prefetch=True,
    is_one_process=True,
    keeps_places=True,
)
