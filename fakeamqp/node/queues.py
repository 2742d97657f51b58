"""Queues: entries in, effects out."""

from __future__ import annotations

from typing import Any, TypeAlias

from fakeamqp.node.arguments import assert_equivalent, described
from fakeamqp.node.backlog import Backlog, Line, PriorityBacklog, QuorumBacklog
from fakeamqp.node.consumers import Consumer, Rotation, Succession
from fakeamqp.node.facts import QueueFact
from fakeamqp.node.journal import QueueStore
from fakeamqp.node.messages import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.profile import Profile
from fakeamqp.node.queue_arguments import QueueArguments, assert_equivalent_queue_arguments, parse_queue_arguments
from fakeamqp.node.timers import Timer
from fakeamqp.spec.errors import resource_locked
from fakeamqp.spec.records import Record


class Deliver(Record):
    """Effect: hand this entry to this consumer."""

    consumer: Consumer
    entry: Entry


class GiveUp(Record):
    """Effect: the queue has no room or no time for this entry any more; `reason` is x-death's word for it."""

    entry: Entry
    reason: str


class WakeAt(Record):
    """Effect: run the queue again at this time, microseconds."""

    at_us: int


class Unused(Record):
    """Effect: the last consumer of an auto-delete queue is gone."""


Effect: TypeAlias = Deliver | GiveUp | WakeAt | Unused


