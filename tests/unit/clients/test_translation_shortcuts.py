"""What crosses without being encoded: it must arrive as pika's own encoder and decoder would bring it."""

from __future__ import annotations

import datetime
import inspect
from collections.abc import Callable
from typing import Any
from unittest import mock

import pika
import pika.compat
import pika.spec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeamqp.clients.translation import inbound
from fakeamqp.clients.translation import tables as tables_module
from fakeamqp.clients.translation.inbound import method_in, properties_in
from fakeamqp.clients.translation.tables import PLAIN_TABLE_OCTETS, known_table, plain_table
from fakeamqp.spec.records import Record

SMALLEST = pika.ConnectionParameters(frame_max=4096)
"""The smallest that pika and RabbitMQ agree on, so that what is too large for it is drawn often."""

texts = st.text(max_size=8) | st.sampled_from(["", "a" * 255, "a" * 256, "ä" * 128, "\ud800"])
integers = st.integers(-2, 2) | st.sampled_from([2**n + d for n in (8, 15, 16, 31, 32, 63, 64) for d in (-1, 0)])
leaves = st.none() | st.booleans() | integers | texts | st.floats() | st.binary(max_size=4)
leaves |= integers.map(pika.compat.long) | st.sampled_from(["x" * 900, "x" * 1100, "x" * 5000])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
tables = st.dictionaries(texts, values, max_size=4) | st.sampled_from([None, {}, [], 0, {1: 2}])
anything = texts | integers | st.booleans() | st.none() | st.binary(max_size=300) | tables


def _plausible(name: str, default: Any) -> st.SearchStrategy[Any]:
    if "properties" in name or name in ("arguments", "headers"):
        return tables
    if isinstance(default, bool) or name in ("multiple", "active", "redelivered"):
        return st.booleans() | st.integers(0, 1)
    return integers if isinstance(default, int) or name.endswith(("tag", "count", "size", "max")) else texts


@st.composite
def methods_of_pika(draw: Callable[..., Any]) -> Any:
    """Any method that pika's users can send, most often with plausible values and sometimes with wrong ones."""
    kind = draw(st.sampled_from(sorted(inbound._QUICK_READERS, key=lambda each: each.NAME)))
    fields = inspect.signature(kind).parameters
    odd = draw(st.sampled_from([None, *fields])) if fields else None
    return kind(
        **{name: draw(anything if name == odd else _plausible(name, each.default)) for name, each in fields.items()}
    )


def typed(value: Any) -> Any:
    """A value that is equal only where all types are, and where not-a-number is equal to itself."""
    if isinstance(value, Record):
        return type(value), [typed(getattr(value, name)) for name in value.__slots__]
    if isinstance(value, dict):
        return [(typed(key), typed(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [list, *map(typed, value)]
    return type(value), repr(value)


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a call answers, or the exception that it raises."""
    try:
        return typed(function(*arguments))
    except Exception as error:
        return type(error), str(error)


@given(methods_of_pika())
def test_a_method_arrives_as_through_bytes(method: Any) -> None:
    with mock.patch.dict(inbound._QUICK_READERS, clear=True):
        through_bytes = outcome(method_in, method, SMALLEST)
    assert outcome(method_in, method, SMALLEST) == through_bytes


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: (tables if name == "headers" else anything)
            for name in inspect.signature(pika.BasicProperties).parameters
        },
    )
)
def test_properties_arrive_as_through_bytes(fields: dict[str, Any]) -> None:
    properties = pika.BasicProperties(**fields)
    with mock.patch.object(inbound, "_plain_properties", return_value=None):
        through_bytes = outcome(properties_in, properties, SMALLEST)
    assert outcome(properties_in, properties, SMALLEST) == through_bytes


def test_an_attribute_that_is_no_property_does_not_cross() -> None:
    properties = pika.BasicProperties(delivery_mode=2)
    properties.note = "mine"  # type: ignore[attr-defined]
    assert properties_in(properties, SMALLEST) == properties_in(pika.BasicProperties(delivery_mode=2), SMALLEST)


@pytest.mark.parametrize(
    "kind",
    [pika.spec.Basic.Ack, pika.spec.Basic.Get, pika.spec.Queue.Declare, pika.spec.Connection.StartOk],
    ids=lambda kind: kind.NAME,
)
def test_what_programs_send_most_is_not_encoded(kind: Any) -> None:
    needed = {
        "client_properties": {"product": "shop", "capabilities": {"basic.nack": True}},
        "response": b"\0me\0secret",
    }
    known = inspect.signature(kind).parameters
    method = kind(**{name: value for name, value in needed.items() if name in known})
    with mock.patch.object(kind, "encode", side_effect=AssertionError("encoded")):
        method_in(method, SMALLEST)


def test_a_table_is_copied_deeply() -> None:
    table = {"inner": {"number": 1}}
    copy = plain_table(table)
    table["inner"]["number"] = 2
    assert copy == {"inner": {"number": 1}}


@pytest.mark.parametrize(
    "table",
    [{"a": 1.5}, {"a": [1]}, {"a": "ä"}, {"ä": 1}, {"a" * 256: 1}, {"a": 2**31}, {1: 1}, {"a": {"b": b""}}, [1]],
    ids=repr,
)
def test_a_table_that_bytes_might_change_is_not_plain(table: Any) -> None:
    assert plain_table(table) is None


def test_a_large_or_deep_table_is_not_plain() -> None:
    assert plain_table({str(number): "x" * 90 for number in range(10)}) is not None
    assert plain_table({str(number): "x" * 100 for number in range(10)}) is None
    assert plain_table({"text": "x" * PLAIN_TABLE_OCTETS}) is None
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"a": deep}
    assert plain_table(deep) is None


def test_a_table_that_comes_again_is_known_by_its_types_as_well() -> None:
    first = known_table({"a": True, "inner": {"b": 1}})
    assert known_table({"a": True, "inner": {"b": 1}}) is first
    again = known_table({"a": 1, "inner": {"b": True}})
    assert again is not None
    assert typed(again) != typed(first)
    assert known_table({"a": datetime.datetime.fromtimestamp(0, datetime.timezone.utc)}) is None
    assert known_table({"a": 1.5}) is None


def test_only_so_many_tables_are_known() -> None:
    for number in range(3 * tables_module.MOST_KNOWN):
        assert known_table({"number": number}) == {"number": number}
    assert len(tables_module._known) <= tables_module.MOST_KNOWN
