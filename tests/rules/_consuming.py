"""What the rules on consuming and settling share."""

from __future__ import annotations

from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

Deliver = pika.spec.Basic.Deliver


def publish(connection: pika.BlockingConnection, queue: str, *bodies: bytes) -> None:
    """Put messages into `queue`; it has them, and has tried to deliver them, when this returns."""
    with connection.channel() as channel:
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish("", queue, body)
        channel.queue_declare(queue, passive=True)


def round_trip(channel: BlockingChannel) -> None:
    """All that this channel sent before has been handled, and all that it was sent has arrived."""
    channel.exchange_declare("amq.direct", passive=True)


def get(channel: BlockingChannel, queue: str, count: int) -> list[int]:
    """Get `count` messages, which stay unacknowledged: their delivery tags."""
    return [channel.basic_get(queue)[0].delivery_tag for _ in range(count)]


def settle(channel: BlockingChannel, queue: str) -> None:
    """Whatever `queue` has to deliver on this channel has been dispatched when this returns."""
    channel.queue_declare(queue, passive=True)
    round_trip(channel)
    channel.connection.process_data_events()


def wait_until_ready(channel: BlockingChannel, queue: str, count: int) -> None:
    """Wait for messages that return by themselves: a queue may notice a closed channel a little later."""
    for _ in range(500):
        if channel.queue_declare(queue, passive=True).method.message_count == count:
            return
        channel.connection.process_data_events(time_limit=0.01)
    raise AssertionError(f"{queue} does not have {count} ready messages")


class Consumer:
    """A consumer that keeps what it is given and settles nothing by itself."""

    def __init__(self, channel: BlockingChannel, queue: str, **settings: Any) -> None:
        self.channel = channel
        self.queue = queue
        self.methods: list[Deliver] = []
        self.bodies: list[bytes] = []
        self._taken = 0
        self.tag = channel.basic_consume(queue, self._on_message, **settings)

    def _on_message(self, channel: BlockingChannel, method: Deliver, _: pika.BasicProperties, body: bytes) -> None:
        self.methods.append(method)
        self.bodies.append(body)

    def take(self, count: int) -> list[bytes]:
        """Wait for `count` deliveries: all bodies since the last call, which may be more."""
        settle(self.channel, self.queue)
        for _ in range(10):
            if len(self.bodies) - self._taken >= count:
                break
            self.channel.connection.process_data_events(time_limit=1)
        settle(self.channel, self.queue)
        new = self.bodies[self._taken :]
        self._taken = len(self.bodies)
        return new

    def ack(self, index: int = -1, *, multiple: bool = False) -> None:
        """Acknowledge a delivery, the last one unless told; the queue has been told when this returns."""
        self.channel.basic_ack(self.methods[index].delivery_tag, multiple=multiple)
        round_trip(self.channel)

    def requeue(self, index: int = -1) -> None:
        """Reject a delivery back into the queue; the queue has been told when this returns."""
        self.channel.basic_reject(self.methods[index].delivery_tag, requeue=True)
        round_trip(self.channel)
