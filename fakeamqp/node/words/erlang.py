"""Erlang's terms: how RabbitMQ sees field values, compares them and prints them in its texts.

Atoms are str here, binaries bytes, integers int, tuples tuple and lists list, so that Python's `==` is Erlang's.
Source: rabbit_binary_parser.erl (parse_table), and `~s` and `~p` of io:format.
"""

from __future__ import annotations

import datetime
import decimal
import re
from typing import Any

from fakeamqp.spec.tables import field_type

LINE_WIDTH = 80
"""Where `~p` starts a new line."""


def term(value: Any) -> Any:
    """A field value as RabbitMQ has decoded it: its wire type is gone, but for what is inside arrays and tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "undefined"
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    if isinstance(value, decimal.Decimal):
        scale = max(0, -int(value.as_tuple().exponent))
        return (scale, int(value.scaleb(scale)))
    if isinstance(value, list):
        return [(field_type(each), term(each)) for each in value]
    if isinstance(value, dict):
        return [(binary(key), field_type(each), term(each)) for key, each in value.items()]
    return value


def binary(name: str | bytes) -> bytes:
    """A name as bytes; one that is no UTF-8 has been bytes all along."""
    return name.encode() if isinstance(name, str) else name


def printed(value: Any) -> str:
    """A term as `~p` prints it on one line."""
    if isinstance(value, bytes):
        return f"<<{string(value.decode('utf-8', 'replace'))}>>" if value else "<<>>"
    if isinstance(value, tuple):
        return "{" + ",".join(map(printed, value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(printed, value)) + "]"
    return str(value)


def atom(name: str) -> str:
    """An atom as `~p` prints it: quoted unless it is one word that begins with a small letter."""
    return name if re.fullmatch(r"[a-z][A-Za-z0-9_@]*", name) else f"'{name}'"


def json(value: Any) -> str:
    """A value that came as JSON, as `~p` prints it."""
    if isinstance(value, dict):
        return "#{" + ",".join(f"{json(key)} => {json(each)}" for key, each in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json, value)) + "]"
    if value is None:
        return "null"
    return printed(term(value))


def json_pairs(value: dict[str, Any]) -> str:
    """A JSON object as RabbitMQ prints those that it takes for lists of pairs, sorted by key."""
    return "[" + ",".join(f"{{{json(key)},{json(each)}}}" for key, each in sorted(value.items())) + "]"


def shown(value: Any) -> str:
    """A term as a text shows it: binaries bare (`~s`), all else as `~p` does."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else printed(value)


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\"}


def string(text: str) -> str:
    """A string as `~p` prints it: a list of numbers if any character is not printable in Latin-1."""
    if all(character in _ESCAPES or " " <= character <= "~" or "\xa0" <= character <= "\xff" for character in text):
        return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'
    return "[" + ",".join(str(octet) for octet in text.encode()) + "]"


def pair(start: str, word: str, value: str) -> str:
    """`start`, and then `{word,value}` as `~p` prints it there: on two lines where one would be too long."""
    line = f"{start}{{{word},{value}}}"
    if len(line) < LINE_WIDTH - 1:
        return line
    return f"{start}{{{word},\n{' ' * (len(start) + 1)}{value}}}"


ATOMS = frozenset({"", "queue", "exchange", "true", "false", "undefined", "classic", "quorum", "stream", "ok", "error"})
"""Some names that mean something to a running RabbitMQ whatever it was asked; no list of them can be complete."""
