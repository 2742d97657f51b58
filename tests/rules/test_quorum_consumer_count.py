"""How many consumers queue.declare says a quorum queue has: whoever holds a message of it counts."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import wait_for
from tests.rules._queues import consumers, fill


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    """The name of a new quorum queue."""
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    return "orders"


def wait_until_consumed_by(channel: BlockingChannel, queue: str, count: int) -> None:
    """Wait until the queue has this many consumers: the count may lag behind what was settled."""
    for _ in range(500):
        if consumers(channel, queue) == count:
            return
        channel.connection.process_data_events(time_limit=0.01)
    raise AssertionError(f"{queue} does not have {count} consumers but {consumers(channel, queue)}")


def test_each_unsettled_get_counts_as_a_consumer(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 3)
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(2)]
    channel.basic_get(queue, auto_ack=True)
    wait_until_consumed_by(channel, queue, 2)
    channel.basic_ack(tags[0])
    wait_until_consumed_by(channel, queue, 1)
    channel.basic_nack(tags[1], requeue=True)
    wait_until_consumed_by(channel, queue, 0)


def test_a_get_settled_in_a_transaction_counts_until_it_is_committed(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 1)
    channel.tx_select()
    channel.basic_ack(channel.basic_get(queue)[0].delivery_tag)
    wait_until_consumed_by(channel, queue, 1)
    channel.tx_commit()
    wait_until_consumed_by(channel, queue, 0)


def test_a_cancelled_consumer_counts_until_it_has_settled_everything(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 2)
    tags: list[int] = []
    tag = channel.basic_consume(queue, lambda _, method, *__: tags.append(method.delivery_tag))
    wait_for(channel.connection, lambda: len(tags) == 2)
    channel.basic_cancel(tag)
    wait_until_consumed_by(channel, queue, 1)
    channel.basic_ack(tags[0])
    wait_until_consumed_by(channel, queue, 1)
    channel.basic_ack(tags[1])
    wait_until_consumed_by(channel, queue, 0)


@pytest.mark.parametrize(("again", "count"), [("old", 1), ("new", 2)])
def test_a_cancelled_consumer_and_a_new_one_of_its_tag_count_as_one(
    channel: BlockingChannel, queue: str, again: str, count: int
) -> None:
    fill(channel, queue, 1)
    tags: list[int] = []
    channel.basic_consume(queue, lambda _, method, *__: tags.append(method.delivery_tag), consumer_tag="old")
    wait_for(channel.connection, lambda: len(tags) == 1)
    channel.basic_cancel("old")
    channel.basic_consume(queue, lambda *_: None, consumer_tag=again)
    wait_until_consumed_by(channel, queue, count)
