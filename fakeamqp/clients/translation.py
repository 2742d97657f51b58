"""Between pika's methods and ours, derived once from their fields: they are the same specification.

What the wire would do to a value still happens. Whatever is not plainly wire-safe takes pika's own way through
bytes and back, so that pika raises what pika raises and tables come back as pika reads them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pika.compat
import pika.spec
from pika import frame

from fakeamqp.spec import methods
from fakeamqp.spec.methods import BasicPublish, Method
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import LongLong

CONTENT_FIELDS = ("properties", "body")
SHORT_STRING_MAX = 255


def _table_in(value: Any) -> Any:
    """A field value that pika has decoded, as ours: independent of pika, and of the caller's objects."""
    if isinstance(value, pika.compat.long):
        return LongLong(value)
    if isinstance(value, dict):
        return {key: _table_in(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_table_in(each) for each in value]
    return value


def _table_out(value: Any) -> Any:
    """One of our field values, as pika would have decoded it; the receiver may change it freely."""
    if isinstance(value, LongLong) or (type(value) is int and not -(2**31) <= value < 2**31):
        return pika.compat.long(value)
    if isinstance(value, dict):
        return {key: _table_out(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_table_out(each) for each in value]
    return value


def _constructor(target: type, fields: dict[str, str], scope: dict[str, Any]) -> Callable[[Any], Any]:
    arguments = ", ".join(f"{name}={expression}" for name, expression in fields.items())
    made: Callable[[Any], Any] = eval(f"lambda m: target({arguments})", {"target": target, **scope})
    return made


def _reader(ours: type[Method], theirs: type) -> Callable[[Any], Method]:
    """How a method of pika's that the wire has seen becomes ours."""
    annotations = ours.__annotations__
    conversions = {"Table": "table(m.{0} or {{}})", "bool": "bool(m.{0})"}
    fields = {
        each: conversions.get(annotations[each], "m.{0}").format(each)
        for each in ours.__slots__
        if each not in CONTENT_FIELDS
    }
    return _constructor(ours, fields, {"table": _table_in})


def _writer(ours: type[Method], theirs: type) -> Callable[[Method], Any]:
    """How one of our methods becomes pika's."""
    known = inspect.signature(theirs).parameters
    conversions = {"Table": "table(m.{0})"}
    fields = {
        each: conversions.get(ours.__annotations__[each], "m.{0}").format(each)
        for each in ours.__slots__
        if each in known
    }
    return _constructor(theirs, fields, {"table": _table_out})


_PIKA_CLASSES: dict[type[Method], type] = {
    ours: pika.spec.methods[class_id << 16 | method_id]
    for (class_id, method_id), ours in methods.METHODS.items()
    if class_id << 16 | method_id in pika.spec.methods
}
_READERS = {theirs: _reader(ours, theirs) for ours, theirs in _PIKA_CLASSES.items()}
_WRITERS = {ours: _writer(ours, theirs) for ours, theirs in _PIKA_CLASSES.items()}


def method_in(method: Any) -> Method:
    """A method without content, as it arrives. Raises what pika's encoder raises."""
    encoded = b"".join(method.encode())
    arrived = type(method)().decode(encoded)
    return _READERS[type(method)](arrived)


def publish_in(method: Any, properties: Any, body: Any) -> BasicPublish:
    """A basic.publish, as it arrives. Raises what pika's encoder raises."""
    exchange, routing_key = method.exchange, method.routing_key
    if not (_is_plain(exchange) and _is_plain(routing_key)):
        arrived = type(method)().decode(b"".join(method.encode()))
        exchange, routing_key = arrived.exchange, arrived.routing_key
    return BasicPublish(
        exchange,
        routing_key,
        bool(method.mandatory),
        bool(method.immediate),
        properties_in(properties),
        body if type(body) is bytes else bytes(body),
    )


def _is_plain(value: Any) -> bool:
    # A short ASCII string crosses the wire as it is.
    return type(value) is str and len(value) <= SHORT_STRING_MAX and value.isascii()


_SMALL_FIELDS = ("delivery_mode", "priority")


def properties_in(properties: Any) -> BasicProperties:
    """Properties as they arrive. Raises what pika's encoder raises."""
    fields = {name: value for name, value in vars(properties).items() if value is not None}
    if not fields:
        return EMPTY_PROPERTIES
    for name, value in fields.items():
        if not (_is_plain(value) or (name in _SMALL_FIELDS and type(value) is int and 0 <= value <= 255)):
            break
    else:
        return BasicProperties(**fields)
    arrived = pika.spec.BasicProperties().decode(b"".join(properties.encode()))
    return BasicProperties(**{name: _table_in(getattr(arrived, name)) for name in BasicProperties.__slots__})


def properties_out(properties: BasicProperties) -> Any:
    """Properties as pika hands them to the program, which may change them."""
    made = pika.spec.BasicProperties()
    if properties is not EMPTY_PROPERTIES:
        fields = vars(made)
        for name in BasicProperties.__slots__:
            value = getattr(properties, name)
            if value is not None:
                fields[name] = _table_out(value) if name == "headers" else value
    return made


def frames_out(channel_number: int, method: Method) -> list[Any]:
    """The frames that pika would have read."""
    translated = frame.Method(channel_number, _WRITERS[type(method)](method))
    if not isinstance(method, methods.BasicDeliver | methods.BasicGetOk | methods.BasicReturn):
        return [translated]
    body = method.body
    header = frame.Header(channel_number, len(body), properties_out(method.properties))
    return [translated, header, frame.Body(channel_number, body)] if body else [translated, header]
