"""The pika program that is measured, the same on whatever broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from benchmarks.timing import seconds_each

BODY = b"small body"


class Program:
    """A BlockingConnection's user. Each round handles `messages` messages, and leaves its queue empty.

    A round of connections or channels handles `connections` of these.
    """

    def __init__(
        self,
        connect: Callable[[], pika.BlockingConnection],
        messages: int,
        connections: int = 3,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        self.connect = connect
        self.messages = messages
        self.connections = connections
        self.clock = clock
        self.connection = connect()
        self.channel = self.connection.channel()
        self.confirmed_channel = self.connection.channel()
        self.confirmed_channel.confirm_delivery()
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue

    def publish(self) -> float:
        """basic_publish without confirms; nothing waits for the broker to be done with it."""
        return self._publishing(self.channel)

    def publish_confirmed(self) -> float:
        """basic_publish with confirms, waiting for each."""
        return self._publishing(self.confirmed_channel)

    def get(self) -> float:
        """basic_get without acknowledgement."""
        self._publish_all(self.channel)
        return seconds_each(self.messages, self._get_all, self.clock)

    def consume_and_ack(self) -> float:
        """A consumer's callback for each message, which acknowledges it."""
        self._publish_all(self.channel)
        return seconds_each(self.messages, self._consume_all, self.clock)

    def connect_and_close(self) -> float:
        """A BlockingConnection, opened and closed."""

        def connect_and_close_all() -> None:
            for _ in range(self.connections):
                self.connect().close()

        return seconds_each(self.connections, connect_and_close_all, self.clock)

    def open_and_close_channel(self) -> float:
        """A channel, opened and closed."""

        def open_and_close_all() -> None:
            for _ in range(self.connections):
                self.connection.channel().close()

        return seconds_each(self.connections, open_and_close_all, self.clock)

    def _publishing(self, channel: BlockingChannel) -> float:
        spent = seconds_each(self.messages, lambda: self._publish_all(channel), self.clock)
        channel.queue_purge(self.queue)
        return spent

    def _publish_all(self, channel: BlockingChannel) -> None:
        for _ in range(self.messages):
            channel.basic_publish("", self.queue, BODY)

    def _get_all(self) -> None:
        for _ in range(self.messages):
            method, _, _ = self.channel.basic_get(self.queue, auto_ack=True)
            assert method is not None

    def _consume_all(self) -> None:
        left = iter(range(self.messages - 1, -1, -1))

        def on_message(channel: BlockingChannel, method: pika.spec.Basic.Deliver, *_: Any) -> None:
            channel.basic_ack(method.delivery_tag)
            if not next(left):
                channel.stop_consuming()

        self.channel.basic_consume(self.queue, on_message, consumer_tag="consumer")
        self.channel.start_consuming()
