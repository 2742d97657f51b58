"""The values that queue.declare accepts for the arguments of a classic queue."""

from __future__ import annotations

import datetime
import decimal
import itertools
import re
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import channel_closed
from tests.rules._limits import invalid, not_for_classic_queues
from tests.rules._queues import cut

MILLENNIUM = datetime.datetime(2000, 1, 1)
TYPES = {
    "signedint": 1,
    "long": long(1),
    "bool": True,
    "void": None,
    "longstr": "1",
    "binary": b"1",
    "array": [1],
    "table": {"a": 1},
    "decimal": decimal.Decimal(1),
    "timestamp": MILLENNIUM,
}
NO_INTEGERS = {name: value for name, value in TYPES.items() if name not in ("signedint", "long")}
NO_STRINGS = {name: value for name, value in TYPES.items() if name != "longstr"}
NO_BOOLS = {name: value for name, value in TYPES.items() if name != "bool"}
INTEGERS = [
    "x-message-ttl",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-queue-version",
]
STRINGS = ["x-overflow", "x-dead-letter-routing-key", "x-queue-mode"]
OTHER_QUEUE_TYPES = [
    "x-delivery-limit",
    "x-dead-letter-strategy",
    "x-quorum-initial-group-size",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
]
UNKNOWN = [
    "x-consumer-timeout",
    "x-quorum-target-group-size",
    "x-stream-filter-size-bytes",
    "x-stream-offset",
    "x-internal-purpose",
    "x-priority",
    "alternate-exchange",
    "X-Message-TTL",
]
TOO_LONG = 315360000001


def declare(channel: BlockingChannel, **arguments: Any) -> str:
    return channel.queue_declare("orders", arguments=arguments).method.queue


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-message-ttl", 0),
        ("x-message-ttl", 1),
        ("x-message-ttl", TOO_LONG - 1),
        ("x-expires", 600000),
        ("x-expires", TOO_LONG - 1),
        ("x-max-length", 0),
        ("x-max-length", 1),
        ("x-max-length", 2**63 - 1),
        ("x-max-length-bytes", 0),
        ("x-max-length-bytes", 1),
        ("x-max-length-bytes", 2**63 - 1),
        ("x-max-priority", 0),
        ("x-max-priority", 1),
        ("x-max-priority", 10),
        ("x-overflow", "drop-head"),
        ("x-overflow", "reject-publish"),
        ("x-overflow", "reject-publish-dlx"),
        ("x-dead-letter-exchange", ""),
        ("x-dead-letter-exchange", "nope"),
        ("x-dead-letter-exchange", "amq.fanout"),
        ("x-dead-letter-exchange", "\xe9"),
        ("x-single-active-consumer", True),
        ("x-single-active-consumer", False),
        ("x-queue-mode", "default"),
        ("x-queue-mode", "lazy"),
        ("x-queue-version", 1),
        ("x-queue-version", 2),
        ("x-queue-type", "classic"),
    ],
)
def test_a_value_is_accepted(channel: BlockingChannel, argument: str, value: Any) -> None:
    assert declare(channel, **{argument: value}) == "orders"


