"""Publish/subscribe: every receiver that listens gets a copy of every log line."""

from __future__ import annotations

from types import TracebackType

import pika
from pika.connection import Parameters
from pika.exchange_type import ExchangeType

EXCHANGE = "logs"


def emit_log(parameters: Parameters, line: str) -> None:
    """Send a line to all who listen now; it is gone if nobody does."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.fanout)
        channel.basic_publish(exchange=EXCHANGE, routing_key="", body=line.encode())


class LogReceiver:
    """Listens from the beginning to the end of its `with` block, with a queue of its own."""

    def __init__(self, parameters: Parameters) -> None:
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.exchange_declare(exchange=EXCHANGE, exchange_type=ExchangeType.fanout)
        self.queue: str = self._channel.queue_declare(queue="", exclusive=True).method.queue
        self._channel.queue_bind(exchange=EXCHANGE, queue=self.queue)

    def __enter__(self) -> LogReceiver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def read(self, limit: int, patience: float) -> list[str]:
        """The next `limit` lines; fewer if no line comes for `patience` seconds."""
        lines: list[str] = []
        for method, _properties, body in self._channel.consume(self.queue, inactivity_timeout=patience):
            if method is None:
                break
            self._channel.basic_ack(method.delivery_tag)
            lines.append(body.decode())
            if len(lines) == limit:
                break
        self._channel.cancel()
        return lines
