"""basic.consume and basic.deliver."""

from __future__ import annotations

import re
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import Consumer, publish, settle
from tests.rules._helpers import get_all, wait_for
from tests.rules._users import Connect, User, refused

spec = pika.spec


def raw_consume(channel: BlockingChannel, queue: str, **fields: Any) -> pika.spec.Basic.ConsumeOk:
    """basic.consume with fields that pika's method does not offer, such as no tag: the answer."""
    answers: list[Any] = []
    with channel._basic_consume_ok_result:
        channel._impl._rpc(spec.Basic.Consume(queue=queue, **fields), answers.append, [spec.Basic.ConsumeOk])
        channel._flush_output(lambda: bool(answers))
    return answers[0].method


def test_a_delivery_says_where_it_comes_from(channel: BlockingChannel) -> None:
    channel.exchange_declare("shop", "topic")
    channel.queue_declare("orders")
    channel.queue_bind("orders", "shop", "order.*")
    consumer = Consumer(channel, "orders", consumer_tag="worker")
    channel.basic_publish("shop", "order.new", b"order")
    assert consumer.take(1) == [b"order"]
    method = consumer.methods[0]
    assert method.NAME == "Basic.Deliver"
    assert (method.consumer_tag, method.delivery_tag, method.redelivered) == ("worker", 1, False)
    assert (method.exchange, method.routing_key) == ("shop", "order.new")


