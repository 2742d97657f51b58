"""What the rules on publishing share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import wait_for

PIKA = ".".join(pika.__version__.split(".")[:2])
"""pika's version: "1.3" or "1.4"."""

Message = tuple[Any, pika.BasicProperties, bytes]


def round_trip(channel: BlockingChannel) -> None:
    """RabbitMQ has handled all that this channel sent before, or refuses it here."""
    channel.exchange_declare("amq.direct", passive=True)


def message_count(channel: BlockingChannel, queue: str) -> int:
    """How many messages are ready."""
    return channel.queue_declare(queue, passive=True).method.message_count


def get_one(channel: BlockingChannel, queue: str) -> Message:
    """The next message, by basic.get."""
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    assert method is not None, "the queue is empty"
    return method, properties, body


def consume_one(channel: BlockingChannel, queue: str) -> Message:
    """The next message, by a consumer."""
    received: list[Message] = []
    tag = channel.basic_consume(queue, lambda _, *message: received.append(message), auto_ack=True)
    wait_for(channel.connection, lambda: bool(received))
    channel.basic_cancel(tag)
    return received[0]


def collect_returns(channel: BlockingChannel) -> list[Message]:
    """A list that gets every message returned to this channel from now on."""
    returned: list[Message] = []
    channel.add_on_return_callback(lambda _, *message: returned.append(message))
    return returned


def returned_so_far(channel: BlockingChannel, returned: list[Message]) -> list[Message]:
    """What `collect_returns` has when RabbitMQ has handled all that this channel sent."""
    round_trip(channel)
    channel.connection.process_data_events()
    return returned


class Arrivals:
    """What RabbitMQ sends to a channel, in the order it arrives, and confirms that nobody waits for."""

    def __init__(self, channel: BlockingChannel) -> None:
        self.channel = channel
        self.log: list[tuple[Any, ...]] = []
        impl = channel._impl
        impl.add_on_return_callback(lambda _, method, *__: self.log.append(("return", method.routing_key)))
        impl.add_callback(self._on_confirm, [pika.spec.Basic.Ack, pika.spec.Basic.Nack], one_shot=False)
        impl.add_callback(lambda _: self.log.append(("commit-ok",)), [pika.spec.Tx.CommitOk], one_shot=False)

    def _on_confirm(self, frame: Any) -> None:
        self.log.append(("ack" if isinstance(frame.method, pika.spec.Basic.Ack) else "nack", frame.method.delivery_tag))
        if frame.method.multiple:
            self.log[-1] += ("multiple",)

    def confirm_select(self, *, nowait: bool = False) -> None:
        """Ask for confirms, and leave basic_publish as it is: it does not wait for them."""
        answers: list[Any] = []
        self.channel._impl.confirm_delivery(_ignore, None if nowait else answers.append)
        if not nowait:
            self.wait_for(lambda: bool(answers))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Read what RabbitMQ sends until the condition holds."""
        for _ in range(100):
            if condition():
                return
            self.channel.connection.process_data_events(time_limit=0.05)
        assert condition(), f"only {self.log}"

    def wait_for_confirms(self, up_to: int) -> list[tuple[Any, ...]]:
        """The log, when every publish up to this delivery tag is confirmed."""
        self.wait_for(lambda: self.confirmed() >= set(range(1, up_to + 1)))
        return self.log

    def confirmed(self) -> set[int]:
        """The delivery tags that are acknowledged, those that `multiple` covers included."""
        tags: set[int] = set()
        for kind, tag, *multiple in [entry for entry in self.log if len(entry) > 1]:
            if kind == "ack":
                tags |= set(range(1, tag + 1)) if multiple else {tag}
        return tags


def _ignore(_: Any) -> None:
    """Arrivals hears of confirms by a callback of its own."""