@pytest.mark.parametrize("argument", INTEGERS)
@pytest.mark.parametrize("value", [1, long(1)])
def test_an_integer_may_have_32_or_64_bits(channel: BlockingChannel, argument: str, value: int) -> None:
    assert declare(channel, **{argument: value}) == "orders"


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("x-message-ttl", -1, "{value_negative,-1}"),
        ("x-message-ttl", -(2**31), "{value_negative,-2147483648}"),
        ("x-message-ttl", long(-1), "{value_negative,-1}"),
        ("x-message-ttl", TOO_LONG, "{value_too_large,315360000001}"),
        ("x-message-ttl", 2**63 - 1, "{value_too_large,9223372036854775807}"),
        ("x-expires", 0, "{value_zero,0}"),
        ("x-expires", -1, "{value_negative,-1}"),
        ("x-expires", TOO_LONG, "{value_too_large,315360000001}"),
        ("x-expires", 2**63 - 1, "{value_too_large,9223372036854775807}"),
        ("x-max-length", -1, "{value_negative,-1}"),
        ("x-max-length-bytes", -1, "{value_negative,-1}"),
        ("x-max-priority", -1, "{value_negative,-1}"),
        ("x-max-priority", 256, "{max_value_exceeded,256}"),
        ("x-max-priority", 2**63 - 1, "{max_value_exceeded,9223372036854775807}"),
        ("x-queue-version", -1, "{value_negative,-1}"),
        ("x-queue-version", 0, "\"unsupported queue version '0'\""),
        ("x-queue-version", 3, "\"unsupported queue version '3'\""),
        ("x-overflow", "nonsense", "invalid_overflow"),
        ("x-overflow", "", "invalid_overflow"),
        ("x-overflow", "Drop-Head", "invalid_overflow"),
        ("x-queue-mode", "nonsense", "\"unsupported queue mode 'nonsense'\""),
        ("x-queue-mode", "", "\"unsupported queue mode ''\""),
        ("x-queue-mode", "\xe9", "\"unsupported queue mode '\xe9'\""),
        ("x-dead-letter-routing-key", "orders", "routing_key_but_no_dlx_defined"),
        ("x-dead-letter-routing-key", "", "routing_key_but_no_dlx_defined"),
    ],
)
def test_a_value_is_refused(channel: BlockingChannel, vhost: str, argument: str, value: Any, why: str) -> None:
    with channel_closed(406, invalid(argument, vhost, why)):
        declare(channel, **{argument: value})


@pytest.mark.parametrize("argument", INTEGERS)
@pytest.mark.parametrize("wire_type", NO_INTEGERS)
def test_what_is_no_integer_is_refused(channel: BlockingChannel, vhost: str, argument: str, wire_type: str) -> None:
    with channel_closed(406, invalid(argument, vhost, f'"expected integer, got {wire_type}"')):
        declare(channel, **{argument: TYPES[wire_type]})


@pytest.mark.parametrize("argument", STRINGS)
@pytest.mark.parametrize("wire_type", NO_STRINGS)
def test_what_is_no_string_is_refused(channel: BlockingChannel, vhost: str, argument: str, wire_type: str) -> None:
    with channel_closed(406, invalid(argument, vhost, f"{{unacceptable_type,{wire_type}}}")):
        declare(channel, **{argument: TYPES[wire_type]})


@pytest.mark.parametrize("wire_type", NO_STRINGS)
def test_a_dead_letter_exchange_that_is_no_string_is_refused(
    channel: BlockingChannel, vhost: str, wire_type: str
) -> None:
    where = f"for arg 'x-dead-letter-exchange' in queue 'orders' in vhost '{vhost}'"
    with channel_closed(406, f"PRECONDITION_FAILED - invalid type '{wire_type}' {where}"):
        declare(channel, **{"x-dead-letter-exchange": TYPES[wire_type]})


@pytest.mark.parametrize("wire_type", NO_BOOLS)
def test_a_single_active_consumer_that_is_no_bool_is_refused(
    channel: BlockingChannel, vhost: str, wire_type: str
) -> None:
    with channel_closed(406, invalid("x-single-active-consumer", vhost, f"{{unacceptable_type,{wire_type}}}")):
        declare(channel, **{"x-single-active-consumer": TYPES[wire_type]})


@pytest.mark.parametrize("key", ["", "orders", "\xe9", "k" * 300])
@pytest.mark.parametrize("exchange", ["", "nope"])
def test_a_dead_letter_routing_key_needs_a_dead_letter_exchange(
    channel: BlockingChannel, exchange: str, key: str
) -> None:
    arguments = {"x-dead-letter-routing-key": key, "x-dead-letter-exchange": exchange}
    assert declare(channel, **arguments) == "orders"


@pytest.mark.parametrize("argument", OTHER_QUEUE_TYPES)
@pytest.mark.parametrize("value", [0, 1, -1, None, "1D", "at-most-once", []])
def test_an_argument_of_another_queue_type_is_refused_whatever_its_value(
    channel: BlockingChannel, vhost: str, argument: str, value: Any
) -> None:
    with channel_closed(406, not_for_classic_queues(argument, vhost)):
        declare(channel, **{argument: value})


@pytest.mark.parametrize("argument", UNKNOWN)
@pytest.mark.parametrize("value", [0, -1, None, "nonsense", b"1", [1]])
def test_an_argument_that_queues_do_not_know_may_have_any_value(
    channel: BlockingChannel, argument: str, value: Any
) -> None:
    assert declare(channel, **{argument: value}) == "orders"


