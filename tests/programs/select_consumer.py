"""Hello World the asynchronous way: a consumer made of callbacks, on pika's SelectConnection."""

from __future__ import annotations

from collections.abc import Callable

import pika
from pika.channel import Channel
from pika.connection import Connection, Parameters
from pika.exceptions import ConnectionClosedByClient
from pika.spec import Basic, BasicProperties

QUEUE = "hello"


class Consumer:
    """Hands `limit` messages to a function, then disconnects."""

    def __init__(self, parameters: Parameters, handle: Callable[[str], None], limit: int) -> None:
        self._handle = handle
        self._remaining = limit
        self._error: BaseException | None = None
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
        )

    def run(self) -> None:
        """Raises what ended the connection, if that was not the consumer itself."""
        self._connection.ioloop.start()
        self._connection.ioloop.close()
        if self._error is not None:
            raise self._error

    def _on_open(self, connection: Connection) -> None:
        connection.channel(on_open_callback=self._on_channel_open)

    def _on_end(self, connection: Connection, reason: BaseException) -> None:
        if not isinstance(reason, ConnectionClosedByClient):
            self._error = reason
        connection.ioloop.stop()

    def _on_channel_closed(self, channel: Channel, reason: BaseException) -> None:
        if channel.connection.is_open:
            self._error = reason
            channel.connection.close()

    def _on_channel_open(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        channel.queue_declare(queue=QUEUE, callback=lambda _frame: self._on_queue_declared(channel))

    def _on_queue_declared(self, channel: Channel) -> None:
        channel.basic_qos(prefetch_count=1, callback=lambda _frame: self._on_prefetch_limited(channel))

    def _on_prefetch_limited(self, channel: Channel) -> None:
        channel.basic_consume(queue=QUEUE, on_message_callback=self._on_message)

    def _on_message(self, channel: Channel, method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._handle(body.decode())
        channel.basic_ack(method.delivery_tag)
        self._remaining -= 1
        if not self._remaining:
            channel.basic_cancel(method.consumer_tag, callback=lambda _frame: self._connection.close())
