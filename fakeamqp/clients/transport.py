"""What takes the place of pika's socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pika import frame
from pika.adapters.utils.nbio_interface import AbstractStreamTransport
from pika.channel import Channel
from pika.connection import Connection

from fakeamqp.clients.translation.classes import FRAME_OVERHEAD
from fakeamqp.clients.translation.inbound import method_in
from fakeamqp.clients.translation.outbound import content_frames_out, method_out, properties_out
from fakeamqp.simulation.world.network import Stream
from fakeamqp.spec.methods import BasicDeliver, BasicGetOk, BasicReturn, EndOfStream, Heartbeat

if TYPE_CHECKING:
    from fakeamqp.clients.drivers import Driver
    from fakeamqp.clients.in_memory import InMemoryConnection


MESSAGES: dict[type, str] = {BasicDeliver: "_on_deliver", BasicGetOk: "_on_getok", BasicReturn: "_on_return"}
"""What pika's channel takes a whole message with, for each method with content."""


class Message(frame.Method):
    """A message's method frame and header frame in one: it has what pika's channel reads of either."""

    properties: Any


def takes_messages(connection_class: type) -> bool:
    """Whether nothing stands between a connection of this class and what its channels take messages with.

    If this pika has other ways, or the class watches the frames, each frame goes pika's own way.
    """
    watched = ("_process_frame", "_process_callbacks", "_deliver_frame_to_channel")
    return all(hasattr(Channel, name) for name in MESSAGES.values()) and all(
        getattr(connection_class, name, None) is vars(Connection).get(name, MESSAGES) for name in watched
    )


class Transport(AbstractStreamTransport):
    """Carries a pika connection's frames to the node and back."""

    def __init__(self, connection: InMemoryConnection, protocol: Any, stream: Stream, driver: Driver) -> None:
        self._connection = connection
        self._protocol = protocol
        self._takes_messages = takes_messages(type(connection))
        self.stream = stream
        self._driver = driver
        self._is_aborted = False
        self.send = stream.send
        """send(channel_number, method): one of our methods, to the node."""
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
            self.send(sent.channel_number, method_in(sent.method, self._connection.params))
        elif isinstance(sent, frame.Heartbeat):
            self.send(0, Heartbeat())
        else:
            self.stream.greet()

    # -- in -----------------------------------------------------------------------------------------------------

    def is_readable(self) -> bool:
        """Whether `dispatch` has something to do."""
        return not self._is_aborted and self.stream.is_readable()

    def dispatch(self) -> None:
        """Give pika everything that has arrived."""
        receive = self.stream.receive
        while not self._is_aborted and (received := receive()) is not None:
            channel_number, method = received
            kind = type(method)
            if kind in MESSAGES:
                self._give_message(channel_number, method)
            elif kind is EndOfStream:
                self._finish(self._end_of_file)
                return
            elif kind is Heartbeat:
                self._give_frames(frame.Heartbeat())
            else:
                self._give_frames(frame.Method(channel_number, method_out(method)))
        if self.stream.is_broken and not (self.stream.is_withheld or self._is_aborted):
            error = ConnectionResetError(104, "Connection reset by peer")
            self._finish(lambda: self._protocol.connection_lost(error))

    def _give_frames(self, *frames: Any) -> None:
        connection = self._connection
        connection.count_received(FRAME_OVERHEAD * len(frames))
        for each in frames:
            connection._process_frame(each)

    def _give_message(self, channel_number: int, method: Any) -> None:
        """Give pika's channel a message whole, unless somebody looks at its frames on their way there."""
        connection = self._connection
        message = Message(channel_number, method_out(method))
        channel = self._channel_for(message)
        if channel is None:
            self._give_frames(message, *content_frames_out(channel_number, method))
            return
        message.properties = properties_out(method.properties)
        count = 3 if method.body else 2
        connection.frames_received += count
        connection.count_received(FRAME_OVERHEAD * count)
        getattr(channel, MESSAGES[type(method)])(message, message, method.body)

    def _channel_for(self, message: Message) -> Any:
        """The channel of pika's that takes this message whole; None where frames have to go their way."""
        connection, number = self._connection, message.channel_number
        if not self._takes_messages or "_process_frame" in vars(connection):
            return None
        if connection.callbacks.pending(number, message.method) is not None:
            return None
        return connection._channels.get(number)

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
