"""basic.consume with the argument x-priority."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._kinds import assert_shares, declare, publish
from tests.rules._queues import missing, wait_until_ready

pytestmark = pytest.mark.parametrize("kind", ["classic", "quorum"])


@pytest.fixture
def queue(channel: BlockingChannel, kind: str) -> str:
    """The name of a new queue."""
    return declare(channel, "orders", kind)


def consume(connection: pika.BlockingConnection, queue: str, priority: int | None, limit: int = 0) -> Consumer:
    """A consumer with a channel of its own."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=limit)
    return Consumer(channel, queue, arguments=None if priority is None else {"x-priority": priority})


def test_the_consumer_of_the_highest_priority_gets_everything(channel: BlockingChannel, queue: str) -> None:
    normal, high, low = (consume(channel.connection, queue, priority) for priority in (None, 10, -1))
    publish(channel, queue, "1", "2", "3")
    assert_shares({high: ["1", "2", "3"], normal: [], low: []})


def test_consumers_of_one_priority_take_turns(channel: BlockingChannel, queue: str) -> None:
    _, first, second = (consume(channel.connection, queue, priority) for priority in (0, 5, 5))
    publish(channel, queue, "1", "2", "3", "4", "5")
    assert_shares({first: ["1", "3", "5"], second: ["2", "4"]})


def test_no_priority_is_priority_zero(channel: BlockingChannel, queue: str) -> None:
    first, second = (consume(channel.connection, queue, priority) for priority in (None, 0))
    publish(channel, queue, "1", "2", "3")
    assert_shares({first: ["1", "3"], second: ["2"]})


def test_a_negative_priority_is_lower_than_none(channel: BlockingChannel, queue: str) -> None:
    low, normal = (consume(channel.connection, queue, priority) for priority in (-1, None))
    publish(channel, queue, "1", "2")
    assert_shares({normal: ["1", "2"], low: []})


@pytest.mark.parametrize(("less", "more"), [(255, 256), (-(2**40), -255), (1, 2**40)])
def test_priorities_have_no_bounds(channel: BlockingChannel, queue: str, less: int, more: int) -> None:
    low, high = (consume(channel.connection, queue, priority) for priority in (less, more))
    publish(channel, queue, "1", "2")
    assert_shares({high: ["1", "2"], low: []})


def test_lower_ones_get_what_the_higher_ones_cannot_take(channel: BlockingChannel, queue: str) -> None:
    normal, high, low, other = (consume(channel.connection, queue, priority, 1) for priority in (None, 10, -1, 10))
    publish(channel, queue, "1", "2", "3", "4", "5")
    assert_shares({high: ["1"], other: ["2"], normal: ["3"], low: ["4"]})


def test_waiting_messages_go_to_whoever_can_take_them(channel: BlockingChannel, queue: str) -> None:
    low, high = (consume(channel.connection, queue, priority, 1) for priority in (0, 10))
    publish(channel, queue, "1", "2", "3", "4")
    assert_shares({high: ["1"], low: ["2"]})
    low.ack()
    assert_shares({low: ["3"], high: []})
    high.ack()
    assert_shares({high: ["4"], low: []})


def test_a_consumer_with_room_again_goes_before_lower_ones(channel: BlockingChannel, queue: str) -> None:
    low, high = (consume(channel.connection, queue, priority, 1) for priority in (0, 10))
    publish(channel, queue, "1", "2")
    assert_shares({high: ["1"], low: ["2"]})
    low.ack()
    high.ack()
    publish(channel, queue, "3", "4")
    assert_shares({high: ["3"], low: ["4"]})


def test_a_higher_consumer_that_comes_later_gets_what_comes_later(channel: BlockingChannel, queue: str) -> None:
    normal = consume(channel.connection, queue, None)
    publish(channel, queue, "1")
    assert_shares({normal: ["1"]})
    high = consume(channel.connection, queue, 5)
    publish(channel, queue, "2", "3")
    assert_shares({high: ["2", "3"], normal: []})


def test_lower_ones_take_over_when_the_higher_one_is_cancelled(channel: BlockingChannel, queue: str) -> None:
    normal, high = (consume(channel.connection, queue, priority) for priority in (None, 5))
    publish(channel, queue, "1")
    assert_shares({high: ["1"], normal: []})
    high.channel.basic_cancel(high.tag)
    publish(channel, queue, "2")
    assert_shares({high: [], normal: ["2"]})


def test_a_requeued_message_returns_to_the_highest(channel: BlockingChannel, queue: str) -> None:
    normal = consume(channel.connection, queue, None)
    publish(channel, queue, "1")
    assert_shares({normal: ["1"]})
    high = consume(channel.connection, queue, 5)
    normal.requeue()
    assert_shares({high: ["1"], normal: []})


def test_a_backlog_goes_to_the_consumer_that_comes_first(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, "1", "2", "3", "4")
    normal = consume(channel.connection, queue, None, 2)
    assert_shares({normal: ["1", "2"]})
    high = consume(channel.connection, queue, 5, 1)
    assert_shares({high: ["3"], normal: []})
    normal.ack()
    assert_shares({normal: ["4"], high: []})


def test_consumers_of_one_channel_have_priorities_of_their_own(channel: BlockingChannel, queue: str) -> None:
    low = Consumer(channel, queue, arguments={"x-priority": 1})
    high = Consumer(channel, queue, arguments={"x-priority": 2})
    publish(channel, queue, "1", "2")
    assert_shares({high: ["1", "2"], low: []})


def test_a_get_heeds_no_consumer_priorities(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, "1", "2")
    high = consume(channel.connection, queue, 10, 1)
    assert_shares({high: ["1"]})
    wait_until_ready(channel, queue, 1)
    assert channel.basic_get(queue)[2] == b"2"


WRONG: list[tuple[Any, str]] = [
    ("5", "longstr"),
    (b"5", "binary"),
    (True, "bool"),
    (None, "void"),
    (Decimal("1"), "decimal"),
    ([1], "array"),
    ({}, "table"),
]


def refused(vhost: str, wire_type: str) -> str:
    return (
        f"PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'orders' in vhost '{vhost}': "
        f'"expected integer, got {wire_type}"'
    )


@pytest.mark.parametrize(("value", "wire_type"), WRONG)
def test_a_priority_that_is_no_integer_is_refused(
    channel: BlockingChannel, vhost: str, queue: str, value: object, wire_type: str
) -> None:
    with channel_closed(406, refused(vhost, wire_type)):
        channel.basic_consume(queue, print, arguments={"x-priority": value})


def test_a_missing_queue_is_noticed_before_a_wrong_priority(channel: BlockingChannel, vhost: str, queue: str) -> None:
    with channel_closed(404, missing("nope", vhost)):
        channel.basic_consume("nope", print, arguments={"x-priority": "5"})


def test_a_wrong_priority_is_noticed_before_an_exclusive_consumer(
    channel: BlockingChannel, vhost: str, queue: str
) -> None:
    channel.basic_consume(queue, print, exclusive=True)
    with channel_closed(406, refused(vhost, "longstr")):
        channel.connection.channel().basic_consume(queue, print, arguments={"x-priority": "5"})
