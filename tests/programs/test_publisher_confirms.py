"""publisher_confirms: which messages are taken, and which are refused because no queue wants them."""

from __future__ import annotations

from collections.abc import Callable

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.programs.publisher_confirms import AsyncPublisher, publish_batch, publish_one
from tests.target import Target

QUEUE_TYPES = pytest.mark.parametrize("queue_type", ["classic", "quorum"])


def declare(channel: BlockingChannel, queue: str, queue_type: str) -> None:
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": queue_type})


def bodies_in(channel: BlockingChannel, queue: str, count: int) -> list[bytes]:
    return [channel.basic_get(queue, auto_ack=True)[2] for _ in range(count)]


@QUEUE_TYPES
def test_each_message_is_in_the_queue_when_its_publication_returns(
    channel: BlockingChannel, messages_in: Callable[[str], int], queue_type: str
) -> None:
    declare(channel, "orders", queue_type)
    channel.confirm_delivery()
    for number in range(1, 4):
        assert publish_one(channel, ("orders", b"order"))
        assert messages_in("orders") == number


def test_a_single_message_that_no_queue_wants_is_refused(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    assert not publish_one(channel, ("nowhere", b"lost"))
    channel.queue_declare("somewhere")
    assert publish_one(channel, ("somewhere", b"found"))


@QUEUE_TYPES
def test_a_batch_reports_the_messages_that_no_queue_wants(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int], queue_type: str
) -> None:
    declare(channel, "orders", queue_type)
    messages = [("orders", b"one"), ("nowhere", b"two"), ("orders", b"three"), ("elsewhere", b"four")]
    assert publish_batch(target.parameters(), messages) == [("nowhere", b"two"), ("elsewhere", b"four")]
    assert bodies_in(channel, "orders", 2) == [b"one", b"three"]
    assert messages_in("orders") == 0


@QUEUE_TYPES
def test_the_asynchronous_publisher_ends_when_every_message_is_confirmed(
    target: Target, channel: BlockingChannel, queue_type: str
) -> None:
    declare(channel, "orders", queue_type)
    messages = [("orders", str(number).encode()) for number in range(200)]
    publisher = AsyncPublisher(target.parameters(), messages)
    publisher.run()
    assert sorted(publisher.confirmed) == sorted(messages)
    assert publisher.refused == []
    assert bodies_in(channel, "orders", 200) == [body for _, body in messages]


def test_the_asynchronous_publisher_reports_the_messages_that_no_queue_wants(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int]
) -> None:
    channel.queue_declare("orders")
    messages = [("orders", b"one"), ("nowhere", b"two"), ("orders", b"three")]
    publisher = AsyncPublisher(target.parameters(), messages)
    publisher.run()
    assert sorted(publisher.confirmed) == [("orders", b"one"), ("orders", b"three")]
    assert publisher.refused == [("nowhere", b"two")]
    assert messages_in("orders") == 2


def test_the_asynchronous_publisher_raises_what_keeps_it_from_connecting(target: Target) -> None:
    publisher = AsyncPublisher(target.parameters(virtual_host="no such vhost"), [("orders", b"order")])
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="vhost no such vhost not found"):
        publisher.run()
