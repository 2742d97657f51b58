"""What the rules on kinds of queues share: declaring them, filling them by priority, and who got what."""

from __future__ import annotations

from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all
from tests.rules._queues import wait_until_ready


def declare(channel: BlockingChannel, queue: str, kind: str, **arguments: Any) -> str:
    """Declare a durable queue of this kind: max_length=3 stands for the argument x-max-length."""
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind, **named})
    return queue


def publish(channel: BlockingChannel, queue: str, *bodies: str, **properties: Any) -> None:
    """Publish to the queue, which has the messages when this returns."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for body in bodies:
            publisher.basic_publish("", queue, body.encode(), pika.BasicProperties(**properties))


def send(channel: BlockingChannel, queue: str, *bodies: str, **properties: Any) -> None:
    """Publish messages that start with their priority: "5a", "12b"; "a" has none."""
    for body in bodies:
        digits = body.rstrip("abcdefghijklmnopqrstuvwxyz")
        publish(channel, queue, body, priority=int(digits) if digits else None, **properties)


def drain(channel: BlockingChannel, queue: str, count: int | None = None) -> list[str]:
    """The bodies of the ready messages, when there are `count` of them; acknowledged."""
    if count is not None:
        wait_until_ready(channel, queue, count)
    return [body.decode() for body in get_all(channel, queue)]


def shares(*consumers: Consumer) -> list[list[str]]:
    """What each consumer has been given since the last time."""
    return [[body.decode() for body in consumer.take(0)] for consumer in consumers]


def assert_shares(expected: dict[Consumer, list[str]]) -> None:
    """Each consumer is given exactly this, since the last time."""
    found = {consumer: [body.decode() for body in consumer.take(len(bodies))] for consumer, bodies in expected.items()}
    assert list(found.values()) == list(expected.values())


def x_death(properties: pika.BasicProperties) -> dict[str, Any]:
    """The newest entry of the message's x-death header, without its time."""
    entry = dict(properties.headers["x-death"][0])
    assert entry.pop("time") is not None
    return entry