def test_a_delivery_brings_properties_and_an_empty_body(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    found: list[Any] = []
    channel.basic_consume("orders", lambda *arguments: found.append(arguments))
    sent = pika.BasicProperties(correlation_id="7", headers={"a": "b"}, delivery_mode=1)
    channel.basic_publish("", "orders", b"", sent)
    wait_for(channel.connection, lambda: bool(found))
    given_channel, _, properties, body = found[0]
    assert given_channel is channel
    assert (properties, body) == (sent, b"")


def test_pika_names_consumers_itself(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tag = channel.basic_consume("orders", lambda *_: None)
    assert re.fullmatch(rf"ctag{channel.channel_number}\.[0-9a-f]{{32}}", tag)


def test_rabbitmq_names_a_consumer_that_has_no_tag(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    tags = [raw_consume(channel, "orders").consumer_tag for _ in range(2)]
    assert all(re.fullmatch(r"amq\.ctag-[A-Za-z0-9_-]{22}", tag) for tag in tags)
    assert tags[0] != tags[1]


def test_consume_ok_repeats_the_tag(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    assert raw_consume(channel, "orders", consumer_tag="worker").consumer_tag == "worker"


def test_a_tag_may_start_with_the_reserved_prefix(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    assert channel.basic_consume("orders", lambda *_: None, consumer_tag="amq.mine") == "amq.mine"


def test_a_consumer_gets_the_backlog_in_order_and_then_what_comes(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2", b"3")
    consumer = Consumer(channel, "orders")
    assert consumer.take(3) == [b"1", b"2", b"3"]
    publish(channel.connection, "orders", b"4", b"5")
    assert consumer.take(2) == [b"4", b"5"]
    assert [method.delivery_tag for method in consumer.methods] == [1, 2, 3, 4, 5]


def test_consume_ok_comes_before_the_first_delivery(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    order: list[str] = []
    channel._impl.basic_consume(
        "orders", lambda *_: order.append("delivery"), callback=lambda _: order.append("consume-ok")
    )
    channel._flush_output(lambda: len(order) == 3)
    assert order == ["consume-ok", "delivery", "delivery"]


def test_an_unlimited_consumer_takes_the_whole_backlog(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", *[b"%d" % number for number in range(300)])
    consumer = Consumer(channel, "orders")
    assert consumer.take(300) == [b"%d" % number for number in range(300)]
    assert channel.queue_declare("orders", passive=True).method.message_count == 0


def test_a_declare_counts_consumers(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    assert channel.queue_declare("orders").method.consumer_count == 0
    tags = [channel.basic_consume("orders", lambda *_: None) for _ in range(2)]
    other.basic_consume("orders", lambda *_: None)
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 3
    channel.basic_cancel(tags[0])
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 2
    other.close()
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 1


def test_one_channel_consumes_from_several_queues(channel: BlockingChannel) -> None:
    consumers = {}
    for name in ("first", "second"):
        channel.queue_declare(name)
        consumers[name] = Consumer(channel, name, consumer_tag=f"of {name}")
    publish(channel.connection, "second", b"a")
    assert consumers["second"].take(1) == [b"a"]
    publish(channel.connection, "first", b"b")
    assert consumers["first"].take(1) == [b"b"]
    assert consumers["second"].methods[0].consumer_tag == "of second"
    assert consumers["second"].methods[0].delivery_tag == 1
    assert consumers["first"].methods[0].consumer_tag == "of first"
    assert consumers["first"].methods[0].delivery_tag == 2


def test_channels_of_one_connection_consume_independently(connection: pika.BlockingConnection) -> None:
    consumers = []
    for name in ("first", "second"):
        channel = connection.channel()
        channel.queue_declare(name)
        consumers.append(Consumer(channel, name, consumer_tag="worker"))
    publish(connection, "first", b"1")
    publish(connection, "second", b"2")
    assert [consumer.take(1) for consumer in consumers] == [[b"1"], [b"2"]]
    assert [consumer.methods[0].delivery_tag for consumer in consumers] == [1, 1]


def test_delivered_messages_wait_for_acknowledgement(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    publish(connection, "orders", b"1", b"2")
    consumer = Consumer(channel, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    channel.close()
    assert get_all(other, "orders") == [b"1", b"2"]


def test_auto_acked_messages_are_gone_when_delivered(connection: pika.BlockingConnection) -> None:
    channel, other = connection.channel(), connection.channel()
    channel.queue_declare("orders")
    publish(connection, "orders", b"1", b"2")
    consumer = Consumer(channel, "orders", auto_ack=True)
    assert consumer.take(2) == [b"1", b"2"]
    channel.close()
    assert get_all(other, "orders") == []


def test_an_auto_acked_delivery_cannot_be_acknowledged(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders", auto_ack=True)
    publish(channel.connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]
    channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        channel.queue_declare("orders", passive=True)


def test_consuming_a_missing_queue_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.basic_consume("nope", lambda *_: None)
    assert channel.is_closed
    assert channel.consumer_tags == []


def test_consuming_another_connections_exclusive_queue_closes_the_channel(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    connect().channel().queue_declare("mine", exclusive=True)
    text = (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '{vhost}'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )
    with channel_closed(405, text):
        channel.basic_consume("mine", lambda *_: None)


def test_every_channel_of_its_connection_may_consume_an_exclusive_queue(connection: pika.BlockingConnection) -> None:
    connection.channel().queue_declare("mine", exclusive=True)
    consumer = Consumer(connection.channel(), "mine")
    publish(connection, "mine", b"1")
    assert consumer.take(1) == [b"1"]


def test_the_empty_name_consumes_the_queue_declared_last_on_this_channel(channel: BlockingChannel) -> None:
    name = channel.queue_declare("").method.queue
    received: list[bytes] = []
    channel.basic_consume("", lambda _channel, _method, _properties, body: received.append(body))
    publish(channel.connection, name, b"1")
    wait_for(channel.connection, lambda: received == [b"1"])


def test_the_empty_name_without_a_declared_queue_closes_the_channel(channel: BlockingChannel) -> None:
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        channel.basic_consume("", lambda *_: None)


def test_pika_refuses_a_tag_in_use_on_the_channel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    with pytest.raises(pika.exceptions.DuplicateConsumerTag):
        channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 1


def test_rabbitmq_closes_the_connection_over_a_tag_in_use_on_the_channel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    with connection_closed(530, "NOT_ALLOWED - attempt to reuse consumer tag 'worker'"):
        raw_consume(channel, "orders", consumer_tag="worker")


def test_a_tag_in_use_is_noticed_before_a_missing_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    with connection_closed(530, "NOT_ALLOWED - attempt to reuse consumer tag 'worker'"):
        raw_consume(channel, "nope", consumer_tag="worker")


def test_an_empty_queue_name_that_means_nothing_is_noticed_before_a_tag_in_use(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.queue_declare("orders")
    other = connection.channel()
    other.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        raw_consume(other, "", consumer_tag="worker")


def test_a_tag_in_use_is_noticed_before_a_missing_permission(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    channel.queue_declare("mine")
    channel.queue_declare("secret")
    user = User(operator, connect, vhost)
    user.may(read="^mine$")
    limited = user.connect().channel()
    limited.basic_consume("mine", lambda *_: None, consumer_tag="worker")
    with connection_closed(530, "NOT_ALLOWED - attempt to reuse consumer tag 'worker'"):
        raw_consume(limited, "secret", consumer_tag="worker")


def test_a_missing_permission_is_noticed_before_a_missing_queue(
    connect: Connect, operator: Any, vhost: str, version: str
) -> None:
    user = User(operator, connect, vhost)
    user.may(read="^mine$")
    limited = user.connect().channel()
    with channel_closed(403, refused(version, "read", "queue 'nope'", vhost, user)):
        limited.basic_consume("nope", lambda *_: None)


def test_a_tag_is_free_again_after_cancel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    channel.basic_cancel("worker")
    consumer = Consumer(channel, "orders", consumer_tag="worker")
    publish(channel.connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_unknown_consumer_arguments_are_ignored(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders", arguments={"foo": 1, "x-bar": {"a": [True]}})
    publish(channel.connection, "orders", b"1")
    assert consumer.take(1) == [b"1"]


def test_no_local_is_ignored(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    raw_consume(channel, "orders", no_local=True, no_ack=True)
    publish(channel.connection, "orders", b"1")
    settle(channel, "orders")
    assert channel.queue_declare("orders", passive=True).method.message_count == 0


def test_a_consumer_without_a_consume_ok_consumes_too(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel._impl._send_method(spec.Basic.Consume(queue="orders", consumer_tag="worker", nowait=True))
    assert channel.queue_declare("orders", passive=True).method.consumer_count == 1


def test_a_body_of_several_frames_arrives_whole(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    body = bytes(range(256)) * 2000
    consumer = Consumer(channel, "orders")
    publish(channel.connection, "orders", body)
    assert consumer.take(1) == [body]


def test_consuming_on_a_closed_channel_is_refused_by_pika(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.basic_consume("orders", lambda *_: None)
