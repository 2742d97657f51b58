"""How each type of exchange routes, as an index over its bindings."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing import exchange_types
from fakeamqp.node.routing.exchange_types import BindingIndex, headers_match, standard_types, validate_headers_binding
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.errors import SoftError
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong

ANY_VERSION = PROFILES["4.0"]


def index_of(kind: str, *keys: str) -> BindingIndex:
    """An exchange's index, with a binding for each key to a queue of that name."""
    index = standard_types(ANY_VERSION)[kind].make_index(ExchangeFact("/", "prices", kind, True, False, False, {}))
    for key in keys:
        index.add(binding(key))
    return index


def binding(key: str, queue: str | None = None, arguments: dict[str, Any] | None = None) -> Binding:
    return Binding("prices", Destination("queue", queue or key), key, arguments or {})


def names(index: BindingIndex, key: str, headers: dict[str, Any] | None = None) -> list[str]:
    message = Message("prices", key, BasicProperties(headers=headers), b"")
    return [destination.name for destination in index.route(message)]


class TestDirect:
    def test_the_binding_key_is_the_routing_key(self) -> None:
        index = index_of("direct", "a", "b")
        assert names(index, "a") == ["a"]
        assert names(index, "A") == []

    def test_a_key_may_lead_to_many(self) -> None:
        index = index_of("direct", "a")
        index.add(binding("a", "other"))
        assert names(index, "a") == ["a", "other"]
        index.remove(binding("a"))
        assert names(index, "a") == ["other"]
        index.remove(binding("a", "other"))
        assert names(index, "a") == []


class TestFanout:
    def test_every_binding_is_taken_whatever_the_key(self) -> None:
        index = index_of("fanout", "a", "b")
        assert names(index, "c") == ["a", "b"]
        index.remove(binding("a"))
        assert names(index, "c") == ["b"]


class TestTopic:
    def test_the_binding_key_is_a_pattern(self) -> None:
        index = index_of("topic", "a.*", "#", "b")
        assert sorted(names(index, "a.b")) == ["#", "a.*"]
        index.remove(binding("#"))
        assert names(index, "a.b") == ["a.*"]


class TestHeaders:
    def test_bindings_are_chosen_by_headers(self) -> None:
        index = index_of("headers")
        index.add(binding("", "red", {"color": "red"}))
        index.add(binding("", "all"))
        assert names(index, "any", {"color": "red"}) == ["red", "all"]
        assert names(index, "any", {"color": "blue"}) == ["all"]
        index.remove(binding("", "all"))
        assert names(index, "any", {"color": "blue"}) == []

    def test_only_headers_exchanges_look_at_every_message(self) -> None:
        assert [kind for kind in standard_types(ANY_VERSION) if not index_of(kind).is_cacheable] == ["headers"]

    @pytest.mark.parametrize(
        ("arguments", "headers", "expected"),
        [
            ({}, {}, True),
            ({"x-match": "all"}, {}, True),
            ({"x-match": "any"}, {"a": 1}, False),
            ({"a": 1}, {"a": 1, "b": 2}, True),
            ({"a": 1, "b": 2}, {"a": 1}, False),
            ({"a": 1, "b": 2, "x-match": "any"}, {"a": 1}, True),
            ({"a": 1, "b": 2, "x-match": "any"}, {"a": 2, "b": 1}, False),
            ({"a": None}, {"a": "whatever"}, True),
            ({"a": None}, {}, False),
            ({"a": 5}, {"a": LongLong(5)}, True),
            ({"a": "text"}, {"a": b"text"}, True),
            ({"a": 1}, {"a": True}, False),
            ({"x-a": 1}, {}, True),
            ({"x-a": 1, "x-match": "any"}, {"x-a": 1}, False),
            ({"x-a": 1, "x-match": "any-with-x"}, {"x-a": 1}, True),
            ({"x-a": 1, "x-match": "all-with-x"}, {}, False),
            ({"x-a": 1, "x-match": "all-with-x"}, {"x-a": 1}, True),
        ],
        ids=str,
    )
    def test_arguments_against_headers(
        self, arguments: dict[str, Any], headers: dict[str, Any], expected: bool
    ) -> None:
        assert headers_match(arguments, headers, ANY_VERSION) is expected

    @pytest.mark.parametrize(("version", "expected"), [("3.10", True), ("4.0", False)])
    def test_newer_versions_do_not_find_a_timestamp_equal_to_itself(self, version: str, expected: bool) -> None:
        moment = {"at": datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)}
        assert headers_match(moment, moment, PROFILES[version]) is expected


class TestValidation:
    @pytest.mark.parametrize("arguments", [{}, {"x-match": "all"}, {"x-match": "any-with-x", "a": 1}], ids=str)
    def test_good_arguments_are_taken(self, arguments: dict[str, Any]) -> None:
        validate_headers_binding(arguments)

    @pytest.mark.parametrize(
        ("wanted", "text"),
        [
            ("some", 'field value <<"some">>; expected all, any, all-with-x, or any-with-x'),
            (5, "field type signedint (value 5); expected longstr"),
            (None, "field type void (value undefined); expected longstr"),
        ],
    )
    def test_another_x_match_is_refused(self, wanted: Any, text: str) -> None:
        with pytest.raises(SoftError) as refused:
            validate_headers_binding({"x-match": wanted})
        assert refused.value.text == f"PRECONDITION_FAILED - Invalid x-match {text}"


NAMES = ("a", "b", "x-a", "")
VALUES = st.sampled_from(
    (None, True, False, 0, 1, 1.0, "1", b"1", "true", "undefined", [1], {"a": 1}, LongLong(1), decimal.Decimal("1.0"))
) | st.sampled_from((datetime.datetime.fromtimestamp(1, datetime.timezone.utc), 1000))
BOUND = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)
MATCHES = st.sampled_from((None, "all", "any", "all-with-x", "any-with-x"))


@given(
    st.lists(st.tuples(BOUND, MATCHES), max_size=8), st.lists(BOUND, min_size=1, max_size=4), st.sets(st.integers(0, 7))
)
@pytest.mark.parametrize("version", ["3.10", "4.0"])
def test_a_headers_exchange_finds_what_each_binding_would_match(
    version: str, bound: list[tuple[Any, str | None]], messages: list[Any], removed: set[int]
) -> None:
    profile = PROFILES[version]
    fact = ExchangeFact("/", "prices", "headers", True, False, False, {})
    index = standard_types(profile)["headers"].make_index(fact)
    bindings = [
        binding("", str(number), arguments if match is None else {**arguments, "x-match": match})
        for number, (arguments, match) in enumerate(bound)
    ]
    for each in bindings:
        index.add(each)
    for each in [each for number, each in enumerate(bindings) if number in removed]:
        index.remove(each)
        bindings.remove(each)
    for headers in messages:
        expected = [each.destination.name for each in bindings if headers_match(each.arguments, headers, profile)]
        assert names(index, "", headers) == expected


def test_a_headers_exchange_looks_at_the_bindings_alone_that_ask_for_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = index_of("headers")
    for number in range(100):
        index.add(binding("", str(number), {"kind": "order", "number": number}))
    looked_at: list[dict[str, Any]] = []

    def match(arguments: dict[str, Any], headers: dict[str, Any], profile: Any) -> bool:
        looked_at.append(arguments)
        return headers_match(arguments, headers, profile)

    monkeypatch.setattr(exchange_types, "headers_match", match)
    assert names(index, "", {"kind": "order", "number": 7}) == ["7"]
    assert len(looked_at) <= 2  # by its number, and the first, which nothing told apart by its kind
