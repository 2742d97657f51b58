"""The order in which dead letters arrive."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all
from tests.rules._limits import TO_DEAD, LetTimePass, declare, publish, reject, wait_until_ready


@pytest.fixture
def dead(channel: BlockingChannel) -> str:
    """The queue for dead letters."""
    channel.queue_declare("dead")
    return "dead"


@pytest.fixture
def orders(channel: BlockingChannel, dead: str) -> str:
    """A queue whose dead letters go to `dead`."""
    return declare(channel, "orders", **TO_DEAD)


def test_dead_letters_keep_their_order(channel: BlockingChannel, orders: str, dead: str) -> None:
    bodies = [str(number).encode() for number in range(20)]
    publish(channel, orders, *bodies)
    for _ in bodies:
        reject(channel, orders)
    wait_until_ready(channel, dead, 20)
    assert get_all(channel, dead) == bodies


def test_messages_that_expire_together_are_dead_lettered_in_order(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", message_ttl=200, **TO_DEAD)
    bodies = [str(number).encode() for number in range(20)]
    publish(channel, "orders", *bodies)
    wait_until_ready(channel, dead, 20)
    assert get_all(channel, dead) == bodies


def test_messages_that_are_nacked_together_are_dead_lettered_in_order(
    channel: BlockingChannel, orders: str, dead: str
) -> None:
    publish(channel, orders, b"1", b"2", b"3")
    for _ in range(3):
        channel.basic_get(orders)
    channel.basic_nack(0, multiple=True, requeue=False)
    wait_until_ready(channel, dead, 3)
    assert get_all(channel, dead) == [b"1", b"2", b"3"]


def test_a_byte_limit_dead_letters_in_order_all_that_it_drops(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", max_length_bytes=3, **TO_DEAD)
    publish(channel, "orders", b"1", b"2", b"3", b"444")
    wait_until_ready(channel, dead, 3)
    assert get_all(channel, dead) == [b"1", b"2", b"3"]


def test_what_has_expired_behind_a_fetched_message_reaches_the_same_channel_after_it(
    channel: BlockingChannel, orders: str, dead: str, let_time_pass: LetTimePass
) -> None:
    consumer = Consumer(channel, dead)
    publish(channel, orders, b"lasting")
    publish(channel, orders, b"brief", expiration="100")
    let_time_pass(0.4)
    method, _, body = channel.basic_get(orders)
    assert (method.delivery_tag, method.message_count, body) == (1, 0, b"lasting")
    assert consumer.take(1) == [b"brief"]
    assert consumer.methods[0].delivery_tag == 2
