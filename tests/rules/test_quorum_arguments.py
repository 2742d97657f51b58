"""queue.declare of a quorum queue: which arguments it takes, which it refuses and how, and what is compared."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed

Arguments = dict[str, Any]


def declare(channel: BlockingChannel, arguments: Arguments, **flags: Any) -> int:
    """Declare "orders" as a quorum queue; how many messages it has."""
    arguments = {"x-queue-type": "quorum", **arguments}
    return channel.queue_declare("orders", arguments=arguments, **{"durable": True, **flags}).method.message_count


def invalid(argument: str, vhost: str, why: str) -> str:
    return f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'orders' in vhost '{vhost}'{why}"


WIRE_TYPES: list[tuple[object, str]] = [
    ("x", "longstr"),
    (b"x", "binary"),
    (True, "bool"),
    (None, "void"),
    (Decimal("1.5"), "decimal"),
    ([1], "array"),
    ({"a": 1}, "table"),
    (datetime(2020, 1, 1, tzinfo=timezone.utc), "timestamp"),
]
INTEGERS = [
    "x-message-ttl",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
]
STRINGS = {
    "x-overflow": "invalid_overflow",
    "x-queue-leader-locator": "invalid_queue_locator_arg",
    "x-dead-letter-strategy": "invalid_dlx_strategy",
    "x-dead-letter-routing-key": "routing_key_but_no_dlx_defined",
}
OTHERS = [
    "x-max-priority",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-initial-cluster-size",
]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-message-ttl", 0),
        ("x-message-ttl", 315_360_000_000),
        ("x-expires", 1000),
        ("x-expires", 315_360_000_000),
        ("x-max-length", 0),
        ("x-max-length", 2**63 - 1),
        ("x-max-length-bytes", 0),
        ("x-max-in-memory-length", 0),
        ("x-max-in-memory-bytes", 0),
        ("x-overflow", "drop-head"),
        ("x-overflow", "reject-publish"),
        ("x-overflow", "reject-publish-dlx"),
        ("x-queue-leader-locator", "client-local"),
        ("x-queue-leader-locator", "balanced"),
        ("x-queue-leader-locator", "random"),
        ("x-queue-leader-locator", "least-leaders"),
        ("x-dead-letter-strategy", "at-most-once"),
        ("x-dead-letter-strategy", "at-least-once"),
        ("x-dead-letter-exchange", ""),
        ("x-dead-letter-exchange", "no such exchange"),
        ("x-single-active-consumer", True),
        ("x-single-active-consumer", False),
        ("x-quorum-initial-group-size", 1),
        ("x-quorum-initial-group-size", 5),
        ("x-delivery-limit", 0),
        ("x-delivery-limit", -1),
    ],
)
def test_what_a_quorum_queue_takes(channel: BlockingChannel, argument: str, value: object) -> None:
    assert declare(channel, {argument: value}) == 0
    assert declare(channel, {argument: value}) == 0


@pytest.mark.parametrize("argument", ["x-delivery-limit", "x-quorum-target-group-size", "x-consumer-timeout", "x-own"])
def test_values_that_are_not_checked(channel: BlockingChannel, argument: str) -> None:
    for value in [-1, 2**40, *(value for value, _ in WIRE_TYPES)]:
        assert declare(channel, {argument: value}) == 0
        channel.queue_delete("orders")


@pytest.mark.parametrize("value", [1, "x", None])
@pytest.mark.parametrize("argument", OTHERS)
def test_arguments_of_other_types_of_queues_are_refused_whatever_their_value(
    channel: BlockingChannel, vhost: str, argument: str, value: object
) -> None:
    with channel_closed(406, invalid(argument, vhost, " of queue type rabbit_quorum_queue")):
        declare(channel, {argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("x-max-in-memory-length", 1),
        ("x-max-in-memory-bytes", 1),
        ("x-quorum-initial-group-size", 1),
        ("x-delivery-limit", 1),
        ("x-dead-letter-strategy", "at-most-once"),
    ],
)
def test_arguments_of_quorum_queues_are_refused_by_classic_ones(
    channel: BlockingChannel, vhost: str, argument: str, value: object
) -> None:
    with channel_closed(406, invalid(argument, vhost, " of queue type rabbit_classic_queue")):
        channel.queue_declare("orders", arguments={argument: value})


@pytest.mark.parametrize(("value", "wire_type"), WIRE_TYPES)
def test_integers_must_be_integers(channel: BlockingChannel, vhost: str, value: object, wire_type: str) -> None:
    for argument in INTEGERS:
        with channel_closed(406, invalid(argument, vhost, f': "expected integer, got {wire_type}"')):
            declare(channel.connection.channel(), {argument: value})


@pytest.mark.parametrize("argument", INTEGERS)
def test_integers_must_not_be_negative(channel: BlockingChannel, vhost: str, argument: str) -> None:
    with channel_closed(406, invalid(argument, vhost, ": {value_negative,-1}")):
        declare(channel, {argument: -1})


@pytest.mark.parametrize("argument", ["x-expires", "x-quorum-initial-group-size"])
def test_some_integers_must_not_be_zero(channel: BlockingChannel, vhost: str, argument: str) -> None:
    with channel_closed(406, invalid(argument, vhost, ": {value_zero,0}")):
        declare(channel, {argument: 0})


@pytest.mark.parametrize("argument", ["x-message-ttl", "x-expires"])
def test_times_end_at_ten_years(channel: BlockingChannel, vhost: str, argument: str) -> None:
    with channel_closed(406, invalid(argument, vhost, ": {value_too_large,315360000001}")):
        declare(channel, {argument: 315_360_000_001})


@pytest.mark.parametrize(("value", "wire_type"), [*WIRE_TYPES[1:], (1, "signedint"), (2**40, "long")])
def test_strings_must_be_strings(channel: BlockingChannel, vhost: str, value: object, wire_type: str) -> None:
    for argument in STRINGS:
        with channel_closed(406, invalid(argument, vhost, f": {{unacceptable_type,{wire_type}}}")):
            declare(channel.connection.channel(), {argument: value})


@pytest.mark.parametrize("value", ["", "nonsense"])
@pytest.mark.parametrize("argument", STRINGS)
def test_strings_must_be_known(channel: BlockingChannel, vhost: str, argument: str, value: str) -> None:
    with channel_closed(406, invalid(argument, vhost, f": {STRINGS[argument]}")):
        declare(channel, {argument: value})


def test_the_leader_locator_min_masters_is_known_to_4_0_alone(
    channel: BlockingChannel, vhost: str, version: str
) -> None:
    locator = {"x-queue-leader-locator": "min-masters"}
    if version == "4.0":
        assert declare(channel, locator) == 0
    else:
        with channel_closed(406, invalid("x-queue-leader-locator", vhost, ": invalid_queue_locator_arg")):
            declare(channel, locator)


@pytest.mark.parametrize(("value", "wire_type"), [*WIRE_TYPES[1:], (1, "signedint"), (2**40, "long")])
def test_the_dead_letter_exchange_must_be_a_string(
    channel: BlockingChannel, vhost: str, value: object, wire_type: str
) -> None:
    text = (
        f"PRECONDITION_FAILED - invalid type '{wire_type}' for arg 'x-dead-letter-exchange' "
        f"in queue 'orders' in vhost '{vhost}'"
    )
    with channel_closed(406, text):
        declare(channel, {"x-dead-letter-exchange": value})


@pytest.mark.parametrize("overflow", [None, "drop-head", "reject-publish"])
@pytest.mark.parametrize("exchange", [None, "x"])
def test_at_least_once_is_accepted_whatever_else_is_given(
    channel: BlockingChannel, overflow: str | None, exchange: str | None
) -> None:
    others = {"x-overflow": overflow, "x-dead-letter-exchange": exchange}
    arguments = {name: value for name, value in others.items() if value is not None}
    assert declare(channel, {"x-dead-letter-strategy": "at-least-once", **arguments}) == 0


@pytest.mark.parametrize(
    ("arguments", "flags", "named", "why"),
    [
        ({"x-overflow": "bad"}, {"durable": False}, "x-overflow", ": invalid_overflow"),
        ({"x-max-priority": 1}, {"durable": False}, "x-max-priority", " of queue type rabbit_quorum_queue"),
        ({"x-max-priority": 1, "x-overflow": "bad"}, {}, "x-overflow", ": invalid_overflow"),
        ({"x-queue-mode": "lazy", "x-expires": 0}, {}, "x-expires", ": {value_zero,0}"),
        ({"x-queue-mode": "lazy", "x-max-priority": 1}, {}, "x-queue-mode", " of queue type rabbit_quorum_queue"),
        ({"x-max-priority": 1, "x-queue-mode": "lazy"}, {}, "x-max-priority", " of queue type rabbit_quorum_queue"),
    ],
)
def test_values_are_checked_before_arguments_of_other_types_and_those_before_flags(
    channel: BlockingChannel, vhost: str, arguments: Arguments, flags: dict[str, bool], named: str, why: str
) -> None:
    with channel_closed(406, invalid(named, vhost, why)):
        declare(channel, arguments, **flags)


@pytest.mark.parametrize("other", [{"x-max-priority": 1}, {"x-message-ttl": -1}])
def test_the_dead_letter_exchange_is_checked_first(channel: BlockingChannel, vhost: str, other: Arguments) -> None:
    text = (
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' "
        f"in queue 'orders' in vhost '{vhost}'"
    )
    with channel_closed(406, text):
        declare(channel, {"x-dead-letter-exchange": 5, **other})


COMPARED: dict[str, tuple[Any, Any]] = {
    "x-message-ttl": (1000, 2000),
    "x-expires": (60_000, 70_000),
    "x-max-length": (1, 2),
    "x-max-length-bytes": (1, 2),
    "x-max-in-memory-length": (1, 2),
    "x-max-in-memory-bytes": (1, 2),
    "x-quorum-initial-group-size": (1, 2),
    "x-delivery-limit": (1, 2),
    "x-single-active-consumer": (True, False),
    "x-overflow": ("drop-head", "reject-publish"),
    "x-queue-leader-locator": ("balanced", "client-local"),
    "x-dead-letter-exchange": ("a", "b"),
    "x-dead-letter-strategy": ("at-most-once", "at-least-once"),
}


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("change", ["another value", "taken away", "added"])
def test_arguments_are_compared(channel: BlockingChannel, vhost: str, argument: str, change: str) -> None:
    value, other = COMPARED[argument]
    wire_type = {int: "signedint", bool: "bool", str: "longstr"}[type(value)]
    shown, other_shown = (str(each).lower() if isinstance(each, bool) else str(each) for each in (value, other))
    first, second, difference = {
        "another value": ({argument: value}, {argument: other}, f"received '{other_shown}' but current is '{shown}'"),
        "taken away": (
            {argument: value},
            {},
            f"received none but current is the value '{shown}' of type '{wire_type}'",
        ),
        "added": ({}, {argument: value}, f"received the value '{shown}' of type '{wire_type}' but current is none"),
    }[change]
    declare(channel, first)
    text = f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'orders' in vhost '{vhost}': {difference}"
    with channel_closed(406, text):
        declare(channel, second)


@pytest.mark.parametrize("argument", ["x-quorum-target-group-size", "x-consumer-timeout", "x-own"])
def test_other_arguments_are_not_compared(channel: BlockingChannel, argument: str) -> None:
    assert [declare(channel, arguments) for arguments in ({}, {argument: 1}, {argument: 2}, {})] == [0] * 4
