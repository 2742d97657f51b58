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
