"""What classic and quorum queues do alike with their ready entries: serve consumers, expire, drop heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.queues.consumer import Consumer, Receiver
from fakeamqp.node.queues.effects import Deliver, Effect, GiveUp, WakeAt
from fakeamqp.node.queues.queue import Queue, Unacked

Charge: TypeAlias = Callable[[Queue, Consumer], None]
"""`charge(queue, consumer)`: count a delivery against the prefetch limits."""


def expiry_us(queue: Queue, message: Message, now_us: int) -> int:
    """When a message that comes now expires: the shorter of its own and the queue's time to live begins."""
    expires_us = NO_EXPIRY_US if queue.ttl_us is None else now_us + queue.ttl_us
    expiration = message.properties.expiration
    return expires_us if expiration is None else min(expires_us, now_us + int(expiration) * 1000)


def serve(queue: Queue, now_us: int, charge: Charge, effects: list[Effect]) -> Entry | None:
    """Expire heads and hand out what consumers can take; the head that is left."""
    backlog = queue.backlog
    while (head := backlog.head()) is not None:
        # What expires as it arrives may still go to a consumer that is free: expiration 0 means just that.
        is_expired = is_past = is_lost = False
        if head.expires_us <= now_us:
            is_expired = head is not backlog.unseen_head
            is_past = head.expires_us < now_us
            is_lost = is_expired and (head.is_redelivered or is_past)
        consumer = None if is_lost else queue.consumers.next()
        if consumer is None:
            if not is_expired or (queue.is_too_long() and not (is_past and queue.type.expires_before_dropping)):
                break
            effects.append(give_up_head(queue, "expired"))
            continue
        charge(queue, consumer)
        effects.append(Deliver(consumer, queue.take()))
    return head


def give_up_head(queue: Queue, reason: str) -> GiveUp:
    """The head dies."""
    entry = queue.take_out()
    return GiveUp(entry, reason, entry.failures)


def drop_heads(queue: Queue) -> list[GiveUp]:
    """Give up what is too much."""
    dropped: list[GiveUp] = []
    while queue.is_too_long():
        dropped.append(give_up_head(queue, "maxlen"))
    return dropped


def wake_for(queue: Queue, head: Entry | None, effects: list[Effect]) -> None:
    """See to it that the queue runs again as its head expires."""
    if head is not None and head.expires_us != NO_EXPIRY_US and head is not queue.backlog.unseen_head:
        effects.append(WakeAt(head.expires_us))


def reject(
    queue: Queue, deliveries: list[Unacked], channel: Receiver, consumer: Consumer | None, now_us: int
) -> list[Effect]:
    """Entries are gone, and leave room; they may have dead letters."""
    rejected = [GiveUp(each.entry, "rejected", each.entry.failures + 1) for each in deliveries]
    return [*rejected, *queue.type.acknowledge(queue, deliveries, channel, consumer, now_us)]


def cancel(queue: Queue, consumer: Consumer, now_us: int) -> list[Effect]:
    """A consumer goes."""
    queue.remove_consumer(consumer)
    return queue.type.checkout(queue, now_us)


def check_served(queue: Queue) -> None:
    """Whoever can take something has it, and nothing is too much."""
    assert not {each.position for each in queue.backlog} & set(queue.unacked)
    assert all(each.position < queue.next_position for each in queue.backlog)
    assert not queue.is_too_long()
    if queue.backlog and not queue.settings.single_active_consumer:
        assert not any(each.can_take() for each in queue.consumers), f"{queue.name}: ready messages, idle consumers"
    if queue.exclusive_consumer is not None:
        assert list(queue.consumers) == [queue.exclusive_consumer]


def accept(queue: Queue) -> None:
    """Nothing to refuse."""


def publish_freely(queue: Queue, message: Message, registrations: object) -> bool:
    """No publisher is ever told to stop."""
    return False


def nothing_more(queue: Queue, *_: object) -> None:
    """The disk knows the queue's messages, and nothing more."""
