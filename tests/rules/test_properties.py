"""The fourteen message properties, and what RabbitMQ and pika refuse in them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._publishing import Message, consume_one, get_one, round_trip

ALL = {
    "content_type": "application/json",
    "content_encoding": "gzip",
    "headers": {"a": 1},
    "delivery_mode": 2,
    "priority": 5,
    "correlation_id": "correlation",
    "reply_to": "replies",
    "expiration": "600000",
    "message_id": "message",
    "timestamp": 1600000000,
    "type": "order",
    "user_id": "guest",
    "app_id": "app",
    "cluster_id": "cluster",
}
FREE_STRINGS = [
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "message_id",
    "type",
    "app_id",
    "cluster_id",
]
STRINGS = [*FREE_STRINGS, "expiration", "user_id"]

Read = Callable[[BlockingChannel, str], Message]


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def publish(channel: BlockingChannel, queue: str, **properties: Any) -> None:
    channel.basic_publish("", queue, b"order", pika.BasicProperties(**properties))


def typed(properties: pika.BasicProperties) -> dict[str, tuple[Any, type]]:
    return {name: (value, type(value)) for name, value in vars(properties).items()}


@pytest.mark.parametrize("read", [get_one, consume_one])
class TestUnchanged:
    def test_all_properties_arrive(self, channel: BlockingChannel, queue: str, read: Read) -> None:
        publish(channel, queue, **ALL)
        assert typed(read(channel, queue)[1]) == typed(pika.BasicProperties(**ALL))

    @pytest.mark.parametrize("name", ALL)
    def test_a_property_arrives_alone(self, channel: BlockingChannel, queue: str, read: Read, name: str) -> None:
        publish(channel, queue, **{name: ALL[name]})
        assert typed(read(channel, queue)[1]) == typed(pika.BasicProperties(**{name: ALL[name]}))

    def test_absent_properties_are_none(self, channel: BlockingChannel, queue: str, read: Read) -> None:
        channel.basic_publish("", queue, b"order")
        assert set(vars(read(channel, queue)[1]).values()) == {None}


@pytest.mark.parametrize("name", FREE_STRINGS)
@pytest.mark.parametrize("value", ["", " ", "ä€", "a\0b", "x" * 255, "ä" * 127], ids=lambda value: repr(value)[:8])
def test_a_string_property_arrives_as_it_is(channel: BlockingChannel, queue: str, name: str, value: str) -> None:
    publish(channel, queue, **{name: value})
    assert getattr(get_one(channel, queue)[1], name) == value


def test_a_string_property_may_be_bytes(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, message_id=b"text", app_id=b"\xff")
    _, properties, _ = get_one(channel, queue)
    assert (properties.message_id, properties.app_id) == ("text", b"\xff")


@pytest.mark.parametrize("priority", [0, 1, 9, 10, 255])
def test_any_priority_of_one_byte_arrives(channel: BlockingChannel, queue: str, priority: int) -> None:
    publish(channel, queue, priority=priority)
    assert get_one(channel, queue)[1].priority == priority


@pytest.mark.parametrize("timestamp", [0, 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_any_timestamp_of_eight_bytes_arrives(channel: BlockingChannel, queue: str, timestamp: int) -> None:
    publish(channel, queue, timestamp=timestamp)
    assert get_one(channel, queue)[1].timestamp == timestamp


@pytest.mark.parametrize("delivery_mode", [1, 2])
def test_the_delivery_mode_arrives(channel: BlockingChannel, queue: str, delivery_mode: int) -> None:
    publish(channel, queue, delivery_mode=delivery_mode)
    assert get_one(channel, queue)[1].delivery_mode == delivery_mode


def test_pikas_delivery_modes_are_numbers(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, delivery_mode=pika.DeliveryMode.Persistent)
    publish(channel, queue, delivery_mode=pika.DeliveryMode.Transient)
    assert [get_one(channel, queue)[1].delivery_mode for _ in range(2)] == [2, 1]


@pytest.mark.only("4.0")
@pytest.mark.parametrize("delivery_mode", [0, 3, 255])
def test_an_unknown_delivery_mode_arrives(channel: BlockingChannel, queue: str, delivery_mode: int) -> None:
    publish(channel, queue, delivery_mode=delivery_mode)
    assert get_one(channel, queue)[1].delivery_mode == delivery_mode


@pytest.mark.only("3.10")
@pytest.mark.parametrize("delivery_mode", [0, 3, 255])
def test_an_unknown_delivery_mode_is_refused(channel: BlockingChannel, queue: str, delivery_mode: int) -> None:
    publish(channel, queue, delivery_mode=delivery_mode)
    with channel_closed(406, f"PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{delivery_mode}}}"):
        round_trip(channel)


class TestUserId:
    @pytest.mark.parametrize("user_id", ["someone", "Guest", "", " guest"])
    def test_it_must_be_the_name_of_the_user(self, channel: BlockingChannel, queue: str, user_id: str) -> None:
        publish(channel, queue, user_id=user_id)
        text = f"PRECONDITION_FAILED - user_id property set to '{user_id}' but authenticated user was 'guest'"
        with channel_closed(406, text):
            round_trip(channel)

    def test_another_user_must_give_its_own_name(
        self, connect: Callable[..., pika.BlockingConnection], operator: Any, queue: str, vhost: str
    ) -> None:
        name = f"sender-{vhost.strip('/')}"
        operator.add_user(name, "secret")
        operator.set_permissions(name, ".*", ".*", ".*", vhost=vhost)
        channel = connect(credentials=pika.PlainCredentials(name, "secret")).channel()
        publish(channel, queue, user_id=name)
        assert get_one(channel, queue)[1].user_id == name
        publish(channel, queue, user_id="guest")
        text = f"PRECONDITION_FAILED - user_id property set to 'guest' but authenticated user was '{name}'"
        with channel_closed(406, text):
            round_trip(channel)

    def test_an_impersonator_may_give_any_name(
        self, connect: Callable[..., pika.BlockingConnection], operator: Any, queue: str, vhost: str
    ) -> None:
        name = f"sender-{vhost.strip('/')}"
        operator.add_user(name, "secret", ("impersonator",))
        operator.set_permissions(name, ".*", ".*", ".*", vhost=vhost)
        channel = connect(credentials=pika.PlainCredentials(name, "secret")).channel()
        publish(channel, queue, user_id="nobody")
        assert get_one(channel, queue)[1].user_id == "nobody"


class TestOrderOfChecks:
    USER_ID = "user_id property set to 'x' but authenticated user was 'guest'"
    EXPIRATION = "invalid expiration 'x': no_integer"
    CC = 'invalid message: {unacceptable_type_in_header,"CC",longstr}'
    BCC = 'invalid message: {unacceptable_type_in_header,"BCC",longstr}'

    @pytest.mark.parametrize(
        ("properties", "texts"),
        [
            ({"user_id": "x", "expiration": "x"}, {"3.10": USER_ID, "4.0": EXPIRATION}),
            ({"user_id": "x", "headers": {"CC": "x"}}, {"3.10": USER_ID, "4.0": CC}),
            ({"user_id": "x", "expiration": "x", "headers": {"CC": "x"}}, {"3.10": USER_ID, "4.0": EXPIRATION}),
            ({"expiration": "x", "headers": {"CC": "x"}}, {"3.10": EXPIRATION, "4.0": EXPIRATION}),
            ({"headers": {"BCC": "x", "CC": "x"}}, {"3.10": CC, "4.0": CC}),
            ({"headers": {"BCC": "x"}}, {"3.10": BCC, "4.0": BCC}),
            ({"user_id": "x", "delivery_mode": 0}, {"3.10": USER_ID, "4.0": USER_ID}),
            ({"expiration": "x", "delivery_mode": 0}, {"3.10": EXPIRATION, "4.0": EXPIRATION}),
            ({"headers": {"CC": "x"}, "delivery_mode": 0}, {"3.10": CC, "4.0": CC}),
        ],
        ids=lambda value: "+".join(value) if "3.10" not in value else "",
    )
    def test_of_two_bad_properties_one_is_named(
        self, channel: BlockingChannel, queue: str, version: str, properties: dict[str, Any], texts: dict[str, str]
    ) -> None:
        publish(channel, queue, **properties)
        with channel_closed(406, f"PRECONDITION_FAILED - {texts[version]}"):
            round_trip(channel)

    @pytest.mark.parametrize(
        "properties",
        [{"user_id": "x"}, {"expiration": "x"}, {"headers": {"CC": "x"}}, {"delivery_mode": 0}],
        ids=lambda properties: next(iter(properties)),
    )
    @pytest.mark.parametrize(
        ("exchange", "code", "text"),
        [
            ("nope", 404, "NOT_FOUND - no exchange 'nope' in vhost '{}'"),
            ("hidden", 403, "ACCESS_REFUSED - cannot publish to internal exchange 'hidden' in vhost '{}'"),
        ],
    )
    def test_the_exchange_is_checked_before_the_properties(
        self, channel: BlockingChannel, vhost: str, exchange: str, code: int, text: str, properties: dict[str, Any]
    ) -> None:
        channel.exchange_declare("hidden", internal=True)
        channel.basic_publish(exchange, "key", b"order", pika.BasicProperties(**properties))
        with channel_closed(code, text.format(vhost)):
            round_trip(channel)

    @pytest.mark.parametrize(
        ("properties", "text"),
        [({"user_id": "x"}, USER_ID), ({"expiration": "x"}, EXPIRATION), ({"headers": {"CC": "x"}}, CC)],
        ids=["user_id", "expiration", "CC"],
    )
    def test_properties_are_checked_even_if_no_queue_gets_the_message(
        self, channel: BlockingChannel, properties: dict[str, Any], text: str
    ) -> None:
        publish(channel, "nope", **properties)
        with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
            round_trip(channel)


class TestRefusedByPika:
    @pytest.mark.parametrize("name", STRINGS)
    @pytest.mark.parametrize("value", [5, 1.5, True, bytearray(b"x"), ["x"]], ids=repr)
    def test_a_string_property_of_another_type(
        self, channel: BlockingChannel, queue: str, name: str, value: Any
    ) -> None:
        with pytest.raises(AssertionError, match=f"A non-string value was supplied for self.{name}"):
            publish(channel, queue, **{name: value})
        assert get_all(channel, queue) == []

    @pytest.mark.parametrize("name", STRINGS)
    @pytest.mark.parametrize("value", ["x" * 256, "ä" * 128], ids=["256 bytes", "128 two-byte letters"])
    def test_a_string_property_above_255_bytes(
        self, channel: BlockingChannel, queue: str, name: str, value: str
    ) -> None:
        with pytest.raises(pika.exceptions.ShortStringTooLong) as caught:
            publish(channel, queue, **{name: value})
        assert caught.value.args == (value.encode(),)
        assert get_all(channel, queue) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *[(name, value) for name in ("priority", "delivery_mode") for value in (-1, 256, "1", 1.0)],
            *[("timestamp", value) for value in (-1, 2**64, "1", 1.0)],
        ],
    )
    def test_a_number_that_does_not_fit(self, channel: BlockingChannel, queue: str, name: str, value: Any) -> None:
        with pytest.raises(struct.error):
            publish(channel, queue, **{name: value})
        assert get_all(channel, queue) == []

    def test_text_that_is_no_unicode(self, channel: BlockingChannel, queue: str) -> None:
        with pytest.raises(UnicodeEncodeError):
            publish(channel, queue, message_id="\ud800")
        assert get_all(channel, queue) == []

    def test_a_dict_instead_of_properties(self, channel: BlockingChannel, queue: str) -> None:
        with pytest.raises(AttributeError, match="'dict' object has no attribute 'encode'"):
            channel.basic_publish("", queue, b"order", {"content_type": "text/plain"})  # type: ignore[arg-type]
        assert get_all(channel, queue) == []