class Queue:
    """One queue. It never reaches out: what must happen elsewhere are the effects that `run` returns."""

    __slots__ = (
        "backlog",
        "consumers",
        "delivery_limit",
        "discarded",
        "exclusive_consumer",
        "expiry_timer",
        "fact",
        "had_consumer",
        "has_returns",
        "is_deleted",
        "is_dirty",
        "is_full",
        "is_limited",
        "is_quorum",
        "key",
        "name",
        "next_position",
        "overtaker",
        "owner",
        "profile",
        "ready_bytes",
        "settings",
        "store",
        "unacked",
        "wake_timer",
    )

    def __init__(self, fact: QueueFact, store: QueueStore | None, profile: Profile) -> None:
        self.fact = fact
        self.store = store
        """The queue's part of the journal, if it survives."""
        self.profile = profile
        self.name = fact.name
        self.key = (fact.vhost, fact.name)
        self.owner = fact.owner
        self.settings = parse_queue_arguments(fact.arguments)
        self.is_quorum = self.settings.queue_type == "quorum"
        self.backlog = _backlog(self.settings, profile)
        self.ready_bytes = 0
        """The size of all ready bodies."""
        self.unacked: dict[int, Entry] = {}
        """Entries that somebody holds, by position."""
        self.discarded: dict[int, tuple[Entry, str]] = {}
        """Entries that died of a reason and have not yet arrived where dead letters go, by position."""
        self.consumers = _consumers(self.settings, profile)
        self.exclusive_consumer: Consumer | None = None
        self.had_consumer = False
        self.next_position = 0
        self.is_dirty = False
        self.is_deleted = False
        self.is_full = False
        self.has_returns = False
        """Whether messages came back to a classic queue, which then looks at its limit before it serves consumers."""
        """Whether a quorum queue refuses what comes until it is down to 80 percent of its limits."""
        self.overtaker: Entry | None = None
        """A head that came before others that were there first, and that nobody has looked at since."""
        self.wake_timer: Timer | None = None
        self.expiry_timer: Timer | None = None
        self.configure(self.settings)

    def configure(self, settings: QueueArguments) -> None:
        """From now on the queue is governed by these settings."""
        self.settings = settings
        self.is_limited = settings.max_length is not None or settings.max_length_bytes is not None
        """Whether the queue may be only so long."""
        self.delivery_limit = _delivery_limit(settings.delivery_limit, self.profile) if self.is_quorum else None
        """How often a message may come back."""

    def enqueue(self, message: Message, expires_us: int) -> Entry:
        """A new entry behind all others; it is not in the backlog yet."""
        entry = Entry(self, self.next_position, message, expires_us)
        self.next_position += 1
        return entry

    def admit(self, entry: Entry) -> None:
        """A new entry is ready."""
        self.backlog.append(entry)
        self.ready_bytes += len(entry.message.body)
        if self.settings.max_priority and len(self.backlog) > 1 and self.backlog.head() is entry:
            self.overtaker = entry

    def take(self) -> Entry:
        """The head leaves the backlog and waits for its acknowledgement; raises IndexError if there is none."""
        entry = self.backlog.pop()
        self.ready_bytes -= len(entry.message.body)
        self.unacked[entry.position] = entry
        self.overtaker = None
        return entry

    def put_back(self, entry: Entry) -> None:
        """An unacknowledged entry is ready again, at the place that its type of queue gives it."""
        del self.unacked[entry.position]
        self.backlog.put_back(entry)
        self.ready_bytes += len(entry.message.body)
        self.overtaker = None
        self.has_returns = not self.is_quorum

    def clear(self) -> list[Entry]:
        """All ready entries leave, in their order."""
        self.ready_bytes = 0
        self.overtaker = None
        return self.backlog.clear()

    def is_over(self, more_messages: int = 0, more_bytes: int = 0) -> bool:
        """Whether the queue is longer than it may be, or would be with so much more."""
        settings = self.settings
        return (settings.max_length is not None and len(self.backlog) + more_messages > settings.max_length) or (
            settings.max_length_bytes is not None and self.ready_bytes + more_bytes > settings.max_length_bytes
        )

    def refuses(self, message: Message) -> bool:
        """Whether a publisher is told that there is no room (x-overflow: reject-publish).

        A quorum queue notices only once it is over its limit, and then refuses until it is down to 80 percent.
        Source: rabbit_fifo.erl and rabbit_fifo_client.erl; observed.
        """
        if not self.is_limited or not self.settings.rejects:
            return False
        would_be_over = self.is_over(1, len(message.body))
        if not self.is_quorum:
            return would_be_over
        refused = self.is_full and not self._has_drained()
        self.is_full = refused or would_be_over
        return refused

    def _has_drained(self) -> bool:
        settings = self.settings
        return (settings.max_length is None or len(self.backlog) <= settings.max_length * 8 // 10) and (
            settings.max_length_bytes is None or self.ready_bytes <= settings.max_length_bytes * 8 // 10
        )

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
        self.clear()
        self.unacked.clear()
        self.discarded.clear()
        for timer in (self.wake_timer, self.expiry_timer):
            if timer is not None:
                timer.cancel()

    def run(self, now_us: int) -> list[Effect]:
        """Expire heads, serve consumers and give up what is too much, until there is nothing left to do."""
        effects: list[Effect] = []
        backlog = self.backlog
        if self.has_returns:
            self.has_returns = False
            effects += self._excess()
        while (head := backlog.head()) is not None:
            # What expires as it arrives may still go to a consumer that is free: expiration 0 means just that.
            is_expired = head.expires_us <= now_us and head is not self.overtaker
            is_lost = is_expired and (head.is_redelivered or head.expires_us < now_us)
            consumer = None if is_lost else self.consumers.next()
            if consumer is None:
                if is_expired:
                    effects.append(GiveUp(self.take(), "expired"))
                    continue
                break
            entry = self.take()
            if not consumer.no_ack:
                consumer.outstanding += 1
                consumer.channel.outstanding += 1
                if self.is_quorum and not consumer.can_take():
                    self.consumers.park(consumer)
            effects.append(Deliver(consumer, entry))
        effects += self._excess()
        head = backlog.head()
        if head is not None and head.expires_us != NO_EXPIRY_US and head is not self.overtaker:
            effects.append(WakeAt(head.expires_us))
        if self.fact.auto_delete and self.had_consumer and not (self.consumers or self.is_deleted):
            effects.append(Unused())
        return effects

    def _excess(self) -> list[Effect]:
        """Heads go until the queue is as short as it must be."""
        effects: list[Effect] = []
        if self.is_limited and not self.settings.rejects:
            while self.backlog and self.is_over():
                effects.append(GiveUp(self.take(), "maxlen"))
        return effects

    def check(self) -> None:
        """What must hold between turns."""
        self.backlog.check()
        assert all(entry.position == position for position, entry in self.unacked.items())
        assert not {each.position for each in self.backlog} & set(self.unacked)
        assert all(each.position < self.next_position for each in self.backlog)
        assert self.ready_bytes == sum(len(each.message.body) for each in self.backlog)
        assert self.settings.rejects or not self.is_over()
        if self.backlog and not self.settings.single_active_consumer:
            assert not any(each.can_take() for each in self.consumers), f"{self.name}: ready messages, idle consumers"
        if self.exclusive_consumer is not None:
            assert list(self.consumers) == [self.exclusive_consumer]


def _backlog(settings: QueueArguments, profile: Profile) -> Backlog:
    if settings.queue_type == "quorum":
        return QuorumBacklog(has_levels=profile.quorum_queues_have_priorities)
    if settings.max_priority is None:
        return Line()
    return PriorityBacklog(settings.max_priority or int(profile.zero_priorities_are_one))


def _consumers(settings: QueueArguments, profile: Profile) -> Rotation | Succession:
    if not settings.single_active_consumer:
        return Rotation()
    if settings.queue_type == "classic":
        return Succession(by_priority=True, replaces=False)
    newer = profile.quorum_queues_have_priorities
    return Succession(by_priority=newer, replaces=newer)


def _delivery_limit(limit: Any, profile: Profile) -> int | None:
    """What a quorum queue makes of its x-delivery-limit, which may be anything (observed)."""
    if limit is None:
        return profile.default_delivery_limit
    if isinstance(limit, bool) or not isinstance(limit, int):
        return None
    return limit if limit >= 0 else profile.negative_delivery_limit


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
    assert_equivalent_queue_arguments(existing.arguments, received.arguments, profile, where)