@pytest.mark.parametrize("flags", [{"durable": True}, {"exclusive": True}, {"auto_delete": True}])
@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [("x-message-ttl", -1, "{value_negative,-1}"), ("x-overflow", "nonsense", "invalid_overflow")],
)
def test_a_value_is_refused_whatever_the_flags(
    channel: BlockingChannel, vhost: str, flags: dict[str, bool], argument: str, value: Any, why: str
) -> None:
    with channel_closed(406, invalid(argument, vhost, why)):
        channel.queue_declare("orders", arguments={argument: value}, **flags)


def test_a_refused_declare_creates_no_queue(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(406, invalid("x-max-length", vhost, "{value_negative,-1}")):
        declare(channel, **{"x-max-length": -1})
    with channel_closed(404, f"NOT_FOUND - no queue 'orders' in vhost '{vhost}'"):
        channel.connection.channel().queue_declare("orders", passive=True)


def test_a_passive_declare_does_not_look_at_arguments(channel: BlockingChannel) -> None:
    declare(channel)
    arguments = {"x-message-ttl": -1, "x-queue-type": "nonsense"}
    assert channel.queue_declare("orders", passive=True, arguments=arguments).method.queue == "orders"


def test_a_reserved_name_is_refused_before_a_value(channel: BlockingChannel) -> None:
    with channel_closed(403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"):
        channel.queue_declare("amq.mine", arguments={"x-message-ttl": -1})


WRONG = {
    "x-dead-letter-exchange": 5,
    "x-queue-type": "nonsense",
    "x-expires": 0,
    "x-message-ttl": -1,
    "x-dead-letter-routing-key": 5,
    "x-max-length": -1,
    "x-max-length-bytes": -1,
    "x-max-priority": -1,
    "x-overflow": "nonsense",
    "x-queue-mode": "nonsense",
    "x-queue-version": 3,
    "x-single-active-consumer": 1,
    "x-max-age": "1D",
}
ORDER = list(WRONG)


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(ORDER)))
@pytest.mark.parametrize("send", [list, reversed])
def test_of_two_wrong_arguments_the_one_that_is_checked_first_is_reported(
    channel: BlockingChannel, vhost: str, first: str, second: str, send: Any
) -> None:
    text = re.compile(rf"PRECONDITION_FAILED - invalid (arg|type 'signedint' for arg) '{first}' .*")
    with channel_closed(406, text):
        declare(channel, **{name: WRONG[name] for name in send([first, second])})


@pytest.mark.parametrize("send", [list, reversed])
def test_of_two_arguments_of_other_queue_types_one_is_reported(
    channel: BlockingChannel, vhost: str, version: str, send: Any
) -> None:
    names = list(send(["x-delivery-limit", "x-max-age"]))
    reported = {"3.10": names[0], "4.0": "x-delivery-limit"}[version]
    with channel_closed(406, not_for_classic_queues(reported, vhost)):
        declare(channel, **dict.fromkeys(names, 1))


@pytest.mark.parametrize("send", [list, reversed])
def test_the_values_of_known_arguments_are_checked_before_arguments_of_other_queue_types(
    channel: BlockingChannel, vhost: str, send: Any
) -> None:
    arguments = {"x-delivery-limit": 1, "x-single-active-consumer": 1}
    with channel_closed(406, invalid("x-single-active-consumer", vhost, "{unacceptable_type,signedint}")):
        declare(channel, **{name: arguments[name] for name in send(list(arguments))})


def test_the_refusal_of_a_server_named_queue_shows_its_name(channel: BlockingChannel, vhost: str) -> None:
    queue = f"queue 'amq\\.gen-[-_0-9a-zA-Z]{{22}}' in vhost '{re.escape(vhost)}'"
    why = re.escape("{value_negative,-1}")
    with channel_closed(406, re.compile(f"PRECONDITION_FAILED - invalid arg 'x-max-length' for {queue}: {why}")):
        channel.queue_declare("", arguments={"x-max-length": -1})


def test_a_long_refusal_is_cut(channel: BlockingChannel, vhost: str) -> None:
    text = invalid("x-queue-mode", vhost, f"\"unsupported queue mode '{'x' * 300}'\"")
    with channel_closed(406, cut(text)):
        declare(channel, **{"x-queue-mode": "x" * 300})
