"""basic.get."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, get, publish, wait_until_ready
from tests.rules._helpers import get_all


def test_get_answers_the_oldest_message_and_how_many_remain(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.exchange_declare("shop", "fanout")
    channel.queue_bind("orders", "shop")
    for number in range(3):
        channel.basic_publish("shop", "new", b"order %d" % number)
    method, properties, body = channel.basic_get("orders")
    assert method.NAME == "Basic.GetOk"
    assert (method.delivery_tag, method.redelivered) == (1, False)
    assert (method.exchange, method.routing_key) == ("shop", "new")
    assert method.message_count == 2
    assert properties == pika.BasicProperties()
    assert body == b"order 0"


def test_gets_answer_messages_in_order_with_falling_counts(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2", b"3")
    answers = [channel.basic_get("orders") for _ in range(3)]
    assert [(method.delivery_tag, method.message_count, body) for method, _, body in answers] == [
        (1, 2, b"1"),
        (2, 1, b"2"),
        (3, 0, b"3"),
    ]


def test_a_message_of_the_default_exchange_has_an_empty_exchange_name(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    assert (method.exchange, method.routing_key) == ("", "orders")


def test_getting_from_an_empty_queue_answers_nothing(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    assert channel.basic_get("orders") == (None, None, None)


def test_an_empty_body_is_not_an_empty_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"")
    method, properties, body = channel.basic_get("orders")
    assert (method.delivery_tag, properties, body) == (1, pika.BasicProperties(), b"")


def test_get_brings_the_properties(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    sent = pika.BasicProperties(content_type="text/plain", headers={"a": 1}, delivery_mode=2, message_id="m1")
    channel.basic_publish("", "orders", b"order", sent)
    _, properties, _ = channel.basic_get("orders")
    assert properties == sent


def test_an_unacknowledged_get_is_neither_ready_nor_counted(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    channel.basic_get("orders")
    assert channel.queue_declare("orders", passive=True).method.message_count == 1
    assert get_all(channel, "orders") == [b"2"]


@pytest.mark.parametrize(("auto_ack", "returned"), [(True, []), (False, [b"order"])])
def test_an_unacknowledged_get_returns_when_its_channel_closes(
    connection: pika.BlockingConnection, auto_ack: bool, returned: list[bytes]
) -> None:
    first, second = connection.channel(), connection.channel()
    first.queue_declare("orders")
    publish(connection, "orders", b"order")
    assert first.basic_get("orders", auto_ack=auto_ack)[2] == b"order"
    first.close()
    wait_until_ready(second, "orders", len(returned))
    assert get_all(second, "orders") == returned


def test_a_get_with_auto_ack_uses_up_a_delivery_tag_that_cannot_be_acknowledged(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    assert channel.basic_get("orders", auto_ack=True)[0].delivery_tag == 1
    assert channel.basic_get("orders")[0].delivery_tag == 2
    channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        channel.queue_declare("orders", passive=True)


def test_an_empty_get_uses_up_no_delivery_tag(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_get("orders")
    publish(channel.connection, "orders", b"order")
    assert channel.basic_get("orders")[0].delivery_tag == 1


def test_getting_from_a_missing_queue_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.basic_get("nope")
    assert channel.is_closed


def test_getting_from_another_connections_exclusive_queue_closes_the_channel(
    channel: BlockingChannel, connect: Callable[..., pika.BlockingConnection], vhost: str
) -> None:
    connect().channel().queue_declare("mine", exclusive=True)
    text = (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '{vhost}'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )
    with channel_closed(405, text):
        channel.basic_get("mine")


def test_the_empty_name_gets_from_the_queue_declared_last_on_this_channel(channel: BlockingChannel) -> None:
    channel.queue_declare("first")
    channel.queue_declare("second")
    publish(channel.connection, "first", b"1")
    publish(channel.connection, "second", b"2")
    method, _, body = channel.basic_get("")
    assert (method.routing_key, body) == ("second", b"2")


def test_a_passive_declare_also_makes_a_queue_the_last_declared_one(connection: pika.BlockingConnection) -> None:
    connection.channel().queue_declare("orders")
    publish(connection, "orders", b"order")
    channel = connection.channel()
    channel.queue_declare("orders", passive=True)
    assert channel.basic_get("")[2] == b"order"


def test_the_empty_name_without_a_declared_queue_closes_the_channel(connection: pika.BlockingConnection) -> None:
    connection.channel().queue_declare("orders")
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        connection.channel().basic_get("")


def test_the_empty_name_of_a_queue_deleted_since_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    with channel_closed(404, f"NOT_FOUND - no queue 'orders' in vhost '{vhost}'"):
        channel.basic_get("")


def test_a_waiting_consumer_leaves_nothing_to_get(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    consumer = Consumer(connection.channel(), "orders")
    publish(connection, "orders", b"order")
    assert channel.basic_get("orders") == (None, None, None)
    assert consumer.take(1) == [b"order"]


def test_get_takes_what_a_busy_consumer_leaves(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    consuming = connection.channel()
    consuming.basic_qos(prefetch_count=1)
    consumer = Consumer(consuming, "orders")
    publish(connection, "orders", b"1", b"2", b"3")
    method, _, body = channel.basic_get("orders")
    assert (body, method.message_count) == (b"2", 1)
    assert consumer.take(1) == [b"1"]
    consumer.ack()
    assert consumer.take(1) == [b"3"]


def test_get_is_allowed_beside_an_exclusive_consumer(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    consuming = connection.channel()
    consuming.basic_qos(prefetch_count=1)
    consuming.basic_consume("orders", lambda *_: None, exclusive=True)
    publish(connection, "orders", b"1", b"2")
    assert channel.basic_get("orders")[2] == b"2"


def test_a_get_does_not_count_as_a_consumer(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    channel.basic_get("orders")
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 0


def test_auto_delete_is_not_triggered_by_gets(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders", auto_delete=True)
    publish(connection, "orders", b"order")
    get(channel, "orders", 1)
    channel.close()
    wait_until_ready(other, "orders", 1)
    assert get_all(other, "orders") == [b"order"]


def test_getting_on_a_closed_channel_is_refused_by_pika(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.basic_get("orders")


@pytest.mark.parametrize("method", ["basic.get", "basic.consume", "queue.purge"])
def test_line_ends_are_not_removed_from_the_name(channel: BlockingChannel, vhost: str, method: str) -> None:
    calls: dict[str, Callable[[], object]] = {
        "basic.get": lambda: channel.basic_get("a\nb"),
        "basic.consume": lambda: channel.basic_consume("a\nb", lambda *_: None),
        "queue.purge": lambda: channel.queue_purge("a\nb"),
    }
    channel.queue_declare("ab")
    with channel_closed(404, f"NOT_FOUND - no queue 'a\nb' in vhost '{vhost}'"):
        calls[method]()
