"""basic.recover and basic.recover-async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import Consumer, get, publish, round_trip
from tests.rules._helpers import get_all

BODIES = [b"1", b"2", b"3", b"4"]


@pytest.fixture(autouse=True)
def backlog(connection: pika.BlockingConnection) -> None:
    """A queue "orders" with the messages 1 to 4."""
    connection.channel().queue_declare("orders")
    publish(connection, "orders", *BODIES)


def recover_async(channel: BlockingChannel, requeue: bool = False) -> None:
    channel._impl._send_method(pika.spec.Basic.RecoverAsync(requeue=requeue))
    round_trip(channel)


RECOVER: list[Callable[..., Any]] = [BlockingChannel.basic_recover, recover_async]


@pytest.mark.parametrize("recover", RECOVER)
def test_recover_returns_everything_unacknowledged(channel: BlockingChannel, recover: Callable[..., Any]) -> None:
    get(channel, "orders", 3)
    channel.basic_ack(2)
    recover(channel, requeue=True)
    answers = [channel.basic_get("orders") for _ in range(3)]
    assert [(method.redelivered, body) for method, _, body in answers] == [
        (True, b"1"),
        (True, b"3"),
        (False, b"4"),
    ]


@pytest.mark.parametrize("recover", RECOVER)
def test_recover_without_requeue_is_not_implemented(channel: BlockingChannel, recover: Callable[..., Any]) -> None:
    with connection_closed(540, "NOT_IMPLEMENTED - requeue=false"):
        recover(channel, requeue=False)


def test_recover_without_requeue_is_what_pika_asks_for_unless_told(channel: BlockingChannel) -> None:
    with connection_closed(540, "NOT_IMPLEMENTED - requeue=false"):
        channel.basic_recover()


def test_recover_with_nothing_outstanding_succeeds(channel: BlockingChannel) -> None:
    channel.basic_recover(requeue=True)
    assert get_all(channel, "orders") == BODIES


def test_recovered_tags_are_settled(channel: BlockingChannel) -> None:
    get(channel, "orders", 1)
    channel.basic_recover(requeue=True)
    channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        round_trip(channel)


def test_tags_go_on_after_recover(channel: BlockingChannel) -> None:
    get(channel, "orders", 2)
    channel.basic_recover(requeue=True)
    assert get(channel, "orders", 2) == [3, 4]


def test_recover_leaves_other_channels_alone(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    get(other, "orders", 2)
    channel.basic_recover(requeue=True)
    assert get_all(channel, "orders") == [b"3", b"4"]


def test_recover_spans_queues(channel: BlockingChannel) -> None:
    channel.queue_declare("more")
    publish(channel.connection, "more", b"a")
    get(channel, "orders", 1)
    get(channel, "more", 1)
    channel.basic_recover(requeue=True)
    assert (get_all(channel, "orders"), get_all(channel, "more")) == (BODIES, [b"a"])


def test_a_consumer_gets_recovered_messages_again_in_order(channel: BlockingChannel) -> None:
    consumer = Consumer(channel, "orders")
    assert consumer.take(4) == BODIES
    consumer.ack(1)
    channel.basic_recover(requeue=True)
    assert consumer.take(3) == [b"1", b"3", b"4"]
    assert [method.delivery_tag for method in consumer.methods] == [1, 2, 3, 4, 5, 6, 7]
    assert [method.redelivered for method in consumer.methods] == [False] * 4 + [True] * 3


def test_a_limited_consumer_gets_recovered_messages_within_its_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    channel.basic_recover(requeue=True)
    assert consumer.take(2) == [b"1", b"2"]


def test_a_globally_limited_consumer_gets_recovered_messages_within_the_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    channel.queue_purge("orders")
    channel.basic_recover(requeue=True)
    assert consumer.take(2) == [b"1", b"2"]
    publish(channel.connection, "orders", b"5")
    assert consumer.take(0) == []


def test_recovered_messages_may_go_to_another_consumer(connection: pika.BlockingConnection) -> None:
    first = Consumer(connection.channel(), "orders")
    assert first.take(4) == BODIES
    second = Consumer(connection.channel(), "orders")
    first.channel.basic_cancel(first.tag)
    first.channel.basic_recover(requeue=True)
    assert second.take(4) == BODIES


@pytest.mark.parametrize("way", ["recover", "nack"])
def test_what_was_got_returns_one_by_one_to_a_queue_with_a_limit(channel: BlockingChannel, way: str) -> None:
    channel.queue_declare("limited", arguments={"x-max-length": 1})
    tags = []
    for body in (b"1", b"2"):
        publish(channel.connection, "limited", body)
        tags.append(channel.basic_get("limited")[0].delivery_tag)
    consumer = Consumer(channel, "limited")
    if way == "recover":
        channel.basic_recover(requeue=True)
    else:
        channel.basic_nack(tags[-1], multiple=True)
    assert consumer.take(2) == [b"1", b"2"]
