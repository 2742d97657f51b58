"""Where messages go that return to a classic queue."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, get, publish, round_trip, wait_until_ready
from tests.rules._helpers import get_all

BODIES = [b"1", b"2", b"3", b"4"]


@pytest.fixture(autouse=True)
def backlog(connection: pika.BlockingConnection) -> None:
    """A queue "orders" with the messages 1 to 4."""
    connection.channel().queue_declare("orders")
    publish(connection, "orders", *BODIES)


def rest(channel: BlockingChannel) -> list[tuple[bytes, bool]]:
    """The ready messages, each with its redelivered flag."""
    count = channel.queue_declare("orders", passive=True).method.message_count
    answers = [channel.basic_get("orders", auto_ack=True) for _ in range(count)]
    return [(body, method.redelivered) for method, _, body in answers]


@pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])), ids=str)
def test_messages_return_to_their_old_places_whatever_the_order(
    channel: BlockingChannel, order: tuple[int, ...]
) -> None:
    get(channel, "orders", 3)
    for tag in order:
        channel.basic_nack(tag, requeue=True)
    assert get_all(channel, "orders") == BODIES


@pytest.mark.parametrize("tag", [1, 2, 3, 4])
def test_a_single_message_returns_to_its_old_place(channel: BlockingChannel, tag: int) -> None:
    get(channel, "orders", tag)
    channel.basic_reject(tag, requeue=True)
    assert get_all(channel, "orders") == BODIES[tag - 1 :]


def test_a_message_returns_behind_older_ones_that_returned_before(channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    for tag in (4, 2):
        channel.basic_reject(tag, requeue=True)
    assert get(channel, "orders", 1) == [5]
    for tag in (1, 3):
        channel.basic_reject(tag, requeue=True)
    assert get_all(channel, "orders") == [b"1", b"3", b"4"]
    channel.basic_reject(5, requeue=True)
    assert get_all(channel, "orders") == [b"2"]


def test_a_message_returns_before_what_was_published_since(channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    publish(channel.connection, "orders", b"5")
    channel.basic_nack(4, multiple=True, requeue=True)
    assert get_all(channel, "orders") == [*BODIES, b"5"]


def test_nack_multiple_keeps_the_order(channel: BlockingChannel) -> None:
    get(channel, "orders", 4)
    channel.basic_nack(3, multiple=True, requeue=True)
    channel.basic_reject(4, requeue=True)
    assert get_all(channel, "orders") == BODIES


def test_a_message_returned_twice_keeps_its_place(channel: BlockingChannel) -> None:
    for tag in (1, 2):
        get(channel, "orders", 1)
        channel.basic_reject(tag, requeue=True)
    assert get_all(channel, "orders") == BODIES


def test_only_what_was_delivered_is_marked(channel: BlockingChannel) -> None:
    get(channel, "orders", 2)
    channel.basic_nack(0, multiple=True, requeue=True)
    channel.basic_get("orders")
    channel.basic_nack(3, requeue=True)
    wait_until_ready(channel, "orders", 4)
    assert rest(channel) == [(b"1", True), (b"2", True), (b"3", False), (b"4", False)]


def test_a_requeued_message_keeps_its_properties_and_routing(channel: BlockingChannel) -> None:
    channel.queue_purge("orders")
    channel.queue_bind("orders", "amq.topic", "a.#")
    sent = pika.BasicProperties(message_id="7", headers={"n": 1}, delivery_mode=2)
    channel.basic_publish("amq.topic", "a.b", b"order", sent)
    get(channel, "orders", 1)
    channel.basic_reject(1, requeue=True)
    method, properties, body = channel.basic_get("orders")
    assert (method.exchange, method.routing_key, body) == ("amq.topic", "a.b", b"order")
    assert properties == sent


def test_what_a_closed_channel_held_returns_in_order_and_marked(connection: pika.BlockingConnection) -> None:
    holding, other = connection.channel(), connection.channel()
    get(holding, "orders", 3)
    holding.basic_ack(2)
    round_trip(holding)
    holding.close()
    wait_until_ready(other, "orders", 3)
    assert rest(other) == [(b"1", True), (b"3", True), (b"4", False)]


def test_what_a_closed_connection_held_returns_in_order_and_marked(
    connection: pika.BlockingConnection, connect: Callable[..., pika.BlockingConnection]
) -> None:
    holding = connect()
    channels = [holding.channel() for _ in range(2)]
    get(channels[0], "orders", 1)
    get(channels[1], "orders", 1)
    get(channels[0], "orders", 1)
    holding.close()
    channel = connection.channel()
    wait_until_ready(channel, "orders", 4)
    assert rest(channel) == [(b"1", True), (b"2", True), (b"3", True), (b"4", False)]


def test_what_a_closed_consumer_held_goes_to_the_next_consumer(connection: pika.BlockingConnection) -> None:
    first = Consumer(connection.channel(), "orders")
    assert first.take(4) == BODIES
    second = Consumer(connection.channel(), "orders")
    first.channel.close()
    assert second.take(4) == BODIES
    assert [method.redelivered for method in second.methods] == [True] * 4


def test_an_undispatched_delivery_counts_as_delivered(connection: pika.BlockingConnection) -> None:
    consuming, other = connection.channel(), connection.channel()
    consuming.basic_qos(prefetch_count=2)
    consuming.basic_consume("orders", lambda *_: None)
    round_trip(consuming)
    consuming.close()
    wait_until_ready(other, "orders", 4)
    assert rest(other) == [(b"1", True), (b"2", True), (b"3", False), (b"4", False)]


def test_a_lone_consumer_gets_its_message_again(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1"]
    consumer.requeue()
    assert consumer.take(1) == [b"1"]
    assert [(method.delivery_tag, method.redelivered) for method in consumer.methods] == [(1, False), (2, True)]


def test_an_unlimited_consumer_gets_requeued_messages_one_by_one_as_they_return(channel: BlockingChannel) -> None:
    consumer = Consumer(channel, "orders")
    assert consumer.take(4) == BODIES
    for index in (2, 0):
        consumer.requeue(index)
    assert consumer.take(2) == [b"3", b"1"]
    channel.basic_nack(0, multiple=True, requeue=True)
    assert consumer.take(4) == BODIES


def test_a_requeued_message_goes_to_the_consumer_whose_turn_it_is(connection: pika.BlockingConnection) -> None:
    connection.channel().queue_purge("orders")
    first, second = (Consumer(connection.channel(), "orders") for _ in range(2))
    publish(connection, "orders", b"a")
    assert first.take(1) == [b"a"]
    first.requeue()
    assert second.take(1) == [b"a"]
    second.requeue()
    assert first.take(1) == [b"a"]
    assert [method.redelivered for method in first.methods + second.methods] == [False, True, True]


def test_a_requeued_message_goes_before_the_backlog(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    consumer.requeue(0)
    assert consumer.take(1) == [b"1"]
    consumer.ack(1)
    assert consumer.take(1) == [b"3"]
