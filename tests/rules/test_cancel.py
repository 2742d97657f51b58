"""basic.cancel, from either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, get, publish, round_trip, settle, wait_until_ready
from tests.rules._helpers import get_all, wait_for

spec = pika.spec


def cancelled(channel: BlockingChannel) -> list[str]:
    """The tags of the consumers that RabbitMQ will cancel on this channel."""
    tags: list[str] = []
    channel.add_on_cancel_callback(lambda frame: tags.append(frame.method.consumer_tag))
    return tags


def raw_cancel(channel: BlockingChannel, tag: str) -> str:
    """basic.cancel of a consumer that pika does not know: the tag in the answer."""
    answers: list[Any] = []
    channel._impl._rpc(spec.Basic.Cancel(consumer_tag=tag), answers.append, [spec.Basic.CancelOk])
    channel._flush_output(lambda: bool(answers))
    return answers[0].method.consumer_tag


def test_a_cancelled_consumer_gets_nothing_more(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    assert channel.basic_cancel(consumer.tag) == []
    publish(channel.connection, "orders", b"1")
    assert consumer.take(0) == []
    assert channel.consumer_tags == []
    assert get_all(channel, "orders") == [b"1"]


def test_cancel_ok_repeats_the_tag(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel._impl._send_method(spec.Basic.Consume(queue="orders", consumer_tag="worker", nowait=True))
    round_trip(channel)
    assert raw_cancel(channel, "worker") == "worker"
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 0


def test_cancelling_an_unknown_consumer_succeeds(channel: BlockingChannel) -> None:
    assert raw_cancel(channel, "nobody") == "nobody"


def test_pika_does_not_ask_rabbitmq_to_cancel_an_unknown_consumer(channel: BlockingChannel) -> None:
    assert channel.basic_cancel("nobody") == []


def test_a_consumer_of_another_channel_is_unknown(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders", consumer_tag="worker")
    assert raw_cancel(other, "worker") == "worker"
    publish(connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_a_consumer_can_be_cancelled_twice(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tag = channel.basic_consume("orders", lambda *_: None)
    channel.basic_cancel(tag)
    assert channel.basic_cancel(tag) == []
    assert raw_cancel(channel, tag) == tag


def test_unacknowledged_messages_stay_with_the_channel_after_cancel(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    publish(connection, "orders", b"1", b"2")
    assert consumer.take(2) == [b"1", b"2"]
    channel.basic_cancel(consumer.tag)
    assert get_all(other, "orders") == []
    consumer.ack(0)
    channel.close()
    wait_until_ready(other, "orders", 1)
    assert get_all(other, "orders") == [b"2"]


def test_a_message_requeued_after_cancel_waits_in_the_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    publish(channel.connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]
    channel.basic_cancel(consumer.tag)
    consumer.requeue()
    assert consumer.take(0) == []
    method, _, body = channel.basic_get("orders")
    assert (body, method.redelivered, method.delivery_tag) == (b"1", True, 2)


def test_pika_requeues_what_a_cancelled_consumer_has_not_seen(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    publish(connection, "orders", b"1", b"2", b"3")
    seen: list[bytes] = []

    def on_message(_: BlockingChannel, method: Any, __: Any, body: bytes) -> None:
        seen.append(body)
        channel.basic_cancel(method.consumer_tag)

    channel.basic_consume("orders", on_message)
    settle(channel, "orders")
    assert seen == [b"1"]
    assert channel.basic_get("orders")[2] == b"2"
    channel.close()
    wait_until_ready(other, "orders", 3)
    assert get_all(other, "orders") == [b"1", b"2", b"3"]


def test_pika_hands_over_what_a_cancelled_auto_ack_consumer_has_not_seen(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    consumer = Consumer(channel, "orders", auto_ack=True)
    channel.queue_declare("orders", passive=True)
    round_trip(channel)
    handed_over = channel.basic_cancel(consumer.tag)
    assert [(method.delivery_tag, body) for method, _, body in handed_over] == [(1, b"1"), (2, b"2")]
    assert consumer.bodies == []
    assert get_all(channel, "orders") == []


def test_deleting_the_queue_cancels_its_consumers(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    tags = cancelled(channel)
    mine = [channel.basic_consume("orders", lambda *_: None) for _ in range(2)]
    connection.channel().queue_delete("orders")
    wait_for(connection, lambda: len(tags) == 2)
    assert tags == sorted(mine)
    assert channel.is_open
    assert channel.consumer_tags == []


def test_consumers_of_a_deleted_queue_are_cancelled_in_the_order_of_their_tags(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tags = cancelled(channel)
    for tag in ("c", "a", "b"):
        channel.basic_consume("orders", lambda *_: None, consumer_tag=tag)
    channel.queue_delete("orders")
    wait_for(channel.connection, lambda: len(tags) == 3)
    assert tags == ["a", "b", "c"]


def test_deleting_a_queue_cancels_consumers_on_other_connections(
    channel: BlockingChannel, connect: Callable[..., pika.BlockingConnection]
) -> None:
    channel.queue_declare("orders")
    consuming = connect().channel()
    tags = cancelled(consuming)
    consuming.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    channel.queue_delete("orders")
    wait_for(consuming.connection, lambda: tags == ["worker"])


def test_a_consumer_that_deletes_its_own_queue_is_cancelled(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tags = cancelled(channel)
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    channel.queue_delete("orders")
    wait_for(channel.connection, lambda: tags == ["worker"])


def test_a_consumer_cancelled_by_its_client_is_not_notified(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tags = cancelled(channel)
    channel.basic_cancel(channel.basic_consume("orders", lambda *_: None))
    channel.queue_delete("orders")
    round_trip(channel)
    channel.connection.process_data_events()
    assert tags == []


def test_a_client_that_cannot_be_notified_is_not(
    channel: BlockingChannel, connect: Callable[..., pika.BlockingConnection]
) -> None:
    channel.queue_declare("orders")
    settings = {"client_properties": {"capabilities": {"consumer_cancel_notify": False}}}
    consuming = connect(**settings).channel()
    tags = cancelled(consuming)
    consuming.basic_consume("orders", lambda *_: None)
    channel.queue_delete("orders")
    round_trip(consuming)
    consuming.connection.process_data_events()
    assert tags == []


def test_messages_of_a_deleted_queue_may_still_be_acknowledged_once(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1")
    (tag,) = get(channel, "orders", 1)
    channel.queue_delete("orders")
    channel.basic_ack(tag)
    round_trip(channel)
    assert channel.is_open


def test_start_consuming_ends_when_the_last_queue_is_deleted(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    channel.queue_declare("control")
    publish(connection, "control", b"stop")

    def stop(_: BlockingChannel, method: Any, *__: Any) -> None:
        other.queue_delete("orders")
        channel.basic_cancel(method.consumer_tag)

    channel.basic_consume("orders", lambda *_: None)
    channel.basic_consume("control", stop)
    channel.start_consuming()
    assert channel.consumer_tags == []


def test_consume_ends_when_the_queue_is_deleted(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    publish(connection, "orders", b"1", b"2")
    bodies = []
    for _, _, body in channel.consume("orders", auto_ack=True):
        bodies.append(body)
        if body == b"2":
            other.queue_delete("orders")
    assert bodies == [b"1", b"2"]
