"""x-expires: a queue that nobody uses is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all
from tests.rules._limits import Connect, LetTimePass, declare, publish, ready
from tests.rules._queues import missing

Use = Callable[[BlockingChannel], Any]


def exists(channel: BlockingChannel, queue: str = "orders") -> bool:
    """Ask by a passive declare on a channel of its own; this is a use of the queue."""
    asking = channel.connection.channel()
    try:
        asking.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code != 404:
            raise
        return False
    asking.close()
    return True


def test_a_queue_that_nobody_uses_is_deleted(channel: BlockingChannel, vhost: str, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=200)
    let_time_pass(0.7)
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_a_queue_without_x_expires_stays(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders")
    let_time_pass(0.7)
    assert exists(channel)


def test_a_queue_stays_until_its_time_is_over(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=2000)
    let_time_pass(1)
    assert exists(channel)


@pytest.mark.parametrize("flags", [{"durable": True}, {"exclusive": True}, {"auto_delete": True}])
def test_a_queue_of_any_flags_is_deleted(
    channel: BlockingChannel, let_time_pass: LetTimePass, flags: dict[str, bool]
) -> None:
    channel.queue_declare("orders", arguments={"x-expires": 200}, **flags)
    let_time_pass(0.7)
    assert not exists(channel)


def test_a_queue_is_deleted_with_its_messages(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=300)
    publish(channel, "orders", b"order")
    let_time_pass(0.8)
    declare(channel, "orders", expires=60000)
    assert get_all(channel, "orders") == []


def test_a_queue_is_deleted_with_its_bindings(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=300)
    channel.queue_bind("orders", "amq.fanout")
    let_time_pass(0.8)
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("amq.fanout", "", b"order", mandatory=True)


def redeclare(channel: BlockingChannel) -> None:
    declare(channel, "orders", expires=1000)


def declare_passively(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", passive=True)


def get(channel: BlockingChannel) -> None:
    channel.basic_get("orders")


def consume_and_cancel(channel: BlockingChannel) -> None:
    channel.basic_cancel(channel.basic_consume("orders", print))


def get_on_another_channel(channel: BlockingChannel) -> None:
    with channel.connection.channel() as other:
        other.basic_get("orders")


@pytest.mark.parametrize("use", [redeclare, declare_passively, get, consume_and_cancel, get_on_another_channel])
def test_a_use_renews_the_time(channel: BlockingChannel, let_time_pass: LetTimePass, use: Use) -> None:
    declare(channel, "orders", expires=1000)
    let_time_pass(0.6)
    use(channel)
    let_time_pass(0.6)
    assert exists(channel)


def test_getting_a_message_renews_the_time(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=1000)
    publish(channel, "orders", b"order")
    let_time_pass(0.6)
    assert channel.basic_get("orders")[2] == b"order"
    let_time_pass(0.6)
    assert exists(channel)


def publish_one(channel: BlockingChannel) -> None:
    publish(channel, "orders", b"another")


def bind(channel: BlockingChannel) -> None:
    channel.queue_bind("orders", "amq.fanout")


def unbind(channel: BlockingChannel) -> None:
    channel.queue_unbind("orders", "amq.fanout")


def purge(channel: BlockingChannel) -> None:
    channel.queue_purge("orders")


def declare_inequivalently(channel: BlockingChannel) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.connection.channel().queue_declare("orders")


@pytest.mark.parametrize("no_use", [publish_one, bind, unbind, purge, declare_inequivalently])
def test_what_is_no_use_does_not_renew_the_time(
    channel: BlockingChannel, let_time_pass: LetTimePass, no_use: Use
) -> None:
    declare(channel, "orders", expires=1000)
    let_time_pass(0.7)
    no_use(channel)
    let_time_pass(0.7)
    assert not exists(channel)


@pytest.mark.parametrize("settle", [BlockingChannel.basic_ack, BlockingChannel.basic_nack])
def test_settling_a_message_does_not_renew_the_time(
    channel: BlockingChannel, let_time_pass: LetTimePass, settle: Callable[..., None]
) -> None:
    declare(channel, "orders", expires=1000)
    publish(channel, "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    let_time_pass(0.7)
    settle(channel, method.delivery_tag)
    let_time_pass(0.7)
    assert not exists(channel)


def test_a_consumer_keeps_the_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=300)
    Consumer(channel, "orders")
    let_time_pass(0.8)
    assert exists(channel)


def test_the_time_starts_when_the_last_consumer_is_cancelled(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", expires=600)
    consumers = [Consumer(channel, "orders") for _ in range(2)]
    channel.basic_cancel(consumers[0].tag)
    let_time_pass(1)
    channel.basic_cancel(consumers[1].tag)
    assert exists(channel)
    let_time_pass(1.1)
    assert not exists(channel)


@pytest.mark.parametrize("close", ["channel", "connection"])
def test_the_time_starts_when_the_last_consumer_goes_with_its_channel(
    channel: BlockingChannel, connect: Connect, let_time_pass: LetTimePass, close: str
) -> None:
    consuming = connect().channel()
    declare(channel, "orders", expires=300)
    Consumer(consuming, "orders")
    let_time_pass(0.6)
    assert exists(channel)
    (consuming if close == "channel" else consuming.connection).close()
    let_time_pass(0.9)
    assert not exists(channel)


def test_a_consumer_of_another_queue_does_not_keep_it(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=300)
    declare(channel, "others")
    Consumer(channel, "others")
    let_time_pass(0.8)
    assert not exists(channel)


def test_an_unacked_message_does_not_keep_the_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=500)
    publish(channel, "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    let_time_pass(1)
    assert not exists(channel)
    channel.basic_ack(method.delivery_tag)
    declare(channel, "orders", expires=60000)
    assert ready(channel, "orders") == 0


def test_messages_are_not_dead_lettered_when_their_queue_expires(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "dead")
    declare(channel, "orders", expires=300, dead_letter_exchange="", dead_letter_routing_key="dead")
    publish(channel, "orders", b"order")
    let_time_pass(0.8)
    assert not exists(channel)
    assert ready(channel, "dead") == 0


def test_messages_may_expire_before_their_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=1500, message_ttl=100)
    publish(channel, "orders", b"order")
    let_time_pass(0.6)
    assert ready(channel, "orders") == 0


def test_a_deleted_queue_can_be_declared_otherwise(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", expires=200)
    let_time_pass(0.7)
    assert channel.queue_declare("orders", durable=True).method.queue == "orders"
