"""Methods of ours, as pika would have read them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pika.spec
from pika import frame

from fakeamqp.clients.translation.classes import PIKA_CLASSES
from fakeamqp.clients.translation.tables import table_out
from fakeamqp.spec.methods import Method
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties

ABSENT_PROPERTIES = vars(pika.spec.BasicProperties())
"""The attributes of properties of pika's of which none is given."""


def _writer(ours: type[Method], theirs: type) -> Callable[[Method], Any]:
    """How one of our methods becomes pika's.

    Made as text once for each class, so that it sets each attribute and does nothing else: neither `__init__`, nor its
    defaults.
    """
    known = inspect.signature(theirs).parameters
    needed = [None for each in known.values() if each.default is each.empty]
    values = {name: repr(value) for name, value in vars(theirs(*needed)).items()}
    for name in ours.__slots__:
        if name in known:
            values[name] = f"table(m.{name})" if ours.__annotations__[name] == "Table" else f"m.{name}"
    lines = ["def write(m):", " made = new(target)", *(f" made.{name} = {value}" for name, value in values.items())]
    scope: dict[str, Any] = {"new": object.__new__, "target": theirs, "table": table_out}
    exec("\n".join([*lines, " return made"]), scope)
    written: Callable[[Method], Any] = scope["write"]
    return written


_WRITERS = {ours: _writer(ours, theirs) for ours, theirs in PIKA_CLASSES.items()}


def method_out(method: Method) -> Any:
    """A method as pika's, without its content."""
    return _WRITERS[type(method)](method)


def properties_out(properties: BasicProperties) -> Any:
    """Properties as pika hands them to the program, which may change them."""
    made: Any = object.__new__(pika.spec.BasicProperties)
    fields = vars(made)
    fields.update(ABSENT_PROPERTIES)
    if properties is not EMPTY_PROPERTIES:
        for name in BasicProperties.__slots__:
            value = getattr(properties, name)
            if value is not None:
                fields[name] = table_out(value) if name == "headers" else value
    return made


def content_frames_out(channel_number: int, method: Any) -> list[Any]:
    """The frames after that of a method with content that pika would have read."""
    body = method.body
    header = frame.Header(channel_number, len(body), properties_out(method.properties))
    return [header, frame.Body(channel_number, body)] if body else [header]
