"""channel.flow."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import connection_closed
from tests.rules._consuming import Consumer, publish


def test_a_channel_that_flows_may_be_told_to(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    assert channel.flow(True) is True
    publish(channel.connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_stopping_the_flow_is_not_implemented(channel: BlockingChannel) -> None:
    with connection_closed(540, "NOT_IMPLEMENTED - active=false"):
        channel.flow(False)


def test_the_callback_of_flow_is_told_the_answer(channel: BlockingChannel) -> None:
    answers: list[bool] = []
    channel._impl.flow(True, answers.append)
    channel._flush_output(lambda: bool(answers))
    assert answers == [True]


@pytest.mark.parametrize("times", [2, 3])
def test_flow_may_be_asked_for_again(channel: BlockingChannel, times: int) -> None:
    assert [channel.flow(True) for _ in range(times)] == [True] * times
