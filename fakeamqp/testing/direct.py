"""The direct door: AMQP methods in, AMQP methods out, without a client library in between.

connection = connect(broker)
channel = connection.channel()
channel.call(QueueDeclare("orders"))  # QueueDeclareOk(queue='orders', message_count=0, consumer_count=0)
channel.send(BasicPublish("", "orders", body=b"one"))
channel.call(BasicGet("orders", no_ack=True)).body  # b'one'
"""

from __future__ import annotations

from fakeamqp.broker import Broker
from fakeamqp.simulation.world.network import Stream
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import (
    ChannelOpen,
    ChannelOpenOk,
    ConnectionClose,
    ConnectionOpen,
    ConnectionOpenOk,
    ConnectionStartOk,
    ConnectionTuneOk,
    Method,
)

CLIENT_PROPERTIES = {
    "capabilities": {
        "authentication_failure_close": True,
        "basic.nack": True,
        "connection.blocked": True,
        "consumer_cancel_notify": True,
        "publisher_confirms": True,
    }
}


class DirectConnection:
    """A client connection whose user speaks in methods."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.send = stream.send
        """send(channel_number, method); raises UnsupportedFeature for what fakeamqp cannot do."""
        self.receive = stream.receive_all
        """Everything that has arrived since the last time, oldest first: a list of (channel_number, method)."""

    def channel(self, number: int = 1) -> DirectChannel:
        """Open a channel. Raises Misuse where something else than open-ok comes back."""
        self.send(number, ChannelOpen())
        answers = self.receive()
        if answers[-1:] != [(number, ChannelOpenOk())]:
            raise Misuse(f"channel {number} did not open; the node said {answers}")
        return DirectChannel(self, number)

    def close(self) -> None:
        """Say goodbye, and drop the stream."""
        self.send(0, ConnectionClose(200, "Normal shutdown"))
        self._stream.close()

    def drop(self) -> None:
        """Drop the stream without a goodbye, as a client that dies."""
        self._stream.close()


class DirectChannel:
    """One channel of a direct connection."""

    def __init__(self, connection: DirectConnection, number: int) -> None:
        self.connection = connection
        self.number = number

    def send(self, method: Method) -> None:
        """Send a method, without looking at what comes back."""
        self.connection.send(self.number, method)

    def receive(self) -> list[Method]:
        """What has arrived since the last time; raises Misuse if some of it is for another channel."""
        arrived = self.connection.receive()
        others = [each for each in arrived if each[0] != self.number]
        if others:
            raise Misuse(f"something arrived for other channels: {others}; receive from the connection instead")
        return [method for _, method in arrived]

    def call(self, method: Method) -> Method:
        """Send a method and take its one answer; raises Misuse where there are none or several."""
        self.send(method)
        answers = self.receive()
        if len(answers) != 1:
            raise Misuse(f"{method.NAME} was answered {len(answers)} times: {answers}; use send and receive")
        return answers[0]


def connect(
    broker: Broker, user: str = "guest", password: str = "guest", virtual_host: str = "/", heartbeat: int = 0
) -> DirectConnection:
    """Connect to a broker. `heartbeat` is in seconds, 0 for none. Raises Misuse where the node refuses."""
    stream = broker.simulation.network.open_stream()
    connection = DirectConnection(stream)
    stream.greet()
    connection.send(0, ConnectionStartOk(CLIENT_PROPERTIES, "PLAIN", f"\0{user}\0{password}".encode(), "en_US"))
    connection.send(0, ConnectionTuneOk(2047, 131072, heartbeat))
    connection.send(0, ConnectionOpen(virtual_host))
    answers = connection.receive()
    if answers[-1:] != [(0, ConnectionOpenOk())]:
        raise Misuse(f"the node did not let {user!r} into {virtual_host!r}: it said {answers[1:]}")
    return connection
