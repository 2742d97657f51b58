"""The network: streams between clients and the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fakeamqp.node.kernel.timers import NEVER_US
from fakeamqp.node.state.connection import Connection, Phase
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.trace import LATE, RECEIVED, SENT, UNHEARD
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicPublish, BasicReject, Method

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.simulation.broker import SimulatedBroker


UNANSWERED = (BasicPublish, BasicAck, BasicNack, BasicReject)
"""Methods after which a program goes on at once."""


class Stream:
    """A client's way to the node, as a TCP connection would be, but for methods instead of bytes."""

    __slots__ = (
        "_broker",
        "_held_until_us",
        "_is_closed",
        "_lock",
        "_node",
        "_silent_until_us",
        "_trace",
        "_under_way",
        "connection",
        "is_broken",
        "is_silent",
        "is_withheld",
        "on_change",
        "owner",
    )

    def __init__(self, broker: SimulatedBroker, node: Node) -> None:
        self._broker = broker
        self._lock = broker.lock
        self._node = node
        self._trace = broker.trace.record if broker.trace.is_on else None
        self.on_change: Callable[[], None] = _do_nothing
        """See `listen`."""
        self._held_until_us = 0
        """Until when the network keeps what is on its way to the client, microseconds."""
        self._silent_until_us = 0
        """Until when nothing arrives, where it is silent, microseconds."""
        self._under_way: list[tuple[int, Method]] = []
        """What the client has said since the stream fell silent, with channel numbers."""
        self._is_closed = False
        """Whether the client has closed its end."""
        self.is_silent = False
        """Whether nothing arrives any more, at either end, and neither knows."""
        self.is_withheld = False
        """Whether the client can read nothing now, whatever the node has said."""
        self.is_broken = False
        """Whether the peer is gone without a goodbye; what it said before can still be received."""
        self.connection: Connection | None = None
        self.owner = ""
        """Name of the task that has made it, if one has."""

    def listen(self, on_change: Callable[[], None]) -> None:
        """Have `on_change` called whenever something may have happened: from any thread, under the broker's lock."""
        with self._lock:
            self.on_change = on_change
            self._broker.listen(self)

    def greet(self) -> None:
        """Send the protocol header."""
        with self._lock:
            broker = self._broker
            if self._node is broker.node and not self.is_broken:
                self.connection = self._node.connect(broker.clock.now_us)
                if self.owner:
                    broker.trace.owners[self.connection.id] = self.owner
            broker.notify()

    def send(self, channel_number: int, method: Method) -> None:
        """Send a method; it is lost where the node is gone.

        Raises UnsupportedFeature, and has done nothing, for what fakeamqp cannot do.
        """
        connection = self.connection
        broker, node = self._broker, self._node
        scheduler = broker.scheduler
        if scheduler is not None and scheduler.is_here():
            scheduler.before_send(self)
        faults = broker.faults if broker.faults.waiting else None
        if faults is not None:
            faults.before_send(self, channel_number, method)
        with self._lock:
            if connection is None:
                return
            now_us = broker.clock.now_us
            if node is not broker.node or self.is_broken:
                if self._trace is not None:
                    self._trace((now_us, UNHEARD, connection.id, channel_number, method))
                return
            if self.is_silent:
                self._under_way.append((channel_number, method))
                if self._trace is not None:
                    self._trace((now_us, UNHEARD, connection.id, channel_number, method))
                return
            if self._trace is not None:
                kind = UNHEARD if connection.phase is Phase.CLOSED else SENT
                self._trace((now_us, kind, connection.id, channel_number, method))
            if faults is None:
                node.handle(connection, channel_number, method, now_us)
            else:
                for each in faults.arriving(self, node, channel_number, method):
                    node.handle(connection, channel_number, each, now_us)
            broker.notify()
        if faults is not None:
            faults.after_send(self, channel_number, method)
        if scheduler is not None and type(method) in UNANSWERED and scheduler.is_here():
            scheduler.after_send(self)

    def is_readable(self) -> bool:
        """Whether `receive` has something to give, or the end is there."""
        if self.is_withheld:
            return False
        return self.is_broken or (self.connection is not None and bool(self.connection.outbox))

    @property
    def is_open_for_use(self) -> bool:
        """Whether the handshake is over and the connection is not."""
        return self.connection is not None and self.connection.is_running

    def receive(self) -> tuple[int, Method] | None:
        """The next method, with its channel number; None if there is none now."""
        connection = self.connection
        broker = self._broker
        with self._lock:
            if connection is None or self.is_withheld or not connection.outbox:
                return None
            if broker.faults.waiting and not broker.faults.let_through(self, connection.outbox):
                return None
            channel_number, method = connection.outbox.popleft()
            if self._trace is not None:
                self._trace((broker.clock.now_us, RECEIVED, connection.id, channel_number, method))
            return channel_number, method

    def receive_all(self) -> list[tuple[int, Method]]:
        """Everything that can be received now, each method with its channel number, oldest first."""
        connection = self.connection
        if connection is None or self.is_withheld:
            return []
        if self._broker.faults.waiting:
            return list(iter(self.receive, None))
        with self._lock:
            arrived = list(connection.outbox)
            connection.outbox.clear()
            if self._trace is not None:
                now_us = self._broker.clock.now_us
                for channel_number, method in arrived:
                    self._trace((now_us, RECEIVED, connection.id, channel_number, method))
            return arrived

    def close(self) -> None:
        """Close this end; whatever had not been received is lost."""
        with self._lock:
            self._broker.forget_stream(self)
            self._is_closed = True
            self._take_leave()
            self._broker.notify()

    def _take_leave(self) -> None:
        """Tell the node that the client is gone, if the link is up."""
        if self.connection is not None and self._node is self._broker.node and not self.is_silent:
            self._node.disconnect(self.connection, self._broker.clock.now_us)

    def break_off(self) -> None:
        """The peer has died, or cannot be reached any more."""
        self.is_broken = True

    def fall_silent(self, seconds: float | None) -> None:
        """Nothing arrives any more at either end for so long, or for ever, and nobody is told."""
        broker = self._broker
        with self._lock:
            before_us = self._silent_until_us if self.is_silent else 0
            until_us = NEVER_US if seconds is None else broker.clock.now_us + to_us(seconds)
            self._silent_until_us = max(before_us, until_us)
            self.is_silent = self.is_withheld = True
            broker.watch_silence(self)
            if seconds is not None:
                broker.later(seconds, self._heal)

    def _heal(self) -> None:
        """Silence ends when it is time. What was said meanwhile arrives, as TCP sends it again and again."""
        with self._lock:
            if not self.is_silent or self._silent_until_us > self._broker.clock.now_us:
                return
            self._end_silence()
            said, self._under_way = self._under_way, []
            connection, now_us = self.connection, self._broker.clock.now_us
            is_there = connection is not None and connection.phase is not Phase.CLOSED
            if connection is not None and is_there and self._node is self._broker.node and not self.is_broken:
                for channel_number, method in said:
                    if self._trace is not None:
                        self._trace((now_us, SENT, connection.id, channel_number, method, LATE))
                    self._node.handle(connection, channel_number, method, now_us)
            if self._is_closed:
                self._take_leave()
            self._broker.notify()

    def _end_silence(self) -> None:
        self.is_silent = False
        self.is_withheld = self._held_until_us > self._broker.clock.now_us
        self._broker.forget_silence(self)

    def is_missed_by_node(self) -> bool:
        """Whether the node will give this connection up as no heartbeats come."""
        connection = self.connection
        if connection is None or not connection.heartbeat_us or self._node is not self._broker.node:
            return False
        return connection.id in self._node.state.connections

    def is_missed_by_client(self) -> bool:
        """Whether the client will give this connection up, if it looks for heartbeats, as none come."""
        return self.is_silent and self.connection is not None and self.connection.heartbeat_us > 0

    def hold_back(self, seconds: float) -> None:
        """Delay deliveries to the client by `seconds`."""
        broker = self._broker
        self._held_until_us = max(self._held_until_us, broker.clock.now_us + to_us(seconds))
        self.is_withheld = True
        broker.later(seconds, self._let_go)

    def _let_go(self) -> None:
        if self._held_until_us <= self._broker.clock.now_us and not self.is_silent:
            with self._lock:
                self.is_withheld = False
                self._broker.notify()

    def cut_off(self, broker: Any) -> None:
        """From now on ask this one in the broker's place. For processes that were forked."""
        self._broker = broker

    def lose(self) -> None:
        """The network fails: both ends see the connection break, and what is under way is lost."""
        with self._lock:
            self._end_silence()
            self.close()
            if self.connection is not None:
                self.connection.outbox.clear()
            self.break_off()


def _do_nothing() -> None:
    """Nobody listens."""
