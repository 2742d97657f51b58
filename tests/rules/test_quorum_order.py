"""Which of several consumers of a quorum queue gets the next message.

Consumers wait in line. The first gets the message, and joins again at the back if it may take more; a full one
leaves the line at once, and joins again at the back when an ack makes room.
"""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, round_trip
from tests.rules._kinds import assert_shares, declare, drain, publish
from tests.rules._queues import wait_until_ready


@pytest.fixture(autouse=True)
def orders(channel: BlockingChannel) -> None:
    """An empty quorum queue."""
    declare(channel, "orders", "quorum")


def line(connection: pika.BlockingConnection, *limits: int) -> list[Consumer]:
    """Consumers with a channel each, in the order in which they come."""
    consumers = []
    for limit in limits:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=limit)
        consumers.append(Consumer(channel, "orders"))
    return consumers


def test_consumers_take_turns(channel: BlockingChannel) -> None:
    first, second, third = line(channel.connection, 0, 0, 0)
    publish(channel, "orders", *"1234567")
    assert_shares({first: ["1", "4", "7"], second: ["2", "5"], third: ["3", "6"]})


def test_limited_consumers_take_turns_until_they_are_full(channel: BlockingChannel) -> None:
    first, second, third = line(channel.connection, 2, 2, 2)
    publish(channel, "orders", *"12345678")
    assert_shares({first: ["1", "4"], second: ["2", "5"], third: ["3", "6"]})
    wait_until_ready(channel, "orders", 2)


def test_a_backlog_goes_to_the_consumer_that_comes_first(channel: BlockingChannel) -> None:
    publish(channel, "orders", *"12345")
    (first,) = line(channel.connection, 2)
    assert_shares({first: ["1", "2"]})
    (second,) = line(channel.connection, 0)
    assert_shares({first: [], second: ["3", "4", "5"]})


def test_waiting_messages_go_to_whoever_acknowledges(channel: BlockingChannel) -> None:
    first, second, third = line(channel.connection, 1, 1, 1)
    publish(channel, "orders", *"123456")
    assert_shares({first: ["1"], second: ["2"], third: ["3"]})
    for consumer, body in ((third, "4"), (first, "5"), (third, "6")):
        consumer.ack()
        assert_shares({consumer: [body]})


def test_an_ack_of_several_makes_room_for_as_many(channel: BlockingChannel) -> None:
    first, second = line(channel.connection, 3, 1)
    publish(channel, "orders", *"12345678")
    assert_shares({first: ["1", "3", "4"], second: ["2"]})
    first.ack(1, multiple=True)
    assert_shares({first: ["5", "6"], second: []})


def test_full_consumers_join_again_in_the_order_of_their_acks(channel: BlockingChannel) -> None:
    first, second, third = line(channel.connection, 1, 1, 1)
    publish(channel, "orders", *"123")
    assert_shares({first: ["1"], second: ["2"], third: ["3"]})
    for consumer in (third, first, second):
        consumer.ack()
    publish(channel, "orders", *"456")
    assert_shares({third: ["4"], first: ["5"], second: ["6"]})


def test_a_consumer_with_room_left_keeps_its_place(channel: BlockingChannel) -> None:
    first, second = line(channel.connection, 2, 2)
    publish(channel, "orders", *"12")
    assert_shares({first: ["1"], second: ["2"]})
    second.ack()
    first.ack()
    publish(channel, "orders", "3")
    assert_shares({first: ["3"], second: []})


def test_a_full_consumer_is_passed_over_and_joins_at_the_back(channel: BlockingChannel) -> None:
    limited, first, second = line(channel.connection, 1, 0, 0)
    publish(channel, "orders", *"1234")
    assert_shares({limited: ["1"], first: ["2", "4"], second: ["3"]})
    limited.ack()
    publish(channel, "orders", *"567")
    assert_shares({second: ["5"], first: ["6"], limited: ["7"]})


def test_a_returned_message_goes_to_the_next_in_line(channel: BlockingChannel) -> None:
    first, second = line(channel.connection, 0, 0)
    publish(channel, "orders", *"1234")
    assert_shares({first: ["1", "3"], second: ["2", "4"]})
    first.requeue(0)
    assert_shares({first: ["1"], second: []})
    second.requeue(0)
    assert_shares({first: [], second: ["2"]})


