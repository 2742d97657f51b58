"""basic.publish: to which exchange, with which routing key, and what it refuses."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._publishing import get_one, message_count, round_trip


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def test_the_default_exchange_delivers_to_the_queue_that_the_routing_key_names(
    channel: BlockingChannel, queue: str
) -> None:
    channel.queue_declare("other")
    channel.basic_publish("", queue, b"order")
    assert get_all(channel, queue) == [b"order"]
    assert get_all(channel, "other") == []


def test_messages_keep_the_order_they_were_published_in(channel: BlockingChannel, queue: str) -> None:
    for number in range(50):
        channel.basic_publish("", queue, str(number).encode())
    assert get_all(channel, queue) == [str(number).encode() for number in range(50)]


def test_a_message_knows_the_exchange_and_routing_key_it_was_published_with(
    channel: BlockingChannel, queue: str
) -> None:
    channel.queue_bind(queue, "amq.direct", "new")
    channel.basic_publish("amq.direct", "new", b"order")
    channel.basic_publish("", queue, b"order")
    for exchange, routing_key in [("amq.direct", "new"), ("", queue)]:
        method, _, _ = get_one(channel, queue)
        assert (method.exchange, method.routing_key, method.redelivered) == (exchange, routing_key, False)


@pytest.mark.parametrize(
    "routing_key", ["", " ", "a.b.c", "ä", "a\0b", "k" * 255, "ä" * 127, b"\xff"], ids=lambda key: repr(key)[:10]
)
def test_any_routing_key_of_up_to_255_bytes_arrives_as_it_is(
    channel: BlockingChannel, queue: str, routing_key: Any
) -> None:
    channel.queue_bind(queue, "amq.fanout")
    channel.basic_publish("amq.fanout", routing_key, b"order")
    assert get_one(channel, queue)[0].routing_key == routing_key


def test_a_routing_key_and_an_exchange_may_be_bytes(channel: BlockingChannel, queue: str) -> None:
    channel.queue_bind(queue, "amq.direct", "new")
    channel.basic_publish(b"amq.direct", b"new", b"order")  # type: ignore[arg-type]
    method, _, _ = get_one(channel, queue)
    assert (method.exchange, method.routing_key) == ("amq.direct", "new")


def test_a_message_that_no_queue_is_bound_for_is_dropped(channel: BlockingChannel, queue: str) -> None:
    channel.queue_bind(queue, "amq.direct", "new")
    channel.basic_publish("amq.direct", "old", b"order")
    assert message_count(channel, queue) == 0


def test_the_default_exchange_drops_a_message_for_a_missing_queue(channel: BlockingChannel) -> None:
    channel.basic_publish("", "nope", b"order")
    assert channel.queue_declare("nope").method.message_count == 0


def test_publishing_to_a_missing_exchange_closes_the_channel_at_the_next_round_trip(
    channel: BlockingChannel, vhost: str
) -> None:
    channel.basic_publish("nope", "key", b"order")
    assert channel.is_open
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        round_trip(channel)
    assert channel.is_closed


def test_publishing_to_a_deleted_exchange_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("gone")
    channel.exchange_delete("gone")
    channel.basic_publish("gone", "key", b"order")
    with channel_closed(404, f"NOT_FOUND - no exchange 'gone' in vhost '{vhost}'"):
        round_trip(channel)


def test_publishing_to_an_internal_exchange_closes_the_channel_at_the_next_round_trip(
    channel: BlockingChannel, vhost: str
) -> None:
    channel.exchange_declare("hidden", internal=True)
    channel.basic_publish("hidden", "key", b"order")
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'hidden' in vhost '{vhost}'"):
        round_trip(channel)


def test_the_mandatory_flag_does_not_excuse_a_missing_exchange(channel: BlockingChannel, vhost: str) -> None:
    channel.basic_publish("nope", "key", b"order", mandatory=True)
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        round_trip(channel)


def test_a_refused_publish_drops_what_the_channel_publishes_after_it_and_keeps_what_it_published_before(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str, vhost: str
) -> None:
    channel.basic_publish("", queue, b"before")
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", queue, b"refused")
        channel.basic_publish("", queue, b"after")
        round_trip(channel)
    assert get_all(connection.channel(), queue) == [b"before"]


def test_a_refused_publish_leaves_the_other_channels_open(
    connection: pika.BlockingConnection, channel: BlockingChannel, queue: str, vhost: str
) -> None:
    other = connection.channel()
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", queue, b"refused")
        round_trip(channel)
    other.basic_publish("", queue, b"order")
    assert get_all(other, queue) == [b"order"]


def test_a_refusal_noticed_in_passing_makes_the_next_publish_fail_in_pika(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    other = connection.channel()
    channel.basic_publish("nope", "key", b"order")
    for _ in range(100):
        round_trip(other)
        if channel.is_closed:
            break
    with pytest.raises(pika.exceptions.ChannelWrongStateError, match=r"Channel is closed\."):
        channel.basic_publish("", "key", b"order")


def test_publishing_on_a_closed_channel_fails_in_pika(channel: BlockingChannel) -> None:
    channel.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError, match=r"Channel is closed\."):
        channel.basic_publish("", "key", b"order")


@pytest.mark.parametrize(
    ("exchange", "routing_key", "error"),
    [
        ("", None, AssertionError("A non-string value was supplied for self.routing_key")),
        ("", 5, AssertionError("A non-string value was supplied for self.routing_key")),
        (None, "orders", AssertionError("A non-string value was supplied for self.exchange")),
        ("", "k" * 256, pika.exceptions.ShortStringTooLong(b"k" * 256)),
        ("", "ä" * 128, pika.exceptions.ShortStringTooLong(("ä" * 128).encode())),
        ("x" * 256, "orders", pika.exceptions.ShortStringTooLong(b"x" * 256)),
    ],
    ids=["no key", "number as key", "no exchange", "long key", "long key of two-byte letters", "long exchange"],
)
def test_pika_refuses_a_name_that_is_no_short_string_and_sends_nothing(
    channel: BlockingChannel, queue: str, exchange: Any, routing_key: Any, error: Exception
) -> None:
    with pytest.raises(type(error)) as caught:
        channel.basic_publish(exchange, routing_key, b"order")
    assert caught.value.args == error.args
    channel.basic_publish("", queue, b"next")
    assert get_all(channel, queue) == [b"next"]


def test_a_name_of_255_bytes_is_looked_up_like_any_other(channel: BlockingChannel) -> None:
    name = "x" * 255
    channel.exchange_declare(name, "fanout")
    channel.queue_declare("q")
    channel.queue_bind("q", name)
    channel.basic_publish(name, "", b"order")
    assert get_one(channel, "q")[0].exchange == name


def test_queues_that_are_bound_share_nothing_but_the_content(channel: BlockingChannel) -> None:
    properties = pika.BasicProperties(headers={"list": [1], "table": {"a": 1}})
    for name in ("one", "two"):
        channel.queue_declare(name)
        channel.queue_bind(name, "amq.fanout")
    channel.basic_publish("amq.fanout", "", b"order", properties)
    _, first, _ = get_one(channel, "one")
    first.headers["list"].append(2)
    first.headers["table"]["b"] = 2
    first.headers["new"] = True
    first.content_type = "text/plain"
    _, second, _ = get_one(channel, "two")
    assert (second.headers, second.content_type) == ({"list": [1], "table": {"a": 1}}, None)


def test_a_publisher_may_reuse_its_properties_at_once(channel: BlockingChannel, queue: str) -> None:
    properties = pika.BasicProperties(headers={"list": [1], "table": {"a": 1}}, message_id="1")
    channel.basic_publish("", queue, b"order", properties)
    properties.headers["list"].append(2)
    properties.headers["table"]["b"] = 2
    properties.message_id = "2"
    channel.basic_publish("", queue, b"order", properties)
    _, first, _ = get_one(channel, queue)
    _, second, _ = get_one(channel, queue)
    assert (first.message_id, first.headers) == ("1", {"list": [1], "table": {"a": 1}})
    assert (second.message_id, second.headers) == ("2", {"list": [1, 2], "table": {"a": 1, "b": 2}})
