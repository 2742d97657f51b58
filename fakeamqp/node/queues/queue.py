"""Queues: entries in, effects out."""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.queues.consumers import Consumer
from fakeamqp.node.queues.effects import Deliver, Discarded, Effect, Forget, GiveUp, SettledAtOnce, Unused, WakeAt
from fakeamqp.node.queues.log import Log
from fakeamqp.node.queues.queue_arguments import (
    QueueArguments,
    assert_equivalent_queue_arguments,
    parse_queue_arguments,
)
from fakeamqp.node.queues.queue_types import backlog_of, consumers_of, delivery_limit_of
from fakeamqp.node.queues.readers import Readers
from fakeamqp.node.state.journal import QueueStore
from fakeamqp.node.state.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.state.timers import Timer
from fakeamqp.node.words.arguments import assert_equivalent, described
from fakeamqp.node.words.facts import PolicyFact, QueueFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import resource_locked

Registrations: TypeAlias = dict["Queue", int]
"""What a publisher knows of quorum queues: how often each had been too long when it first published there."""


class Queue:
    """One queue. It never reaches out: what must happen elsewhere are the effects that `run` returns."""

    __slots__ = (
        "backlog",
        "blocks",
        "consumers",
        "declared",
        "delivery_limit",
        "discarded",
        "discarded_bytes",
        "exclusive_consumer",
        "expiry_timer",
        "fact",
        "had_consumer",
        "has_requeued",
        "has_returned_together",
        "is_deleted",
        "is_dirty",
        "is_limited",
        "is_quorum",
        "is_stream",
        "is_timed",
        "key",
        "log",
        "may_refuse",
        "name",
        "next_position",
        "operator_policy",
        "owner",
        "policy",
        "profile",
        "readers",
        "ready_bytes",
        "registrations",
        "released",
        "settings",
        "store",
        "ttl_us",
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
        self.declared = parse_queue_arguments(fact.arguments)
        """What its arguments alone say."""
        self.policy: PolicyFact | None = None
        self.operator_policy: PolicyFact | None = None
        self.settings = self.declared
        self.is_quorum = self.settings.queue_type == "quorum"
        self.is_stream = self.settings.queue_type == "stream"
        self.log = Log(self.settings, rolls_over_at_once=profile.streams_roll_over_at_once) if self.is_stream else None
        """A stream's messages, which take the place of the backlog."""
        self.readers = None if self.log is None else Readers(self.log, profile)
        """A stream's consumers."""
        self.backlog = backlog_of(self.settings, profile) if self.log is None else self.log
        self.ready_bytes = 0
        """The size of all ready bodies, where it matters."""
        self.unacked: dict[int, Entry] = {}
        """Entries that somebody holds, by position."""
        self.discarded: list[Discarded] = []
        """What waits to be dead-lettered, in the order of dying."""
        self.discarded_bytes = 0
        """The size of their bodies."""
        self.consumers = consumers_of(self.settings, profile) if self.readers is None else self.readers
        self.exclusive_consumer: Consumer | None = None
        self.had_consumer = False
        self.has_requeued = False
        """Whether something came back to a classic queue since it last ran."""
        self.has_returned_together = False
        """Whether something came back to its place in a quorum queue since it last ran."""
        self.next_position = 0
        self.is_dirty = False
        self.is_deleted = False
        self.blocks = 0
        """How often a quorum queue has told its publishers that it is too long."""
        self.released = 0
        """How often it had, when it was last down to 80 percent of its limits and let them publish again."""
        self.registrations: Registrations = {}
        """Of the queue as a publisher of dead letters."""
        self.wake_timer: Timer | None = None
        self.expiry_timer: Timer | None = None
        self.configure(self.settings)

    def configure(self, settings: QueueArguments) -> None:
        """From now on the queue is governed by these settings."""
        self.settings = settings
        limits = (settings.max_length, settings.max_length_bytes, settings.max_age_s)
        self.is_limited = any(limit is not None for limit in limits)
        """Whether the queue may be only so long."""
        if not self.is_limited and self.profile.unlimited_quorum_queues_unblock:
            self.released = self.blocks
        self.may_refuse = (self.is_limited and settings.rejects) or self.blocks > self.released
        """Whether `refuses` must be asked: whom a quorum queue has stopped, no change of a policy frees (observed)."""
        if self.is_limited:
            self.ready_bytes = sum(len(entry.message.body) for entry in self.backlog)
        self.delivery_limit = delivery_limit_of(settings.delivery_limit, self.profile) if self.is_quorum else None
        """How often a message may come back."""
        self.ttl_us = None if settings.message_ttl_ms is None else settings.message_ttl_ms * 1000
        """How long a message may wait."""
        self.is_timed = settings.consumer_timeout_ms is not None
        """Whether the queue has an own time for acknowledgements."""
        if self.log is not None:
            self.log.configure(settings)

    def enqueue(self, message: Message, expires_us: int) -> Entry:
        """A new entry behind all others; it is not in the backlog yet."""
        entry = Entry(self, self.next_position, message, expires_us)
        self.next_position += 1
        return entry

    def admit(self, entry: Entry) -> None:
        """A new entry is ready."""
        self.backlog.append(entry)
        if self.is_limited:
            self.ready_bytes += len(entry.message.body)

    def counted(self) -> int:
        """How many messages queue.declare-ok and delete-ok tell: the ready ones, of a stream none (observed)."""
        return 0 if self.is_stream else len(self.backlog)

    def take(self) -> Entry:
        """The head leaves the backlog and waits for its acknowledgement; raises IndexError if there is none."""
        entry = self.backlog.pop()
        if self.is_limited:
            self.ready_bytes -= len(entry.message.body)
        self.unacked[entry.position] = entry
        return entry

    def put_back(self, entry: Entry) -> None:
        """An unacknowledged entry is ready again, at the place that its type of queue gives it."""
        del self.unacked[entry.position]
        self.backlog.put_back(entry)
        if self.is_limited:
            self.ready_bytes += len(entry.message.body)
            self.has_requeued = not self.is_quorum
        self.has_returned_together = self.is_quorum

    def discard(self, discarded: Discarded) -> None:
        """An entry that died waits to be dead-lettered."""
        self.discarded.append(discarded)
        self.discarded_bytes += len(discarded.entry.message.body)

    def take_discarded(self) -> list[Discarded]:
        """All that waits to be dead-lettered leaves, the oldest first."""
        taken, self.discarded, self.discarded_bytes = self.discarded, [], 0
        return taken

    def clear(self) -> list[Entry]:
        """All ready entries leave, in their order."""
        self.ready_bytes = 0
        return self.backlog.clear()

    def is_over(self, more_messages: int = 0, more_bytes: int = 0) -> bool:
        """Whether the queue is longer than it may be, or would be with so much more.

        What waits to be dead-lettered counts as well (rabbit_fifo.erl, is_over_limit; observed).
        """
        settings = self.settings
        messages = len(self.backlog) + len(self.discarded) + more_messages
        size = self.ready_bytes + self.discarded_bytes + more_bytes
        return (settings.max_length is not None and messages > settings.max_length) or (
            settings.max_length_bytes is not None and size > settings.max_length_bytes
        )

    def refuses(self, message: Message, registrations: Registrations | None) -> bool:
        """Whether a publisher to a queue that may refuse is told that there is no room (x-overflow: reject-publish).

        A quorum queue takes what makes it too long, and then refuses all publishers until it is down to 80 percent.
        One that comes new meanwhile may publish as long as the queue is not too long. Without registrations, as
        dead letters come that may be lost, it takes everything. Source: rabbit_fifo.erl (evaluate_limit,
        register_enqueuer) and rabbit_fifo_client.erl; observed.
        """
        if not self.is_quorum:
            return self.is_over(1, len(message.body))
        if registrations is None:
            return False
        if not (self.is_limited and self.settings.rejects):
            return self.blocks > max(registrations.get(self, self.blocks), self.released)
        registered = registrations.setdefault(self, self.blocks - self.is_over())
        if self.blocks > max(registered, self.released):
            return True
        self.blocks += self.is_over(1, len(message.body))
        return False

    def _tell_publishers(self) -> None:
        """A quorum queue stops its publishers or lets them go on."""
        if self.is_over():
            self.blocks += 1
        elif self._has_drained():
            self.released = self.blocks

    def _has_drained(self) -> bool:
        settings = self.settings
        messages = len(self.backlog) + len(self.discarded)
        size = self.ready_bytes + self.discarded_bytes
        return (settings.max_length is None or messages <= settings.max_length * 8 // 10) and (
            settings.max_length_bytes is None or size <= settings.max_length_bytes * 8 // 10
        )

    def renewed(self, entry: Entry) -> Entry:
        """An entry that left, as a new one behind all others."""
        new = self.enqueue(entry.message, entry.expires_us)
        new.is_redelivered = entry.is_redelivered
        new.deliveries = entry.deliveries
        new.failures = entry.failures
        return new

    def drop(self, entry: Entry) -> None:
        """An entry that was taken is gone for good."""
        del self.unacked[entry.position]

    def close(self) -> None:
        """The queue is deleted: nothing is in it any more, and nothing wakes it."""
        self.is_deleted = True
        self.clear()
        self.unacked.clear()
        self.take_discarded()
        for timer in (self.wake_timer, self.expiry_timer):
            if timer is not None:
                timer.cancel()

    def run(self, now_us: int) -> list[Effect]:
        """Expire heads, serve consumers and give up what is too much, until there is nothing left to do."""
        if self.log is not None:
            return self._run_stream(self.log, now_us)
        if self.fact.auto_delete and self.had_consumer and not (self.consumers or self.is_deleted):
            return [Unused()]  # what its last consumer has held goes with it, and is not dead-lettered (observed)
        effects: list[Effect] = []
        if self.has_requeued:
            # A classic queue looks at its length before it serves what came back, and at what expired after that
            # (rabbit_amqqueue_process.erl, requeue_and_run; observed).
            self.has_requeued = False
            self._drop_heads(effects)
        head = self._serve(now_us, effects)
        if self.is_limited:
            while self._drop_heads(effects):
                head = self._serve(now_us, effects)
            if self.is_quorum and self.settings.rejects:
                self._tell_publishers()
        if self.has_returned_together:
            self.has_returned_together = False
            effects.sort(key=self._turn_to_be_sent)
        if self.is_quorum:
            served = dict.fromkeys(each.consumer for each in effects if isinstance(each, Deliver))
            effects += [SettledAtOnce(consumer) for consumer in served if consumer.no_ack]
        if head is not None and head.expires_us != NO_EXPIRY_US and head is not self.backlog.overtaker:
            effects.append(WakeAt(head.expires_us))
        return effects

    def _serve(self, now_us: int, effects: list[Effect]) -> Entry | None:
        """Expire heads and hand out what consumers can take; the head that is left."""
        backlog = self.backlog
        while (head := backlog.head()) is not None:
            # What expires as it arrives may still go to a consumer that is free: expiration 0 means just that.
            is_expired = head.expires_us <= now_us and head is not backlog.overtaker
            is_lost = is_expired and (head.is_redelivered or head.expires_us < now_us)
            consumer = None if is_lost else self.consumers.next()
            if consumer is None:
                if not is_expired or self._is_too_long():
                    break
                effects.append(GiveUp(self.take(), "expired"))
                continue
            entry = self.take()
            if self.is_quorum or not consumer.no_ack:
                consumer.outstanding += 1
                consumer.channel.outstanding += not consumer.no_ack
                if self.is_quorum and not consumer.can_take():
                    self.consumers.park(consumer)
            effects.append(Deliver(consumer, entry))
        return head

    def _is_too_long(self) -> bool:
        """Whether heads must be dropped."""
        return self.is_limited and not self.settings.rejects and self.is_over()

    def _drop_heads(self, effects: list[Effect]) -> bool:
        """Give up what is too much; whether anything was."""
        before = len(effects)
        while self._is_too_long():
            effects.append(GiveUp(self.take(), "maxlen"))
        if self.is_quorum:
            effects[before:] = reversed(effects[before:])  # its dead letters come latest first (observed)
        return len(effects) > before

    def _turn_to_be_sent(self, effect: Effect) -> tuple[int, str]:
        """What returns to a quorum queue at once is sent consumer by consumer (observed)."""
        if not isinstance(effect, Deliver):
            return (0, "")
        consumer = effect.consumer
        return (0, consumer.tag) if self.profile.quorum_sorts_consumers_by_tag else (consumer.number, "")

    def _run_stream(self, log: Log, now_us: int) -> list[Effect]:
        """Drop what a stream need not keep, and let every consumer read on."""
        assert self.readers is not None
        effects: list[Effect] = []
        for entry in log.retain(now_us) if log.is_retention_due else ():
            self.ready_bytes -= len(entry.message.body)
            effects.append(Forget(entry))
        effects += [Deliver(consumer, entry) for consumer, entry in self.readers.read(now_us)]
        return effects

    def check(self) -> None:
        """What must hold between turns."""
        self.backlog.check()
        assert not self.is_limited or self.ready_bytes == sum(len(each.message.body) for each in self.backlog)
        if self.readers is not None:
            self.readers.check()
            assert not self.unacked
            return
        assert all(entry.position == position for position, entry in self.unacked.items())
        assert not {each.position for each in self.backlog} & set(self.unacked)
        assert all(each.position < self.next_position for each in self.backlog)
        assert not self._is_too_long()
        if self.backlog and not self.settings.single_active_consumer:
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
    assert_equivalent_queue_arguments(existing.arguments, received.arguments, profile, where)
