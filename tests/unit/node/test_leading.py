"""Bindings, asked one by one whether they lead a message on, say what routing does."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.routing.exchange_types import BindingIndex
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import Table
from tests.unit.node._parts import make_types


def make_index(kind: str, arguments: Table | None = None) -> BindingIndex:
    types = make_types(custom={"own": lambda bindings, key, message: bindings})
    return types.make_index(ExchangeFact("/", "source", kind, True, False, False, arguments or {}))


def binding(queue: str, key: str = "", arguments: Table | None = None) -> Binding:
    return Binding("source", Destination("queue", queue), key, arguments or {})


def message(key: str = "a", *further_keys: str, **headers: Any) -> Message:
    return MessageWithMore("source", key, BasicProperties(headers=headers), b"", further_keys)


CASES = [
    ("direct", [binding("a", "a"), binding("b", "b"), binding("c", "c")], message("a", "c"), [True, False, True]),
    ("topic", [binding("a", "*"), binding("b", "b.#"), binding("c", "#")], message("a"), [True, False, True]),
    ("fanout", [binding("a"), binding("b", "b")], message(), [True, True]),
    ("headers", [binding("a", arguments={"h": 1}), binding("b", arguments={"h": 2})], message(h=1), [True, False]),
    ("x-recent-history", [binding("a")], message(), [True]),
    ("x-random", [binding("a")], message(), [True]),
    ("x-random", [binding("a"), binding("b")], message(), [None, None]),
    ("own", [binding("a")], message(), [None]),
]


@pytest.mark.parametrize(("kind", "bindings", "published", "leads"), CASES)
def test_each_binding_says_whether_it_leads_on(
    kind: str, bindings: list[Binding], published: Message, leads: list[bool | None]
) -> None:
    index = make_index(kind)
    for each in bindings:
        index.add(each)
    assert [index.leads(each, published) for each in bindings] == leads
    if None not in leads:
        expected = [each.destination for each, is_led in zip(bindings, leads, strict=True) if is_led]
        assert sorted(index.route(published)) == sorted(expected)


@pytest.mark.parametrize("kind", ["x-consistent-hash", "x-modulus-hash"])
def test_a_hash_leads_where_it_routes(kind: str) -> None:
    index = make_index(kind)
    bindings = [binding(name, "1") for name in ("a", "b", "c")]
    for each in bindings:
        index.add(each)
    for key in "abcdefgh":
        led = [each.destination for each in bindings if index.leads(each, message(key))]
        assert led == index.route(message(key))


def test_asking_a_recent_history_exchange_is_not_remembered() -> None:
    index = make_index("x-recent-history")
    index.add(binding("a"))
    index.leads(binding("a"), message())
    assert index.remembered() == []


@pytest.mark.parametrize(("delay", "delay_ms"), [(1000, 1000), (0, 0), (-5, 0), (2**32, 0)])
def test_a_delayed_message_is_led_on_later(delay: int, delay_ms: int) -> None:
    index = make_index("x-delayed-message", {"x-delayed-type": "direct"})
    index.add(binding("a", "a"))
    assert index.leads(binding("a", "a"), message("a", **{"x-delay": delay}))
    assert index.delay_ms(message("a", **{"x-delay": delay})) == delay_ms
    assert make_index("direct").delay_ms(message("a", **{"x-delay": delay})) == 0
