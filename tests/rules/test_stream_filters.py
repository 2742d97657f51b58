"""x-stream-filter: which messages a stream's consumer gets. 3.10 does not know it, and sends everything."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import connection_closed
from tests.rules._consuming import Consumer, round_trip
from tests.rules._kinds import declare, publish


@pytest.fixture
def stream(channel: BlockingChannel) -> str:
    """A stream with messages "a", "b", one without a filter value and "a" again, each in a chunk of its own."""
    declare(channel, "log", "stream")
    for value in ("a", "b", None, "a"):
        headers = None if value is None else {"x-stream-filter-value": value}
        publish(channel, "log", str(value), headers=headers)
    return "log"


def read(channel: BlockingChannel, count: int, arguments: dict[str, Any], limit: int = 100) -> list[str]:
    """What a consumer with these arguments gets from the first message on."""
    channel.basic_qos(prefetch_count=limit)
    consumer = Consumer(channel, "log", arguments={"x-stream-offset": "first", **arguments})
    return [body.decode() for body in consumer.take(count)]


EVERYTHING = ["a", "b", "None", "a"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"x-stream-filter": "a"}, ["a", "a"]),
        ({"x-stream-filter": ["a"]}, ["a", "a"]),
        ({"x-stream-filter": ["a", "b"]}, ["a", "b", "a"]),
        ({"x-stream-filter": "a", "x-stream-match-unfiltered": True}, ["a", "None", "a"]),
        ({"x-stream-filter": "a", "x-stream-match-unfiltered": False}, ["a", "a"]),
        ({"x-stream-filter": "a", "x-stream-match-unfiltered": "yes"}, ["a", "a"]),
        ({"x-stream-filter": ""}, ["None"]),
        ({"x-stream-filter": "z"}, []),
        ({"x-stream-filter": [5, "b"]}, ["b"]),
        ({"x-stream-filter": 5}, EVERYTHING),
        ({"x-stream-filter": None}, EVERYTHING),
        ({"x-stream-match-unfiltered": True}, EVERYTHING),
    ],
)
def test_a_filter_chooses_by_the_value_in_the_header(
    channel: BlockingChannel, version: str, stream: str, arguments: dict[str, Any], expected: list[str]
) -> None:
    expected = EVERYTHING if version == "3.10" else expected
    assert read(channel, len(expected), arguments) == expected


@pytest.mark.only("4.0")
def test_what_a_filter_leaves_out_takes_no_room(channel: BlockingChannel, stream: str) -> None:
    assert read(channel, 1, {"x-stream-filter": "b"}, limit=1) == ["b"]


@pytest.mark.parametrize("values", [[], [5], [["a"]]])
def test_a_list_without_a_string_is_an_internal_error_in_4_0(
    channel: BlockingChannel, version: str, stream: str, values: list[Any]
) -> None:
    if version == "3.10":
        assert read(channel, 4, {"x-stream-filter": values}) == EVERYTHING
    else:
        with connection_closed(541, "INTERNAL_ERROR"):
            read(channel, 0, {"x-stream-filter": values})


@pytest.mark.parametrize("value", [5, True, None, ["a"]])
def test_a_filter_value_that_is_no_string_is_an_internal_error_in_4_0(
    channel: BlockingChannel, version: str, stream: str, value: Any
) -> None:
    if version == "3.10":
        publish(channel, "log", "odd", headers={"x-stream-filter-value": value})
        assert read(channel, 5, {}) == [*EVERYTHING, "odd"]
    else:
        with connection_closed(541, "INTERNAL_ERROR"):
            publish(channel, "log", "odd", headers={"x-stream-filter-value": value})
            round_trip(channel)
