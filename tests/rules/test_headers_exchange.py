"""Headers exchanges."""

from __future__ import annotations

import decimal
from datetime import datetime, timezone
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed

Headers = dict[str, Any]
FIVE_SECONDS = datetime(1970, 1, 1, 0, 0, 5, tzinfo=timezone.utc)

VALUES: list[Any] = [
    *(5, long(5), 2**40, -5, 0, 1, 5000, True, False, None, "5", b"5", "", b"", "é", "true", "undefined"),
    *(decimal.Decimal("5"), decimal.Decimal("5.0"), decimal.Decimal("0.5"), FIVE_SECONDS),
    *([], ["a"], [b"a"], [5], [long(5)], {}, {"a": 1}, {"a": long(1)}, {"a": 1, "b": 2}, {"b": 2, "a": 1}),
]


@pytest.mark.parametrize(
    ("binding", "matching", "others"),
    [
        ({"a": 1, "b": 2}, [{"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}], [{"a": 1}, {"b": 2}, {"a": 1, "b": 1}, {}]),
        ({"x-match": "all", "a": 1, "b": 2}, [{"a": 1, "b": 2}], [{"a": 1}, {"a": 2, "b": 2}, {"c": 1}, {}]),
        ({"x-match": "any", "a": 1, "b": 2}, [{"a": 1}, {"b": 2, "a": 0}, {"a": 1, "b": 2}], [{"a": 2, "b": 1}, {}]),
        ({}, [{}, {"a": 1}, {"x-a": 1}], []),
        ({"x-match": "all"}, [{}, {"a": 1}], []),
        ({"x-match": "any"}, [], [{}, {"a": 1}, {"x-match": "any"}]),
        ({"x-match": "all-with-x"}, [{}, {"a": 1}], []),
        ({"x-match": "any-with-x"}, [], [{}, {"a": 1}, {"x-match": "any-with-x"}]),
    ],
)
def test_x_match_tells_whether_all_headers_must_match_or_one(
    channel: BlockingChannel, binding: Headers, matching: list[Headers], others: list[Headers]
) -> None:
    bound_queue(channel, "q", "amq.headers", "", binding)
    assert [headers for headers in matching + others if is_routed(channel, "amq.headers", "", headers)] == matching


@pytest.mark.parametrize(
    ("binding", "matching", "others"),
    [
        ({"x-a": 1}, [{}, {"x-a": 2}, {"b": 1}], []),
        ({"x-a": 1, "b": 2}, [{"b": 2}, {"x-a": 2, "b": 2}], [{"x-a": 1}, {}]),
        ({"x-": 1}, [{}, {"x-": 2}], []),
        ({"x-match": "any", "x-a": 1}, [], [{"x-a": 1}, {}]),
        ({"x-match": "any", "x-a": 1, "b": 2}, [{"b": 2}], [{"x-a": 1}]),
        ({"x-match": "all-with-x", "x-a": 1, "b": 2}, [{"x-a": 1, "b": 2}], [{"b": 2}, {"x-a": 1}, {"x-a": 2, "b": 2}]),
        ({"x-match": "any-with-x", "x-a": 1, "b": 2}, [{"b": 2}, {"x-a": 1}], [{"x-a": 2}, {}]),
        ({"x-match": "all", "b": 2}, [{"b": 2, "x-match": "nonsense"}], []),
    ],
)
def test_all_and_any_ignore_headers_that_begin_with_x(
    channel: BlockingChannel, binding: Headers, matching: list[Headers], others: list[Headers]
) -> None:
    bound_queue(channel, "q", "amq.headers", "", binding)
    assert [headers for headers in matching + others if is_routed(channel, "amq.headers", "", headers)] == matching


@pytest.mark.parametrize(
    ("binding", "matching", "others"),
    [
        ({"X-a": 1}, [{"X-a": 1}], [{}, {"x-a": 1}]),
        ({"x": 1}, [{"x": 1}], [{}]),
        ({"xa": 1}, [{"xa": 1}], [{}]),
        ({"Key": 1}, [{"Key": 1}], [{"key": 1}, {"KEY": 1}]),
        ({"": 1}, [{"": 1}], [{}]),
        ({"é☃": 1}, [{"é☃": 1}], [{"e": 1}]),
        ({"X-Match": "any", "a": 1}, [{"X-Match": "any", "a": 1}], [{"a": 1}]),
    ],
)
def test_header_names_are_compared_exactly(
    channel: BlockingChannel, binding: Headers, matching: list[Headers], others: list[Headers]
) -> None:
    bound_queue(channel, "q", "amq.headers", "", binding)
    assert [headers for headers in matching + others if is_routed(channel, "amq.headers", "", headers)] == matching


@pytest.mark.parametrize("match", ["all", "any"])
def test_a_void_value_in_the_binding_asks_only_for_presence(channel: BlockingChannel, match: str) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"x-match": match, "k": None})
    assert [value for value in VALUES if not is_routed(channel, "amq.headers", "", {"k": value})] == []
    assert not is_routed(channel, "amq.headers", "", {"other": None})
    assert not is_routed(channel, "amq.headers", "", {})


@pytest.mark.parametrize(
    ("bound", "matching"),
    [
        (2**40, [2**40]),
        (-5, [-5]),
        (0, [0]),
        (1, [1]),
        (True, [True]),
        (False, [False]),
        ("5", ["5", b"5"]),
        (b"5", ["5", b"5"]),
        ("", ["", b""]),
        (b"", ["", b""]),
        ("true", ["true"]),
        ("undefined", ["undefined"]),
        ("é", ["é"]),
        (decimal.Decimal("5"), [decimal.Decimal("5"), decimal.Decimal("5.0")]),
        (decimal.Decimal("0.5"), [decimal.Decimal("0.5")]),
        (["a"], [["a"]]),
        ([b"a"], [[b"a"]]),
        ([5], [[5]]),
        ([long(5)], [[long(5)]]),
        ([], [[], {}]),
        ({}, [[], {}]),
        ({"a": 1}, [{"a": 1}]),
        ({"a": long(1)}, [{"a": long(1)}]),
        ({"a": 1, "b": 2}, [{"a": 1, "b": 2}]),
        ({"b": 2, "a": 1}, [{"b": 2, "a": 1}]),
    ],
)
def test_values_are_compared_without_their_type_but_exactly_inside_arrays_and_tables(
    channel: BlockingChannel, bound: Any, matching: list[Any]
) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"k": bound})
    found = [repr(value) for value in VALUES if is_routed(channel, "amq.headers", "", {"k": value})]
    assert found == [repr(value) for value in VALUES if repr(value) in map(repr, matching)]


