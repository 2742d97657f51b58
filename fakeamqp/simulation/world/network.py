"""The network: streams between clients and the node."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from fakeamqp.node.kernel.timers import NEVER_US
from fakeamqp.node.node import Node
from fakeamqp.node.state.connection import Connection, Phase
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.record.trace import LATE, RECEIVED, SENT, UNHEARD
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicPublish, BasicReject, Method

UNANSWERED = (BasicPublish, BasicAck, BasicNack, BasicReject)
"""Methods after which a program goes on at once."""


class Turns(Protocol):
    """Whoever says which of the tasks goes next: asked where a client talks to the node."""

    def is_here(self) -> bool:
        """Whether this thread is the one where tasks live."""

    def before_connecting(self) -> None:
        """A program is about to connect."""

    def adopt(self, stream: Stream) -> None:
        """Whoever runs has made a connection."""

    def before_send(self, stream: Stream) -> None:
        """A program is about to send a method."""

    def after_send(self, stream: Stream) -> None:
        """A program has sent what is not answered."""


class Interference(Protocol):
    """Whoever makes things go wrong: asked where something passes, while something waits to go wrong."""

    @property
    def waiting(self) -> Sequence[Any]:
        """What waits to go wrong."""

    def before_send(self, stream: Stream, channel_number: int, method: Method) -> None:
        """A client is about to send a method."""

    def after_send(self, stream: Stream, channel_number: int, method: Method) -> None:
        """A method has arrived."""

    def arriving(self, stream: Stream, node: Node, channel_number: int, method: Method) -> Sequence[Method]:
        """What the node is to execute where a client has sent a method."""

    def let_through(self, stream: Stream, outbox: deque[tuple[int, Method]]) -> bool:
        """A client is about to read what is first in its outbox; whether anything is left there."""


class Network:
    """The clients' streams to the node, and who can connect."""

    interference: Interference
    """Set by whoever lets things go wrong."""

    def __init__(self, world: World, hosts: Iterable[str] | None = None) -> None:
        self.world = world
        self.turns: Turns | None = None
        """Who says which task goes next, once there are tasks."""
        self._streams: dict[Stream, None] = {}
        self._silent: dict[Stream, None] = {}
        """Streams where nothing arrives any more."""
        self._refuses_until_us = 0
        self._hosts: tuple[str, ...] | None = None
        self.hosts = hosts

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """The hosts that answer, each "name" or "name:port"; all others refuse connections. None: all answer."""
        return self._hosts

    @hosts.setter
    def hosts(self, hosts: Iterable[str] | None) -> None:
        if isinstance(hosts, str) or not (hosts is None or isinstance(hosts, Iterable)):
            raise Misuse(f'hosts takes the names of the hosts that answer, such as ["rabbit-1"], not {hosts!r}')
        names = None if hosts is None else tuple(hosts)
        for name in names or ():
            if not isinstance(name, str):
                raise Misuse(f'a host is "name" or "name:port", not {name!r}')
        self._hosts = names

    def open_stream(self, address: tuple[str, int] | None = None) -> Stream:
        """A client connects, to this host and port if it says so.

        Raises ConnectionRefusedError while the node is down, and from a host that does not answer.
        """
        turns, world = self.turns, self.world
        if turns is not None and turns.is_here():
            turns.before_connecting()
        with world.lock:
            if world.node is None or world.clock.now_us < self._refuses_until_us or not self._answers_at(address):
                raise ConnectionRefusedError(111, "Connection refused")
            stream = Stream(self, world.node)
            self._streams[stream] = None
            if turns is not None and turns.is_here():
                turns.adopt(stream)
            return stream

    def _answers_at(self, address: tuple[str, int] | None) -> bool:
        if self._hosts is None or address is None:
            return True
        host, port = address
        return host in self._hosts or f"{host}:{port}" in self._hosts

    def open_streams(self) -> list[Stream]:
        """The clients' streams, oldest first."""
        return list(self._streams)

    def refuse_connections(self, seconds: float) -> None:
        """Nobody can connect for so many virtual seconds, or as long as was asked for before."""
        self._refuses_until_us = max(self._refuses_until_us, self.world.clock.now_us + to_us(seconds))

    def advance(self, seconds: float) -> None:
        """Let virtual time pass while the programs hold still, connected and healthy: whatever expires, expires.

        Timers of the programs themselves (pika's call_later) fire when those next process events.
        """
        world = self.world
        span_us = to_us(seconds)
        with world.lock:
            if world.node is not None:
                cut_off = [stream.connection for stream in self._silent if stream.connection is not None]
                world.node.keep_alive(world.clock.now_us + span_us, cut_off)
            world.move_clock(world.clock.now_us + span_us)
            world.notify()

    def has_work(self) -> bool:
        """Whether time alone may bring any program further.

        Heartbeats bring nobody further but where they are missed: then a connection ends.
        """
        return self.world.has_work() or any(stream.is_missed_by_node() for stream in self._silent)

    def watch_silence(self, stream: Stream) -> None:
        """Nothing arrives on this stream any more."""
        self._silent[stream] = None

    def forget_silence(self, stream: Stream) -> None:
        """Things arrive again, or the stream has come to its end."""
        self._silent.pop(stream, None)

    def forget_stream(self, stream: Stream) -> None:
        """A client has gone."""
        self._streams.pop(stream, None)
        self.world.listeners.pop(stream, None)

    def forget_all(self) -> None:
        """The node has gone, and every client's stream has come to its end."""
        self._streams.clear()
        self.world.listeners.clear()


