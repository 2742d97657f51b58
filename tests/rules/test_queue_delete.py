"""queue.delete."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, consumers, fill, locked, missing, ready


def in_use(vhost: str) -> str:
    return f"PRECONDITION_FAILED - queue 'orders' in vhost '{vhost}' in use"


def not_empty(vhost: str) -> str:
    return f"PRECONDITION_FAILED - queue 'orders' in vhost '{vhost}' not empty"


@pytest.mark.parametrize(
    "flags",
    [{}, {"durable": True}, {"exclusive": True}, {"auto_delete": True}, {"arguments": {"x-queue-type": "classic"}}],
)
def test_a_deleted_queue_is_gone(channel: BlockingChannel, vhost: str, flags: dict[str, Any]) -> None:
    channel.queue_declare("orders", **flags)
    channel.queue_delete("orders")
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


@pytest.mark.parametrize("count", [0, 3])
def test_delete_answers_how_many_ready_messages_went_with_the_queue(channel: BlockingChannel, count: int) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", count)
    assert channel.queue_delete("orders").method.message_count == count


def test_the_answer_leaves_out_messages_that_wait_for_their_ack(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    channel.basic_get("orders")
    assert channel.queue_delete("orders").method.message_count == 2


@pytest.mark.parametrize("flags", [{}, {"if_unused": True}, {"if_empty": True}, {"if_unused": True, "if_empty": True}])
def test_deleting_a_missing_queue_succeeds(channel: BlockingChannel, flags: dict[str, bool]) -> None:
    assert channel.queue_delete("nope", **flags).method.message_count == 0


@pytest.mark.parametrize("name", ["amq.gen-nope", "amq.nope", "ü"])
def test_deleting_a_missing_queue_succeeds_whatever_its_name(channel: BlockingChannel, name: str) -> None:
    assert channel.queue_delete(name).method.message_count == 0


def test_deleting_a_queue_twice_succeeds(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    assert [channel.queue_delete("orders").method.message_count for _ in range(2)] == [1, 0]


def test_a_queue_deleted_and_declared_again_is_empty(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    channel.queue_delete("orders")
    channel.queue_declare("orders")
    assert ready(channel, "orders") == 0


def test_a_queue_deleted_and_declared_again_may_have_other_flags(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    assert channel.queue_declare("orders", durable=True, auto_delete=True).method.queue == "orders"


def test_a_server_named_queue_can_be_deleted_by_its_name(channel: BlockingChannel, vhost: str) -> None:
    name = channel.queue_declare("").method.queue
    channel.queue_delete(name)
    with channel_closed(404, missing(name, vhost)):
        channel.queue_declare(name, passive=True)


def test_any_channel_and_connection_may_delete_a_queue(channel: BlockingChannel, connect: Connect, vhost: str) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    assert connect().channel().queue_delete("orders").method.message_count == 1
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_delete_if_unused_deletes_a_queue_without_consumers(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    assert channel.queue_delete("orders", if_unused=True).method.message_count == 2


def test_delete_if_unused_is_refused_while_there_is_a_consumer(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", print)
    with channel_closed(406, in_use(vhost)):
        connect().channel().queue_delete("orders", if_unused=True)
    assert consumers(channel, "orders") == 1


def test_delete_if_unused_is_refused_to_the_consumer_itself(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", print)
    with channel_closed(406, in_use(vhost)):
        channel.queue_delete("orders", if_unused=True)


def test_delete_if_unused_succeeds_after_the_last_cancel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", print, consumer_tag="one")
    channel.basic_cancel("one")
    assert channel.queue_delete("orders", if_unused=True).method.message_count == 0


def test_messages_that_wait_for_their_ack_do_not_make_a_queue_used(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    channel.basic_get("orders")
    assert channel.queue_delete("orders", if_unused=True).method.message_count == 0


def test_delete_if_empty_deletes_an_empty_queue(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    assert channel.queue_delete("orders", if_empty=True).method.message_count == 0
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_delete_if_empty_is_refused_while_there_are_messages(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    with channel_closed(406, not_empty(vhost)):
        channel.queue_delete("orders", if_empty=True)
    assert get_all(channel.connection.channel(), "orders") == [b"1", b"2"]


def test_a_queue_whose_messages_all_wait_for_their_ack_is_empty(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    channel.basic_get("orders")
    assert channel.queue_delete("orders", if_empty=True).method.message_count == 0
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_delete_if_empty_does_not_look_at_consumers(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.connection.channel().basic_consume("orders", print)
    channel.queue_delete("orders", if_empty=True)
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_delete_says_not_empty_before_in_use(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    fill(channel, "orders", 2)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    with channel_closed(406, not_empty(vhost)):
        channel.connection.channel().queue_delete("orders", if_unused=True, if_empty=True)


def test_delete_if_unused_and_if_empty_says_in_use_of_an_empty_queue(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", print)
    with channel_closed(406, in_use(vhost)):
        channel.queue_delete("orders", if_unused=True, if_empty=True)


@pytest.mark.parametrize("flags", [{}, {"if_unused": True}, {"if_empty": True}])
def test_deleting_an_exclusive_queue_of_another_connection_is_refused(
    channel: BlockingChannel, connect: Connect, vhost: str, flags: dict[str, bool]
) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.basic_consume("mine", print)
    fill(channel, "mine", 1)
    with channel_closed(405, locked("mine", vhost)):
        connect().channel().queue_delete("mine", **flags)


def test_deleting_a_queue_cancels_its_consumers(channel: BlockingChannel, connect: Connect) -> None:
    cancelled: list[Any] = []
    channel.queue_declare("orders")
    channel.add_on_cancel_callback(cancelled.append)
    for tag in ("one", "two"):
        channel.basic_consume("orders", print, consumer_tag=tag)
    connect().channel().queue_delete("orders")
    wait_for(channel.connection, lambda: len(cancelled) == 2)
    assert {each.method.consumer_tag for each in cancelled} == {"one", "two"}
    assert channel.consumer_tags == []


def test_deleting_a_queue_cancels_the_consumers_of_the_same_channel(channel: BlockingChannel) -> None:
    cancelled: list[Any] = []
    channel.queue_declare("orders")
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume("orders", print, consumer_tag="one")
    channel.queue_delete("orders")
    wait_for(channel.connection, lambda: [each.method.consumer_tag for each in cancelled] == ["one"])


def test_deleting_a_queue_leaves_consumers_of_other_queues_alone(channel: BlockingChannel) -> None:
    for queue in ("orders", "invoices"):
        channel.queue_declare(queue)
        consumer = Consumer(channel, queue)
    channel.queue_delete("orders")
    fill(channel, "invoices", 1)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])


def test_deleting_a_queue_ends_the_consume_generator(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    bodies = []
    for _, _, body in channel.consume("orders", auto_ack=True):
        bodies.append(body)
        connect().channel().queue_delete("orders")
    assert bodies == [b"1"]


def test_a_message_of_a_deleted_queue_can_be_acked(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    method, _, _ = channel.basic_get("orders")
    channel.queue_delete("orders")
    channel.basic_ack(method.delivery_tag)
    assert channel.queue_declare("orders").method.message_count == 0


def test_a_message_of_a_deleted_queue_is_not_requeued_into_a_new_one_of_its_name(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    method, _, _ = channel.basic_get("orders")
    channel.queue_delete("orders")
    channel.queue_declare("orders")
    channel.basic_nack(method.delivery_tag, requeue=True)
    channel.basic_recover(requeue=True)
    assert get_all(channel, "orders") == []


def test_deleting_a_queue_removes_its_bindings(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.fanout")
    channel.queue_delete("orders")
    channel.queue_declare("orders")
    channel.basic_publish("amq.fanout", "", b"unrouted")
    assert get_all(channel, "orders") == []


def test_deleting_a_queue_removes_its_default_binding(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "orders", b"unrouted", mandatory=True)


def test_deleting_a_queue_deletes_an_auto_delete_exchange_that_had_no_other_binding(
    channel: BlockingChannel, vhost: str
) -> None:
    channel.exchange_declare("news", auto_delete=True)
    channel.queue_declare("orders")
    channel.queue_bind("orders", "news", "key")
    channel.queue_delete("orders")
    with channel_closed(404, f"NOT_FOUND - no exchange 'news' in vhost '{vhost}'"):
        channel.exchange_declare("news", passive=True)


def test_deleting_a_queue_keeps_an_auto_delete_exchange_that_has_another_binding(channel: BlockingChannel) -> None:
    channel.exchange_declare("news", auto_delete=True)
    for queue in ("orders", "invoices"):
        channel.queue_declare(queue)
        channel.queue_bind(queue, "news", "key")
    channel.queue_delete("orders")
    channel.basic_publish("news", "key", b"hello")
    assert get_all(channel, "invoices") == [b"hello"]


def test_the_empty_name_deletes_the_queue_declared_last_on_the_channel(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    assert channel.queue_delete("").method.message_count == 2
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)
