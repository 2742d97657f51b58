"""queue.declare of a stream: which arguments it takes, which it refuses and how, and what is compared."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed

Arguments = dict[str, Any]


def declare(channel: BlockingChannel, arguments: Arguments, **flags: Any) -> int:
    """Declare "log" as a stream; how many messages it has."""
    arguments = {"x-queue-type": "stream", **arguments}
    return channel.queue_declare("log", arguments=arguments, **{"durable": True, **flags}).method.message_count


def invalid(argument: str, vhost: str, why: str) -> str:
    return f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'log' in vhost '{vhost}'{why}"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("x-max-age", age) for age in ("1Y", "1M", "1D", "1h", "1m", "1s", "10s")),
        ("x-max-length-bytes", 0),
        ("x-max-length-bytes", 2**40),
        ("x-stream-max-segment-size-bytes", 0),
        ("x-stream-max-segment-size-bytes", 3_000_000_000),
        ("x-initial-cluster-size", 1),
        ("x-stream-filter-size-bytes", 16),
        ("x-stream-filter-size-bytes", 255),
        *(("x-queue-leader-locator", each) for each in ("client-local", "balanced", "random", "least-leaders")),
        ("x-own", "anything"),
        ("x-consumer-timeout", "anything"),
    ],
)
def test_what_a_stream_takes(channel: BlockingChannel, argument: str, value: object) -> None:
    assert declare(channel, {argument: value}) == 0
    assert declare(channel, {argument: value}) == 0


@pytest.mark.parametrize("value", [1, "x"])
@pytest.mark.parametrize(
    "argument",
    [
        "x-max-priority",
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-queue-mode",
        "x-queue-version",
        "x-queue-master-locator",
        "x-single-active-consumer",
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
    ],
)
def test_arguments_of_other_types_of_queues_are_refused_whatever_their_value(
    channel: BlockingChannel, vhost: str, argument: str, value: object
) -> None:
    with channel_closed(406, invalid(argument, vhost, " of queue type rabbit_stream_queue")):
        declare(channel, {argument: value})


def test_a_dead_letter_exchange_is_refused(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(406, invalid("x-dead-letter-exchange", vhost, " of queue type rabbit_stream_queue")):
        declare(channel, {"x-dead-letter-exchange": "x"})


@pytest.mark.parametrize(("value", "wire_type"), [(5, "signedint"), (None, "void")])
def test_a_dead_letter_exchange_that_is_no_string_is_refused_for_its_type(
    channel: BlockingChannel, vhost: str, value: object, wire_type: str
) -> None:
    text = (
        f"PRECONDITION_FAILED - invalid type '{wire_type}' for arg 'x-dead-letter-exchange' "
        f"in queue 'log' in vhost '{vhost}'"
    )
    with channel_closed(406, text):
        declare(channel, {"x-dead-letter-exchange": value})


@pytest.mark.parametrize("age", ["0s", "1", "1 h", "1H", "1S", "1y", "1d", "1w", "1.5h", "1ms"])
def test_an_age_of_no_known_unit_is_refused(channel: BlockingChannel, vhost: str, age: str) -> None:
    with channel_closed(406, invalid("x-max-age", vhost, ": invalid_max_age")):
        declare(channel, {"x-max-age": age})


@pytest.mark.parametrize("age", ["", "x", "s", "D1", "-1s"])
def test_an_age_that_does_not_begin_with_a_number_is_an_internal_error(channel: BlockingChannel, age: str) -> None:
    with connection_closed(541, "INTERNAL_ERROR"):
        declare(channel, {"x-max-age": age})


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("x-max-age", 1, "{unacceptable_type,signedint}"),
        ("x-max-age", True, "{unacceptable_type,bool}"),
        ("x-max-age", None, "{unacceptable_type,void}"),
        ("x-max-length-bytes", -1, "{value_negative,-1}"),
        ("x-max-length-bytes", "x", '"expected integer, got longstr"'),
        ("x-stream-max-segment-size-bytes", -1, "{value_negative,-1}"),
        ("x-stream-max-segment-size-bytes", "x", '"expected integer, got longstr"'),
        ("x-stream-max-segment-size-bytes", None, '"expected integer, got void"'),
        ("x-initial-cluster-size", 0, "{value_zero,0}"),
        ("x-initial-cluster-size", -1, "{value_negative,-1}"),
        ("x-initial-cluster-size", True, '"expected integer, got bool"'),
        ("x-queue-leader-locator", "x", "invalid_queue_locator_arg"),
        ("x-queue-leader-locator", 1, "{unacceptable_type,signedint}"),
    ],
)
def test_impossible_values_are_refused(
    channel: BlockingChannel, vhost: str, argument: str, value: object, why: str
) -> None:
    with channel_closed(406, invalid(argument, vhost, f": {why}")):
        declare(channel, {argument: value})


@pytest.mark.parametrize("size", [3_000_000_001, 2**40, 2**63 - 1])
def test_a_segment_has_a_largest_size(channel: BlockingChannel, size: int) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes"):
        declare(channel, {"x-stream-max-segment-size-bytes": size})


@pytest.mark.parametrize("size", [-1, 0, 15, 256, "x", None])
def test_a_filter_has_bounds_in_4_0(channel: BlockingChannel, version: str, size: object) -> None:
    if version == "3.10":
        assert declare(channel, {"x-stream-filter-size-bytes": size}) == 0
    else:
        with channel_closed(406, "PRECONDITION_FAILED - Invalid value for  x-stream-filter-size-bytes"):
            declare(channel, {"x-stream-filter-size-bytes": size})


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"durable": False}, "non-durable"),
        ({"exclusive": True}, "exclusive-owner"),
        ({"auto_delete": True}, "auto-delete"),
        ({"durable": False, "exclusive": True}, "exclusive-owner"),
        ({"durable": False, "auto_delete": True}, "auto-delete"),
        ({"exclusive": True, "auto_delete": True}, "auto-delete"),
    ],
)
def test_flags_that_a_stream_cannot_have_are_refused(
    channel: BlockingChannel, vhost: str, flags: dict[str, bool], why: str
) -> None:
    with channel_closed(406, f"PRECONDITION_FAILED - invalid property '{why}' for queue 'log' in vhost '{vhost}'"):
        declare(channel, {}, **flags)


@pytest.mark.parametrize(
    ("arguments", "flags"), [({"x-max-age": "1x"}, {"durable": False}), ({"x-max-age": "1x", "x-expires": 1}, {})]
)
def test_values_are_checked_before_flags_and_arguments_of_other_types(
    channel: BlockingChannel, vhost: str, arguments: Arguments, flags: dict[str, bool]
) -> None:
    with channel_closed(406, invalid("x-max-age", vhost, ": invalid_max_age")):
        declare(channel, arguments, **flags)


def test_a_stream_cannot_be_named_by_the_server(channel: BlockingChannel) -> None:
    text = "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue"
    with channel_closed(406, text):
        channel.queue_declare("", durable=True, arguments={"x-queue-type": "stream"})


@pytest.mark.parametrize("argument", ["x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"])
def test_arguments_of_streams_are_refused_by_classic_queues(
    channel: BlockingChannel, vhost: str, argument: str
) -> None:
    value = "1D" if argument == "x-max-age" else 1
    with channel_closed(406, invalid(argument, vhost, " of queue type rabbit_classic_queue")):
        channel.queue_declare("log", arguments={argument: value})


COMPARED: dict[str, tuple[Any, Any]] = {
    "x-max-length-bytes": (1_000_000, 2_000_000),
    "x-max-age": ("1h", "2h"),
    "x-stream-max-segment-size-bytes": (1_000_000, 2_000_000),
    "x-initial-cluster-size": (1, 2),
    "x-queue-leader-locator": ("client-local", "balanced"),
}


@pytest.mark.parametrize("argument", COMPARED)
@pytest.mark.parametrize("change", ["another value", "taken away", "added"])
def test_arguments_are_compared(channel: BlockingChannel, vhost: str, argument: str, change: str) -> None:
    value, other = COMPARED[argument]
    wire_type = {int: "signedint", str: "longstr"}[type(value)]
    first, second, difference = {
        "another value": ({argument: value}, {argument: other}, f"received '{other}' but current is '{value}'"),
        "taken away": (
            {argument: value},
            {},
            f"received none but current is the value '{value}' of type '{wire_type}'",
        ),
        "added": ({}, {argument: value}, f"received the value '{value}' of type '{wire_type}' but current is none"),
    }[change]
    declare(channel, first)
    text = f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'log' in vhost '{vhost}': {difference}"
    with channel_closed(406, text):
        declare(channel, second)


@pytest.mark.parametrize("argument", ["x-stream-filter-size-bytes", "x-own", "x-consumer-timeout"])
def test_other_arguments_are_not_compared(channel: BlockingChannel, argument: str) -> None:
    assert [declare(channel, arguments) for arguments in ({}, {argument: 16}, {argument: 32}, {})] == [0] * 4


def test_a_stream_refuses_to_be_a_queue_without_a_type(channel: BlockingChannel, vhost: str, version: str) -> None:
    declare(channel, {})
    difference = {
        "3.10": "received none but current is the value 'stream' of type 'longstr'",
        "4.0": "received 'classic' but current is 'stream'",
    }[version]
    text = f"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'log' in vhost '{vhost}': {difference}"
    with channel_closed(406, text):
        channel.queue_declare("log", durable=True)
