"""Field tables between pika and us."""

from __future__ import annotations

import marshal
from typing import Any

import pika.compat

from fakeamqp.spec.methods import SHORT_STRING_MAX
from fakeamqp.spec.tables import EMPTY_TABLE, LongLong, Table

PLAIN_TABLE_OCTETS = 1000
"""How large a table may be to be taken as it is: below this, whatever it is a part of fits into the smallest frame."""
PLAIN_TABLE_DEPTH = 8
MOST_KNOWN = 100


def table_in(value: Any) -> Any:
    """A field value that pika has decoded, as ours: independent of pika, and of the caller's objects."""
    if isinstance(value, pika.compat.long):
        return LongLong(value)
    if isinstance(value, dict):
        return {key: table_in(each) for key, each in value.items()}
    if isinstance(value, list):
        return [table_in(each) for each in value]
    return value


def table_out(value: Any) -> Any:
    """One of our field values, as pika would have decoded it; the receiver may change it freely."""
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is dict:
        return {key: table_out(each) for key, each in value.items()}
    if kind is list:
        return [table_out(each) for each in value]
    if kind is LongLong or (kind is int and not is_32_bit(value)):
        return pika.compat.long(value)
    return value


def is_32_bit(value: int) -> bool:
    """Whether a number fits into a signed 32-bit field."""
    return -(2**31) <= value < 2**31


def plain_table(table: Any) -> Table | None:
    """A copy of a table that a program gave, where encoding and decoding would not change it; None where it might.

    That is so for a small table of booleans, 32-bit integers, ASCII strings, None, and such tables.
    """
    if not table:
        return EMPTY_TABLE
    if type(table) is not dict:
        return None
    copy: Table = {}
    return copy if _copy_plain(table, copy, PLAIN_TABLE_OCTETS, PLAIN_TABLE_DEPTH) >= 0 else None


_known: dict[bytes, Table | None] = {}


def known_table(table: Any) -> Table | None:
    """What `plain_table` answers, for a table that comes again and again: what a client says of itself.

    It is known again by Python's marshal format, which tells types apart and refuses what is not of Python's own.
    """
    try:
        key = marshal.dumps(table, 2)
    except ValueError:
        return plain_table(table)
    if key not in _known:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[key] = plain_table(table)
    return _known[key]


def _copy_plain(table: dict[Any, Any], copy: Table, octets_left: int, depth_left: int) -> int:
    """Copy what is plain; how many of the allowed octets are left, below 0 where something is not plain."""
    for key, value in table.items():
        if type(key) is not str or len(key) > SHORT_STRING_MAX or not key.isascii():
            return -1
        octets_left -= len(key) + MOST_OCTETS_OF_A_SMALL_VALUE
        kind = type(value)
        if kind is bool:
            pass
        elif kind is str:
            if not value.isascii():
                return -1
            octets_left -= len(value)
        elif kind is dict:
            if depth_left == 0:
                return -1
            inner: Table = {}
            octets_left = _copy_plain(value, inner, octets_left, depth_left - 1)
            value = inner
        elif value is not None and not (kind is int and is_32_bit(value)):
            return -1
        if octets_left < 0:
            return -1
        copy[key] = value
    return octets_left


MOST_OCTETS_OF_A_SMALL_VALUE = 6
"""The length of a key, a value's type and either a 32-bit integer or the length of a string or table."""
