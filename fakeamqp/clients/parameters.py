"""Connection parameters that are copied quickly: pika copies those of each connection deeply, value by value."""

from __future__ import annotations

import copy
import types
from typing import Any

from pika.connection import ConnectionParameters, Parameters, URLParameters
from pika.credentials import PlainCredentials

_IMMUTABLE = frozenset((int, float, str, bool, bytes, type(None)))
_SLOTS = {
    kind: tuple(dict.fromkeys(name for base in kind.__mro__ for name in vars(base).get("__slots__", ())))
    for kind in (Parameters, ConnectionParameters, URLParameters)
}
"""The attributes of pika's own kinds of parameters; a class of somebody else's has others, or its own way to copy."""
_MISSING = object()


def deepcopy(value: Any) -> Any:
    """What `copy.deepcopy` answers, sooner for what pika copies most."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    made: Any
    if kind is PlainCredentials and all(type(each) in _IMMUTABLE for each in vars(value).values()):
        made = object.__new__(kind)
        vars(made).update(vars(value))
        return made
    if kind not in _SLOTS:
        return copy.deepcopy(value)
    made = object.__new__(kind)
    for name in _SLOTS[kind]:
        each = getattr(value, name, _MISSING)
        if each is not _MISSING:
            setattr(made, name, each if type(each) in _IMMUTABLE else deepcopy(each))
    return made


quick_copy = types.SimpleNamespace(deepcopy=deepcopy)
"""What stands for the module `copy` in pika.connection."""
