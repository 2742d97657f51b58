"""The node: methods in, methods out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from fakeamqp.node import turn
from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.timers import Timer
from fakeamqp.node.messages.late_delivery import delay
from fakeamqp.node.metadata.lifecycle import end_connection, in_order_of_return
from fakeamqp.node.metadata.policies import check_policies
from fakeamqp.node.metadata.recovery import recover
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.plugin_exchanges import Choose
from fakeamqp.node.routing.registry import Matching
from fakeamqp.node.sessions import alarms, handshake
from fakeamqp.node.sessions.dispatch import dispatch
from fakeamqp.node.state.connection import Connection
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.watching import ClosingWatch, Watch
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.methods import EndOfStream, Method


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
        self.state = NodeState(
            profile,
            journal,
            new_name=new_name,
            choose=choose,
            delay=delay,
            matchings=matchings or {},
            now_us=now_us,
            watch=watch,
            watch_closing=watch_closing,
        )
        self._sync_interval_us = sync_interval_us
        self._connection_numbers = connection_numbers
        self._sync_timer: Timer | None = None
        recover(self.state)
        self.finish_turn()
        self.advance(now_us)  # to what was due while no node ran

    # -- clients ------------------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> Connection:
        """A client has opened a stream and sent a protocol header; the answer is in the connection's outbox."""
        self.advance(now_us)
        number = next(self._connection_numbers)
        connection = Connection(number)
        connection.heard_us = now_us
        self.state.connections[number] = connection
        handshake.start(self.state, connection)
        return connection

    def handle(self, connection: Connection, channel_number: int, method: Method, now_us: int) -> None:
        """A client's method: run it, and all that follows from it, to quiescence.

        Refusals are Close methods in the outbox. Raises UnsupportedFeature, with nothing changed, for what RabbitMQ
        can do and this node cannot.
        """
        state = self.state
        if now_us >= state.timers.next_us:
            self.advance(now_us)
        state.now_us = connection.heard_us = now_us
        if state.alarms and alarms.is_held(state, connection, channel_number, method):
            return
        dispatch(state, connection, channel_number, method)
        if state.line:
            turn.run(state)
        if state.journal.tail or state.awaiting or state.unsafe or state.commits or state.dead_letters:
            self.finish_turn()

    def disconnect(self, connection: Connection, now_us: int) -> None:
        """A client's stream is gone, with or without a goodbye."""
        self.advance(now_us)
        if connection.held is not None:
            connection.held.append((0, EndOfStream()))  # comes to light when what was sent before it is read
            return
        end_connection(self.state, connection)
        self.finish_turn()

    def clear_alarm(self, resource: str) -> None:
        """The node has enough of a resource again. With the last alarm, what blocked connections have sent is read."""
        for connection, held in alarms.clear_alarm(self.state, resource):
            for channel_number, method in held:
                self.handle(connection, channel_number, method, self.state.now_us)

    def shut_down(self, now_us: int) -> None:
        """Stop gracefully: every client is told, and everything pending reaches the journal."""
        self.advance(now_us)
        for connection in list(self.state.connections.values()):
            handshake.force_close(self.state, connection, "broker forced connection closure with reason 'shutdown'")
            end_connection(self.state, connection)
        self.finish_turn()
        self.state.journal.sync()
        self.state.journal.was_shut_down = True
        self.end()

    def end(self) -> None:
        """The node goes, or has gone: what the disk knows of queues besides their messages is kept."""
        out: dict[Queue, list[int]] = {}
        channels = [each for connection in self.state.connections.values() for each in connection.channels.values()]
        for channel in channels:
            for each in in_order_of_return(channel.held(), self.state.profile):
                out.setdefault(each.queue, []).append(each.entry.position)
        for vhost in self.state.vhosts.values():
            for queue in vhost.queues.values():
                queue.type.node_goes(queue, out.get(queue, []))

    # -- time ---------------------------------------------------------------------------------------------------

    def next_deadline(self) -> int | None:
        """When the node next wants to do something by itself, in microseconds."""
        return self.state.timers.next_deadline()

    def advance(self, to_us: int) -> None:
        """Let time pass: each timer fires at its own time, in a turn of its own."""
        state = self.state
        while (timer := state.timers.pop_due(to_us)) is not None:
            state.now_us = max(state.now_us, timer.at_us)
            assert timer.action is not None
            timer.action()
            self.finish_turn()
        state.now_us = max(state.now_us, to_us)

    def keep_alive(self, until_us: int, cut_off: Collection[Connection] = ()) -> None:
        """Clients, but for those cut off, will have sent their heartbeats up to this time; so will the node."""
        for connection in self.state.connections.values():
            if connection not in cut_off:
                handshake.skip_heartbeats(self.state, connection, until_us)

    # -- turns --------------------------------------------------------------------------------------------------

    def finish_turn(self) -> None:
        """Bring a turn to its end: no queue has anything left to do, and what may be answered is answered."""
        state = self.state
        while True:
            turn.run(state)
            if state.journal.tail:
                self._write()
            if not (state.awaiting or state.unsafe or state.commits or state.dead_letters):
                return
            turn.answer(state)
            if not state.line:
                return

    def _write(self) -> None:
        """Messages reach the disk, now or after a while."""
        if not self._sync_interval_us:
            self.state.journal.sync()
        elif self._sync_timer is None:
            self._sync_timer = self.state.timers.at(self.state.now_us + self._sync_interval_us, self._sync)

    def _sync(self) -> None:
        self._sync_timer = None
        self.state.journal.sync()

    def sync(self) -> None:
        """The disk is done with all that was on its way there, earlier than `sync_interval_us` allows."""
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync()
            self.finish_turn()

    # -- invariants ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert what must hold between turns."""
        assert not self.state.line
        assert not self.state.awaiting
        positions = [each.receipt.position for each in self.state.unsafe]
        assert positions == sorted(positions)
        for vhost in self.state.vhosts.values():
            vhost.check()
            check_policies(vhost)
        for connection in self.state.connections.values():
            for channel in connection.channels.values():
                channel.check()
