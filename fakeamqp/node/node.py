"""The node: methods in, methods out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from fakeamqp.node.messages.dead_letter import dead_letter
from fakeamqp.node.messages.late_delivery import delay
from fakeamqp.node.metadata.apply import APPLY, RETRACT, recover
from fakeamqp.node.metadata.lifecycle import delete_queue, end_connection
from fakeamqp.node.metadata.policies import check_policies
from fakeamqp.node.metadata.survival import survives, survives_entry
from fakeamqp.node.observers import event_exchange, firehose
from fakeamqp.node.observers.watching import DELIVERED, FORGOTTEN, ClosingWatch, Watch
from fakeamqp.node.queues.consumers import Consumer
from fakeamqp.node.queues.effects import Deliver, Discarded, Effect, Forget, GiveUp, SettledAtOnce, WakeAt
from fakeamqp.node.queues.log import Log
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.streams import stored
from fakeamqp.node.routing.plugin_exchanges import Choose
from fakeamqp.node.routing.registry import ExchangeTypes, Matching
from fakeamqp.node.sessions import consumer_timeout, handshake, settling
from fakeamqp.node.sessions.alarms import is_held
from fakeamqp.node.sessions.confirms import Awaiting, release
from fakeamqp.node.sessions.dispatch import dispatch
from fakeamqp.node.state.access import Access
from fakeamqp.node.state.channel import Channel
from fakeamqp.node.state.connection import Connection
from fakeamqp.node.state.journal import Journal
from fakeamqp.node.state.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.state.timers import Timer, Timers
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words import erlang
from fakeamqp.node.words.arguments import DELIVERY_COUNT
from fakeamqp.node.words.facts import Fact, GlobalParameterFact, key_of
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError
from fakeamqp.spec.methods import BasicDeliver, EndOfStream, Method
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong

DEAD_LETTER_RETRY_US = 180_000_000
"""How long a dead letter waits that could not be delivered (rabbit_fifo_dlx_worker.erl, settle_timeout)."""


class Node:
    """One running RabbitMQ instance, built from its journal.

    `new_name()` must return 22 fresh characters each time; generated names are made of them. `connection_numbers`
    gives each connection its number, also across restarts. `sync_interval_us` is how long message records may wait
    for the disk; with 0 they are safe at the end of each turn. `choose(stream, count)` must return one of the numbers
    below `count`; exchanges that route by chance ask it. `matchings` are the exchange types of the user's own. `watch`
    is told what becomes of messages.
    """

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        *,
        new_name: Callable[[], str],
        connection_numbers: Iterator[int],
        choose: Choose,
        matchings: Mapping[str, Matching] | None = None,
        now_us: int = 0,
        sync_interval_us: int = 0,
        watch: Watch | None = None,
        watch_closing: ClosingWatch | None = None,
    ) -> None:
        self.profile = profile
        self.journal = journal
        self.new_name = new_name
        self.now_us = now_us
        self.timers = Timers()
        self.exchange_types = ExchangeTypes(profile, choose=choose, delay=partial(delay, self), custom=matchings or {})
        self.access = Access()
        self.vhosts: dict[str, VirtualHost] = {}
        self.global_parameters: dict[str, GlobalParameterFact] = {}
        self.connections: dict[int, Connection] = {}
        self.reply_channels: dict[str, Channel] = {}
        """Who gets direct replies, by address."""
        self.alarms: tuple[str, ...] = ()
        """What the node is short of."""
        self.awaiting: list[Awaiting] = []
        """Answers that must not be given before the journal has reached their position."""
        self.watch = watch
        """Who is told what becomes of messages."""
        self.watch_closing = watch_closing
        """Who is told what the node closes."""
        self._sync_interval_us = sync_interval_us
        self._connection_numbers = connection_numbers
        self._dirty: deque[Queue] = deque()
        self._sync_timer: Timer | None = None
        recover(self, journal)
        self.finish_turn()
        self.advance(now_us)  # to what was due while no node ran

    # -- clients ------------------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> Connection:
        """A client has opened a stream and sent a protocol header; the answer is in the connection's outbox."""
        self.advance(now_us)
        number = next(self._connection_numbers)
        connection = Connection(number)
        connection.heard_us = now_us
        self.connections[number] = connection
        handshake.start(self, connection)
        return connection

    def handle(self, connection: Connection, channel_number: int, method: Method, now_us: int) -> None:
        """A client's method: run it, and all that follows from it, to quiescence.

        Refusals are Close methods in the outbox. Raises UnsupportedFeature, with nothing changed, for what RabbitMQ
        can do and this node cannot.
        """
        if now_us >= self.timers.next_us:
            self.advance(now_us)
        self.now_us = connection.heard_us = now_us
        if self.alarms and is_held(self, connection, channel_number, method):
            return
        dispatch(self, connection, channel_number, method)
        if self._dirty or self.journal.tail or self.awaiting:
            self.finish_turn()

    def disconnect(self, connection: Connection, now_us: int) -> None:
        """A client's stream is gone, with or without a goodbye."""
        self.advance(now_us)
        if connection.held is not None:
            connection.held.append((0, EndOfStream()))  # comes to light when what was sent before it is read
            return
        end_connection(self, connection)
        self.finish_turn()

    def shut_down(self, now_us: int) -> None:
        """Stop gracefully: every client is told, and everything pending reaches the journal."""
        self.advance(now_us)
        for connection in list(self.connections.values()):
            self.force_close(connection, "broker forced connection closure with reason 'shutdown'")
            end_connection(self, connection)
        self.finish_turn()
        self.journal.sync()
        self.journal.was_shut_down = True

    def force_close(self, connection: Connection, reason: str) -> None:
        """Close a connection by the operator's will."""
        if connection.is_running:
            handshake.close_connection(self, connection, HardError(320, reason), None)
        else:
            end_connection(self, connection)

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """When the node next wants to do something by itself, in microseconds."""
        return self.timers.next_deadline()

    def advance(self, to_us: int) -> None:
        """Let time pass: each timer fires at its own time, in a turn of its own."""
        while (timer := self.timers.pop_due(to_us)) is not None:
            self.now_us = max(self.now_us, timer.at_us)
            assert timer.action is not None
            timer.action()
            self.finish_turn()
        self.now_us = max(self.now_us, to_us)

    def keep_alive(self, until_us: int, cut_off: Collection[Connection] = ()) -> None:
        """Clients, but for those cut off, will have sent their heartbeats up to this time; so will the node."""
        for connection in self.connections.values():
            if connection not in cut_off:
                handshake.skip_heartbeats(self, connection, until_us)

    # -- turns --------------------------------------------------------------------------------------------------

    def touch(self, queue: Queue) -> None:
        """Something changed that a queue may have to react to before the turn ends."""
        if not queue.is_dirty:
            queue.is_dirty = True
            self._dirty.append(queue)

    def finish_turn(self) -> None:
        """Bring a turn to its end: no queue has anything left to do, and what may be answered is answered."""
        self.run_queues()
        if self.journal.tail:
            if not self._sync_interval_us:
                self.journal.sync()
            elif self._sync_timer is None:
                self._sync_timer = self.timers.at(self.now_us + self._sync_interval_us, self._sync)
        if self.awaiting:
            release(self)

    def run_queues(self) -> None:
        """Let queues react until none has anything left to do."""
        while self._dirty:
            self._run(self._dirty.popleft())

    def run_classic_queues(self) -> None:
        """Let classic queues react at once; quorum queues take some time, and see what comes next as well."""
        for queue in tuple(self._dirty):
            if not queue.is_quorum:
                self._dirty.remove(queue)
                self._run(queue)

    def _run(self, queue: Queue) -> None:
        queue.is_dirty = False
        for effect in queue.run(self.now_us):
            if type(effect) is Deliver:
                self._deliver(effect.consumer, effect.entry)
            else:
                self._interpret(queue, effect)

    def _sync(self) -> None:
        self._sync_timer = None
        self.journal.sync()

    def sync(self) -> None:
        """The disk is done with all that was on its way there, earlier than `sync_interval_us` allows."""
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync()
            self.finish_turn()

    def _interpret(self, queue: Queue, effect: Effect) -> None:
        if type(effect) is GiveUp:
            self.give_up(effect.entry, effect.reason)
        elif type(effect) is WakeAt:
            self._wake(queue, effect.at_us)
        elif type(effect) is Forget:
            if self.watch is not None:
                self.watch(self.now_us, FORGOTTEN, effect.entry.message, (queue,))
            self.retract_entry(effect.entry)
        elif type(effect) is SettledAtOnce:
            settling.settle_at_once(self, effect.consumer)
        else:
            delete_queue(self, queue, by=event_exchange.INTERNAL)

    def _wake(self, queue: Queue, at_us: int) -> None:
        def wake() -> None:
            queue.wake_timer = None
            queue.backlog.overtaker = None
            self.touch(queue)

        if queue.wake_timer is not None:
            if queue.wake_timer.at_us == at_us:
                return
            queue.wake_timer.cancel()
        queue.wake_timer = self.timers.at(at_us, wake)

    def _deliver(self, consumer: Consumer, entry: Entry) -> None:
        message = entry.message
        redelivered = entry.is_redelivered
        tag = self.hand_out(entry, consumer.channel, consumer, no_ack=consumer.no_ack)
        consumer.channel.send(
            BasicDeliver(
                consumer.tag,
                tag,
                redelivered,
                message.exchange,
                message.routing_key,
                self.delivered_properties(entry) if entry.queue.is_quorum else message.properties,
                message.body,
            )
        )

    def give_up(self, entry: Entry, reason: str) -> None:
        """An entry that was taken dies, and goes to the dead letter exchange if its queue has one."""
        entry.queue.drop(entry)
        if self.watch is not None:
            self.watch(self.now_us, reason, entry.message, (entry.queue,))
        self._dead_letter(Discarded(entry, reason, []))

    def _dead_letter(self, discarded: Discarded) -> None:
        """Dead-letter an entry; where that must not fail and does, it is tried again after a while."""
        entry, reason = discarded.entry, discarded.reason
        queue = entry.queue
        failures = _failures(entry, reason) if self.profile.keeps_own_deaths else 0
        has_arrived = dead_letter(self, queue, entry.message, reason, discarded.arrived, failures)
        if has_arrived or not queue.settings.dead_letters_at_least_once:
            self.retract_entry(entry)
            return
        if not queue.discarded:
            self.timers.at(self.now_us + DEAD_LETTER_RETRY_US, lambda: self.retry_dead_letters(queue))
        queue.discard(discarded)
        assert queue.store is not None  # a quorum queue survives
        self.journal.discard_entry(queue.store, entry, reason)

    def retry_dead_letters(self, queue: Queue) -> None:
        """Try to dead-letter what has died and could not be before."""
        self.touch(queue)
        for discarded in queue.take_discarded():
            self._dead_letter(discarded)

    def enqueue(self, queue: Queue, message: Message) -> Entry:
        """Put a message into a queue, where the shorter of its own and the queue's time to live begins."""
        if queue.log is not None:
            return self._append(queue, queue.log, message)
        expires_us = NO_EXPIRY_US
        if queue.ttl_us is not None:
            expires_us = self.now_us + queue.ttl_us
        if message.properties.expiration is not None:
            expires_us = min(expires_us, self.now_us + int(message.properties.expiration) * 1000)
        entry = queue.enqueue(message, expires_us)
        if queue.is_quorum and message.failures:
            entry.is_redelivered = True
        self.commit_entry(entry)
        return entry

    def _append(self, queue: Queue, log: Log, message: Message) -> Entry:
        """Put a message into a stream, where it does not expire."""
        entry = Entry(queue, log.next_offset(), stored(message, self.profile), NO_EXPIRY_US, self.now_us)
        self.commit_entry(entry)
        return entry

    def hand_out(self, entry: Entry, channel: Channel, consumer: Consumer | None, *, no_ack: bool) -> int:
        """An entry that was taken goes to a client; returns its delivery tag."""
        if channel.vhost.is_traced:
            firehose.copy_delivery(self, channel, entry, redelivered=entry.is_redelivered)
        if no_ack:
            entry.queue.drop(entry)
            self.retract_entry(entry)
            tag = channel.next_tag()
        else:
            if entry.survives:
                self._mark_delivered(entry)
            tag = channel.hold(entry, consumer, self.now_us)
            if channel.ack_timer is None or entry.queue.is_timed:
                consumer_timeout.watch(self, channel, channel.unacked[tag])
        if self.watch is not None:
            details = {"delivery_tag": tag, "redelivered": entry.is_redelivered}
            self.watch(self.now_us, DELIVERED, entry.message, (entry.queue,), channel, details)
        return tag

    def delivered_properties(self, entry: Entry, *, counts_from_zero: bool = False) -> BasicProperties:
        """A message's properties as a quorum queue's receiver gets them: with its returns counted in a header."""
        properties = entry.message.properties
        count = entry.deliveries or entry.message.failures
        if not (count or counts_from_zero):
            return properties
        headers = {**(properties.headers or {}), DELIVERY_COUNT: LongLong(count)}
        in_order = {name: headers[name] for name in sorted(headers, key=erlang.binary)}
        return properties.replace(headers=in_order)

    # -- the one door to what is true ----------------------------------------------------------------------------

    def commit(self, fact: Fact, by: str = event_exchange.OPERATOR) -> None:
        """A fact holds from now on: in memory, and in the journal if it survives. `by` is the user who wants it so."""
        before = self.journal.facts.get(key_of(fact))
        APPLY[type(fact)](self, fact)
        if survives(self, fact):
            self.journal.put(fact)
        event_exchange.tell_of_commit(self, fact, before, by)

    def retract(self, fact: Fact, by: str = event_exchange.OPERATOR) -> None:
        """A fact holds no longer."""
        RETRACT[type(fact)](self, fact)
        self.journal.delete(fact)
        event_exchange.tell_of_retraction(self, fact, by)

    def commit_entry(self, entry: Entry) -> None:
        """A message is in a queue from now on."""
        queue = entry.queue
        queue.admit(entry)
        if queue.store is not None and survives_entry(entry):
            entry.survives = True
            self.journal.add_entry(queue.store, entry)
        if queue.had_consumer or queue.is_limited or entry.expires_us != NO_EXPIRY_US:
            self.touch(queue)

    def retract_entry(self, entry: Entry) -> None:
        """A message has left its queue; the queue knows already."""
        store = entry.queue.store
        if entry.survives and store is not None:
            self.journal.remove_entry(store, entry)

    def _mark_delivered(self, entry: Entry) -> None:
        """Somebody has a message. Should it come back after a restart, it says so; a quorum queue counts that too."""
        assert entry.queue.store is not None
        self.journal.mark_entry(entry.queue.store, entry, entry.deliveries + 1)

    def forget_awaiting(self, channel: Channel) -> None:
        """A channel is over: nobody waits for its answers."""
        self.awaiting[:] = [each for each in self.awaiting if each.channel is not channel]

    # -- invariants ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert what must hold between turns."""
        assert not self._dirty
        for vhost in self.vhosts.values():
            vhost.check()
            check_policies(self, vhost)
        for connection in self.connections.values():
            for channel in connection.channels.values():
                channel.check()


def _failures(entry: Entry, reason: str) -> int:
    """What a dead letter has failed of deliveries: what a quorum queue of 4.0 tells of it further on (observed)."""
    return entry.failures + (reason == "rejected") if entry.queue.is_quorum else 0
