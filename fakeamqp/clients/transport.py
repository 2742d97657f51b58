"""What takes the place of pika's socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pika import frame
from pika.adapters.utils.nbio_interface import AbstractStreamTransport

from fakeamqp.clients.translation import FRAME_OVERHEAD, content_in, frames_out, method_in
from fakeamqp.simulation.world.network import Stream
from fakeamqp.spec.methods import EndOfStream, Heartbeat

if TYPE_CHECKING:
    from fakeamqp.clients.drivers import Driver
    from fakeamqp.clients.in_memory import InMemoryConnection


class Transport(AbstractStreamTransport):
    """Carries a pika connection's frames to the node and back."""

    def __init__(self, connection: InMemoryConnection, protocol: Any, stream: Stream, driver: Driver) -> None:
        self._connection = connection
        self._protocol = protocol
        self.stream = stream
        self._driver = driver
        self._is_aborted = False
        self._send = stream.send
        self.listen = stream.listen
        driver.start(self)

    # -- what pika calls ----------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Close the stream; the connection learns of it in the next round of its loop."""
        self._finish(lambda: self._protocol.connection_lost(None))

    def get_protocol(self) -> Any:
        """pika's protocol object."""
        return self._protocol

    def write(self, data: bytes) -> None:
        """Never called: frames go as values."""
        raise AssertionError(f"bytes on an in-memory transport: {data!r}")

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered."""
        return 0

    # -- out ----------------------------------------------------------------------------------------------------

    def send_frame(self, sent: Any) -> None:
        """One frame of pika's that is no content."""
        if isinstance(sent, frame.Method):
            self._send(sent.channel_number, method_in(sent.method, self._frame_max))
        elif isinstance(sent, frame.Heartbeat):
            self._send(0, Heartbeat())
        else:
            self.stream.greet()

    def send_message(self, channel_number: int, method: Any, properties: Any, body: Any) -> None:
        """One method of pika's with content."""
        self._send(channel_number, content_in(method, properties, body, self._frame_max))

    @property
    def _frame_max(self) -> int:
        return int(self._connection.params.frame_max)

    # -- in -----------------------------------------------------------------------------------------------------

    def is_readable(self) -> bool:
        """Whether `dispatch` has something to do."""
        return not self._is_aborted and self.stream.is_readable()

    def dispatch(self) -> None:
        """Give pika everything that has arrived."""
        if not self.is_readable():
            return
        connection = self._connection
        while not self._is_aborted and (received := self.stream.receive()) is not None:
            channel_number, method = received
            if type(method) is EndOfStream:
                self._finish(self._end_of_file)
                return
            if type(method) is Heartbeat:
                connection.count_received(FRAME_OVERHEAD)
                connection._process_frame(frame.Heartbeat())
                continue
            frames = frames_out(channel_number, method)
            connection.count_received(FRAME_OVERHEAD * len(frames))
            for each in frames:
                connection._process_frame(each)
        if self.stream.is_broken and not (self.stream.is_withheld or self._is_aborted):
            error = ConnectionResetError(104, "Connection reset by peer")
            self._finish(lambda: self._protocol.connection_lost(error))

    def explain(self) -> str:
        """What the program on this connection waits for."""
        channels = self._connection._channels or {}
        waits = []
        for number, channel in sorted(channels.items()):
            if channel._blocking:
                waits.append(f"channel {number} waits for the answer to {channel._blocking}")
            elif channel.consumer_tags:
                waits.append(f"channel {number} waits for deliveries to {', '.join(channel.consumer_tags)}")
        name = self.stream.connection.name if self.stream.connection else "(not greeted)"
        silence = ", through a network that carries nothing any more" if self.stream.is_silent else ""
        return f"connection {name}: {', '.join(waits) or 'waits for nothing in particular'}{silence}"

    def _end_of_file(self) -> None:
        self._protocol.eof_received()
        self._protocol.connection_lost(None)

    def _finish(self, tell: Callable[[], None]) -> None:
        if self._is_aborted:
            return
        self._is_aborted = True
        self.stream.close()
        self._driver.stop(self)
        self._connection._nbio.add_callback_threadsafe(tell)
