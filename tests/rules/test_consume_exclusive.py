"""Exclusive consumers."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, publish


def in_exclusive_use(vhost: str) -> str:
    return f"ACCESS_REFUSED - queue 'orders' in vhost '{vhost}' in exclusive use"


def ignore(*_: object) -> None:
    """A consumer's callback."""


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("same_channel", [False, True])
def test_an_exclusive_consumer_keeps_others_out(
    connection: pika.BlockingConnection, vhost: str, second: bool, same_channel: bool
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", ignore, exclusive=True)
    with channel_closed(403, in_exclusive_use(vhost)):
        (channel if same_channel else connection.channel()).basic_consume("orders", ignore, exclusive=second)


def test_an_exclusive_consumer_keeps_other_connections_out(
    connection: pika.BlockingConnection, connect: Callable[..., pika.BlockingConnection], vhost: str
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders", exclusive=True)
    with channel_closed(403, in_exclusive_use(vhost)):
        connect().channel().basic_consume("orders", ignore)
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_exclusive_is_refused_while_others_consume(connection: pika.BlockingConnection, vhost: str) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    with channel_closed(403, in_exclusive_use(vhost)):
        connection.channel().basic_consume("orders", ignore, exclusive=True)
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_others_may_consume_after_the_exclusive_consumer_is_cancelled(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_cancel(channel.basic_consume("orders", ignore, exclusive=True))
    consumers = [Consumer(connection.channel(), "orders") for _ in range(2)]
    publish(connection, "orders", b"1", b"2")
    assert [consumer.take(1) for consumer in consumers] == [[b"1"], [b"2"]]


def test_others_may_consume_after_the_exclusive_consumers_channel_closed(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", ignore, exclusive=True)
    channel.close()
    consumer = Consumer(connection.channel(), "orders")
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_others_may_consume_after_the_exclusive_consumers_connection_closed(
    connection: pika.BlockingConnection, connect: Callable[..., pika.BlockingConnection]
) -> None:
    connection.channel().queue_declare("orders")
    other = connect()
    other.channel().basic_consume("orders", ignore, exclusive=True)
    other.close()
    consumer = Consumer(connection.channel(), "orders", exclusive=True)
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_exclusive_is_possible_again_when_the_others_are_cancelled(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    for tag in [channel.basic_consume("orders", ignore) for _ in range(2)]:
        channel.basic_cancel(tag)
    consumer = Consumer(channel, "orders", exclusive=True)
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_an_exclusive_consumer_gives_way_although_its_messages_are_unacknowledged(
    connection: pika.BlockingConnection,
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    first = Consumer(channel, "orders", exclusive=True)
    publish(connection, "orders", b"1")
    assert first.take(1) == [b"1"]
    channel.basic_cancel(first.tag)
    second = Consumer(connection.channel(), "orders", exclusive=True)
    assert second.take(0) == []
    first.requeue()
    assert second.take(1) == [b"1"]


def test_the_lock_of_an_exclusive_queue_is_noticed_before_its_exclusive_consumer(
    connection: pika.BlockingConnection, connect: Callable[..., pika.BlockingConnection], vhost: str
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders", exclusive=True)
    channel.basic_consume("orders", ignore, exclusive=True)
    text = (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'orders' in vhost '{vhost}'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )
    with channel_closed(405, text):
        connect().channel().basic_consume("orders", ignore)
