"""Classic queues with x-max-priority."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._kinds import drain, send
from tests.rules._queues import ready, wait_until_ready


def declare(channel: BlockingChannel, queue: str = "orders", priority: int = 5, **arguments: Any) -> str:
    """Declare a queue with this highest priority: max_length=3 stands for the argument x-max-length."""
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    channel.queue_declare(queue, arguments={"x-max-priority": priority, **named})
    return queue


def declare_with_grave(channel: BlockingChannel, **arguments: Any) -> None:
    """Declare "orders" and "grave", where its dead letters go."""
    channel.queue_declare("grave")
    declare(channel, dead_letter_exchange="", dead_letter_routing_key="grave", **arguments)


def test_the_highest_priority_comes_out_first(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a", "5b", "3c", "4d", "2e")
    assert drain(channel, "orders") == ["5b", "4d", "3c", "2e", "1a"]


def test_messages_of_one_priority_come_out_in_order(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "3a", "1b", "3c", "1d", "3e")
    assert drain(channel, "orders") == ["3a", "3c", "3e", "1b", "1d"]


def test_no_priority_is_priority_zero(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "a", "0b", "c", "1d")
    assert drain(channel, "orders") == ["1d", "a", "0b", "c"]


def test_a_priority_above_the_highest_counts_as_the_highest(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "5a", "6b", "255c", "5d", "4e")
    assert drain(channel, "orders") == ["5a", "6b", "255c", "5d", "4e"]


def test_a_delivery_shows_the_priority_that_was_published(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "200a")
    assert channel.basic_get("orders")[1].priority == 200


def test_255_priorities_are_possible(channel: BlockingChannel) -> None:
    declare(channel, priority=255)
    send(channel, "orders", "0a", "254b", "255c", "10d")
    assert drain(channel, "orders") == ["255c", "254b", "10d", "0a"]


def test_a_highest_priority_of_zero_is_none_in_3_10_and_one_in_4_0(channel: BlockingChannel, version: str) -> None:
    declare(channel, priority=0)
    send(channel, "orders", "0a", "5b", "1c", "d")
    assert drain(channel, "orders") == {"3.10": ["0a", "5b", "1c", "d"], "4.0": ["5b", "1c", "0a", "d"]}[version]


def test_a_classic_queue_without_x_max_priority_ignores_priorities(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    send(channel, "orders", "0a", "5b", "1c")
    assert drain(channel, "orders") == ["0a", "5b", "1c"]


@pytest.mark.parametrize("returned", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_a_requeued_message_has_its_old_place_within_its_priority(
    channel: BlockingChannel, returned: tuple[int, ...]
) -> None:
    declare(channel)
    send(channel, "orders", "1a", "1b", "5c", "5d", "3e")
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(4)]
    for index in returned:
        channel.basic_nack(tags[index], requeue=True)
    wait_until_ready(channel, "orders", 5)
    assert drain(channel, "orders") == ["5c", "5d", "3e", "1a", "1b"]


def test_a_requeued_message_waits_behind_newer_ones_of_higher_priority(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a")
    method, _, _ = channel.basic_get("orders")
    send(channel, "orders", "5b", "1c", "2d")
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until_ready(channel, "orders", 4)
    assert drain(channel, "orders") == ["5b", "2d", "1a", "1c"]


def test_counts_and_purge_cover_every_priority(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a", "5b", "3c", "d")
    assert ready(channel, "orders") == 4
    assert channel.basic_get("orders", auto_ack=True)[0].message_count == 3
    assert channel.queue_purge("orders").method.message_count == 3
    assert ready(channel, "orders") == 0


def test_a_consumer_without_a_limit_has_got_the_low_ones_already(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a", "1b")
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1a", b"1b"]
    send(channel, "orders", "5c")
    assert consumer.take(1) == [b"5c"]


def test_a_backlog_reaches_a_consumer_by_priority(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a", "5b", "3c")
    assert Consumer(channel, "orders").take(3) == [b"5b", b"3c", b"1a"]


def test_what_a_prefetch_limit_holds_back_is_overtaken(channel: BlockingChannel) -> None:
    declare(channel)
    send(channel, "orders", "1a", "1b", "1c")
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1a"]
    send(channel, "orders", "5d", "3e", "5f")
    for body in (b"5d", b"5f", b"3e", b"1b", b"1c"):
        consumer.ack()
        assert consumer.take(1) == [body]


@pytest.mark.parametrize(
    ("limit", "sent", "kept", "dropped"),
    [
        (3, ["1a", "5b", "3c", "2d", "4e"], ["3c", "2d", "1a"], ["5b", "4e"]),
        (2, ["1a", "1b", "5c", "5d"], ["1a", "1b"], ["5c", "5d"]),
        (2, ["5a", "5b", "1c", "1d"], ["1c", "1d"], ["5a", "5b"]),
        (1, ["1a", "1b", "1c"], ["1c"], ["1a", "1b"]),
        (2, ["1a", "5b", "5c", "1d"], ["1a", "1d"], ["5b", "5c"]),
    ],
)
def test_max_length_drops_the_oldest_of_the_highest_priority(
    channel: BlockingChannel, limit: int, sent: list[str], kept: list[str], dropped: list[str]
) -> None:
    declare_with_grave(channel, max_length=limit)
    send(channel, "orders", *sent)
    assert drain(channel, "orders") == kept
    assert drain(channel, "grave", len(dropped)) == dropped


def test_max_length_bytes_drops_the_highest_priority_too(channel: BlockingChannel) -> None:
    declare_with_grave(channel, max_length_bytes=5)
    send(channel, "orders", "1a", "5b", "3c", "2d")
    assert drain(channel, "orders") == ["2d", "1a"]
    assert drain(channel, "grave", 2) == ["5b", "3c"]


def test_a_full_reject_publish_queue_rejects_high_priorities_too(channel: BlockingChannel) -> None:
    declare(channel, max_length=2, overflow="reject-publish")
    send(channel, "orders", "1a", "2b")
    with pytest.raises(pika.exceptions.NackError):
        send(channel, "orders", "5c")
    assert drain(channel, "orders") == ["2b", "1a"]


@pytest.mark.parametrize(
    ("first", "newer", "kept"), [(["1a", "5b"], "3c", ["3c", "1a"]), (["1a", "1b"], "3c", ["1a", "1b"])]
)
def test_a_requeue_into_a_full_queue_drops_the_highest_priority(
    channel: BlockingChannel, first: list[str], newer: str, kept: list[str]
) -> None:
    declare(channel, max_length=2)
    send(channel, "orders", *first)
    method, _, _ = channel.basic_get("orders")
    send(channel, "orders", newer)
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert drain(channel, "orders") == kept


def test_an_expired_message_is_stuck_behind_a_live_one_of_higher_priority(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    declare_with_grave(channel)
    send(channel, "orders", "1a", expiration="100")
    send(channel, "orders", "5b")
    let_time_pass(0.4)
    assert (ready(channel, "orders"), ready(channel, "grave")) == (2, 0)
    method, _, body = channel.basic_get("orders", auto_ack=True)
    assert (body, method.message_count) == (b"5b", 0)
    assert drain(channel, "grave", 1) == ["1a"]


def test_a_message_that_overtook_others_does_not_expire_before_the_queue_looks(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    declare_with_grave(channel)
    send(channel, "orders", "1a")
    send(channel, "orders", "5b", expiration="100")
    let_time_pass(0.4)
    assert drain(channel, "orders") == ["5b", "1a"]
    assert ready(channel, "grave") == 0


def test_expired_messages_die_in_the_order_of_their_priorities(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    declare_with_grave(channel)
    send(channel, "orders", "3a", "1b", "5c", expiration="300")
    let_time_pass(1)
    assert ready(channel, "orders") == 0
    assert drain(channel, "grave", 3) == ["5c", "3a", "1b"]


def test_a_consumer_is_given_no_expired_message(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    declare_with_grave(channel)
    send(channel, "orders", "1a", "3b", expiration="100")
    send(channel, "orders", "5c")
    let_time_pass(0.4)
    assert Consumer(channel, "orders").take(1) == [b"5c"]
    assert drain(channel, "grave", 2) == ["3b", "1a"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (256, "{max_value_exceeded,256}"),
        (2**40, "{max_value_exceeded,1099511627776}"),
        (-1, "{value_negative,-1}"),
        ("5", '"expected integer, got longstr"'),
        (True, '"expected integer, got bool"'),
        (None, '"expected integer, got void"'),
    ],
)
def test_an_impossible_highest_priority_is_refused(
    channel: BlockingChannel, vhost: str, value: object, why: str
) -> None:
    text = f"PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'orders' in vhost '{vhost}': {why}"
    with channel_closed(406, text):
        channel.queue_declare("orders", arguments={"x-max-priority": value})


@pytest.mark.parametrize(
    ("arguments", "difference"),
    [
        ({"x-max-priority": 2}, "received '2' but current is '5'"),
        ({}, "received none but current is the value '5' of type 'signedint'"),
    ],
)
def test_the_highest_priority_is_compared(
    channel: BlockingChannel, vhost: str, arguments: dict[str, Any], difference: str
) -> None:
    declare(channel)
    text = (
        f"PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue 'orders' in vhost '{vhost}': {difference}"
    )
    with channel_closed(406, text):
        channel.queue_declare("orders", arguments=arguments)


def test_priorities_survive_a_requeue_by_a_closed_channel(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    declare(channel)
    send(channel, "orders", "1a", "5b", "3c")
    theirs = connection.channel()
    for _ in range(3):
        theirs.basic_get("orders")
    theirs.close()
    assert drain(channel, "orders", 3) == ["5b", "3c", "1a"]
