"""In which order a quorum queue sends what becomes ready at once."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, publish, wait_until_ready
from tests.rules._helpers import wait_for


@pytest.mark.parametrize("tags", [("a", "b"), ("b", "a")])
def test_what_becomes_ready_at_once_in_a_quorum_queue_is_sent_consumer_by_consumer(
    channel: BlockingChannel, version: str, tags: tuple[str, str]
) -> None:
    """Two consumers of one channel take turns, but the channel gets all of one before all of the other.

    In the order of their tags, in 4.0 in that of their coming.
    """
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    holder = Consumer(channel.connection.channel(), "orders")
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4")
    assert holder.take(4) == [b"1", b"2", b"3", b"4"]
    holder.channel.basic_cancel(holder.tag)
    received: list[Any] = []
    for tag in tags:
        channel.basic_consume("orders", lambda _, *message: received.append(message), consumer_tag=tag)
    holder.channel.close()
    wait_for(channel.connection, lambda: len(received) == 4)
    by_consumer = [(method.consumer_tag, body) for method, _, body in received]
    first, second = tags
    in_order = [(first, b"1"), (first, b"3"), (second, b"2"), (second, b"4")]
    assert by_consumer == (sorted(in_order) if version == "3.10" else in_order)
    wait_until_ready(channel, "orders", 0)


def test_dead_letters_are_sent_one_after_the_other(channel: BlockingChannel) -> None:
    """They arrive on their own, and so the channel gets each when its consumer's turn has come."""
    channel.queue_declare("next", durable=True, arguments={"x-queue-type": "quorum"})
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "next", "x-queue-type": "quorum"}
    channel.queue_declare("orders", durable=True, arguments=arguments)
    received: list[Any] = []
    for tag in ("a", "b"):
        channel.basic_consume("next", lambda _, *message: received.append(message), consumer_tag=tag)
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4")
    holder = channel.connection.channel()
    tags = [holder.basic_get("orders")[0].delivery_tag for _ in range(4)]
    holder.basic_nack(tags[-1], multiple=True, requeue=False)
    wait_for(channel.connection, lambda: len(received) == 4)
    assert [(method.consumer_tag, body) for method, _, body in received] == [
        ("a", b"1"),
        ("b", b"2"),
        ("a", b"3"),
        ("b", b"4"),
    ]


@pytest.mark.only("3.10")
def test_what_goes_behind_all_others_is_sent_one_after_the_other(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    received: list[Any] = []
    publish(channel.connection, "orders", b"1")
    channel.basic_consume("orders", lambda _, *message: received.append(message), consumer_tag="a")
    wait_for(channel.connection, lambda: len(received) == 1)
    publish(channel.connection, "orders", b"2")
    wait_for(channel.connection, lambda: len(received) == 2)
    channel.basic_consume("orders", lambda _, *message: received.append(message), consumer_tag="b")
    channel.basic_recover(requeue=True)
    wait_for(channel.connection, lambda: len(received) == 4)
    assert [method.delivery_tag for method, _, _ in received] == [1, 2, 3, 4]
    assert [body for _, _, body in received[2:]] == [b"1", b"2"]
