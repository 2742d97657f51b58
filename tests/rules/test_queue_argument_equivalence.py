"""queue.declare of a queue that exists, with other arguments."""

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
from tests.rules._limits import inequivalent
from tests.rules._queues import cut

VALUES = {
    "x-expires": (600000, 700000),
    "x-message-ttl": (1, 2),
    "x-dead-letter-exchange": ("one", "two"),
    "x-max-length": (1, 2),
    "x-max-length-bytes": (1, 2),
    "x-max-priority": (1, 2),
    "x-overflow": ("drop-head", "reject-publish"),
    "x-queue-mode": ("default", "lazy"),
    "x-queue-version": (1, 2),
    "x-single-active-consumer": (True, False),
    "x-queue-master-locator": ("client-local", "random"),
}
COMPARED = list(VALUES)
IGNORED = ["x-consumer-timeout", "x-quorum-target-group-size", "x-stream-filter-size-bytes", "x-internal-purpose"]
OTHER_QUEUE_TYPES = [
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-quorum-initial-group-size",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
]


def declare(channel: BlockingChannel, **arguments: Any) -> str:
    return channel.queue_declare("orders", arguments=arguments).method.queue


def shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def wire_type(value: Any) -> str:
    return {int: "signedint", bool: "bool", str: "longstr"}[type(value)]


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("which", [0, 1])
def test_the_same_value_is_accepted(channel: BlockingChannel, argument: str, which: int) -> None:
    declare(channel, **{argument: VALUES[argument][which]})
    assert declare(channel, **{argument: VALUES[argument][which]}) == "orders"


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("which", [0, 1])
def test_another_value_is_refused(channel: BlockingChannel, vhost: str, argument: str, which: int) -> None:
    current, received = VALUES[argument][which], VALUES[argument][1 - which]
    declare(channel, **{argument: current})
    difference = f"received '{shown(received)}' but current is '{shown(current)}'"
    with channel_closed(406, inequivalent(argument, vhost, difference)):
        declare(channel, **{argument: received})


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("which", [0, 1])
def test_an_argument_that_the_queue_has_may_not_be_left_out(
    channel: BlockingChannel, vhost: str, argument: str, which: int
) -> None:
    current = VALUES[argument][which]
    declare(channel, **{argument: current})
    difference = f"received none but current is the value '{shown(current)}' of type '{wire_type(current)}'"
    with channel_closed(406, inequivalent(argument, vhost, difference)):
        declare(channel)


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("which", [0, 1])
def test_an_argument_that_the_queue_does_not_have_may_not_be_added(
    channel: BlockingChannel, vhost: str, argument: str, which: int
) -> None:
    received = VALUES[argument][which]
    declare(channel)
    difference = f"received the value '{shown(received)}' of type '{wire_type(received)}' but current is none"
    with channel_closed(406, inequivalent(argument, vhost, difference)):
        declare(channel, **{argument: received})


@pytest.mark.parametrize("key", ["two", ""])
def test_another_dead_letter_routing_key_is_refused(channel: BlockingChannel, vhost: str, key: str) -> None:
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "one"}
    declare(channel, **arguments)
    difference = f"received '{key}' but current is 'one'"
    with channel_closed(406, inequivalent("x-dead-letter-routing-key", vhost, difference)):
        declare(channel, **{**arguments, "x-dead-letter-routing-key": key})


def test_a_dead_letter_routing_key_may_not_be_left_out(channel: BlockingChannel, vhost: str) -> None:
    declare(channel, **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "one"})
    difference = "received none but current is the value 'one' of type 'longstr'"
    with channel_closed(406, inequivalent("x-dead-letter-routing-key", vhost, difference)):
        declare(channel, **{"x-dead-letter-exchange": ""})


@pytest.mark.parametrize("argument", ["x-message-ttl", "x-max-length", "x-max-priority", "x-queue-version"])
@pytest.mark.parametrize(("first", "second"), [(1, long(1)), (long(1), 1)])
def test_integers_are_compared_by_value(channel: BlockingChannel, argument: str, first: int, second: int) -> None:
    declare(channel, **{argument: first})
    assert declare(channel, **{argument: second}) == "orders"


@pytest.mark.parametrize(
    ("argument", "current", "received", "difference"),
    [
        ("x-message-ttl", 1, "1", "received '1' but current is '1'"),
        ("x-message-ttl", 1, b"1", "received '1' but current is '1'"),
        ("x-message-ttl", 1, True, "received 'true' but current is '1'"),
        ("x-message-ttl", 1, -1, "received '-1' but current is '1'"),
        ("x-single-active-consumer", True, 1, "received '1' but current is 'true'"),
        ("x-single-active-consumer", True, "true", "received 'true' but current is 'true'"),
        ("x-dead-letter-exchange", "one", b"two", "received 'two' but current is 'one'"),
        ("x-dead-letter-exchange", "one", 5, "received '5' but current is 'one'"),
        ("x-overflow", "drop-head", "nonsense", "received 'nonsense' but current is 'drop-head'"),
    ],
)
def test_a_value_is_compared_before_it_is_found_invalid(
    channel: BlockingChannel, vhost: str, argument: str, current: Any, received: Any, difference: str
) -> None:
    declare(channel, **{argument: current})
    with channel_closed(406, inequivalent(argument, vhost, difference)):
        declare(channel, **{argument: received})


