"""What the rules about the operator's settings share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all

Pass = Callable[[float], None]

FIVE = [b"1", b"2", b"3", b"4", b"5"]


@contextlib.contextmanager
def refused(*texts: str) -> Iterator[None]:
    """The block asks the operator's door for something that RabbitMQ refuses, and says each of the texts."""
    with pytest.raises(ValueError, match=r"(?s).*") as caught:
        yield
    for text in texts:
        assert text in str(caught.value)


def publish(channel: BlockingChannel, queue: str, *bodies: bytes) -> None:
    """Publish with confirms: the queue has the messages when this returns, or has rejected them."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for body in bodies:
            with contextlib.suppress(pika.exceptions.NackError):
                publisher.basic_publish("", queue, body)


def kept(channel: BlockingChannel, queue: str) -> int:
    """How many of five new messages the queue keeps."""
    publish(channel, queue, *FIVE)
    return len(get_all(channel, queue))


def declare_quorum(channel: BlockingChannel, queue: str, **arguments: Any) -> None:
    """Declare a quorum queue; arguments are named without their x- and with underscores."""
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", **named})