def test_a_full_consumer_that_returns_a_message_joins_before_another_is_served(channel: BlockingChannel) -> None:
    full, other = line(channel.connection, 1, 0)
    publish(channel, "orders", "1")
    assert_shares({full: ["1"]})
    full.requeue()
    assert_shares({other: ["1"]})
    publish(channel, "orders", *"23")
    assert_shares({full: ["2"], other: ["3"]})


def test_a_message_that_the_only_consumer_returns_comes_back_to_it(channel: BlockingChannel) -> None:
    (first,) = line(channel.connection, 1)
    publish(channel, "orders", "1")
    assert_shares({first: ["1"]})
    first.requeue()
    assert_shares({first: ["1"]})
    assert first.methods[1].redelivered


def test_a_returned_message_of_a_full_consumer_comes_back_before_others_in_4_0(
    channel: BlockingChannel, version: str
) -> None:
    (first,) = line(channel.connection, 1)
    publish(channel, "orders", *"12")
    assert_shares({first: ["1"]})
    first.requeue()
    assert_shares({first: [{"3.10": "2", "4.0": "1"}[version]]})


def test_a_cancelled_consumer_leaves_the_line(channel: BlockingChannel) -> None:
    first, second, third = line(channel.connection, 0, 0, 0)
    publish(channel, "orders", "1")
    second.channel.basic_cancel(second.tag)
    publish(channel, "orders", *"234")
    assert_shares({first: ["1", "3"], second: [], third: ["2", "4"]})


def test_a_new_consumer_joins_at_the_back(channel: BlockingChannel) -> None:
    first, second = line(channel.connection, 0, 0)
    publish(channel, "orders", "1")
    assert_shares({first: ["1"], second: []})
    (third,) = line(channel.connection, 0)
    publish(channel, "orders", *"234")
    assert_shares({second: ["2"], first: ["3"], third: ["4"]})


def test_messages_of_a_closed_channel_go_to_the_others_in_their_order(channel: BlockingChannel) -> None:
    first, second = line(channel.connection, 3, 3)
    publish(channel, "orders", *"123456")
    assert_shares({first: ["1", "3", "5"], second: ["2", "4", "6"]})
    first.channel.close()
    wait_until_ready(channel, "orders", 3)
    second.ack(multiple=True)
    assert_shares({second: ["1", "3", "5"]})


def test_consumers_of_one_channel_take_turns(channel: BlockingChannel) -> None:
    first, second = Consumer(channel, "orders"), Consumer(channel, "orders")
    publish(channel, "orders", *"123")
    assert_shares({first: ["1", "3"], second: ["2"]})


@pytest.mark.parametrize("tags", [("a", "b"), ("b", "a")])
def test_one_ack_for_several_consumers_frees_them_in_the_order_of_their_tags(
    channel: BlockingChannel, tags: tuple[str, str]
) -> None:
    channel.basic_qos(prefetch_count=1)
    consumers = {tag: Consumer(channel, "orders", consumer_tag=tag) for tag in tags}
    publish(channel, "orders", *"1234")
    assert_shares({consumers[tags[0]]: ["1"], consumers[tags[1]]: ["2"]})
    channel.basic_ack(0, multiple=True)
    round_trip(channel)
    assert_shares({consumers["a"]: ["3"], consumers["b"]: ["4"]})


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_returned_messages_without_a_consumer_stay_in_the_order_of_returning(
    channel: BlockingChannel, version: str, order: tuple[int, ...]
) -> None:
    publish(channel, "orders", *"0123")
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(3)]
    for index in order:
        channel.basic_nack(tags[index], requeue=True)
    returned = [str(index) for index in order]
    assert drain(channel, "orders", 4) == {"3.10": ["3", *returned], "4.0": [*returned, "3"]}[version]


def test_a_limit_for_the_whole_channel_does_not_hold_for_who_consumed_before(channel: BlockingChannel) -> None:
    (consumer,) = line(channel.connection, 0)
    publish(channel, "orders", *"12")
    assert_shares({consumer: ["1", "2"]})
    consumer.channel.basic_qos(prefetch_count=2, global_qos=True)
    publish(channel, "orders", "3")
    assert_shares({consumer: ["3"]})
