"""The network: streams between clients and the node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fakeamqp.node.connections import Connection
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.trace import RECEIVED, SENT
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicPublish, BasicReject, Method

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.simulation.broker import SimulatedBroker


UNANSWERED = (BasicPublish, BasicAck, BasicNack, BasicReject)
"""Methods after which a program goes on at once."""

HEARTBEATS_TO_MISS = 3
"""RabbitMQ closes a connection when it has missed two, at its next look; pika when none came between two looks."""


class Stream:
    """A client's way to the node, as a TCP connection would be, but for methods instead of bytes."""

    __slots__ = (
        "_broker",
        "_held_until_us",
        "_lock",
        "_missed_by_us",
        "_node",
        "_trace",
        "connection",
        "is_broken",
        "is_silent",
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
        self.is_silent = False
        """Whether nothing arrives any more, at either end, and neither knows."""
        self._missed_by_us = 0
        """By when both ends will have noticed that it is silent, if they wait for heartbeats, microseconds."""
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
        if broker.faults.waiting:
            broker.faults.before_send(self, method)
        with self._lock:
            if connection is None or node is not broker.node or self.is_broken or self.is_silent:
                return
            now_us = broker.clock.now_us
            if self._trace is not None:
                self._trace((now_us, SENT, connection.id, channel_number, method))
            node.handle(connection, channel_number, method, now_us)
            broker.notify()
        if broker.faults.waiting:
            broker.faults.after_send(self, method)
        if scheduler is not None and type(method) in UNANSWERED and scheduler.is_here():
            scheduler.after_send(self)

    def is_readable(self) -> bool:
        """Whether `receive` has something to give, or the end is there."""
        if self.is_silent or self._held_until_us > self._broker.clock.now_us:
            return False
        return self.is_broken or (self.connection is not None and bool(self.connection.outbox))

    @property
    def is_open_for_use(self) -> bool:
        """Whether the handshake is over and the connection is not."""
        return self.connection is not None and self.connection.is_running

    def fall_silent(self) -> None:
        """From now on nothing arrives any more at either end, and neither is told."""
        self.is_silent = True
        if self.connection is not None and self.connection.heartbeat_us:
            self._missed_by_us = self._broker.clock.now_us + HEARTBEATS_TO_MISS * self.connection.heartbeat_us

    @property
    def is_being_missed(self) -> bool:
        """Whether it is silent, and its ends, where they wait for heartbeats, have yet to notice."""
        return self.is_silent and self._broker.clock.now_us < self._missed_by_us

    def receive(self) -> tuple[int, Method] | None:
        """The next method, with its channel number; None if there is none now."""
        connection = self.connection
        with self._lock:
            if connection is None or not connection.outbox:
                return None
            channel_number, method = connection.outbox.popleft()
            if self._trace is not None:
                self._trace((self._broker.clock.now_us, RECEIVED, connection.id, channel_number, method))
            return channel_number, method

    def receive_all(self) -> list[tuple[int, Method]]:
        """Everything that can be received now, each method with its channel number, oldest first."""
        connection = self.connection
        if connection is None:
            return []
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
            if self.connection is not None and self._node is self._broker.node:
                self._node.disconnect(self.connection, self._broker.clock.now_us)
            self._broker.notify()

    def break_off(self) -> None:
        """The peer has died, or cannot be reached any more."""
        self.is_broken = True

    def heal(self) -> None:
        """What was silent is not any more; what was said meanwhile is lost, but for what still waits to be read."""
        self.is_silent = False

    def hold_back(self, seconds: float) -> None:
        """What the node says reaches the client so much later."""
        broker = self._broker
        self._held_until_us = broker.clock.now_us + to_us(seconds)
        broker.later(seconds, broker.notify)

    def lose(self) -> None:
        """The network fails: both ends see the connection break, and what is under way is lost."""
        with self._lock:
            self.close()
            if self.connection is not None:
                self.connection.outbox.clear()
            self.break_off()


def _do_nothing() -> None:
    """Nobody listens."""
