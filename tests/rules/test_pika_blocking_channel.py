"""BlockingChannel as pika's users use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import publish, round_trip, settle
from tests.rules._helpers import get_all, wait_for


@pytest.fixture(autouse=True)
def hello(connection: pika.BlockingConnection) -> None:
    """An empty queue "hello"."""
    connection.channel().queue_declare("hello")


def test_a_with_block_closes_the_channel(connection: pika.BlockingConnection) -> None:
    with connection.channel() as channel:
        assert channel.is_open
    assert (channel.is_open, channel.is_closed) == (False, True)
    assert connection.is_open


def test_closing_a_closed_channel_is_refused(channel: BlockingChannel) -> None:
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.close()


@pytest.mark.parametrize(
    "action",
    [
        lambda channel: channel.queue_declare("hello"),
        lambda channel: channel.basic_publish("", "hello", b"1"),
        lambda channel: channel.basic_ack(1),
        lambda channel: channel.basic_consume("hello", print),
        lambda channel: channel.start_consuming(),
        lambda channel: next(channel.consume("hello")),
    ],
)
def test_a_closed_channel_refuses_everything(channel: BlockingChannel, action: Callable[..., Any]) -> None:
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        action(channel)


def test_a_channel_closed_by_rabbitmq_refuses_everything(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_declare("nope", passive=True)
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.queue_declare("hello")


def test_consumer_tags_lists_the_active_consumers(channel: BlockingChannel) -> None:
    tags = [channel.basic_consume("hello", lambda *_: None, consumer_tag=tag) for tag in ("a", "b")]
    assert (tags, sorted(channel.consumer_tags)) == (["a", "b"], ["a", "b"])
    channel.basic_cancel("a")
    assert channel.consumer_tags == ["b"]
    channel.stop_consuming()
    assert channel.consumer_tags == []


def test_start_consuming_without_consumers_returns(channel: BlockingChannel) -> None:
    channel.start_consuming()
    assert channel.is_open


def test_start_consuming_until_a_callback_stops_it(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1", b"2", b"3")
    received: list[bytes] = []

    def on_message(channel: BlockingChannel, method: pika.spec.Basic.Deliver, _: object, body: bytes) -> None:
        received.append(body)
        channel.basic_ack(method.delivery_tag)
        if body == b"2":
            channel.stop_consuming()

    channel.basic_consume("hello", on_message)
    channel.start_consuming()
    assert received == [b"1", b"2"]
    assert get_all(channel, "hello") == [b"3"]


def test_start_consuming_until_a_timer_stops_it(channel: BlockingChannel) -> None:
    channel.basic_consume("hello", lambda *_: None)
    channel.connection.call_later(0.05, channel.stop_consuming)
    channel.start_consuming()
    assert channel.consumer_tags == []


def test_start_consuming_raises_when_rabbitmq_closes_the_channel(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1")
    channel.basic_consume("hello", lambda channel, *_: channel.basic_ack(99))
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 99"):
        channel.start_consuming()


def test_start_consuming_may_not_be_nested(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1")
    channel.basic_consume("hello", lambda channel, *_: channel.start_consuming(), auto_ack=True)
    with pytest.raises(pika.exceptions.ReentrancyError):
        channel.start_consuming()


def test_an_exception_in_a_callback_leaves_start_consuming(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1", b"2")
    received: list[bytes] = []

    def on_message(_: BlockingChannel, __: object, ___: object, body: bytes) -> None:
        received.append(body)
        if body == b"1":
            raise KeyError("one")
        if body == b"3":
            channel.stop_consuming()

    channel.basic_consume("hello", on_message, auto_ack=True)
    with pytest.raises(KeyError, match="one"):
        channel.start_consuming()
    assert channel.is_open
    publish(channel.connection, "hello", b"3")
    channel.start_consuming()
    assert received == [b"1", b"2", b"3"]


def test_a_callback_may_publish_and_declare(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1")

    def on_message(channel: BlockingChannel, method: pika.spec.Basic.Deliver, _: object, body: bytes) -> None:
        channel.queue_declare("copies")
        channel.basic_publish("", "copies", body * 2)
        channel.basic_ack(method.delivery_tag)
        channel.stop_consuming()

    channel.basic_consume("hello", on_message)
    channel.start_consuming()
    assert get_all(channel, "copies") == [b"11"]


def test_consume_yields_messages_until_it_is_cancelled(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1", b"2", b"3")
    bodies = []
    for method, properties, body in channel.consume("hello"):
        assert (method.delivery_tag, properties) == (len(bodies) + 1, pika.BasicProperties())
        bodies.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(bodies) == 2:
            break
    assert channel.cancel() == 0
    assert bodies == [b"1", b"2"]
    answer = channel.basic_get("hello")
    assert (answer[2], answer[0].redelivered) == (b"3", True)


def test_consume_yields_nones_when_nothing_comes(channel: BlockingChannel) -> None:
    messages = channel.consume("hello", inactivity_timeout=0.05)
    assert [next(messages) for _ in range(2)] == [(None, None, None)] * 2
    publish(channel.connection, "hello", b"1")
    found = next(messages)
    while found == (None, None, None):
        found = next(messages)
    assert found[2] == b"1"
    assert next(messages) == (None, None, None)


def test_consume_counts_what_waits(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1", b"2", b"3")
    assert channel.get_waiting_message_count() == 0
    messages = channel.consume("hello", auto_ack=True)
    next(messages)
    round_trip(channel)
    assert channel.get_waiting_message_count() == 2
    next(messages)
    assert channel.get_waiting_message_count() == 1
    channel.cancel()
    assert channel.get_waiting_message_count() == 0


def test_consume_goes_on_where_it_was_left(channel: BlockingChannel) -> None:
    publish(channel.connection, "hello", b"1", b"2")
    assert next(channel.consume("hello"))[2] == b"1"
    assert next(channel.consume("hello"))[2] == b"2"
    assert channel.queue_declare("hello", passive=True).method.consumer_count == 1
    with pytest.raises(ValueError, match="different params"):
        next(channel.consume("hello", auto_ack=True))


def test_consume_of_a_missing_queue_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        next(channel.consume("nope"))


def test_cancel_without_consume_does_nothing(channel: BlockingChannel) -> None:
    assert channel.cancel() == 0


def test_returned_messages_go_to_the_callback(channel: BlockingChannel) -> None:
    returned: list[Any] = []
    channel.add_on_return_callback(lambda *arguments: returned.append(arguments))
    channel.basic_publish("", "nowhere", b"1", pika.BasicProperties(message_id="7"), mandatory=True)
    wait_for(channel.connection, lambda: bool(returned))
    given, method, properties, body = returned[0]
    assert given is channel
    assert (method.reply_code, method.reply_text, method.exchange, method.routing_key) == (
        312,
        "NO_ROUTE",
        "",
        "nowhere",
    )
    assert (properties.message_id, body) == ("7", b"1")


def test_a_confirmed_publish_that_is_returned_raises(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError) as caught:
        channel.basic_publish("", "nowhere", b"1", mandatory=True)
    (message,) = caught.value.messages
    assert (message.method.reply_text, message.body) == ("NO_ROUTE", b"1")
    channel.basic_publish("", "hello", b"2", mandatory=True)
    assert get_all(channel, "hello") == [b"2"]


def test_a_confirmed_publish_to_a_missing_exchange_raises(channel: BlockingChannel, vhost: str) -> None:
    channel.confirm_delivery()
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "", b"1")


def test_a_confirmed_publish_is_in_the_queue_when_it_returns(connection: pika.BlockingConnection) -> None:
    producing, other = connection.channel(), connection.channel()
    producing.confirm_delivery()
    for number in range(10):
        producing.basic_publish("", "hello", b"%d" % number)
        assert other.basic_get("hello", auto_ack=True)[2] == b"%d" % number


def test_the_cancel_callback_is_told_the_frame(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    frames: list[Any] = []
    channel.add_on_cancel_callback(frames.append)
    channel.basic_consume("hello", lambda *_: None, consumer_tag="worker")
    connection.channel().queue_delete("hello")
    wait_for(connection, lambda: bool(frames))
    assert isinstance(frames[0].method, pika.spec.Basic.Cancel)
    assert frames[0].method.consumer_tag == "worker"
    assert frames[0].channel_number == channel.channel_number


def test_messages_before_a_cancellation_are_dispatched_before_it(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    events: list[str] = []
    channel.add_on_cancel_callback(lambda _: events.append("cancelled"))
    channel.basic_consume("hello", lambda *arguments: events.append(arguments[3].decode()), auto_ack=True)
    publish(connection, "hello", b"1", b"2")
    connection.channel().queue_delete("hello")
    wait_for(connection, lambda: "cancelled" in events)
    assert events == ["1", "2", "cancelled"]


def test_a_request_is_answered_to_the_queue_it_names(
    connection: pika.BlockingConnection, connect: Callable[..., pika.BlockingConnection]
) -> None:
    serving, asking = connect().channel(), connection.channel()

    def answer(
        channel: BlockingChannel, method: pika.spec.Basic.Deliver, asked: pika.BasicProperties, _: bytes
    ) -> None:
        properties = pika.BasicProperties(correlation_id=asked.correlation_id)
        channel.basic_publish("", asked.reply_to, b"832040", properties)
        channel.basic_ack(method.delivery_tag)

    serving.basic_consume("hello", answer)
    answers = asking.queue_declare("", exclusive=True).method.queue
    received: dict[str, bytes] = {}

    def on_answer(_: BlockingChannel, __: object, properties: pika.BasicProperties, body: bytes) -> None:
        received[properties.correlation_id] = body

    asking.basic_consume(answers, on_answer, auto_ack=True)
    asking.basic_publish("", "hello", b"30", pika.BasicProperties(reply_to=answers, correlation_id="7"))
    round_trip(asking)
    settle(serving, "hello")
    round_trip(serving)
    wait_for(connection, lambda: bool(received))
    assert received == {"7": b"832040"}
