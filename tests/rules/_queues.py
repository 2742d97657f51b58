"""What the rule tests of queues share."""

from __future__ import annotations

from collections.abc import Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel

Connect = Callable[..., pika.BlockingConnection]


def cut(text: str) -> str:
    """The text as a reply carries it: at most 255 bytes."""
    return text if len(text) <= 255 else text[:252] + "..."


def locked(queue: str, vhost: str) -> str:
    """The text of the refusal to touch another connection's exclusive queue."""
    return cut(
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{queue}' in vhost '{vhost}'. "
        "It could be originally declared on another connection or the exclusive property value does not match "
        "that of the original declaration."
    )


def missing(queue: str, vhost: str) -> str:
    """The text of the refusal to touch a queue that does not exist."""
    return f"NOT_FOUND - no queue '{queue}' in vhost '{vhost}'"


def ready(channel: BlockingChannel, queue: str) -> int:
    """How many messages of the queue are ready."""
    return channel.queue_declare(queue, passive=True).method.message_count


def consumers(channel: BlockingChannel, queue: str) -> int:
    """How many consumers the queue has."""
    return channel.queue_declare(queue, passive=True).method.consumer_count


def fill(channel: BlockingChannel, queue: str, count: int) -> None:
    """Publish b"1", b"2", ... to the queue, which has them when this returns."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for number in range(1, count + 1):
            publisher.basic_publish("", queue, str(number).encode())


def wait_until_ready(channel: BlockingChannel, queue: str, count: int) -> None:
    """Wait until the queue has this many ready messages: the count may lag behind what was settled."""
    for _ in range(500):
        if ready(channel, queue) == count:
            return
        channel.connection.process_data_events(time_limit=0.01)
    raise AssertionError(f"{queue} does not have {count} ready messages but {ready(channel, queue)}")
