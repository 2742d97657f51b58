"""A queue: what it remembers, and the record of functions that makes it one of a type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from fakeamqp.node.kernel.journal import QueueStore
from fakeamqp.node.kernel.message import Entry, Message
from fakeamqp.node.kernel.timers import Timer
from fakeamqp.node.queues.backlog import Backlog
from fakeamqp.node.queues.consumer import Consumer, Consumers, Receiver
from fakeamqp.node.queues.effects import Discarded, Effect
from fakeamqp.node.queues.queue_arguments import QueueArguments, parse_queue_arguments
from fakeamqp.node.words.facts import PolicyFact, QueueFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table

Registrations: TypeAlias = dict["Queue", int]
"""What a publisher knows of quorum queues: how often each had been too long when it first published there."""


class Unacked(Record):
    """A delivery that waits for its acknowledgement, since `at_us`; `consumer` is None after basic.get."""

    delivery_tag: int
    queue: Queue
    entry: Entry
    consumer: Consumer | None
    at_us: int


class QueueType(Record, frozen=True):
    """What makes a queue one of its type. Functions take the queue; nothing outside `queues` asks for the type."""

    name: str
    make_backlog: Callable[[QueueArguments, Profile], Backlog]
    make_consumers: Callable[[QueueArguments, Profile, Backlog], Consumers]

    # Commands. Each ends with what the queue can do then: its checkout.
    enqueue: Callable[[Queue, Message, int], Entry]
    """(queue, message, now_us): put a message in; the checkout is the caller's."""
    checkout: Callable[[Queue, int], list[Effect]]
    """(queue, now_us): expire heads, serve consumers and give up what is too much, until there is nothing to do."""
    acknowledge: Callable[[Queue, list[Unacked], Receiver, Consumer | None, int], list[Effect]]
    """(queue, deliveries, channel, the consumer whose credit they were, now_us): a client is done with them."""
    reject: Callable[[Queue, list[Unacked], Receiver, Consumer | None, int], list[Effect]]
    """The same where a client does not want them, nor should anybody get them again."""
    requeue: Callable[[Queue, list[Unacked], Receiver, Consumer | None, int], list[Effect]]
    """The same where they go back."""
    take_back: Callable[[Queue, list[Unacked], int], list[Effect]]
    """(queue, deliveries, now_us): the channel is over that had them."""
    cancel: Callable[[Queue, Consumer, int], list[Effect]]
    """(queue, consumer, now_us): a consumer goes; what it holds stays unacknowledged."""
    get: Callable[[Queue, bool, int], tuple[Entry, int, list[Effect]]]
    """(queue, no_ack, now_us): take the head, which there is, for basic.get; it, how many are ready behind it, and what
    else is to be done."""
    add_consumer: Callable[[Queue, Consumer, int], None]
    """(queue, consumer, unsettled deliveries of earlier consumers of its tag): somebody new consumes."""
    configure: Callable[[Queue, QueueArguments, int], list[Effect]]
    """(queue, settings, now_us): policies have changed."""
    stops: Callable[[Queue, Message, Registrations | None], bool]
    """(queue, message, what its publisher knows): whether the publisher does not even send it, having been told."""
    refuses: Callable[[Queue, Message], bool]
    """(queue, message): whether there is no room for what arrives."""
    dies_of_publish: Callable[[Queue], bool]
    """Whether a publish to a queue that `may_refuse` kills its process."""
    node_goes: Callable[[Queue, list[int]], None]
    """(queue, what was out, in the order in which it will return): the node stops, or has crashed; what the disk knows
    of the queue besides its messages is kept."""
    has_recovered: Callable[[Queue], None]
    """All that the disk had is in the queue again."""

    # What methods are told.
    check_consumer: Callable[[Queue, bool, bool, int, int], None]
    """(queue, no_ack, exclusive, prefetch_count, global_prefetch): raise what refuses such a consumer."""
    check_get: Callable[[Queue], None] | None
    """Raise what refuses basic.get; None where nothing does."""
    check_purge: Callable[[Queue], None]
    """Raise what refuses queue.purge."""
    check_delete: Callable[[Queue, bool, bool], None]
    """(queue, if_unused, if_empty): raise what refuses queue.delete."""
    check_return: Callable[[Queue], None]
    """Raise what refuses basic.nack and reject."""
    check_recover: Callable[[Queue], None]
    """Raise what refuses basic.recover."""
    check_headers: Callable[[Table, Profile], None]
    """Raise what refuses a message with these headers."""
    count_messages: Callable[[Queue], int]
    """How many messages queue.declare-ok and delete-ok tell."""
    count_consumers: Callable[[Queue, Iterable[tuple[Receiver, str | None]]], int]
    """(queue, who holds its entries: channel and consumer tag, None of a get): what queue.declare-ok tells."""
    delivered_properties: Callable[[Queue, Entry], BasicProperties] | None
    """(queue, entry): a message's properties as a consumer gets them; None where they are those of the message."""
    fetched_properties: Callable[[Queue, Entry], BasicProperties] | None
    """(queue, entry): as basic.get gets them; None likewise."""
    takes_dead_letters: Callable[[bool, Profile], bool]
    """(whether they are sent at least once, profile): whether dead letters arrive at all."""
    policy_wins: Callable[[str, Profile], bool]
    """(setting, profile): whether of policy and argument the policy holds, whichever is smaller."""

    check: Callable[[Queue], None]
    """Assert what must hold between turns."""

    # Properties of the type.
    entry_class: Callable[[int, Message, int], Entry] = Entry
    """(position, message, expiry): what keeps a message's place."""
    limits_no_ack: bool = False
    """Whether a prefetch limit holds where nothing is to be acknowledged: then the channel does so for the client."""
    expires_before_dropping: bool = False
    """Whether what has expired before now expires also where the queue is too long, instead of being dropped."""
    heeds_global_prefetch: bool = False
    """Whether a channel's own prefetch limit holds."""
    carries_failures: bool = False
    """Whether failed deliveries are counted on in dead letters, where the version does so."""
    keeps_transient: bool = False
    """Whether also messages that are not persistent survive."""
    remembers_deliveries: bool = False
    """Whether a node that was killed still knows what was delivered before."""
    is_applied_late: bool = False
    """Whether what is published in a transaction comes after what is settled in it (rabbit_fifo_client.erl: enqueue
    commands have a low priority)."""
    forgives_deletion: bool = False
    """Whether what is committed to it counts as taken when the queue is gone."""
    stops_publishers: bool = False
    """Whether a full queue that refuses tells its publishers to stop, and takes what they send until they know."""
    is_one_process: bool = False
    """Whether it is one Erlang process, which may die with all that it has in memory."""
    is_log: bool = False
    """Whether consumers read what stays there, instead of taking it."""
    keeps_places: bool = False
    """Whether what comes back goes to its old place."""


