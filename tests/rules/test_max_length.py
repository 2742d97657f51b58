"""x-max-length and x-max-length-bytes with the usual overflow: messages are dropped at the head."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._limits import LetTimePass, declare, publish
from tests.rules._queues import ready


@pytest.mark.parametrize("overflow", [{}, {"overflow": "drop-head"}])
def test_the_oldest_messages_are_dropped(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=2, **overflow)
    publish(channel, "orders", b"1", b"2", b"3", b"4")
    assert ready(channel, "orders") == 2
    assert get_all(channel, "orders") == [b"3", b"4"]


def test_a_queue_is_full_when_it_has_as_many_messages_as_its_limit(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2)
    publish(channel, "orders", b"1", b"2")
    assert get_all(channel, "orders") == [b"1", b"2"]


def test_a_queue_of_length_0_keeps_nothing(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=0)
    publish(channel, "orders", b"order")
    assert ready(channel, "orders") == 0
    assert channel.basic_get("orders") == (None, None, None)


def test_a_queue_of_length_0_delivers_to_a_waiting_consumer(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=0)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", b"1", b"2")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2"])


def test_a_dropped_message_is_confirmed_and_not_returned(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=0)
    returned: list[bytes] = []
    channel.add_on_return_callback(lambda *message: returned.append(message[-1]))
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"order", mandatory=True)
    assert ready(channel, "orders") == 0
    assert returned == []


def test_unacked_messages_do_not_count(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2)
    publish(channel, "orders", b"1", b"2")
    channel.basic_get("orders")
    channel.basic_get("orders")
    publish(channel, "orders", b"3", b"4")
    assert get_all(channel, "orders") == [b"3", b"4"]


def test_a_message_that_is_requeued_into_a_full_queue_is_dropped_itself(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1)
    publish(channel, "orders", b"1")
    method, _, _ = channel.basic_get("orders")
    publish(channel, "orders", b"2")
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"2"]


def test_of_messages_that_are_requeued_the_oldest_are_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=3)
    publish(channel, "orders", b"1", b"2")
    channel.basic_get("orders")
    channel.basic_get("orders")
    publish(channel, "orders", b"3", b"4")
    channel.basic_nack(0, multiple=True, requeue=True)
    assert get_all(channel, "orders") == [b"2", b"3", b"4"]


def test_a_message_that_is_requeued_behind_older_ones_pushes_out_the_oldest(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2)
    publish(channel, "orders", b"1", b"2")
    first, _, _ = channel.basic_get("orders")
    second, _, _ = channel.basic_get("orders")
    channel.basic_reject(first.delivery_tag, requeue=True)
    publish(channel, "orders", b"3")
    channel.basic_reject(second.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"2", b"3"]


def test_messages_that_a_waiting_consumer_takes_do_not_count(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1)
    channel.basic_qos(prefetch_count=2)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", b"1", b"2", b"3", b"4")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2"])
    consumer.ack(multiple=True)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2", b"4"])


def test_a_queue_takes_new_messages_when_there_is_room_again(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1)
    publish(channel, "orders", b"1")
    assert get_all(channel, "orders") == [b"1"]
    publish(channel, "orders", b"2")
    assert get_all(channel, "orders") == [b"2"]


def test_every_queue_has_its_own_limit(channel: BlockingChannel) -> None:
    declare(channel, "short", max_length=1)
    declare(channel, "long", max_length=2)
    channel.queue_bind("short", "amq.fanout")
    channel.queue_bind("long", "amq.fanout")
    channel.confirm_delivery()
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("amq.fanout", "", body)
    assert get_all(channel, "short") == [b"3"]
    assert get_all(channel, "long") == [b"2", b"3"]


@pytest.mark.parametrize(
    ("limit", "bodies", "left"),
    [
        (10, [b"1" * 5, b"2" * 5], [b"1" * 5, b"2" * 5]),
        (10, [b"1" * 5, b"2" * 5, b"3"], [b"2" * 5, b"3"]),
        (10, [b"1", b"2", b"3" * 9], [b"2", b"3" * 9]),
        (10, [b"1", b"2", b"3" * 10], [b"3" * 10]),
        (10, [b"1", b"2", b"3" * 11], []),
        (10, [b"1" * 11, b"2"], [b"2"]),
        (0, [b"1"], []),
        (0, [b"", b""], [b"", b""]),
        (0, [b"", b"", b"1"], []),
        (1, [b"", b"1", b""], [b"", b"1", b""]),
    ],
)
def test_as_many_messages_are_dropped_as_the_limit_of_bytes_needs(
    channel: BlockingChannel, limit: int, bodies: list[bytes], left: list[bytes]
) -> None:
    declare(channel, "orders", max_length_bytes=limit)
    publish(channel, "orders", *bodies)
    assert get_all(channel, "orders") == left


def test_only_bodies_count_as_bytes(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length_bytes=2)
    publish(channel, "orders", b"1", b"2", headers={"long": "text" * 100}, content_type="text/plain")
    assert get_all(channel, "orders") == [b"1", b"2"]


def test_unacked_messages_do_not_count_as_bytes(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length_bytes=5)
    publish(channel, "orders", b"1" * 5)
    method, _, _ = channel.basic_get("orders")
    publish(channel, "orders", b"2" * 5)
    assert ready(channel, "orders") == 1
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"2" * 5]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"max_length": 2, "max_length_bytes": 100}, [b"22", b"33"]),
        ({"max_length": 100, "max_length_bytes": 3}, [b"33"]),
        ({"max_length": 2, "max_length_bytes": 3}, [b"33"]),
        ({"max_length": 0, "max_length_bytes": 100}, []),
    ],
)
def test_both_limits_hold(channel: BlockingChannel, limits: dict[str, int], left: list[bytes]) -> None:
    declare(channel, "orders", **limits)
    publish(channel, "orders", b"11", b"22", b"33")
    assert get_all(channel, "orders") == left


def test_a_commit_may_push_out_its_own_messages(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2)
    channel.tx_select()
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", "orders", body)
    channel.tx_commit()
    assert get_all(channel, "orders") == [b"2", b"3"]


def test_persistent_messages_are_dropped_like_others(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-max-length": 1})
    publish(channel, "orders", b"1", delivery_mode=2)
    publish(channel, "orders", b"2", delivery_mode=1)
    assert get_all(channel, "orders") == [b"2"]


def test_in_a_priority_queue_the_next_message_to_be_delivered_is_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2, max_priority=5)
    for priority in (1, 5, 3):
        publish(channel, "orders", str(priority).encode(), priority=priority)
    assert get_all(channel, "orders") == [b"3", b"1"]


def test_an_expired_message_behind_a_live_one_counts(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", max_length=2)
    publish(channel, "orders", b"live")
    publish(channel, "orders", b"expired", expiration="100")
    let_time_pass(0.5)
    publish(channel, "orders", b"new")
    assert ready(channel, "orders") == 1
    assert get_all(channel, "orders") == [b"new"]


@pytest.mark.parametrize("arguments", [{"queue_mode": "lazy"}, {"queue_version": 2}, {"single_active_consumer": True}])
def test_a_queue_of_any_kind_may_have_a_limit(channel: BlockingChannel, arguments: dict[str, Any]) -> None:
    declare(channel, "orders", max_length=1, **arguments)
    publish(channel, "orders", b"1", b"2")
    assert get_all(channel, "orders") == [b"2"]


def test_a_limit_holds_for_messages_published_without_confirms(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1)
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", "orders", body, pika.BasicProperties())
    assert get_all(channel, "orders") == [b"3"]


@pytest.mark.parametrize("way", ["close", "nack"])
def test_messages_that_come_back_are_dropped_before_another_consumer_is_served(
    channel: BlockingChannel, way: str
) -> None:
    declare(channel, "orders", max_length=1)
    first = Consumer(channel.connection.channel(), "orders")
    publish(channel, "orders", b"1")
    publish(channel, "orders", b"2")
    assert first.take(2) == [b"1", b"2"]
    second = Consumer(channel.connection.channel(), "orders")
    if way == "nack":
        first.channel.basic_cancel(first.tag)
        first.channel.basic_nack(0, multiple=True, requeue=True)
    else:
        first.channel.close()
    assert second.take(1) == [b"2"]
