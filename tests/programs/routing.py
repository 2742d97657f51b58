"""Routing: a log receiver names the severities it wants to hear of."""

from __future__ import annotations

from collections.abc import Iterable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.connection import Parameters
from pika.exchange_type import ExchangeType
from pika.spec import Basic, BasicProperties

EXCHANGE = "direct_logs"


class LogEmitter:
    """Emits log lines over one connection."""

    def __init__(self, parameters: Parameters) -> None:
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.direct)

    def emit(self, severity: str, line: str) -> None:
        """Send a line to whoever listens for this severity."""
        self._channel.basic_publish(exchange=EXCHANGE, routing_key=severity, body=line.encode())

    def close(self) -> None:
        """Send what is not sent yet, and disconnect."""
        self._connection.close()


class LogReceiver:
    """Collects (severity, line) pairs in `log`, whenever `wait` lets it."""

    def __init__(self, parameters: Parameters, severities: Iterable[str]) -> None:
        self.log: list[tuple[str, str]] = []
        self._connection = pika.BlockingConnection(parameters)
        channel = self._connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.direct)
        queue = channel.queue_declare(queue="", exclusive=True).method.queue
        for severity in severities:
            channel.queue_bind(exchange=EXCHANGE, queue=queue, routing_key=severity)
        channel.basic_consume(queue=queue, on_message_callback=self._on_line, auto_ack=True)

    def _on_line(
        self, _channel: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes
    ) -> None:
        self.log.append((method.routing_key, body.decode()))

    def wait(self, count: int, patience: float) -> None:
        """Receive until the log has `count` lines, or nothing comes for `patience` seconds."""
        known = -1
        while known < len(self.log) < count:
            known = len(self.log)
            self._connection.process_data_events(time_limit=patience)

    def close(self) -> None:
        """Disconnect; the receiver's queue goes with it."""
        self._connection.close()