class Queue:
    """One queue. It never reaches out: what must happen elsewhere are effects, which its type's functions return."""

    __slots__ = (
        "alone",
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
        "is_deleted",
        "is_limited",
        "is_timed",
        "key",
        "may_refuse",
        "name",
        "next_position",
        "operator_policy",
        "owner",
        "policy",
        "profile",
        "ready_bytes",
        "registrations",
        "released",
        "retry_timer",
        "settings",
        "store",
        "ttl_us",
        "type",
        "unacked",
        "wake_timer",
    )

    def __init__(self, fact: QueueFact, queue_type: QueueType, store: QueueStore | None, profile: Profile) -> None:
        self.fact = fact
        self.type = queue_type
        self.store = store
        """The queue's part of the journal, if it survives."""
        self.profile = profile
        self.name = fact.name
        self.alone = (self,)
        """The queues that a message goes to which comes here and nowhere else."""
        self.key = (fact.vhost, fact.name)
        self.owner = fact.owner
        self.declared = parse_queue_arguments(fact.arguments)
        """What its arguments alone say."""
        self.policy: PolicyFact | None = None
        self.operator_policy: PolicyFact | None = None
        self.settings = self.declared
        self.backlog = queue_type.make_backlog(self.settings, profile)
        """What is ready; of a stream, its log."""
        self.ready_bytes = 0
        """The size of all ready bodies, where it matters."""
        self.unacked: dict[int, Entry] = {}
        """Entries that somebody holds, by position."""
        self.discarded: dict[int, Discarded] = {}
        """What waits for its dead letter to arrive, by position, in the order of dying."""
        self.discarded_bytes = 0
        """The size of their bodies."""
        self.consumers = queue_type.make_consumers(self.settings, profile, self.backlog)
        self.exclusive_consumer: Consumer | None = None
        self.had_consumer = False
        self.next_position = 0
        self.is_deleted = False
        self.delivery_limit: int | None = None
        """How often a message may come back."""
        self.blocks = 0
        """How often a quorum queue has told its publishers that it is too long."""
        self.released = 0
        """How often it had, when it was last down to 80 percent of its limits and let them publish again."""
        self.registrations: Registrations = {}
        """Of the queue as a publisher of dead letters."""
        self.retry_timer: Timer | None = None
        """Tries again to dead-letter what could not be."""
        self.wake_timer: Timer | None = None
        self.expiry_timer: Timer | None = None

    def configure(self, settings: QueueArguments) -> None:
        """From now on these settings hold."""
        self.settings = settings
        limits = (settings.max_length, settings.max_length_bytes, settings.max_age_s)
        self.is_limited = any(limit is not None for limit in limits)
        """Whether the queue may be only so long."""
        self.may_refuse = self.is_limited and settings.rejects
        """Whether a publisher may be refused, so that somebody must ask."""
        if self.is_limited:
            self.ready_bytes = sum(len(entry.message.body) for entry in self.backlog)
        self.ttl_us = None if settings.message_ttl_ms is None else settings.message_ttl_ms * 1000
        """How long a message may wait."""
        self.is_timed = settings.consumer_timeout_ms is not None
        """Whether the queue has an own time for acknowledgements."""

    def new_entry(self, message: Message, expires_us: int) -> Entry:
        """A new entry behind all others; it is not in the backlog yet."""
        entry = self.type.entry_class(self.next_position, message, expires_us)
        self.next_position += 1
        return entry

    def admit(self, entry: Entry) -> None:
        """A new entry is ready."""
        self.backlog.append(entry)
        if self.is_limited:
            self.ready_bytes += len(entry.message.body)

    def take(self) -> Entry:
        """The head leaves the backlog and waits for its acknowledgement; raises IndexError if there is none."""
        entry = self.backlog.pop()
        if self.is_limited:
            self.ready_bytes -= len(entry.message.body)
        self.unacked[entry.position] = entry
        return entry

    def take_out(self) -> Entry:
        """The head leaves for good; raises IndexError if there is none."""
        entry = self.backlog.pop()
        if self.is_limited:
            self.ready_bytes -= len(entry.message.body)
        return entry

    def put_back(self, entry: Entry) -> None:
        """An unacknowledged entry is ready again, at the place that its type of queue gives it."""
        del self.unacked[entry.position]
        self.backlog.put_back(entry)
        if self.is_limited:
            self.ready_bytes += len(entry.message.body)

    def remove_consumer(self, consumer: Consumer) -> None:
        """A consumer is gone; what it holds stays unacknowledged."""
        self.consumers.remove(consumer)
        if self.exclusive_consumer is consumer:
            self.exclusive_consumer = None

    def drop(self, entry: Entry) -> None:
        """An entry that was taken is gone for good."""
        del self.unacked[entry.position]

    def discard(self, discarded: Discarded) -> None:
        """An entry that died waits for its dead letter to arrive."""
        self.discarded[discarded.entry.position] = discarded
        self.discarded_bytes += len(discarded.entry.message.body)

    def forget_discarded(self, discarded: Discarded) -> None:
        """Its dead letter has arrived."""
        del self.discarded[discarded.entry.position]
        self.discarded_bytes -= len(discarded.entry.message.body)

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

    def is_too_long(self) -> bool:
        """Whether heads must be dropped."""
        return self.is_limited and not self.settings.rejects and self.is_over()

    def close(self) -> None:
        """The queue is deleted: nothing is in it any more, and nothing wakes it."""
        self.is_deleted = True
        self.clear()
        self.unacked.clear()
        self.discarded.clear()
        self.discarded_bytes = 0
        for timer in (self.wake_timer, self.expiry_timer, self.retry_timer):
            if timer is not None:
                timer.cancel()

    def check(self) -> None:
        """What must hold between turns."""
        self.backlog.check()
        assert not self.is_limited or self.ready_bytes == sum(len(each.message.body) for each in self.backlog)
        assert all(entry.position == position for position, entry in self.unacked.items())
        self.type.check(self)
