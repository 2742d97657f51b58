"""Which of several consumers of a classic queue gets the next message.

Consumers wait in line. The first in line that may take the message gets it and goes to the back. One that may not,
because of its limit, leaves the line only when it is found so, and joins again at the back when an ack makes room.
"""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, publish


@pytest.fixture(autouse=True)
def orders(channel: BlockingChannel) -> None:
    """An empty queue."""
    channel.queue_declare("orders")


Line = Callable[..., list[Consumer]]


@pytest.fixture(params=["one channel", "a channel each", "a connection each"])
def line(
    request: pytest.FixtureRequest,
    connection: pika.BlockingConnection,
    connect: Callable[..., pika.BlockingConnection],
) -> Line:
    """line(count, limit): consumers in the order in which they came, each with this limit."""

    def line(count: int, limit: int = 0) -> list[Consumer]:
        shared = connection.channel()
        consumers = []
        for _ in range(count):
            if request.param == "one channel":
                channel = shared
            elif request.param == "a channel each":
                channel = connection.channel()
            else:
                channel = connect().channel()
            channel.basic_qos(prefetch_count=limit)
            consumers.append(Consumer(channel, "orders"))
        return consumers

    return line


def shares(consumers: list[Consumer], *expected: list[bytes]) -> bool:
    """Each consumer has got exactly this since the last time."""
    found = [consumer.take(len(bodies)) for consumer, bodies in zip(consumers, expected, strict=True)]
    assert found == list(expected)
    return True


def test_the_consumer_that_came_first_begins_and_all_take_turns(
    connection: pika.BlockingConnection, line: Line
) -> None:
    consumers = line(3)
    publish(connection, "orders", *[b"%d" % number for number in range(1, 9)])
    assert shares(consumers, [b"1", b"4", b"7"], [b"2", b"5", b"8"], [b"3", b"6"])