class Stream:
    """A client's way to the node, as a TCP connection would be, but for methods instead of bytes."""

    __slots__ = (
        "_held_until_us",
        "_is_closed",
        "_lock",
        "_network",
        "_node",
        "_silent_until_us",
        "_trace",
        "_under_way",
        "_world",
        "connection",
        "is_broken",
        "is_silent",
        "is_withheld",
        "owner",
    )

    def __init__(self, network: Network, node: Node) -> None:
        world = network.world
        self._network = network
        self._world = world
        self._lock = world.lock
        self._node = node
        self._trace = world.trace.record if world.trace.is_on else None
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
            self._world.listeners[self] = on_change

    def greet(self) -> None:
        """Send the protocol header."""
        with self._lock:
            world = self._world
            if self._node is world.node and not self.is_broken:
                self.connection = self._node.connect(world.clock.now_us)
                if self.owner:
                    world.trace.owners[self.connection.id] = self.owner
            world.notify()

    def send(self, channel_number: int, method: Method) -> None:
        """Send a method; it is lost where the node is gone.

        Raises UnsupportedFeature, and has done nothing, for what fakeamqp cannot do.
        """
        network, node = self._network, self._node
        turns, faults = network.turns, None
        if turns is not None and turns.is_here():
            turns.before_send(self)
        if network.interference.waiting:
            faults = network.interference
            faults.before_send(self, channel_number, method)
        self._lock.acquire()  # not `with`, which takes twice as long
        try:
            connection, world = self.connection, self._world
            if connection is None:
                return
            now_us = world.clock.now_us
            is_heard = node is world.node and not self.is_broken and not self.is_silent
            if self._trace is not None:
                kind = SENT if is_heard and connection.phase is not Phase.CLOSED else UNHEARD
                self._trace((now_us, kind, connection.id, channel_number, method))
            if not is_heard:
                if self.is_silent and node is world.node and not self.is_broken:
                    self._under_way.append((channel_number, method))
                return
            if faults is None:
                node.handle(connection, channel_number, method, now_us)
            else:
                for each in faults.arriving(self, node, channel_number, method):
                    node.handle(connection, channel_number, each, now_us)
            if world.listeners or world.sleepers:
                world.notify()
        finally:
            self._lock.release()
        if faults is not None:
            faults.after_send(self, channel_number, method)
        if turns is not None and type(method) in UNANSWERED and turns.is_here():
            turns.after_send(self)

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
        world = self._world
        with self._lock:
            if connection is None or self.is_withheld or not connection.outbox:
                return None
            faults = self._network.interference
            if faults.waiting and not faults.let_through(self, connection.outbox):
                return None
            channel_number, method = connection.outbox.popleft()
            if self._trace is not None:
                self._trace((world.clock.now_us, RECEIVED, connection.id, channel_number, method))
            return channel_number, method

    def receive_all(self) -> list[tuple[int, Method]]:
        """Everything that can be received now, each method with its channel number, oldest first."""
        connection = self.connection
        if connection is None or self.is_withheld:
            return []
        if self._network.interference.waiting:
            return list(iter(self.receive, None))
        with self._lock:
            arrived = list(connection.outbox)
            connection.outbox.clear()
            if self._trace is not None:
                now_us = self._world.clock.now_us
                for channel_number, method in arrived:
                    self._trace((now_us, RECEIVED, connection.id, channel_number, method))
            return arrived

    def close(self) -> None:
        """Close this end; whatever had not been received is lost."""
        with self._lock:
            self._network.forget_stream(self)
            self._is_closed = True
            self._take_leave()
            self._world.notify()

    def _take_leave(self) -> None:
        """Tell the node that the client is gone, if the link is up."""
        if self.connection is not None and self._node is self._world.node and not self.is_silent:
            self._node.disconnect(self.connection, self._world.clock.now_us)

    def break_off(self) -> None:
        """The peer has died, or cannot be reached any more."""
        self.is_broken = True

    def fall_silent(self, seconds: float | None) -> None:
        """Nothing arrives any more at either end for so long, or for ever, and nobody is told."""
        world = self._world
        with self._lock:
            before_us = self._silent_until_us if self.is_silent else 0
            until_us = NEVER_US if seconds is None else world.clock.now_us + to_us(seconds)
            self._silent_until_us = max(before_us, until_us)
            self.is_silent = self.is_withheld = True
            self._network.watch_silence(self)
            if seconds is not None:
                world.later(seconds, self._heal)

    def _heal(self) -> None:
        """Silence ends when it is time. What was said meanwhile arrives, as TCP sends it again and again."""
        with self._lock:
            if not self.is_silent or self._silent_until_us > self._world.clock.now_us:
                return
            self._end_silence()
            said, self._under_way = self._under_way, []
            connection, now_us = self.connection, self._world.clock.now_us
            is_there = connection is not None and connection.phase is not Phase.CLOSED
            if connection is not None and is_there and self._node is self._world.node and not self.is_broken:
                for channel_number, method in said:
                    if self._trace is not None:
                        self._trace((now_us, SENT, connection.id, channel_number, method, LATE))
                    self._node.handle(connection, channel_number, method, now_us)
            if self._is_closed:
                self._take_leave()
            self._world.notify()

    def _end_silence(self) -> None:
        self.is_silent = False
        self.is_withheld = self._held_until_us > self._world.clock.now_us
        self._network.forget_silence(self)

    def is_missed_by_node(self) -> bool:
        """Whether the node will give this connection up as no heartbeats come."""
        connection = self.connection
        if connection is None or not connection.heartbeat_us or self._node is not self._world.node:
            return False
        return connection.id in self._node.state.connections

    def is_missed_by_client(self) -> bool:
        """Whether the client will give this connection up, if it looks for heartbeats, as none come."""
        return self.is_silent and self.connection is not None and self.connection.heartbeat_us > 0

    def hold_back(self, seconds: float) -> None:
        """Delay deliveries to the client by `seconds`."""
        world = self._world
        self._held_until_us = max(self._held_until_us, world.clock.now_us + to_us(seconds))
        self.is_withheld = True
        world.later(seconds, self._let_go)

    def _let_go(self) -> None:
        if self._held_until_us <= self._world.clock.now_us and not self.is_silent:
            with self._lock:
                self.is_withheld = False
                self._world.notify()

    def cut_off(self, absent: Any) -> None:
        """From now on ask this one in place of network and world. For processes that were forked."""
        self._network = self._world = absent

    def lose(self) -> None:
        """The network fails: both ends see the connection break, and what is under way is lost."""
        with self._lock:
            self._end_silence()
            self.close()
            if self.connection is not None:
                self.connection.outbox.clear()
            self.break_off()
