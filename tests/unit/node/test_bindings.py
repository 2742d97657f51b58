"""Bindings: when two of them are the same."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.spec.tables import LongLong

ORDERS = Destination("queue", "orders")


def binding(**changes: Any) -> Binding:
    fields: dict[str, Any] = {"source": "prices", "destination": ORDERS, "routing_key": "key", "arguments": {}}
    return Binding(**{**fields, **changes})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": "text"}, {"a": "text"}),
        ({"deep": [1, {"deeper": "text"}]}, {"deep": [1, {"deeper": "text"}]}),
    ],
)
def test_bindings_with_the_same_arguments_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert binding(arguments=one) == binding(arguments=other)
    assert hash(binding(arguments=one)) == hash(binding(arguments=other))


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "other"},
        {"destination": Destination("queue", "other")},
        {"destination": Destination("exchange", "orders")},
        {"routing_key": "other"},
        {"arguments": {"a": 1}},
    ],
    ids=str,
)
def test_bindings_that_differ_anywhere_are_different(changes: dict[str, Any]) -> None:
    assert binding(**changes) != binding()


@pytest.mark.parametrize(("one", "other"), [(5, LongLong(5)), (1, True), ("text", b"text"), ([1], [2])])
def test_the_type_of_an_argument_counts(one: Any, other: Any) -> None:
    assert binding(arguments={"a": one}) != binding(arguments={"a": other})


def test_a_binding_is_nothing_else() -> None:
    assert binding() != ("prices", ORDERS, "key", {})


def test_a_binding_shows_where_it_leads() -> None:
    assert repr(binding(arguments={"a": 1})) == "Binding('prices' -> queue 'orders', 'key', {'a': 1})"
