"""queue.purge."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, fill, locked, missing, ready, wait_until_ready


def test_purge_answers_how_many_ready_messages_it_removed(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    for _ in range(3):
        channel.basic_publish("", "orders", b"order")
    assert channel.queue_purge("orders").method.message_count == 3
    assert channel.queue_declare("orders", passive=True).method.message_count == 0


def test_purging_a_missing_queue_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, missing("nope", vhost)):
        channel.queue_purge("nope")


@pytest.mark.parametrize("flags", [{}, {"durable": True}, {"exclusive": True}, {"auto_delete": True}])
def test_purging_an_empty_queue_removes_nothing(channel: BlockingChannel, flags: dict[str, Any]) -> None:
    channel.queue_declare("orders", **flags)
    assert channel.queue_purge("orders").method.message_count == 0


def test_purge_leaves_the_messages_that_wait_for_their_ack(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    method, _, _ = channel.basic_get("orders")
    assert channel.queue_purge("orders").method.message_count == 2
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"1"]


def test_a_message_that_was_unacked_during_a_purge_can_be_acked(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    method, _, _ = channel.basic_get("orders")
    channel.queue_purge("orders")
    channel.basic_ack(method.delivery_tag)
    channel.basic_recover(requeue=True)
    assert get_all(channel, "orders") == []


def test_purge_removes_requeued_messages(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until_ready(channel, "orders", 3)
    assert channel.queue_purge("orders").method.message_count == 3


def test_purge_removes_persistent_messages_too(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", durable=True)
    channel.basic_publish("", "orders", b"order", pika.BasicProperties(delivery_mode=2))
    assert channel.queue_purge("orders").method.message_count == 1
    assert get_all(channel, "orders") == []


def test_purge_leaves_other_queues_alone(channel: BlockingChannel) -> None:
    for queue in ("orders", "invoices"):
        channel.queue_declare(queue)
        fill(channel, queue, 2)
    channel.queue_purge("orders")
    assert (ready(channel, "orders"), ready(channel, "invoices")) == (0, 2)


def test_purge_leaves_bindings_and_consumers_alone(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.fanout")
    consumer = Consumer(channel, "orders", auto_ack=True)
    channel.queue_purge("orders")
    channel.basic_publish("amq.fanout", "", b"after")
    wait_for(channel.connection, lambda: consumer.bodies == [b"after"])


def test_a_purge_removes_what_a_consumer_at_its_limit_has_not_got(channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    channel.queue_declare("orders")
    fill(channel, "orders", 5)
    consumer = Consumer(channel, "orders")
    wait_for(channel.connection, lambda: len(consumer.bodies) == 2)
    assert channel.queue_purge("orders").method.message_count == 3
    channel.basic_ack(0, multiple=True)
    fill(channel, "orders", 1)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2", b"1"])


def test_a_purged_queue_takes_new_messages(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    channel.queue_purge("orders")
    channel.basic_publish("", "orders", b"new")
    assert get_all(channel, "orders") == [b"new"]


def test_another_connection_may_purge_a_queue_that_is_not_exclusive(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    assert connect().channel().queue_purge("orders").method.message_count == 2


def test_purging_an_exclusive_queue_of_another_connection_is_refused(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("mine", exclusive=True)
    fill(channel, "mine", 2)
    with channel_closed(405, locked("mine", vhost)):
        connect().channel().queue_purge("mine")
    assert ready(channel, "mine") == 2


def test_the_empty_name_purges_the_queue_declared_last_on_the_channel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    assert channel.queue_purge("").method.message_count == 2


def test_the_empty_name_is_refused_before_the_channel_has_declared_a_queue(channel: BlockingChannel) -> None:
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        channel.queue_purge("")
