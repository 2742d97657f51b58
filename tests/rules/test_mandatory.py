"""basic.return: the mandatory flag of basic.publish."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._publishing import Arrivals, collect_returns, message_count, returned_so_far, round_trip


def test_a_mandatory_message_that_reaches_no_queue_comes_back(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("amq.direct", "nowhere", b"order", mandatory=True)
    ((method, _, body),) = returned_so_far(channel, returned)
    assert (method.reply_code, method.reply_text) == (312, "NO_ROUTE")
    assert (method.exchange, method.routing_key, body) == ("amq.direct", "nowhere", b"order")


def test_the_default_exchange_returns_a_mandatory_message_for_a_missing_queue(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"order", mandatory=True)
    ((method, _, _),) = returned_so_far(channel, returned)
    assert (method.exchange, method.routing_key) == ("", "nope")


def test_a_returned_message_has_all_its_properties(channel: BlockingChannel) -> None:
    properties = pika.BasicProperties(
        content_type="text/plain",
        content_encoding="utf-8",
        headers={"list": [1, "two"], "table": {"a": None}},
        delivery_mode=2,
        priority=3,
        correlation_id="c",
        reply_to="r",
        expiration="600000",
        message_id="m",
        timestamp=1600000000,
        type="t",
        user_id="guest",
        app_id="a",
        cluster_id="cl",
    )
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"order", properties, mandatory=True)
    assert returned_so_far(channel, returned)[0][1] == properties


def test_a_returned_message_has_no_properties_if_it_was_published_without(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"order", mandatory=True)
    assert returned_so_far(channel, returned)[0][1] == pika.BasicProperties()


@pytest.mark.parametrize("size", [0, 1, 131064, 131065, 400000])
def test_a_returned_message_has_its_body(channel: BlockingChannel, size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", body, mandatory=True)
    assert returned_so_far(channel, returned)[0][2] == body


def test_a_mandatory_message_that_reaches_a_queue_does_not_come_back(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    returned = collect_returns(channel)
    channel.basic_publish("", "orders", b"order", mandatory=True)
    assert returned_so_far(channel, returned) == []
    assert get_all(channel, "orders") == [b"order"]


def test_a_message_without_the_flag_does_not_come_back(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"dropped")
    channel.basic_publish("", "nope", b"order", mandatory=True)
    assert [body for _, _, body in returned_so_far(channel, returned)] == [b"order"]


@pytest.mark.parametrize("flag", [1, "yes"])
def test_any_true_value_sets_the_flag(channel: BlockingChannel, flag: Any) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"order", mandatory=flag)
    assert len(returned_so_far(channel, returned)) == 1


def test_a_binding_that_leads_to_an_exchange_without_queues_is_no_route(channel: BlockingChannel) -> None:
    channel.exchange_declare("source", "fanout")
    channel.exchange_declare("empty", "fanout")
    channel.exchange_bind("empty", "source")
    returned = collect_returns(channel)
    channel.basic_publish("source", "key", b"order", mandatory=True)
    ((method, _, _),) = returned_so_far(channel, returned)
    assert (method.reply_code, method.exchange, method.routing_key) == (312, "source", "key")


def test_a_message_with_one_route_and_many_dead_ends_does_not_come_back(channel: BlockingChannel) -> None:
    channel.exchange_declare("empty", "fanout")
    channel.exchange_bind("empty", "amq.fanout")
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.fanout")
    returned = collect_returns(channel)
    channel.basic_publish("amq.fanout", "key", b"order", mandatory=True)
    assert returned_so_far(channel, returned) == []


def test_a_route_through_the_alternate_exchange_counts(channel: BlockingChannel) -> None:
    channel.exchange_declare("alternate", "fanout")
    channel.exchange_declare("main", arguments={"alternate-exchange": "alternate"})
    channel.queue_declare("orders")
    returned = collect_returns(channel)
    channel.basic_publish("main", "first", b"order", mandatory=True)
    channel.queue_bind("orders", "alternate")
    channel.basic_publish("main", "second", b"order", mandatory=True)
    ((method, _, _),) = returned_so_far(channel, returned)
    assert (method.exchange, method.routing_key) == ("main", "first")
    assert message_count(channel, "orders") == 1


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_route_by_a_sender_selected_key_counts(channel: BlockingChannel, header: str) -> None:
    channel.queue_declare("orders")
    returned = collect_returns(channel)
    properties = pika.BasicProperties(headers={header: ["orders"]})
    channel.basic_publish("", "nope", b"order", properties, mandatory=True)
    assert returned_so_far(channel, returned) == []
    assert message_count(channel, "orders") == 1


def test_a_returned_message_has_its_cc_header_but_not_bcc(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    headers = {"CC": ["no one"], "BCC": ["nobody"], "x": 1}
    channel.basic_publish("", "nope", b"order", pika.BasicProperties(headers=headers), mandatory=True)
    assert returned_so_far(channel, returned)[0][1].headers == {"CC": ["no one"], "x": 1}


def test_a_consumer_that_is_busy_is_a_route(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("orders", lambda *_: None)
    returned = collect_returns(channel)
    for _ in range(3):
        channel.basic_publish("", "orders", b"order", mandatory=True)
    assert returned_so_far(channel, returned) == []


def test_an_unbound_queue_is_no_route_any_more(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.direct", "key")
    channel.queue_unbind("orders", "amq.direct", "key")
    returned = collect_returns(channel)
    channel.basic_publish("amq.direct", "key", b"order", mandatory=True)
    assert len(returned_so_far(channel, returned)) == 1


def test_messages_come_back_in_the_order_they_were_published_in(channel: BlockingChannel) -> None:
    returned = collect_returns(channel)
    for number in range(20):
        channel.basic_publish("", "nope", str(number).encode(), mandatory=True)
    assert [body for _, _, body in returned_so_far(channel, returned)] == [str(number).encode() for number in range(20)]


def test_messages_come_back_to_the_channel_that_published_them(connection: pika.BlockingConnection) -> None:
    channels = [connection.channel() for _ in range(3)]
    returned = [collect_returns(channel) for channel in channels]
    for number in (2, 0, 1, 0):
        channels[number].basic_publish("", "nope", str(number).encode(), mandatory=True)
    bodies = [
        [body for _, _, body in returned_so_far(channel, found)]
        for channel, found in zip(channels, returned, strict=True)
    ]
    assert bodies == [[b"0", b"0"], [b"1"], [b"2"]]


def test_a_message_comes_back_before_the_answer_to_a_later_method(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    channel.basic_publish("", "nope", b"order", mandatory=True)
    round_trip(channel)
    assert arrivals.log == [("return", "nope")]


def test_a_channel_without_a_return_callback_ignores_returns(channel: BlockingChannel) -> None:
    channel.basic_publish("", "nope", b"order", mandatory=True)
    round_trip(channel)
    channel.connection.process_data_events()
    assert channel.is_open


def test_with_confirms_a_returned_message_raises_unroutable_error(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError) as caught:
        channel.basic_publish("", "nope", b"order", pika.BasicProperties(message_id="1"), mandatory=True)
    (message,) = caught.value.messages
    assert (message.method.reply_code, message.method.reply_text) == (312, "NO_ROUTE")
    assert (message.method.exchange, message.method.routing_key) == ("", "nope")
    assert (message.properties.message_id, message.body) == ("1", b"order")


def test_after_unroutable_error_the_channel_goes_on(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nope", b"order", mandatory=True)
    channel.basic_publish("", "orders", b"order", mandatory=True)
    assert get_all(channel, "orders") == [b"order"]


def test_with_confirms_an_unroutable_message_without_the_flag_is_dropped_silently(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    returned = collect_returns(channel)
    channel.basic_publish("", "nope", b"order")
    assert returned_so_far(channel, returned) == []


def test_with_confirms_the_return_callback_is_called_too(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    returned = collect_returns(channel)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "nope", b"order", mandatory=True)
    assert [body for _, _, body in returned_so_far(channel, returned)] == [b"order"]
