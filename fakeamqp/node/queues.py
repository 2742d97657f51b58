"""Queues: entries in, effects out."""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.arguments import (
    QUEUE_TYPE,
    QueueArguments,
    assert_equivalent,
    assert_equivalent_arguments,
    described,
    parse_queue_arguments,
)
from fakeamqp.node.backlog import Backlog
from fakeamqp.node.consumers import Consumer, Rotation
from fakeamqp.node.facts import QueueFact
from fakeamqp.node.journal import QueueStore
from fakeamqp.node.messages import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.profile import Profile
from fakeamqp.node.timers import Timer
from fakeamqp.spec.errors import resource_locked
from fakeamqp.spec.records import Record


class Deliver(Record):
    """Effect: hand this entry to this consumer."""

    consumer: Consumer
    entry: Entry


class Expired(Record):
    """Effect: this entry's time is up."""

    entry: Entry


class WakeAt(Record):
    """Effect: run the queue again at this time, microseconds."""

    at_us: int


class Unused(Record):
    """Effect: the last consumer of an auto-delete queue is gone."""


Effect: TypeAlias = Deliver | Expired | WakeAt | Unused


class Queue:
    """One queue. It never reaches out: what must happen elsewhere are the effects that `run` returns."""

    __slots__ = (
        "arguments",
        "backlog",
        "consumers",
        "exclusive_consumer",
        "fact",
        "had_consumer",
        "is_deleted",
        "is_dirty",
        "is_quorum",
        "key",
        "name",
        "next_position",
        "owner",
        "store",
        "unacked",
        "wake_timer",
    )

    def __init__(self, fact: QueueFact, store: QueueStore | None) -> None:
        self.fact = fact
        self.store = store
        """The queue's part of the journal, if it survives."""
        self.name = fact.name
        self.key = (fact.vhost, fact.name)
        self.owner = fact.owner
        self.arguments: QueueArguments = parse_queue_arguments(fact.arguments, queue_named(fact.name, fact.vhost))
        self.is_quorum = self.arguments.queue_type == "quorum"
        self.backlog = Backlog()
        self.unacked: dict[int, Entry] = {}
        """Entries that somebody holds, by position."""
        self.consumers = Rotation()
        self.exclusive_consumer: Consumer | None = None
        self.had_consumer = False
        self.next_position = 0
        self.is_dirty = False
        self.is_deleted = False
        self.wake_timer: Timer | None = None

    def enqueue(self, message: Message, expires_us: int) -> Entry:
        """A new entry behind all others; it is not in the backlog yet."""
        entry = Entry(self, self.next_position, message, expires_us)
        self.next_position += 1
        return entry

    def take(self) -> Entry:
        """The head leaves the backlog and waits for its acknowledgement; raises IndexError if there is none."""
        entry = self.backlog.pop()
        self.unacked[entry.position] = entry
        return entry

    def put_back(self, entry: Entry) -> None:
        """An unacknowledged entry is ready again, in its old place."""
        del self.unacked[entry.position]
        self.backlog.put_back(entry)

    def put_first(self, entry: Entry) -> None:
        """An unacknowledged entry is ready again, before all that never left, after those that returned earlier."""
        del self.unacked[entry.position]
        self.backlog.put_first(entry)

    def renewed(self, entry: Entry) -> Entry:
        """An entry that left, as a new one behind all others."""
        new = self.enqueue(entry.message, entry.expires_us)
        new.is_redelivered = entry.is_redelivered
        new.deliveries = entry.deliveries
        return new

    def drop(self, entry: Entry) -> None:
        """An entry that was taken is gone for good."""
        del self.unacked[entry.position]

    def close(self) -> None:
        """The queue is deleted: nothing is in it any more, and nothing wakes it."""
        self.is_deleted = True
        self.backlog.clear()
        self.unacked.clear()
        if self.wake_timer is not None:
            self.wake_timer.cancel()

    def run(self, now_us: int) -> list[Effect]:
        """Serve consumers and expire heads until neither is possible."""
        effects: list[Effect] = []
        backlog = self.backlog
        while (head := backlog.head()) is not None:
            # What expires at this very moment may still go to a consumer that is free: expiration 0 means just that.
            consumer = None if head.expires_us < now_us else self.consumers.next()
            if consumer is None:
                if head.expires_us <= now_us:
                    effects.append(Expired(self.take()))
                    continue
                if head.expires_us != NO_EXPIRY_US:
                    effects.append(WakeAt(head.expires_us))
                break
            entry = self.take()
            if not consumer.no_ack:
                consumer.outstanding += 1
                consumer.channel.outstanding += 1
            effects.append(Deliver(consumer, entry))
        if self.fact.auto_delete and self.had_consumer and not (self.consumers or self.is_deleted):
            effects.append(Unused())
        return effects

    def check(self) -> None:
        """What must hold between turns."""
        self.backlog.check()
        assert all(entry.position == position for position, entry in self.unacked.items())
        assert not {each.position for each in self.backlog} & set(self.unacked)
        assert all(each.position < self.next_position for each in self.backlog)
        if self.backlog:
            assert not any(each.can_take() for each in self.consumers), f"{self.name}: ready messages, idle consumers"
        if self.exclusive_consumer is not None:
            assert list(self.consumers) == [self.exclusive_consumer]


def queue_named(name: str, vhost: str) -> str:
    """How RabbitMQ's texts name a queue."""
    return f"queue '{name}' in vhost '{vhost}'"


def assert_may_use(queue: QueueFact, connection_id: int) -> None:
    """Raise 405 for an exclusive queue of another connection."""
    if queue.owner is not None and queue.owner != connection_id:
        raise locked(queue)


def locked(queue: QueueFact) -> Exception:
    """405 for a queue that is exclusive, or is not what the declaration says in this respect."""
    return resource_locked(
        f"cannot obtain exclusive access to locked {queue_named(queue.name, queue.vhost)}. It could be originally "
        "declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )


def assert_equivalent_queue(existing: QueueFact, received: QueueFact, profile: Profile) -> None:
    """Raise 405 or 406 unless a redeclaration says the same. Source: rabbit_amqqueue.erl, assert_equivalence."""
    where = queue_named(existing.name, existing.vhost)
    if existing.owner != received.owner:
        raise locked(existing)
    for key in ("durable", "auto_delete"):
        assert_equivalent(described(getattr(existing, key)), described(getattr(received, key)), key, where)
    declared, redeclared = existing.arguments, received.arguments
    if profile.fills_in_queue_type:
        declared, redeclared = DEFAULT_ARGUMENTS | declared, DEFAULT_ARGUMENTS | redeclared
    if (DEFAULT_ARGUMENTS | declared)[QUEUE_TYPE] != (DEFAULT_ARGUMENTS | redeclared)[QUEUE_TYPE]:
        assert_equivalent_arguments(declared, redeclared, QUEUE_TYPE, where)


DEFAULT_ARGUMENTS = {QUEUE_TYPE: "classic"}
"""What a queue's arguments say where they say nothing."""
