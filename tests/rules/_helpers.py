"""What many rule tests need: waits that are round trips, and reading a queue empty."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel


def wait_for(connection: pika.BlockingConnection, condition: Callable[[], bool]) -> None:
    """Process what RabbitMQ sends to this connection until the condition holds."""
    for _ in range(5):
        if condition():
            return
        connection.process_data_events(time_limit=5)
    assert condition(), "RabbitMQ did not send what the test waits for"


def wait_until_back(connect: Callable[[], pika.BlockingConnection], queue: str) -> BlockingChannel:
    """Wait until a queue is there again whose process has died: meanwhile it is "not found", or worse. A channel."""
    for _ in range(500):
        with contextlib.suppress(pika.exceptions.AMQPError):
            channel = connect().channel()
            channel.queue_declare(queue, passive=True)
            return channel
    raise AssertionError(f"{queue} does not come back")


def get_all(channel: BlockingChannel, queue: str) -> list[bytes]:
    """The bodies of the messages that are ready, in order; acknowledged."""
    bodies = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return bodies
        bodies.append(body)
