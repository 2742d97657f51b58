"""What the rules about the exchange types of RabbitMQ's plugins share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all


def bound(channel: BlockingChannel, exchange: str, keys: dict[str, str]) -> list[str]:
    """Declare queues and bind each with its key, in this order; their names."""
    for queue, key in keys.items():
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, key)
    return list(keys)


def publish(channel: BlockingChannel, exchange: str, key: str, body: bytes = b"", **properties: Any) -> None:
    """Publish with confirms: the queues have the message when this returns."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        publisher.basic_publish(exchange, key, body, pika.BasicProperties(**properties))


def spread(channel: BlockingChannel, exchange: str, keys: Iterable[str], queues: Iterable[str]) -> dict[str, list[str]]:
    """Publish one message for each routing key: which queue got which keys."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for key in keys:
            publisher.basic_publish(exchange, key, key.encode())
    return {queue: [body.decode() for body in get_all(channel, queue)] for queue in queues}


def owners(channel: BlockingChannel, exchange: str, keys: list[str], queues: Iterable[str]) -> str:
    """Publish one message for each routing key: the names of the queues that got them, one after the other."""
    got = spread(channel, exchange, keys, queues)
    return "".join("".join(queue for queue, theirs in got.items() if key in theirs) for key in keys)


def receivers(channel: BlockingChannel, exchange: str, key: str, queues: Iterable[str], **properties: Any) -> list[str]:
    """Publish one message: the queues that got a copy."""
    publish(channel, exchange, key, **properties)
    return [queue for queue in queues if get_all(channel, queue)]
