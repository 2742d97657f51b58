"""In which order a quorum queue gets back what a channel held that is over, and where a returned message goes."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, publish, wait_until_ready
from tests.rules._helpers import get_all


@pytest.mark.parametrize("tags", [("a", "b"), ("b", "a")])
def test_what_a_closed_channel_held_of_a_quorum_queue_returns_consumer_by_consumer(
    channel: BlockingChannel, version: str, tags: tuple[str, str]
) -> None:
    """In the order of their tags, in 4.0 in that of their coming; then by age."""
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    closing = channel.connection.channel()
    first, second = (Consumer(closing, "orders", consumer_tag=tag) for tag in tags)
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4")
    assert (first.take(2), second.take(2)) == ([b"1", b"3"], [b"2", b"4"])
    closing.close()
    wait_until_ready(channel, "orders", 4)
    in_order = [b"1", b"3", b"2", b"4"]
    swapped = [b"2", b"4", b"1", b"3"]
    assert get_all(channel, "orders") == (swapped if version == "3.10" and tags == ("b", "a") else in_order)


def test_what_a_closed_channel_got_of_a_quorum_queue_returns_get_by_get(channel: BlockingChannel, version: str) -> None:
    """In the order of their delivery tags as texts, so that 10 comes before 2; in 4.0 consumers come before them."""
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    publish(channel.connection, "orders", *[str(number).encode() for number in range(1, 12)])
    closing = channel.connection.channel()
    closing.basic_qos(prefetch_count=1)
    consumer = Consumer(closing, "orders", consumer_tag="c")
    assert consumer.take(1) == [b"1"]
    for _ in range(10):
        closing.basic_get("orders")
    closing.close()
    wait_until_ready(channel, "orders", 11)
    numbers = {"3.10": [10, 11, 2, 3, 4, 5, 6, 7, 8, 9, 1], "4.0": [1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]}[version]
    assert get_all(channel, "orders") == [str(number).encode() for number in numbers]


@pytest.mark.parametrize("limit", [None, -1, 0, 1, 5])
def test_without_a_delivery_limit_a_returned_message_goes_behind_all_others(
    channel: BlockingChannel, version: str, limit: int | None
) -> None:
    """4.0 has a limit of 20 unless told; -1 there means none."""
    arguments: dict[str, Any] = {"x-queue-type": "quorum"} | ({} if limit is None else {"x-delivery-limit": limit})
    channel.queue_declare("orders", durable=True, arguments=arguments)
    publish(channel.connection, "orders", b"1", b"2")
    channel.basic_nack(channel.basic_get("orders")[0].delivery_tag, requeue=True)
    is_limited = {"3.10": limit is not None, "4.0": limit != -1}[version]
    drops = limit == 0 or (limit == -1 and version == "3.10")
    wait_until_ready(channel, "orders", 1 if drops else 2)
    expected = [b"2"] if drops else [b"1", b"2"] if is_limited else [b"2", b"1"]
    assert get_all(channel, "orders") == expected


def test_a_cancelled_consumer_keeps_its_place(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    closing = channel.connection.channel()
    first, second = (Consumer(closing, "orders", consumer_tag=tag) for tag in "ab")
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4")
    assert (first.take(2), second.take(2)) == ([b"1", b"3"], [b"2", b"4"])
    closing.basic_cancel("a")
    closing.basic_cancel("b")
    closing.close()
    wait_until_ready(channel, "orders", 4)
    assert get_all(channel, "orders") == [b"1", b"3", b"2", b"4"]
