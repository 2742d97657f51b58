"""Consumers that have left a quorum queue: where they stood in line, and what counts of them."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._kinds import assert_shares, declare, publish
from tests.rules._limits import LetTimePass


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    """The name of a new quorum queue."""
    return declare(channel, "orders", "quorum")


def test_a_new_consumer_of_another_tag_waits_behind_all_others(channel: BlockingChannel, queue: str) -> None:
    first, going, last = (Consumer(channel, queue) for _ in range(3))
    channel.basic_cancel(going.tag)
    new = Consumer(channel, queue)
    publish(channel, queue, "1", "2", "3")
    assert_shares({first: ["1"], last: ["2"], new: ["3"], going: []})


def test_one_that_is_left_keeps_the_queue_from_expiring(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    """Also once it was served, as its predecessor's turn has come."""
    queue = declare(channel, "brief", "quorum", expires=1000)
    going, staying = Consumer(channel, queue, auto_ack=True), Consumer(channel, queue, auto_ack=True)
    channel.basic_cancel(going.tag)
    publish(channel, queue, "1", "2", "3")
    assert staying.take(3) == [b"1", b"2", b"3"]
    let_time_pass(2.5)
    publish(channel, queue, "4")
    assert staying.take(1) == [b"4"]


def test_a_prefetch_limit_of_one_that_acknowledges_nothing_keeps_nothing_back(
    channel: BlockingChannel, queue: str
) -> None:
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, queue, auto_ack=True)
    publish(channel, queue, "1", "2", "3")
    assert consumer.take(3) == [b"1", b"2", b"3"]
