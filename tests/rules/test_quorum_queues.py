"""Quorum queues, as far as they differ from classic ones without any other argument."""

from __future__ import annotations

import itertools
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, consumers, fill, missing, wait_until_ready

QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    """The name of a new quorum queue."""
    channel.queue_declare("orders", durable=True, arguments=QUORUM)
    return "orders"


def get(channel: BlockingChannel, queue: str) -> tuple[bytes, bool, Any]:
    """Get a message: its body, redelivered flag and x-delivery-count header."""
    method, properties, body = channel.basic_get(queue)
    return body, method.redelivered, (properties.headers or {}).get("x-delivery-count")


def test_a_quorum_queue_is_declared_empty(channel: BlockingChannel) -> None:
    answer = channel.queue_declare("orders", durable=True, arguments=QUORUM).method
    assert (answer.queue, answer.message_count, answer.consumer_count) == ("orders", 0, 0)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({}, "non-durable"),
        ({"durable": True, "auto_delete": True}, "auto-delete"),
        ({"durable": True, "exclusive": True}, "exclusive-owner"),
        ({"auto_delete": True}, "auto-delete"),
        ({"exclusive": True}, "exclusive-owner"),
        ({"exclusive": True, "auto_delete": True}, "auto-delete"),
        ({"durable": True, "exclusive": True, "auto_delete": True}, "auto-delete"),
    ],
)
def test_flags_that_a_quorum_queue_cannot_have_are_refused(
    channel: BlockingChannel, vhost: str, flags: dict[str, bool], why: str
) -> None:
    with channel_closed(406, f"PRECONDITION_FAILED - invalid property '{why}' for queue 'orders' in vhost '{vhost}'"):
        channel.queue_declare("orders", arguments=QUORUM, **flags)


@pytest.mark.parametrize("flags", [{"durable": True}, {}, {"exclusive": True}, {"auto_delete": True}])
def test_a_quorum_queue_cannot_be_named_by_the_server(channel: BlockingChannel, flags: dict[str, bool]) -> None:
    text = "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"
    with channel_closed(406, text):
        channel.queue_declare("", arguments=QUORUM, **flags)


def test_a_refused_quorum_queue_does_not_exist(channel: BlockingChannel, vhost: str) -> None:
    text = f"PRECONDITION_FAILED - invalid property 'non-durable' for queue 'orders' in vhost '{vhost}'"
    with channel_closed(406, text):
        channel.queue_declare("orders", arguments=QUORUM)
    with channel_closed(404, missing("orders", vhost)):
        channel.connection.channel().queue_declare("orders", passive=True)


def test_messages_come_out_in_order(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 5)
    assert get_all(channel, queue) == [b"1", b"2", b"3", b"4", b"5"]


def test_a_get_tells_how_many_messages_remain(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 3)
    assert [channel.basic_get(queue)[0].message_count for _ in range(3)] == [2, 1, 0]
    assert channel.basic_get(queue) == (None, None, None)


def test_declare_answers_with_the_number_of_ready_messages(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 3)
    wait_until_ready(channel, queue, 3)
    channel.basic_get(queue)
    wait_until_ready(channel, queue, 2)


def test_a_consumer_gets_old_and_new_messages(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 2)
    consumer = Consumer(channel, queue)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2"])
    channel.basic_publish("", queue, b"new")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2", b"new"])


def test_declare_answers_with_the_number_of_consumers(channel: BlockingChannel, queue: str) -> None:
    channel.basic_consume(queue, print)
    channel.basic_consume(queue, print, consumer_tag="two")
    assert consumers(channel, queue) == 2
    channel.basic_cancel("two")
    assert consumers(channel, queue) == 1


def test_prefetch_holds_back_messages_until_an_ack(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 3)
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, queue)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    wait_until_ready(channel, queue, 2)
    consumer.ack()
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2"])