def test_turns_do_not_depend_on_the_time_between_messages(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(2)
    publish(connection, "orders", b"1")
    assert shares(consumers, [b"1"], [])
    publish(connection, "orders", b"2")
    assert shares(consumers, [], [b"2"])
    publish(connection, "orders", b"3")
    assert shares(consumers, [b"3"], [])


def test_an_ack_does_not_change_the_turn(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(2)
    publish(connection, "orders", b"1")
    assert shares(consumers, [b"1"], [])
    consumers[0].ack()
    publish(connection, "orders", b"2")
    assert shares(consumers, [], [b"2"])


def test_a_new_consumer_waits_at_the_back(connection: pika.BlockingConnection, line: Line) -> None:
    first, second = line(2)
    publish(connection, "orders", b"1")
    (third,) = line(1)
    publish(connection, "orders", b"2", b"3", b"4", b"5")
    assert shares([first, second, third], [b"1", b"3"], [b"2", b"5"], [b"4"])


def test_a_backlog_goes_to_the_first_consumer_to_come(connection: pika.BlockingConnection, line: Line) -> None:
    publish(connection, "orders", b"1", b"2", b"3")
    consumers = line(2)
    assert shares(consumers, [b"1", b"2", b"3"], [])
    publish(connection, "orders", b"4", b"5")
    assert shares(consumers, [b"4"], [b"5"])


def test_a_limited_consumer_leaves_the_backlog_to_the_next(connection: pika.BlockingConnection, line: Line) -> None:
    publish(connection, "orders", b"1", b"2", b"3", b"4", b"5")
    consumers = line(2, limit=2)
    assert shares(consumers, [b"1", b"2"], [b"3", b"4"])


def test_a_full_consumer_is_passed_over(connection: pika.BlockingConnection, line: Line) -> None:
    limited = line(1, limit=1)
    unlimited = line(2)
    publish(connection, "orders", b"1", b"2", b"3", b"4", b"5")
    assert shares(limited + unlimited, [b"1"], [b"2", b"4"], [b"3", b"5"])


def test_a_full_consumer_found_so_joins_again_at_the_back(connection: pika.BlockingConnection, line: Line) -> None:
    limited = line(1, limit=1)
    consumers = limited + line(2)
    publish(connection, "orders", b"1", b"2", b"3", b"4")
    assert shares(consumers, [b"1"], [b"2", b"4"], [b"3"])
    limited[0].ack()
    publish(connection, "orders", b"5", b"6", b"7")
    assert shares(consumers, [b"7"], [b"6"], [b"5"])


def test_a_full_consumer_not_found_so_keeps_its_place(connection: pika.BlockingConnection, line: Line) -> None:
    limited = line(1, limit=1)
    consumers = limited + line(2)
    publish(connection, "orders", b"1", b"2")
    assert shares(consumers, [b"1"], [b"2"], [])
    limited[0].ack()
    publish(connection, "orders", b"3", b"4", b"5")
    assert shares(consumers, [b"4"], [b"5"], [b"3"])


def test_waiting_messages_go_to_whoever_acknowledges(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(3, limit=1)
    publish(connection, "orders", b"1", b"2", b"3", b"4", b"5", b"6")
    assert shares(consumers, [b"1"], [b"2"], [b"3"])
    for index, body in ((2, b"4"), (0, b"5"), (2, b"6")):
        consumers[index].ack()
        assert consumers[index].take(1) == [body]
    assert shares(consumers, [], [], [])


def test_consumers_found_full_join_again_in_the_order_of_their_acks(
    connection: pika.BlockingConnection, line: Line
) -> None:
    consumers = line(3, limit=1)
    publish(connection, "orders", b"1", b"2", b"3", b"4")
    assert shares(consumers, [b"1"], [b"2"], [b"3"])
    consumers[1].ack()
    assert consumers[1].take(1) == [b"4"]
    for index in (2, 1, 0):
        consumers[index].ack()
    publish(connection, "orders", b"5", b"6", b"7")
    assert shares(consumers, [b"7"], [b"5"], [b"6"])


def test_consumers_full_but_never_passed_over_keep_their_turns(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(3, limit=1)
    publish(connection, "orders", b"1", b"2", b"3")
    assert shares(consumers, [b"1"], [b"2"], [b"3"])
    for index in (2, 1, 0):
        consumers[index].ack()
    publish(connection, "orders", b"4", b"5", b"6")
    assert shares(consumers, [b"4"], [b"5"], [b"6"])


def test_a_cancelled_consumer_is_taken_out_of_the_line(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(3)
    publish(connection, "orders", b"1")
    consumers[1].channel.basic_cancel(consumers[1].tag)
    publish(connection, "orders", b"2", b"3", b"4")
    assert shares(consumers, [b"1", b"3"], [], [b"2", b"4"])


def test_a_requeued_message_goes_to_the_next_in_line(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(3)
    publish(connection, "orders", b"1")
    assert shares(consumers, [b"1"], [], [])
    consumers[0].requeue()
    assert shares(consumers, [], [b"1"], [])
    publish(connection, "orders", b"2")
    assert shares(consumers, [], [], [b"2"])


def test_a_requeue_makes_room_behind_the_others(connection: pika.BlockingConnection, line: Line) -> None:
    consumers = line(2, limit=1)
    publish(connection, "orders", b"1")
    assert shares(consumers, [b"1"], [])
    consumers[0].requeue()
    assert shares(consumers, [], [b"1"])


def test_a_get_takes_no_turn(connection: pika.BlockingConnection, line: Line, channel: BlockingChannel) -> None:
    consumers = line(2)
    publish(connection, "orders", b"1")
    assert channel.basic_get("orders") == (None, None, None)
    publish(connection, "orders", b"2")
    assert shares(consumers, [b"1"], [b"2"])


def test_auto_ack_consumers_take_turns_with_others(connection: pika.BlockingConnection) -> None:
    consumers = [Consumer(connection.channel(), "orders", auto_ack=each) for each in (True, False)]
    publish(connection, "orders", b"1", b"2", b"3")
    assert shares(consumers, [b"1", b"3"], [b"2"])


def test_each_queue_has_a_line_of_its_own(connection: pika.BlockingConnection) -> None:
    channels = [connection.channel() for _ in range(2)]
    channels[0].queue_declare("more")
    orders = [Consumer(channel, "orders") for channel in channels]
    more = [Consumer(channel, "more") for channel in channels]
    publish(connection, "orders", b"1")
    publish(connection, "more", b"a")
    assert shares(orders, [b"1"], [])
    assert shares(more, [b"a"], [])


def test_acks_within_one_channel_free_only_their_consumer(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    consumers = [Consumer(channel, "orders") for _ in range(2)]
    publish(connection, "orders", b"1", b"2", b"3", b"4")
    assert shares(consumers, [b"1"], [b"2"])
    consumers[1].ack()
    assert shares(consumers, [], [b"3"])
    consumers[0].ack()
    assert shares(consumers, [b"4"], [])


@pytest.mark.parametrize("tags", [("a", "b"), ("b", "a")])
def test_one_ack_for_several_consumers_frees_them_in_the_order_of_their_tags(
    channel: BlockingChannel, tags: tuple[str, str]
) -> None:
    channel.basic_qos(prefetch_count=1)
    consumers = {tag: Consumer(channel, "orders", consumer_tag=tag) for tag in tags}
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4", b"5")
    assert shares([consumers[tag] for tag in tags], [b"1"], [b"2"])
    channel.basic_ack(0, multiple=True)
    assert shares([consumers["a"], consumers["b"]], [b"3"], [b"4"])


@pytest.mark.parametrize("requeue", ["nack", "recover"])
def test_one_requeue_for_several_consumers_is_one_for_each_in_the_order_of_their_tags(
    channel: BlockingChannel, requeue: str
) -> None:
    first, second = (Consumer(channel, "orders", consumer_tag=tag) for tag in ("b", "a"))
    publish(channel.connection, "orders", b"1", b"2", b"3", b"4")
    assert shares([first, second], [b"1", b"3"], [b"2", b"4"])
    if requeue == "nack":
        channel.basic_nack(0, multiple=True, requeue=True)
    else:
        channel.basic_recover(requeue=True)
    assert shares([first, second], [b"2", b"1"], [b"4", b"3"])
    assert [method.delivery_tag for method in first.methods[2:] + second.methods[2:]] == [5, 7, 6, 8]


def test_consumers_under_a_global_limit_take_turns(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2, global_qos=True)
    consumers = [Consumer(channel, "orders") for _ in range(2)]
    publish(connection, "orders", b"1", b"2", b"3", b"4")
    assert shares(consumers, [b"1"], [b"2"])
    consumers[0].ack()
    assert shares(consumers, [b"3"], [])
    consumers[1].ack()
    assert shares(consumers, [], [b"4"])


def test_a_global_limit_keeps_the_order_of_the_line(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1, global_qos=True)
    consumers = [Consumer(channel, "orders") for _ in range(3)]
    publish(connection, "orders", b"1", b"2", b"3", b"4", b"5")
    for index, body in ((0, b"1"), (1, b"2"), (2, b"3"), (0, b"4"), (1, b"5")):
        assert consumers[index].take(1) == [body]
        consumers[index].ack()
    assert shares(consumers, [], [], [])


def test_a_channel_full_by_its_global_limit_joins_again_at_the_back(connection: pika.BlockingConnection) -> None:
    limited, other = connection.channel(), connection.channel()
    limited.basic_qos(prefetch_count=1, global_qos=True)
    consumers = [Consumer(channel, "orders") for channel in (limited, other, other)]
    publish(connection, "orders", b"1", b"2", b"3", b"4")
    assert shares(consumers, [b"1"], [b"2", b"4"], [b"3"])
    consumers[0].ack()
    publish(connection, "orders", b"5", b"6", b"7")
    assert shares(consumers, [b"7"], [b"6"], [b"5"])
