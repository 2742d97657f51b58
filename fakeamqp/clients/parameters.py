"""Connection parameters that are copied quickly: pika copies those of each connection deeply, value by value."""

from __future__ import annotations

import copy
from typing import Any

from pika.connection import ConnectionParameters, Parameters, URLParameters
from pika.credentials import PlainCredentials

_IMMUTABLE = frozenset((int, float, str, bool, bytes, type(None)))
_SSL_OPTIONS = "_ssl_options"
"""The attribute that pika itself takes over instead of copying it."""


def _copied_once(kind: type) -> type:
    """A class of parameters that are a copy already: to copy them deeply makes them plain ones of this kind."""

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:  # noqa: N807
        self.__class__ = kind
        return self

    members = {"__slots__": (), "__deepcopy__": __deepcopy__, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), members)


_KINDS = {kind: _copied_once(kind) for kind in (Parameters, ConnectionParameters, URLParameters)}
_SLOTS = {
    kind: tuple(dict.fromkeys(name for base in kind.__mro__ for name in vars(base).get("__slots__", ())))
    for kind in _KINDS
}
"""The attributes of pika's own kinds of parameters; a class of somebody else's has others, or its own way to copy."""
_MISSING = object()


def to_be_copied(parameters: Any) -> Any:
    """Parameters for the constructor of a pika connection, which copies them: then they are the copy."""
    kind = type(parameters)
    if kind not in _KINDS:
        return parameters
    made: Any = object.__new__(_KINDS[kind])
    for name in _SLOTS[kind]:
        value = getattr(parameters, name, _MISSING)
        if value is not _MISSING:
            is_taken_over = type(value) in _IMMUTABLE or name == _SSL_OPTIONS
            setattr(made, name, value if is_taken_over else _copied(value))
    return made


def _copied(value: Any) -> Any:
    if type(value) is not PlainCredentials or not all(type(each) in _IMMUTABLE for each in vars(value).values()):
        return copy.deepcopy(value)
    made = object.__new__(PlainCredentials)
    vars(made).update(vars(value))
    return made
