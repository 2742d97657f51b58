"""basic.ack, and delivery tags."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, get, publish, round_trip, wait_until_ready
from tests.rules._helpers import get_all


@pytest.fixture(autouse=True)
def backlog(connection: pika.BlockingConnection) -> None:
    """A queue "orders" with the messages 1 to 5."""
    connection.channel().queue_declare("orders")
    publish(connection, "orders", b"1", b"2", b"3", b"4", b"5")


def left(connection: pika.BlockingConnection, channel: BlockingChannel, count: int) -> list[bytes]:
    """What is in the queue after the channel, and with it all that it has not settled, is gone."""
    channel.close()
    other = connection.channel()
    wait_until_ready(other, "orders", count)
    return get_all(other, "orders")


def test_an_acknowledged_message_is_gone(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    get(channel, "orders", 3)
    channel.basic_ack(2)
    assert left(connection, channel, 4) == [b"1", b"3", b"4", b"5"]


def test_acks_may_come_in_any_order(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    for tag in (3, 1, 4):
        channel.basic_ack(tag)
    assert left(connection, channel, 2) == [b"2", b"5"]


def test_ack_multiple_settles_all_lower_tags(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    channel.basic_ack(3, multiple=True)
    assert left(connection, channel, 2) == [b"4", b"5"]


def test_ack_multiple_skips_what_is_settled(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    channel.basic_ack(2)
    channel.basic_ack(3, multiple=True)
    assert left(connection, channel, 2) == [b"4", b"5"]


def test_ack_multiple_spans_queues(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    channel.queue_declare("more")
    publish(connection, "more", b"a", b"b")
    get(channel, "orders", 1)
    get(channel, "more", 1)
    get(channel, "orders", 1)
    channel.basic_ack(3, multiple=True)
    assert left(connection, channel, 3) == [b"3", b"4", b"5"]
    assert get_all(connection.channel(), "more") == [b"b"]


def test_tag_0_with_multiple_acknowledges_everything(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    get(channel, "orders", 4)
    channel.basic_ack(0, multiple=True)
    assert left(connection, channel, 1) == [b"5"]


def test_tag_0_with_multiple_is_fine_when_nothing_is_outstanding(channel: BlockingChannel) -> None:
    channel.basic_ack(0, multiple=True)
    round_trip(channel)
    get(channel, "orders", 1)
    channel.basic_ack(1)
    channel.basic_ack(0, multiple=True)
    round_trip(channel)
    assert channel.is_open


def test_tag_0_without_multiple_is_unknown(channel: BlockingChannel) -> None:
    get(channel, "orders", 1)
    channel.basic_ack(0)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 0"):
        round_trip(channel)


@pytest.mark.parametrize("multiple", [False, True])
def test_a_tag_not_delivered_yet_is_unknown(channel: BlockingChannel, multiple: bool) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(3, multiple=multiple)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 3"):
        round_trip(channel)


@pytest.mark.parametrize("multiple", [False, True])
def test_an_ack_without_any_delivery_is_unknown(channel: BlockingChannel, multiple: bool) -> None:
    channel.basic_ack(1, multiple=multiple)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        round_trip(channel)


def test_a_second_ack_of_a_tag_is_unknown(channel: BlockingChannel) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(1)
    channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        round_trip(channel)


def test_ack_multiple_wants_the_named_tag_itself_outstanding(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    get(channel, "orders", 3)
    channel.basic_ack(2)
    channel.basic_ack(2, multiple=True)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 2"):
        round_trip(channel)
    other = connection.channel()
    wait_until_ready(other, "orders", 4)
    assert get_all(other, "orders") == [b"1", b"3", b"4", b"5"]


def test_after_tag_0_with_multiple_every_tag_is_settled(channel: BlockingChannel) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(0, multiple=True)
    channel.basic_ack(2)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 2"):
        round_trip(channel)


def test_the_largest_tag_is_unknown_too(channel: BlockingChannel) -> None:
    channel.basic_ack(2**63)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 9223372036854775808"):
        round_trip(channel)


def test_a_tag_of_another_channel_is_unknown(connection: pika.BlockingConnection) -> None:
    mine, other = connection.channel(), connection.channel()
    get(mine, "orders", 1)
    other.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        round_trip(other)
    mine.basic_ack(1)
    round_trip(mine)
    assert left(connection, mine, 4) == [b"2", b"3", b"4", b"5"]


def test_an_ack_leaves_the_same_tag_of_another_channel_alone(connection: pika.BlockingConnection) -> None:
    mine, other = connection.channel(), connection.channel()
    get(mine, "orders", 1)
    get(other, "orders", 1)
    mine.basic_ack(0, multiple=True)
    round_trip(mine)
    assert left(connection, other, 4) == [b"2", b"3", b"4", b"5"]


def test_an_unknown_tag_returns_what_the_channel_held(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(1)
    channel.basic_ack(99)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 99"):
        round_trip(channel)
    other = connection.channel()
    wait_until_ready(other, "orders", 4)
    assert get_all(other, "orders") == [b"2", b"3", b"4", b"5"]


def test_tags_count_gets_and_deliveries_of_a_channel_together(channel: BlockingChannel) -> None:
    channel.queue_declare("more")
    assert get(channel, "orders", 2) == [1, 2]
    consumer = Consumer(channel, "more")
    publish(channel.connection, "more", b"a")
    assert consumer.take(1) == [b"a"]
    assert consumer.methods[0].delivery_tag == 3
    assert get(channel, "orders", 1) == [4]


def test_tags_are_not_used_again_after_an_ack(channel: BlockingChannel) -> None:
    assert get(channel, "orders", 1) == [1]
    channel.basic_ack(1)
    assert get(channel, "orders", 1) == [2]


def test_tags_start_at_1_on_each_channel(connection: pika.BlockingConnection) -> None:
    assert [get(connection.channel(), "orders", 2) for _ in range(2)] == [[1, 2], [1, 2]]


def test_tags_start_at_1_again_when_a_channel_number_is_reused(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    number = channel.channel_number
    assert get(channel, "orders", 2) == [1, 2]
    channel.close()
    channel = connection.channel(channel_number=number)
    wait_until_ready(channel, "orders", 5)
    assert get(channel, "orders", 1) == [1]


def test_a_requeued_message_gets_a_new_tag(channel: BlockingChannel) -> None:
    get(channel, "orders", 1)
    channel.basic_reject(1, requeue=True)
    method, _, body = channel.basic_get("orders")
    assert (method.delivery_tag, method.redelivered, body) == (2, True, b"1")
