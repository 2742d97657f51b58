"""Field tables: the values that arguments and headers hold, and their AMQP type names.

A table is a plain dict. Its values are bool, int, float, str, bytes, `decimal.Decimal`, `datetime.datetime`, None,
lists and tables. What Python cannot tell apart but RabbitMQ can has a type of its own here.
"""

from __future__ import annotations

import datetime
import decimal
from typing import Any, TypeAlias

Table: TypeAlias = dict[str, Any]

EMPTY_TABLE: Table = {}
"""The table of whoever gave none; shared, never written to."""


class LongLong(int):
    """A 64-bit integer (`l`), also where the number would fit 32 bits."""

    __slots__ = ()


def field_type(value: Any) -> str:
    """RabbitMQ's name for the AMQP type of a field value, as its error texts print it.

    Source: rabbit_binary_parser.erl, the atoms of parse_table.
    """
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        fits = -(2**31) <= value < 2**31 and not isinstance(value, LongLong)
        return "signedint" if fits else "long"
    return _TYPE_NAMES[type(value)]


_TYPE_NAMES: dict[type, str] = {
    str: "longstr",
    bytes: "binary",
    float: "double",
    decimal.Decimal: "decimal",
    datetime.datetime: "timestamp",
    dict: "table",
    list: "array",
    type(None): "void",
}


def copy_table(table: Table) -> Table:
    """A deep copy: nobody's later change to a table may reach another reader."""
    return {key: copy_value(value) for key, value in table.items()}


def copy_value(value: Any) -> Any:
    """A deep copy of one field value."""
    if type(value) is dict:
        return copy_table(value)
    if type(value) is list:
        return [copy_value(each) for each in value]
    return value