@pytest.mark.parametrize(
    ("bound", "matching"),
    [
        (5, {"3.10": [5, long(5), FIVE_SECONDS], "4.0": [5, long(5)]}),
        (long(5), {"3.10": [5, long(5), FIVE_SECONDS], "4.0": [5, long(5)]}),
        (5000, {"3.10": [5000], "4.0": [5000, FIVE_SECONDS]}),
        (FIVE_SECONDS, {"3.10": [5, long(5), FIVE_SECONDS], "4.0": [5, long(5)]}),
    ],
)
def test_timestamps_are_seconds_in_a_binding_and_since_4_0_milliseconds_in_a_message(
    channel: BlockingChannel, version: str, bound: Any, matching: dict[str, list[Any]]
) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"k": bound})
    found = [repr(value) for value in VALUES if is_routed(channel, "amq.headers", "", {"k": value})]
    assert found == [repr(value) for value in VALUES if repr(value) in map(repr, matching[version])]


@pytest.mark.parametrize(
    ("binding", "routed"),
    [({}, True), ({"x-match": "any"}, False), ({"a": 1}, False), ({"a": None}, False), ({"x-a": 1}, True)],
)
def test_a_message_without_headers_has_none_that_match(
    channel: BlockingChannel, binding: Headers, routed: bool
) -> None:
    bound_queue(channel, "q", "amq.headers", "", binding)
    channel.basic_publish("amq.headers", "", b"m")
    channel.basic_publish("amq.headers", "", b"m", pika.BasicProperties(headers={}))
    assert get_all(channel, "q") == [b"m", b"m"] * routed


def test_the_routing_key_is_ignored(channel: BlockingChannel) -> None:
    bound_queue(channel, "q", "amq.headers", "bound", {"a": 1})
    assert [is_routed(channel, "amq.headers", key, {"a": 1}) for key in ("bound", "other", "")] == [True] * 3
    assert not is_routed(channel, "amq.headers", "bound", {"a": 2})


def test_the_message_s_other_properties_are_no_headers(channel: BlockingChannel) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"content_type": "text/plain"})
    channel.basic_publish("amq.headers", "", b"m", pika.BasicProperties(content_type="text/plain"))
    assert get_all(channel, "q") == []


