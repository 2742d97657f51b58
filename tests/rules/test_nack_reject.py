"""basic.nack and basic.reject."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, get, publish, round_trip, wait_until_ready
from tests.rules._helpers import get_all

REFUSALS = [BlockingChannel.basic_nack, BlockingChannel.basic_reject]


@pytest.fixture(autouse=True)
def backlog(connection: pika.BlockingConnection) -> None:
    """A queue "orders" with the messages 1 to 4."""
    connection.channel().queue_declare("orders")
    publish(connection, "orders", b"1", b"2", b"3", b"4")


def left(connection: pika.BlockingConnection, channel: BlockingChannel, count: int) -> list[bytes]:
    """What is in the queue after the channel, and with it all that it has not settled, is gone."""
    channel.close()
    other = connection.channel()
    wait_until_ready(other, "orders", count)
    return get_all(other, "orders")


@pytest.mark.parametrize("refuse", REFUSALS)
def test_refused_without_requeue_is_gone(
    connection: pika.BlockingConnection, channel: BlockingChannel, refuse: Callable[..., None]
) -> None:
    get(channel, "orders", 2)
    refuse(channel, 1, requeue=False)
    assert left(connection, channel, 3) == [b"2", b"3", b"4"]


@pytest.mark.parametrize("refuse", REFUSALS)
def test_refused_with_requeue_is_ready_again_and_marked(channel: BlockingChannel, refuse: Callable[..., None]) -> None:
    get(channel, "orders", 2)
    refuse(channel, 2, requeue=True)
    answers = [channel.basic_get("orders") for _ in range(3)]
    assert [(method.redelivered, body) for method, _, body in answers] == [
        (True, b"2"),
        (False, b"3"),
        (False, b"4"),
    ]


@pytest.mark.parametrize("refuse", REFUSALS)
def test_pika_requeues_unless_told(channel: BlockingChannel, refuse: Callable[..., None]) -> None:
    get(channel, "orders", 1)
    refuse(channel, 1)
    assert channel.basic_get("orders")[2] == b"1"


@pytest.mark.parametrize("refuse", REFUSALS)
@pytest.mark.parametrize("requeue", [False, True])
@pytest.mark.parametrize("tag", [0, 1, 3])
def test_an_unknown_tag_closes_the_channel(
    channel: BlockingChannel, refuse: Callable[..., None], requeue: bool, tag: int
) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(1)
    refuse(channel, tag, requeue=requeue)
    with channel_closed(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}"):
        round_trip(channel)


@pytest.mark.parametrize("refuse", REFUSALS)
def test_a_refused_tag_cannot_be_acknowledged(channel: BlockingChannel, refuse: Callable[..., None]) -> None:
    get(channel, "orders", 1)
    refuse(channel, 1, requeue=False)
    channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        round_trip(channel)


def test_nack_multiple_without_requeue_discards_all_lower_tags(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    get(channel, "orders", 3)
    channel.basic_nack(2, multiple=True, requeue=False)
    assert left(connection, channel, 2) == [b"3", b"4"]


def test_nack_multiple_with_requeue_returns_all_lower_tags(channel: BlockingChannel) -> None:
    get(channel, "orders", 3)
    channel.basic_nack(2, multiple=True, requeue=True)
    assert get_all(channel, "orders") == [b"1", b"2", b"4"]


def test_nack_multiple_wants_the_named_tag_itself_outstanding(channel: BlockingChannel) -> None:
    get(channel, "orders", 2)
    channel.basic_ack(2)
    channel.basic_nack(2, multiple=True)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 2"):
        round_trip(channel)


@pytest.mark.parametrize(("requeue", "remaining"), [(False, [b"4"]), (True, [b"1", b"2", b"3", b"4"])])
def test_tag_0_with_multiple_refuses_everything(
    channel: BlockingChannel, requeue: bool, remaining: list[bytes]
) -> None:
    get(channel, "orders", 3)
    channel.basic_nack(0, multiple=True, requeue=requeue)
    assert get_all(channel, "orders") == remaining


def test_tag_0_with_multiple_is_fine_when_nothing_is_outstanding(channel: BlockingChannel) -> None:
    channel.basic_nack(0, multiple=True)
    round_trip(channel)
    assert channel.is_open


@pytest.mark.parametrize("requeue", [False, True])
def test_a_consumer_may_refuse_in_its_callback(connection: pika.BlockingConnection, requeue: bool) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    seen: list[tuple[bytes, bool]] = []

    def on_message(_: BlockingChannel, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        seen.append((body, method.redelivered))
        if method.redelivered or not requeue:
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            channel.basic_reject(method.delivery_tag, requeue=True)
        if body == b"4" and (method.redelivered or not requeue):
            channel.stop_consuming()

    channel.basic_consume("orders", on_message)
    channel.start_consuming()
    bodies = [b"1", b"2", b"3", b"4"]
    again = [False, True] if requeue else [False]
    assert seen == [(body, redelivered) for body in bodies for redelivered in again]


@pytest.mark.parametrize("refuse", REFUSALS)
def test_a_message_discarded_by_one_consumer_is_not_offered_to_others(
    connection: pika.BlockingConnection, refuse: Callable[..., None]
) -> None:
    first = Consumer(connection.channel(), "orders")
    assert len(first.take(4)) == 4
    second = Consumer(connection.channel(), "orders")
    refuse(first.channel, 1, requeue=False)
    round_trip(first.channel)
    assert (first.take(0), second.take(0)) == ([], [])
