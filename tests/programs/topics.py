"""Topics: a log receiver describes the facilities and severities it wants with patterns such as "kern.*"."""

from __future__ import annotations

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters
from pika.exchange_type import ExchangeType
from pika.spec import Basic, BasicProperties

EXCHANGE = "topic_logs"


def emit_logs(parameters: Parameters, lines: list[tuple[str, str]]) -> None:
    """Send (topic, line) pairs; a topic is "facility.severity"."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.topic)
        for topic, line in lines:
            channel.basic_publish(exchange=EXCHANGE, routing_key=topic, body=line.encode())


class LogReceiver:
    """Hands over the lines whose topic matches any of its patterns."""

    def __init__(self, parameters: Parameters, *patterns: str) -> None:
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.topic)
        self._queue = self._channel.queue_declare(queue="", exclusive=True).method.queue
        for pattern in patterns:
            self._channel.queue_bind(exchange=EXCHANGE, queue=self._queue, routing_key=pattern)

    def receive(self, last_topic: str) -> list[tuple[str, str]]:
        """The (topic, line) pairs up to the first one of `last_topic`."""
        lines: list[tuple[str, str]] = []

        def on_line(channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
            lines.append((method.routing_key, body.decode()))
            channel.basic_ack(method.delivery_tag)
            if method.routing_key == last_topic:
                channel.stop_consuming()

        self._channel.basic_consume(queue=self._queue, on_message_callback=on_line)
        self._channel.start_consuming()
        return lines

    def close(self) -> None:
        """Disconnect; the receiver's queue goes with it."""
        self._connection.close()