def test_acked_messages_do_not_return(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    fill(channel, queue, 3)
    theirs = connect().channel()
    tags = [theirs.basic_get(queue)[0].delivery_tag for _ in range(3)]
    theirs.basic_ack(tags[1], multiple=True)
    theirs.close()
    wait_until_ready(channel, queue, 1)
    assert get_all(channel, queue) == [b"3"]


def test_rejected_messages_are_gone(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    fill(channel, queue, 2)
    theirs = connect().channel()
    theirs.basic_reject(theirs.basic_get(queue)[0].delivery_tag, requeue=False)
    theirs.close()
    assert get_all(channel, queue) == [b"2"]


def test_the_delivery_count_of_a_first_delivery(channel: BlockingChannel, queue: str, version: str) -> None:
    fill(channel, queue, 1)
    assert get(channel, queue) == (b"1", False, {"3.10": 0, "4.0": None}[version])


@pytest.mark.parametrize(
    ("headers", "first", "second"),
    [
        (None, {"3.10": {"x-delivery-count": 0}, "4.0": None}, {"x-delivery-count": 1}),
        ({}, {"3.10": {"x-delivery-count": 0}, "4.0": {}}, {"x-delivery-count": 1}),
        (
            {"own": "header"},
            {"3.10": {"own": "header", "x-delivery-count": 0}, "4.0": {"own": "header"}},
            {"own": "header", "x-delivery-count": 1},
        ),
        (
            {"x-delivery-count": 7},
            {"3.10": {"x-delivery-count": 0}, "4.0": {"x-delivery-count": 7}},
            {"x-delivery-count": 1},
        ),
    ],
)
def test_the_delivery_count_joins_the_headers_of_the_publisher(
    channel: BlockingChannel, queue: str, version: str, headers: Any, first: Any, second: Any
) -> None:
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"order", pika.BasicProperties(headers=headers))
    method, properties, _ = channel.basic_get(queue)
    assert properties.headers == first[version]
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 1)
    assert channel.basic_get(queue)[1].headers == second


def test_the_delivery_count_of_a_first_delivery_to_a_consumer_is_not_told(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 1)
    (message,) = itertools.islice(channel.consume(queue), 1)
    assert message[1].headers is None


@pytest.mark.parametrize("headers", [{"z": 1, "a": 1}, {"x-delivery-zzz": 1, "x-delivery-aaa": 1}])
def test_headers_are_sorted_where_the_delivery_count_joins_them(
    channel: BlockingChannel, queue: str, headers: dict[str, Any]
) -> None:
    channel.basic_publish("", queue, b"order", pika.BasicProperties(headers=headers))
    wait_until_ready(channel, queue, 1)
    channel.basic_nack(channel.basic_get(queue)[0].delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 1)
    assert list(channel.basic_get(queue)[1].headers) == sorted([*headers, "x-delivery-count"])


@pytest.mark.parametrize("way", ["nack", "reject", "recover"])
def test_the_delivery_count_counts_returns(channel: BlockingChannel, queue: str, way: str) -> None:
    fill(channel, queue, 1)
    for _ in range(3):
        method, _, _ = channel.basic_get(queue)
        {
            "nack": lambda tag: channel.basic_nack(tag, requeue=True),
            "reject": lambda tag: channel.basic_reject(tag, requeue=True),
            "recover": lambda _: channel.basic_recover(requeue=True),
        }[way](method.delivery_tag)
        wait_until_ready(channel, queue, 1)
    assert get(channel, queue) == (b"1", True, 3)


@pytest.mark.parametrize("use", ["get", "consume"])
def test_the_delivery_count_counts_a_closed_channel(
    channel: BlockingChannel, connect: Connect, queue: str, use: str
) -> None:
    fill(channel, queue, 1)
    theirs = connect().channel()
    if use == "get":
        theirs.basic_get(queue)
    else:
        consumer = Consumer(theirs, queue)
        wait_for(theirs.connection, lambda: consumer.bodies == [b"1"])
    theirs.close()
    wait_until_ready(channel, queue, 1)
    assert get(channel, queue) == (b"1", True, 1)


def test_returned_messages_go_to_the_back_in_3_10_and_to_the_front_in_4_0(
    channel: BlockingChannel, queue: str, version: str
) -> None:
    fill(channel, queue, 4)
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(2)]
    for tag in reversed(tags):
        channel.basic_nack(tag, requeue=True)
    wait_until_ready(channel, queue, 4)
    expected = {"3.10": [b"3", b"4", b"2", b"1"], "4.0": [b"2", b"1", b"3", b"4"]}[version]
    assert get_all(channel, queue) == expected


@pytest.mark.parametrize("end", ["channel", "connection", "error"])
@pytest.mark.parametrize("use", ["get", "consume"])
def test_messages_of_a_closed_channel_return_to_the_front(
    channel: BlockingChannel, connect: Connect, vhost: str, queue: str, use: str, end: str
) -> None:
    fill(channel, queue, 4)
    theirs = connect().channel()
    if use == "get":
        for _ in range(2):
            theirs.basic_get(queue)
    else:
        theirs.basic_qos(prefetch_count=2)
        consumer = Consumer(theirs, queue)
        wait_for(theirs.connection, lambda: len(consumer.bodies) == 2)
    if end == "error":
        with channel_closed(404, missing("nope", vhost)):
            theirs.queue_purge("nope")
    elif end == "channel":
        theirs.close()
    else:
        theirs.connection.close()
    wait_until_ready(channel, queue, 4)
    assert get_all(channel, queue) == [b"1", b"2", b"3", b"4"]


