"""Erlang's terms: how RabbitMQ compares field values, and how its texts print them."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest

from fakeamqp.node.words import erlang
from fakeamqp.spec.tables import LongLong


@pytest.mark.parametrize(
    ("value", "term"),
    [
        (True, "true"),
        (False, "false"),
        (None, "undefined"),
        ("text", b"text"),
        (b"octets", b"octets"),
        (5, 5),
        (1.5, 1.5),
        (datetime.datetime(1970, 1, 2, tzinfo=datetime.timezone.utc), 86400),
        (decimal.Decimal("3.14"), (2, 314)),
        (decimal.Decimal("300"), (0, 300)),
        (decimal.Decimal("3e2"), (0, 300)),
        ([1, "a"], [("signedint", 1), ("longstr", b"a")]),
        ({"key": True}, [(b"key", "bool", "true")]),
        ({"deep": [None]}, [(b"deep", "array", [("void", "undefined")])]),
    ],
)
def test_a_field_value_as_a_term(value: Any, term: Any) -> None:
    assert erlang.term(value) == term


@pytest.mark.parametrize(("one", "other"), [(5, LongLong(5)), ("text", b"text")])
def test_the_wire_type_of_a_value_is_forgotten(one: Any, other: Any) -> None:
    assert erlang.term(one) == erlang.term(other)


def test_an_atom_is_no_binary() -> None:
    assert erlang.term(True) != erlang.term("true")


@pytest.mark.parametrize("one", [[5], {"key": 5}])
def test_inside_a_container_the_wire_type_is_kept(one: Any) -> None:
    other = [LongLong(5)] if isinstance(one, list) else {"key": LongLong(5)}
    assert erlang.term(one) != erlang.term(other)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (b"text", '<<"text">>'),
        (b"", "<<>>"),
        (b"\xff", "<<[239,191,189]>>"),
        ("true", "true"),
        (5, "5"),
        ((2, 314), "{2,314}"),
        ([("signedint", 1), ("longstr", b"a")], '[{signedint,1},{longstr,<<"a">>}]'),
        ([], "[]"),
    ],
)
def test_a_term_as_it_is_printed(term: Any, text: str) -> None:
    assert erlang.printed(term) == text


def test_a_binary_is_shown_bare_and_all_else_printed() -> None:
    assert erlang.shown(b"text") == "text"
    assert erlang.shown([b"text"]) == '[<<"text">>]'


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain", '"plain"'),
        ('say "hi"\\\n', '"say \\"hi\\"\\\\\\n"'),
        ("tab\tescape\x1b", '"tab\\tescape\\e"'),
        ("Grüße", '"Grüße"'),
        ("bell\x07", "[98,101,108,108,7]"),
        ("€", "[226,130,172]"),
    ],
)
def test_a_string_is_a_list_of_numbers_where_it_cannot_be_printed(text: str, printed: str) -> None:
    assert erlang.string(text) == printed


def test_a_pair_stands_on_two_lines_where_one_is_too_long() -> None:
    assert erlang.pair("start: ", "word", "1") == "start: {word,1}"
    long = "x" * 80
    assert erlang.pair("start: ", "word", long) == f"start: {{word,\n        {long}}}"


def test_a_name_may_be_bytes_already() -> None:
    assert erlang.binary("key") == erlang.binary(b"key") == b"key"