@pytest.mark.parametrize(
    ("received", "value"),
    [
        (-1, "the value '-1' of type 'signedint'"),
        (2**31, "the value '2147483648' of type 'long'"),
        ("text", "the value 'text' of type 'longstr'"),
        ("", "the value '' of type 'longstr'"),
        (b"bytes", "the value 'bytes' of type 'binary'"),
        (False, "the value 'false' of type 'bool'"),
        (None, "the value 'undefined' of type 'void'"),
        (decimal.Decimal("1.5"), "the value '{1,15}' of type 'decimal'"),
        (datetime.datetime(2000, 1, 1), "the value '946684800' of type 'timestamp'"),
        ([], "the value '[]' of type 'array'"),
        ([1, "a"], """the value '[{signedint,1},{longstr,<<"a">>}]' of type 'array'"""),
        ({}, "the value '[]' of type 'table'"),
        ({"a": True}, """the value '[{<<"a">>,bool,true}]' of type 'table'"""),
    ],
)
def test_an_added_argument_is_compared_before_it_is_found_invalid(
    channel: BlockingChannel, vhost: str, received: Any, value: str
) -> None:
    declare(channel)
    with channel_closed(406, inequivalent("x-max-length", vhost, f"received {value} but current is none")):
        declare(channel, **{"x-max-length": received})


@pytest.mark.parametrize("argument", OTHER_QUEUE_TYPES)
def test_an_argument_of_another_queue_type_is_not_compared(channel: BlockingChannel, argument: str) -> None:
    declare(channel)
    assert declare(channel, **{argument: 1}) == "orders"


@pytest.mark.parametrize("argument", IGNORED)
@pytest.mark.parametrize(("first", "second"), [({}, 1), (1, {}), (1, 2), (1, "nonsense")])
def test_an_argument_that_queues_do_not_know_is_not_compared(
    channel: BlockingChannel, argument: str, first: Any, second: Any
) -> None:
    declare(channel, **({} if first == {} else {argument: first}))
    assert declare(channel, **({} if second == {} else {argument: second})) == "orders"


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(COMPARED)))
@pytest.mark.parametrize("send", [list, reversed])
def test_of_two_differing_arguments_the_one_that_is_compared_first_is_reported(
    channel: BlockingChannel, vhost: str, first: str, second: str, send: Any
) -> None:
    declare(channel)
    with channel_closed(406, re.compile(rf"PRECONDITION_FAILED - inequivalent arg '{first}' .*")):
        declare(channel, **{name: VALUES[name][0] for name in send([first, second])})


@pytest.mark.parametrize(("first", "second"), [("x-dead-letter-exchange", "x-dead-letter-routing-key")])
@pytest.mark.parametrize("send", [list, reversed])
def test_the_dead_letter_exchange_is_compared_before_its_routing_key(
    channel: BlockingChannel, vhost: str, first: str, second: str, send: Any
) -> None:
    declare(channel)
    with channel_closed(406, re.compile(rf"PRECONDITION_FAILED - inequivalent arg '{first}' .*")):
        declare(channel, **dict.fromkeys(send([first, second]), ""))


@pytest.mark.parametrize("send", [list, reversed])
def test_the_dead_letter_routing_key_is_compared_before_max_length(
    channel: BlockingChannel, vhost: str, send: Any
) -> None:
    declare(channel, **{"x-dead-letter-exchange": ""})
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "", "x-max-length": 1}
    with channel_closed(406, re.compile("PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-routing-key' .*")):
        declare(channel, **{name: arguments[name] for name in send(list(arguments))})


def test_the_order_of_the_arguments_does_not_matter(channel: BlockingChannel) -> None:
    declare(channel, **{"x-message-ttl": 1, "x-max-length": 2})
    assert declare(channel, **{"x-max-length": 2, "x-message-ttl": 1}) == "orders"


def test_flags_are_compared_before_arguments(channel: BlockingChannel, vhost: str) -> None:
    declare(channel)
    with channel_closed(406, inequivalent("durable", vhost, "received 'true' but current is 'false'")):
        channel.queue_declare("orders", durable=True, arguments={"x-expires": 0})


def test_a_long_refusal_is_cut(channel: BlockingChannel, vhost: str) -> None:
    declare(channel, **{"x-dead-letter-exchange": "x" * 200})
    difference = f"received '{'y' * 200}' but current is '{'x' * 200}'"
    with channel_closed(406, cut(inequivalent("x-dead-letter-exchange", vhost, difference))):
        declare(channel, **{"x-dead-letter-exchange": "y" * 200})
