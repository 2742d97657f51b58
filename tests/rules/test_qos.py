"""basic.qos: prefetch limits, for each consumer and for the whole channel."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import connection_closed
from tests.rules._consuming import Consumer, get, publish, round_trip
from tests.rules._helpers import get_all


@pytest.fixture(autouse=True)
def backlog(connection: pika.BlockingConnection) -> None:
    """A queue "orders" with the messages 1 to 9."""
    connection.channel().queue_declare("orders")
    publish(connection, "orders", *[b"%d" % number for number in range(1, 10)])


@pytest.mark.parametrize("global_qos", [False, True])
@pytest.mark.parametrize("limit", [1, 3])
def test_a_consumer_gets_no_more_than_its_limit(channel: BlockingChannel, limit: int, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=limit, global_qos=global_qos)
    consumer = Consumer(channel, "orders")
    assert consumer.take(limit) == [b"1", b"2", b"3"][:limit]
    assert channel.queue_declare("orders", passive=True).method.message_count == 9 - limit


@pytest.mark.parametrize("global_qos", [False, True])
def test_a_limit_of_zero_is_no_limit(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    channel.basic_qos(prefetch_count=0, global_qos=global_qos)
    assert len(Consumer(channel, "orders").take(9)) == 9


@pytest.mark.parametrize("global_qos", [False, True])
def test_an_ack_makes_room_for_one_more(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=2, global_qos=global_qos)
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    consumer.ack(0)
    assert consumer.take(1) == [b"3"]


@pytest.mark.parametrize("global_qos", [False, True])
def test_an_ack_of_several_makes_room_for_as_many(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=3, global_qos=global_qos)
    consumer = Consumer(channel, "orders")
    assert consumer.take(3) == [b"1", b"2", b"3"]
    consumer.ack(1, multiple=True)
    assert consumer.take(2) == [b"4", b"5"]


@pytest.mark.parametrize("global_qos", [False, True])
def test_a_discarded_message_makes_room(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1"]
    channel.basic_reject(consumer.methods[0].delivery_tag, requeue=False)
    assert consumer.take(1) == [b"2"]


@pytest.mark.parametrize("global_qos", [False, True])
def test_a_requeued_message_makes_room_and_comes_again(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1"]
    channel.queue_purge("orders")
    consumer.requeue()
    assert consumer.take(1) == [b"1"]
    assert [method.redelivered for method in consumer.methods] == [False, True]


def test_each_consumer_of_a_channel_has_the_limit_for_itself(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    consumers = [Consumer(channel, "orders") for _ in range(2)]
    assert [consumer.take(2) for consumer in consumers] == [[b"1", b"2"], [b"3", b"4"]]


def test_the_consumers_of_a_channel_share_its_global_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=3, global_qos=True)
    first, second = Consumer(channel, "orders"), Consumer(channel, "orders")
    assert (first.take(3), second.take(0)) == ([b"1", b"2", b"3"], [])


def test_a_global_limit_counts_over_all_queues(channel: BlockingChannel) -> None:
    channel.queue_declare("more")
    publish(channel.connection, "more", b"a", b"b")
    channel.basic_qos(prefetch_count=3, global_qos=True)
    more = Consumer(channel, "more")
    orders = Consumer(channel, "orders")
    assert (more.take(2), orders.take(1)) == ([b"a", b"b"], [b"1"])
    more.ack(1)
    assert orders.take(1) == [b"2"]


def test_a_global_limit_is_for_one_channel(connection: pika.BlockingConnection) -> None:
    limited, unlimited = connection.channel(), connection.channel()
    limited.basic_qos(prefetch_count=1, global_qos=True)
    assert Consumer(limited, "orders").take(1) == [b"1"]
    assert len(Consumer(unlimited, "orders").take(8)) == 8


def test_a_consumer_limit_is_for_one_channel(connection: pika.BlockingConnection) -> None:
    limited, unlimited = connection.channel(), connection.channel()
    limited.basic_qos(prefetch_count=1)
    assert Consumer(limited, "orders").take(1) == [b"1"]
    assert len(Consumer(unlimited, "orders").take(8)) == 8


def test_a_consumer_limit_is_for_consumers_started_later(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1)
    first = Consumer(channel, "orders")
    channel.basic_qos(prefetch_count=3)
    second = Consumer(channel, "orders")
    assert (first.take(1), second.take(3)) == ([b"1"], [b"2", b"3", b"4"])
    first.ack()
    assert first.take(1) == [b"5"]


def test_a_global_limit_is_for_running_consumers_too(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    channel.basic_qos(prefetch_count=5, global_qos=True)
    assert consumer.take(3) == [b"3", b"4", b"5"]


def test_a_global_limit_counts_what_was_delivered_before_it(channel: BlockingChannel) -> None:
    consumer = Consumer(channel, "orders")
    assert len(consumer.take(9)) == 9
    channel.basic_qos(prefetch_count=8, global_qos=True)
    publish(channel.connection, "orders", b"10", b"11")
    consumer.ack(0)
    assert consumer.take(0) == []
    consumer.ack(1)
    assert consumer.take(1) == [b"10"]


def test_a_global_limit_counts_the_gets_before_it_even_after_their_acks(channel: BlockingChannel) -> None:
    get(channel, "orders", 1)
    channel.basic_qos(prefetch_count=1, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert consumer.take(0) == []
    channel.basic_ack(1)
    round_trip(channel)
    assert consumer.take(0) == []
    channel.basic_qos(prefetch_count=2, global_qos=True)
    assert consumer.take(1) == [b"2"]


def test_a_new_global_limit_counts_what_was_delivered_without_one(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    consumer = Consumer(channel, "orders")
    channel.basic_qos(prefetch_count=0, global_qos=True)
    assert len(consumer.take(9)) == 9
    channel.basic_qos(prefetch_count=1, global_qos=True)
    publish(channel.connection, "orders", b"10")
    for index in range(8):
        consumer.ack(index)
    assert consumer.take(0) == []
    consumer.ack(8)
    assert consumer.take(1) == [b"10"]


def test_a_global_limit_does_not_count_what_was_delivered_with_auto_ack(channel: BlockingChannel) -> None:
    automatic = Consumer(channel, "orders", auto_ack=True)
    assert len(automatic.take(9)) == 9
    channel.basic_qos(prefetch_count=1, global_qos=True)
    publish(channel.connection, "orders", b"10", b"11")
    assert automatic.take(2) == [b"10", b"11"]


def test_a_lowered_global_limit_takes_nothing_back(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=3, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert consumer.take(3) == [b"1", b"2", b"3"]
    channel.basic_qos(prefetch_count=1, global_qos=True)
    consumer.ack(0)
    consumer.ack(1)
    assert consumer.take(0) == []
    consumer.ack(2)
    assert consumer.take(1) == [b"4"]


def test_lifting_the_global_limit_delivers_the_rest(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert len(consumer.take(2)) == 2
    channel.basic_qos(prefetch_count=0, global_qos=True)
    assert len(consumer.take(7)) == 7


def test_a_consumer_limit_set_last_removes_the_global_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    channel.basic_qos(prefetch_count=3)
    consumers = [Consumer(channel, "orders") for _ in range(2)]
    assert [len(consumer.take(3)) for consumer in consumers] == [3, 3]


def test_removing_the_global_limit_that_way_frees_running_consumers(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1"]
    channel.basic_qos(prefetch_count=1)
    assert len(consumer.take(8)) == 8


def test_both_limits_hold_when_the_global_one_is_set_last(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    first, second = Consumer(channel, "orders"), Consumer(channel, "orders")
    assert (first.take(2), second.take(1)) == ([b"1", b"2"], [b"3"])


@pytest.mark.parametrize("global_qos", [False, True])
def test_get_is_not_limited(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    assert get(channel, "orders", 3) == [1, 2, 3]


@pytest.mark.parametrize("global_qos", [False, True])
def test_gets_do_not_use_up_the_limit(channel: BlockingChannel, global_qos: bool) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    get(channel, "orders", 3)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"4"]
    channel.basic_ack(1)
    round_trip(channel)
    assert consumer.take(0) == []


def test_an_auto_ack_consumer_has_no_limit_of_its_own(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1)
    assert len(Consumer(channel, "orders", auto_ack=True).take(9)) == 9


def test_an_auto_ack_consumer_does_not_use_up_the_global_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    assert len(Consumer(channel, "orders", auto_ack=True).take(9)) == 9


def test_an_auto_ack_consumer_waits_while_others_use_up_the_global_limit(channel: BlockingChannel) -> None:
    channel.queue_declare("more")
    publish(channel.connection, "more", b"a", b"b")
    channel.basic_qos(prefetch_count=1, global_qos=True)
    acking = Consumer(channel, "more")
    assert acking.take(1) == [b"a"]
    channel.basic_cancel(acking.tag)
    automatic = Consumer(channel, "orders", auto_ack=True)
    assert automatic.take(0) == []
    acking.ack()
    assert len(automatic.take(9)) == 9


@pytest.mark.parametrize(("global_qos", "more"), [(False, 1), (True, 0)])
def test_what_a_cancelled_consumer_holds_counts_for_the_channel_alone(
    channel: BlockingChannel, global_qos: bool, more: int
) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=global_qos)
    first = Consumer(channel, "orders")
    assert first.take(1) == [b"1"]
    channel.basic_cancel(first.tag)
    second = Consumer(channel, "orders")
    assert second.take(more) == [b"2"][:more]
    first.ack()
    assert second.take(1 - more) == [b"2"][more:]


def test_a_consumer_of_the_same_tag_starts_with_its_whole_limit(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=1)
    first = Consumer(channel, "orders", consumer_tag="worker")
    assert first.take(1) == [b"1"]
    channel.basic_cancel("worker")
    second = Consumer(channel, "orders", consumer_tag="worker")
    assert second.take(1) == [b"2"]
    first.ack()
    assert second.take(1) == [b"3"]


@pytest.mark.parametrize("global_qos", [False, True])
def test_a_size_limit_is_not_implemented(channel: BlockingChannel, global_qos: bool) -> None:
    with connection_closed(540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)"):
        channel.basic_qos(prefetch_size=1, prefetch_count=1, global_qos=global_qos)


def test_the_largest_limit_is_65535(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=65535)
    assert len(Consumer(channel, "orders").take(9)) == 9
    with pytest.raises(ValueError, match="prefetch_count"):
        channel.basic_qos(prefetch_count=-1)


def test_the_limit_holds_for_the_consume_generator(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    messages = channel.consume("orders")
    method, _, body = next(messages)
    assert body == b"1"
    round_trip(channel)
    assert channel.get_waiting_message_count() == 1
    channel.basic_ack(method.delivery_tag)
    channel.cancel()
    assert get_all(channel, "orders") == [b"%d" % number for number in range(2, 10)]
