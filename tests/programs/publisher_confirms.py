"""Publisher confirms: know which messages the broker has taken, one by one, per batch, or as they come in."""

from __future__ import annotations

from collections.abc import Iterable

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel
from pika.connection import Connection, Parameters
from pika.frame import Method
from pika.spec import Basic, BasicProperties

Message = tuple[str, bytes]  # the queue it goes to, and its body


def publish_one(channel: BlockingChannel, message: Message) -> bool:
    """Wait for the confirm: True if the broker has taken the message, False if it has refused it."""
    queue, body = message
    persistent = BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    try:
        channel.basic_publish(exchange="", routing_key=queue, body=body, properties=persistent, mandatory=True)
    except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
        return False
    return True


def publish_batch(parameters: Parameters, messages: Iterable[Message]) -> list[Message]:
    """Publish all messages, waiting for each confirm; returns those that the broker refused."""
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        return [message for message in messages if not publish_one(channel, message)]


class AsyncPublisher:
    """Publishes all messages at once and takes the confirms as they come; `run` returns after the last one."""

    def __init__(self, parameters: Parameters, messages: Iterable[Message]) -> None:
        self.confirmed: list[Message] = []
        self.refused: list[Message] = []
        self._messages = messages
        self._outstanding: dict[int, Message] = {}
        self._returned: set[int] = set()
        self._error: BaseException | None = None
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_end,
            on_close_callback=self._on_end,
        )

    def run(self) -> None:
        """Raises what ended the connection, if that was not the publisher itself."""
        self._connection.ioloop.start()
        self._connection.ioloop.close()
        if self._error is not None:
            raise self._error

    def _on_open(self, connection: Connection) -> None:
        connection.channel(on_open_callback=self._on_channel_open)

    def _on_end(self, connection: Connection, reason: BaseException) -> None:
        if not isinstance(reason, pika.exceptions.ConnectionClosedByClient):
            self._error = reason
        connection.ioloop.stop()

    def _on_channel_open(self, channel: Channel) -> None:
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._publish_all(channel))

    def _publish_all(self, channel: Channel) -> None:
        for delivery_tag, (queue, body) in enumerate(self._messages, start=1):
            self._outstanding[delivery_tag] = (queue, body)
            properties = BasicProperties(
                delivery_mode=pika.DeliveryMode.Persistent, headers={"delivery_tag": delivery_tag}
            )
            channel.basic_publish(exchange="", routing_key=queue, body=body, properties=properties, mandatory=True)

    def _on_return(self, _channel: Channel, _method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        self._returned.add(properties.headers["delivery_tag"])  # its confirm, an ack, comes after the return

    def _on_confirm(self, frame: Method) -> None:
        confirm = frame.method
        settled = [tag for tag in self._outstanding if tag < confirm.delivery_tag] if confirm.multiple else []
        for tag in [*settled, confirm.delivery_tag]:
            taken = isinstance(confirm, Basic.Ack) and tag not in self._returned
            (self.confirmed if taken else self.refused).append(self._outstanding.pop(tag))
        if not self._outstanding:
            self._connection.close()
