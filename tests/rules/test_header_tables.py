"""The headers property: which values arrive, and as what."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import connection_closed
from tests.rules._helpers import get_all
from tests.rules._publishing import (
    PIKA,
    Message,
    collect_returns,
    consume_one,
    get_one,
    returned_so_far,
    round_trip,
)
from tests.target import FakeTarget, Target

Read = Callable[[BlockingChannel, str], Message]


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def publish(channel: BlockingChannel, queue: str, headers: Any) -> None:
    channel.basic_publish("", queue, b"order", pika.BasicProperties(headers=headers))


def typed(value: Any) -> Any:
    """The value with all its types: 1, True and long(1) differ."""
    if isinstance(value, dict):
        return (dict, {key: typed(each) for key, each in value.items()})
    if isinstance(value, list):
        return (list, [typed(each) for each in value])
    return (type(value), str(value), value)


def moment(*fields: int) -> datetime:
    """A time in UTC, as pika decodes it: 1.3 without a time zone."""
    return datetime(*fields, tzinfo=None if PIKA == "1.3" else timezone.utc)


SAME = [
    True,
    False,
    0,
    1,
    -1,
    127,
    128,
    -128,
    255,
    32768,
    65536,
    2**31 - 1,
    -(2**31),
    long(0),
    long(5),
    long(2**63 - 1),
    Decimal("3.14"),
    Decimal("-3.14"),
    Decimal("0"),
    Decimal("0.001"),
    Decimal("1E-255"),
    Decimal(2**31 - 1),
    "",
    "text",
    "ä€\U0001f600",
    "a\0b",
    "x" * 1000,
    b"",
    b"bytes",
    b"\xff\0",
    b"x" * 1000,
    None,
    {},
    {"a": 1, "b": {"c": {"d": True}}},
    [],
    [1, "a", b"b", None, True, Decimal("1.5"), long(6)],
    [[1], [], [["x"]]],
    [{"a": 1}, {}],
    {"list": [{"list": [1]}]},
]
CHANGED = [
    (2**31, long(2**31)),
    (2**63 - 1, long(2**63 - 1)),
    ([2**40, {"a": 2**40}], [long(2**40), {"a": long(2**40)}]),
    (Decimal("1.50"), Decimal("1.5")),
    (Decimal("1E+2"), Decimal("100")),
    (datetime(2020, 1, 2, 3, 4, 5, 678), moment(2020, 1, 2, 3, 4, 5)),
    (datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc), moment(2020, 1, 2, 3, 4, 5)),
    (datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))), moment(2020, 1, 2, 1, 4, 5)),
    (datetime(1970, 1, 1), moment(1970, 1, 1)),
    ([datetime(2020, 1, 2)], [moment(2020, 1, 2)]),
]


@pytest.mark.parametrize("read", [get_one, consume_one])
class TestValues:
    @pytest.mark.parametrize("value", SAME, ids=lambda value: repr(value)[:20])
    def test_a_value_arrives_as_it_is(self, channel: BlockingChannel, queue: str, read: Read, value: Any) -> None:
        publish(channel, queue, {"key": value})
        assert typed(read(channel, queue)[1].headers) == typed({"key": value})

    @pytest.mark.filterwarnings("ignore:.*utcfromtimestamp:DeprecationWarning")
    @pytest.mark.parametrize(("value", "expected"), CHANGED, ids=lambda value: repr(value)[:30])
    def test_a_value_arrives_as_pika_decodes_it(
        self, channel: BlockingChannel, queue: str, read: Read, value: Any, expected: Any
    ) -> None:
        publish(channel, queue, {"key": value})
        assert typed(read(channel, queue)[1].headers) == typed({"key": expected})

    @pytest.mark.parametrize("value", [-(2**31) - 1, -(2**63), long(-5)])
    def test_a_negative_integer_of_64_bits_arrives_as_such_but_for_a_bug_of_pika_1_3(
        self, target: Target, channel: BlockingChannel, queue: str, read: Read, version: str, value: int
    ) -> None:
        if PIKA == "1.3" and isinstance(target, FakeTarget):
            pytest.skip("fakeamqp hands pika values, not bytes: pika 1.3's decoder cannot get them wrong")
        # RabbitMQ 3.10 sends on what it got, pika's "L"; 4.0 writes "l", which pika 1.3 takes for unsigned.
        expected = value + 2**64 if (PIKA, version) == ("1.3", "4.0") else value
        publish(channel, queue, {"key": value, "list": [value]})
        assert typed(read(channel, queue)[1].headers) == typed({"key": long(expected), "list": [long(expected)]})

    def test_many_headers_arrive_together(self, channel: BlockingChannel, queue: str, read: Read) -> None:
        headers = {f"header {number}": value for number, value in enumerate(SAME)}
        publish(channel, queue, headers)
        assert typed(read(channel, queue)[1].headers) == typed(headers)

    @pytest.mark.parametrize("headers", [None, {}], ids=repr)
    def test_no_headers_differ_from_empty_headers(
        self, channel: BlockingChannel, queue: str, read: Read, headers: dict[str, Any] | None
    ) -> None:
        publish(channel, queue, headers)
        assert read(channel, queue)[1].headers == headers


@pytest.mark.parametrize("key", ["", " ", "a.b", "ä", "a\0b", "k" * 255, "ä" * 127], ids=lambda key: repr(key)[:8])
def test_any_name_of_up_to_255_bytes_arrives(channel: BlockingChannel, queue: str, key: str) -> None:
    publish(channel, queue, {key: 1})
    assert get_one(channel, queue)[1].headers == {key: 1}


def test_a_name_may_be_bytes(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, {b"text": 1, b"\xff": 2})
    assert get_one(channel, queue)[1].headers == {"text": 1, b"\xff": 2}


class TestOrder:
    NAMES = ("b", "", "a", "ä", "B", "aa", "a.b")

    @pytest.fixture
    def expected(self, version: str) -> list[str]:
        return {"3.10": list(self.NAMES), "4.0": sorted(self.NAMES)}[version]

    @pytest.mark.parametrize("read", [get_one, consume_one])
    def test_headers_arrive_in_the_order_they_were_published_in_or_sorted(
        self, channel: BlockingChannel, queue: str, read: Read, expected: list[str]
    ) -> None:
        publish(channel, queue, dict.fromkeys(self.NAMES))
        assert list(read(channel, queue)[1].headers) == expected

    def test_returned_headers_have_the_same_order(self, channel: BlockingChannel, expected: list[str]) -> None:
        returned = collect_returns(channel)
        properties = pika.BasicProperties(headers=dict.fromkeys(self.NAMES))
        channel.basic_publish("", "nope", b"order", properties, mandatory=True)
        assert list(returned_so_far(channel, returned)[0][1].headers) == expected

    def test_tables_within_headers_keep_their_order(self, channel: BlockingChannel, queue: str) -> None:
        publish(channel, queue, {"table": dict.fromkeys(self.NAMES), "list": [dict.fromkeys(self.NAMES)]})
        headers = get_one(channel, queue)[1].headers
        assert list(headers["table"]) == list(self.NAMES)
        assert list(headers["list"][0]) == list(self.NAMES)


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, long(2**63)])
def test_pika_1_3_sends_unsigned_integers_and_later_ones_do_not(
    channel: BlockingChannel, queue: str, value: int
) -> None:
    if PIKA == "1.3":
        publish(channel, queue, {"key": value})
        assert typed(get_one(channel, queue)[1].headers) == typed({"key": long(value)})
    else:
        with pytest.raises(struct.error):
            publish(channel, queue, {"key": value})
        assert get_all(channel, queue) == []


def test_headers_may_fill_most_of_a_frame(channel: BlockingChannel, queue: str) -> None:
    publish(channel, queue, {"key": "x" * 131000})
    assert get_one(channel, queue)[1].headers == {"key": "x" * 131000}


def test_headers_larger_than_a_frame_close_the_connection(channel: BlockingChannel, queue: str) -> None:
    with connection_closed(501, "FRAME_ERROR - type 2, all octets = <<>>: {frame_too_large,131091,131064}"):
        publish(channel, queue, {"key": "x" * 131064})
        round_trip(channel)


class TestRefusedByPika:
    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (1.5, pika.exceptions.UnsupportedAMQPFieldException),
            ((1, 2), pika.exceptions.UnsupportedAMQPFieldException),
            ({1, 2}, pika.exceptions.UnsupportedAMQPFieldException),
            (bytearray(b"x"), pika.exceptions.UnsupportedAMQPFieldException),
            (memoryview(b"x"), pika.exceptions.UnsupportedAMQPFieldException),
            (date(2020, 1, 1), pika.exceptions.UnsupportedAMQPFieldException),
            (object(), pika.exceptions.UnsupportedAMQPFieldException),
            (pika.DeliveryMode.Persistent, pika.exceptions.UnsupportedAMQPFieldException),
            (2**64, struct.error),
            (-(2**63) - 1, struct.error),
            (datetime(1969, 1, 1), struct.error),
            (Decimal(2**31), struct.error),
            (Decimal("1E-256"), struct.error),
            (Decimal("NaN"), TypeError),
            ("\ud800", UnicodeEncodeError),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
    )
    @pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: {"a": value}])
    def test_a_value_that_has_no_type_in_amqp(
        self,
        channel: BlockingChannel,
        queue: str,
        value: Any,
        error: type[Exception],
        wrap: Callable[[Any], Any],
    ) -> None:
        with pytest.raises(error):
            publish(channel, queue, {"key": wrap(value)})
        assert get_all(channel, queue) == []

    @pytest.mark.parametrize("key", [1, None, 1.5, ("a",)], ids=repr)
    def test_a_name_that_is_no_string(self, channel: BlockingChannel, queue: str, key: Any) -> None:
        with pytest.raises(AttributeError, match=f"'{type(key).__name__}' object has no attribute 'encode'"):
            publish(channel, queue, {key: 1})
        assert get_all(channel, queue) == []

    @pytest.mark.parametrize("key", ["k" * 256, "ä" * 128], ids=["256 bytes", "128 two-byte letters"])
    def test_a_name_above_255_bytes(self, channel: BlockingChannel, queue: str, key: str) -> None:
        with pytest.raises(pika.exceptions.ShortStringTooLong) as caught:
            publish(channel, queue, {key: 1})
        assert caught.value.args == (key.encode(),)
        assert get_all(channel, queue) == []

    @pytest.mark.parametrize("headers", ["text", [("a", 1)], 5], ids=repr)
    def test_headers_that_are_no_dict(self, channel: BlockingChannel, queue: str, headers: Any) -> None:
        with pytest.raises(AttributeError, match=f"'{type(headers).__name__}' object has no attribute 'items'"):
            publish(channel, queue, headers)
        assert get_all(channel, queue) == []