def test_a_queue_with_several_matching_bindings_gets_one_copy(channel: BlockingChannel) -> None:
    several: list[Headers] = [{"a": 1}, {"a": 1, "b": 2}, {"x-match": "any", "a": 1}, {"x-match": "all", "a": 1}]
    for binding in several:
        bound_queue(channel, "q", "amq.headers", "", binding)
    channel.basic_publish("amq.headers", "", b"once", pika.BasicProperties(headers={"a": 1, "b": 2}))
    assert get_all(channel, "q") == [b"once"]


def test_bindings_that_differ_in_their_headers_are_unbound_one_by_one(channel: BlockingChannel) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"a": 1})
    bound_queue(channel, "q", "amq.headers", "", {"a": 2})
    channel.queue_unbind("q", "amq.headers", "", {"a": 1})
    assert [is_routed(channel, "amq.headers", "", {"a": value}) for value in (1, 2)] == [False, True]


def test_bindings_that_differ_in_the_type_of_a_value_are_others(channel: BlockingChannel) -> None:
    bound_queue(channel, "q", "amq.headers", "", {"a": 1})
    bound_queue(channel, "q", "amq.headers", "", {"a": long(1)})
    channel.queue_unbind("q", "amq.headers", "", {"a": 1})
    assert is_routed(channel, "amq.headers", "", {"a": 1})
    channel.queue_unbind("q", "amq.headers", "", {"a": long(1)})
    assert not is_routed(channel, "amq.headers", "", {"a": 1})


@pytest.mark.parametrize("exchange", ["amq.headers", "amq.match", "x"])
def test_each_headers_exchange_routes_by_headers(channel: BlockingChannel, exchange: str) -> None:
    if exchange == "x":
        channel.exchange_declare(exchange, "headers")
    bound_queue(channel, "q", exchange, "", {"a": 1})
    assert is_routed(channel, exchange, "", {"a": 1})
    assert not is_routed(channel, exchange, "", {"a": 2})


X_MATCH = [
    ("some", 'value <<"some">>; expected all, any, all-with-x, or any-with-x'),
    ("ALL", 'value <<"ALL">>; expected all, any, all-with-x, or any-with-x'),
    (" all", 'value <<" all">>; expected all, any, all-with-x, or any-with-x'),
    ("", "value <<>>; expected all, any, all-with-x, or any-with-x"),
    (1, "type signedint (value 1); expected longstr"),
    (long(3), "type long (value 3); expected longstr"),
    (True, "type bool (value true); expected longstr"),
    (None, "type void (value undefined); expected longstr"),
    (b"all", 'type binary (value <<"all">>); expected longstr'),
    (["all"], 'type array (value [{longstr,<<"all">>}]); expected longstr'),
    ({"a": 1}, 'type table (value [{<<"a">>,signedint,1}]); expected longstr'),
    (decimal.Decimal("1.5"), "type decimal (value {1,15}); expected longstr"),
    (FIVE_SECONDS, "type timestamp (value 5); expected longstr"),
]


@pytest.mark.parametrize(("value", "text"), X_MATCH)
def test_an_invalid_x_match_is_refused(channel: BlockingChannel, value: Any, text: str) -> None:
    channel.queue_declare("q")
    with channel_closed(406, f"PRECONDITION_FAILED - Invalid x-match field {text}"):
        channel.queue_bind("q", "amq.headers", "", {"x-match": value})


def test_an_invalid_x_match_is_refused_for_exchanges_too(channel: BlockingChannel) -> None:
    text = 'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x'
    with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
        channel.exchange_bind("amq.fanout", "amq.headers", "", {"x-match": "some"})


def test_a_missing_queue_is_told_before_an_invalid_x_match(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_bind("nope", "amq.headers", "", {"x-match": "some"})


@pytest.mark.parametrize("exchange", ["amq.direct", "amq.fanout", "amq.topic"])
def test_other_exchanges_do_not_look_at_x_match(channel: BlockingChannel, exchange: str) -> None:
    bound_queue(channel, "q", exchange, "k", {"x-match": 1})
    assert is_routed(channel, exchange, "k")


def test_unbinding_does_not_look_at_x_match(channel: BlockingChannel) -> None:
    channel.queue_declare("q")
    assert channel.queue_unbind("q", "amq.headers", "", {"x-match": 1}).method.NAME == "Queue.UnbindOk"