def test_messages_returned_together_return_in_their_order(channel: BlockingChannel, queue: str, version: str) -> None:
    fill(channel, queue, 4)
    tags = [channel.basic_get(queue)[0].delivery_tag for _ in range(3)]
    channel.basic_nack(tags[1], multiple=True, requeue=True)
    wait_until_ready(channel, queue, 3)
    expected = {"3.10": [b"4", b"1", b"2"], "4.0": [b"1", b"2", b"4"]}[version]
    assert get_all(channel, queue) == expected


def test_a_cancelled_consumer_keeps_its_messages(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 1)
    consumer = Consumer(channel, queue)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    channel.basic_cancel(consumer.tag)
    assert channel.basic_get(queue) == (None, None, None)
    channel.basic_nack(consumer.methods[0].delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 1)


def test_purge_answers_how_many_ready_messages_it_removed(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 3)
    method, _, _ = channel.basic_get(queue)
    assert channel.queue_purge(queue).method.message_count == 2
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 1)


def test_delete_answers_how_many_messages_went_with_the_queue(channel: BlockingChannel, queue: str, vhost: str) -> None:
    fill(channel, queue, 3)
    wait_until_ready(channel, queue, 3)
    assert channel.queue_delete(queue).method.message_count == 3
    with channel_closed(404, missing(queue, vhost)):
        channel.queue_declare(queue, passive=True)


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ({"if_unused": True}, "if-unused"),
        ({"if_empty": True}, "if-empty"),
        ({"if_unused": True, "if_empty": True}, "if-unused"),
    ],
)
def test_a_conditional_delete_is_not_implemented(
    channel: BlockingChannel, queue: str, vhost: str, flags: dict[str, bool], flag: str
) -> None:
    text = (
        f"NOT_IMPLEMENTED - cannot delete queue 'orders' in vhost '{vhost}'. "
        f"queue.delete operations with {flag} flag set are not supported by quorum queues"
    )
    with connection_closed(540, text):
        channel.queue_delete(queue, **flags)


def test_deleting_a_quorum_queue_cancels_its_consumers(channel: BlockingChannel, queue: str) -> None:
    cancelled: list[Any] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_consume(queue, print, consumer_tag="one")
    channel.connection.channel().queue_delete(queue)
    wait_for(channel.connection, lambda: [each.method.consumer_tag for each in cancelled] == ["one"])


def test_a_consumer_under_a_global_limit_is_not_implemented(channel: BlockingChannel, queue: str, vhost: str) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    text = f"NOT_IMPLEMENTED - queue 'orders' in vhost '{vhost}' does not support global qos"
    with connection_closed(540, text):
        channel.basic_consume(queue, print)


def test_a_get_under_a_global_limit_is_allowed(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    fill(channel, queue, 2)
    assert [channel.basic_get(queue)[2] for _ in range(2)] == [b"1", b"2"]


def test_a_global_limit_that_was_lifted_again_does_not_matter(channel: BlockingChannel, queue: str) -> None:
    channel.basic_qos(prefetch_count=1, global_qos=True)
    channel.basic_qos(prefetch_count=0, global_qos=True)
    channel.basic_consume(queue, print)
    assert consumers(channel, queue) == 1


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_a_quorum_queue_does_not_heed_exclusive_consumers(
    channel: BlockingChannel, connect: Connect, queue: str, first: bool, second: bool
) -> None:
    channel.basic_consume(queue, print, exclusive=first)
    connect().channel().basic_consume(queue, print, exclusive=second)
    assert consumers(channel, queue) == 2


def test_publishing_is_confirmed(channel: BlockingChannel, queue: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"order", mandatory=True)
    assert get_all(channel, queue) == [b"order"]


def test_bindings_lead_to_a_quorum_queue(channel: BlockingChannel, queue: str) -> None:
    channel.queue_bind(queue, "amq.topic", "a.*")
    channel.confirm_delivery()
    channel.basic_publish("amq.topic", "a.b", b"bound", mandatory=True)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("amq.topic", "b", b"unbound", mandatory=True)
    assert get_all(channel, queue) == [b"bound"]


def test_a_committed_transaction_is_published(channel: BlockingChannel, queue: str) -> None:
    channel.tx_select()
    channel.basic_publish("", queue, b"order")
    channel.tx_commit()
    assert channel.basic_get(queue, auto_ack=True)[2] == b"order"


def test_an_unknown_delivery_tag_closes_the_channel(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 1)
    channel.basic_get(queue)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 5"):
        channel.basic_ack(5)
        channel.queue_declare(queue, passive=True)


def test_a_redeclared_quorum_queue_answers_with_its_counts(channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, 2)
    wait_until_ready(channel, queue, 2)
    channel.basic_consume(queue, print, consumer_tag="one")
    answer = channel.queue_declare(queue, durable=True, arguments=QUORUM).method
    assert answer.consumer_count == 1
