"""What the rules on queue arguments, time to live, dead letters and length limits share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

Connect = Callable[..., pika.BlockingConnection]
LetTimePass = Callable[[float], None]
TO_DEAD = {"dead_letter_exchange": "", "dead_letter_routing_key": "dead"}
"""For `declare`: dead letters go to the queue "dead"."""


def invalid(argument: str, vhost: str, why: str) -> str:
    """The text of the refusal of an argument's value."""
    return f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'orders' in vhost '{vhost}': {why}"


def not_for_classic_queues(argument: str, vhost: str) -> str:
    """The text of the refusal of an argument that belongs to another type of queue."""
    queue = f"queue 'orders' in vhost '{vhost}'"
    return f"PRECONDITION_FAILED - invalid arg '{argument}' for {queue} of queue type rabbit_classic_queue"


def inequivalent(argument: str, vhost: str, difference: str) -> str:
    """The text of the refusal to declare a queue again with another argument."""
    return f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'orders' in vhost '{vhost}': {difference}"


def declare(channel: BlockingChannel, queue: str, **arguments: Any) -> str:
    """Declare the queue; `message_ttl=5` is the argument x-message-ttl. Its name."""
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.queue_declare(queue, arguments=named)
    return queue


def publish(channel: BlockingChannel, queue: str, *bodies: bytes, **properties: Any) -> None:
    """Put messages into the queue, which has them when this returns."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for body in bodies:
            publisher.basic_publish("", queue, body, pika.BasicProperties(**properties))


def wait_for_message(channel: BlockingChannel, queue: str) -> tuple[Any, pika.BasicProperties, bytes]:
    """Get a message that is on its way to the queue; acknowledged."""
    wait_until_ready(channel, queue, 1)
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    return method, properties, body


def wait_until_ready(channel: BlockingChannel, queue: str, count: int) -> None:
    """Wait until the queue has this many ready messages, or more."""
    for _ in range(500):
        if ready(channel, queue) >= count:
            return
        channel.connection.process_data_events(time_limit=0.01)
    raise AssertionError(f"{queue} does not have {count} ready messages but {ready(channel, queue)}")


def ready(channel: BlockingChannel, queue: str) -> int:
    """How many messages of the queue are ready."""
    return channel.queue_declare(queue, passive=True).method.message_count


def get_all(channel: BlockingChannel, queue: str) -> list[bytes]:
    """The bodies of the messages that are ready, in order; acknowledged."""
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body)


def reject(channel: BlockingChannel, queue: str) -> None:
    """Get the next message and reject it for good."""
    method, _, _ = channel.basic_get(queue)
    assert method is not None, f"{queue} is empty"
    channel.basic_reject(method.delivery_tag, requeue=False)


def dead_letter(channel: BlockingChannel, queue: str = "orders", **properties: Any) -> pika.BasicProperties:
    """Publish a message to the queue and reject it: the properties that arrive in the queue "dead"."""
    publish(channel, queue, b"order", **properties)
    reject(channel, queue)
    return wait_for_message(channel, "dead")[1]
