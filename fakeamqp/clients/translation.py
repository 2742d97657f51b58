"""Between pika's methods and ours, derived once from their fields: they are the same specification.

What the wire would do to a value still happens. Whatever is not plainly wire-safe takes pika's own way through
bytes and back, so that pika raises what pika raises and tables come back as pika reads them.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from typing import Any

import pika.compat
import pika.data
import pika.exceptions
import pika.spec
from pika import frame

from fakeamqp.spec import methods
from fakeamqp.spec.methods import SHORT_STRING_MAX, BasicPublish, Malformed, Method
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import LongLong

CONTENT_FIELDS = ("properties", "body")
FRAME_OVERHEAD = 8
"""Octets of a frame around its payload."""
METHOD_ID_SIZE = 4
CONTENT_HEADER_SIZE = 12
"""Octets of a method frame, and of a content header frame, before what it carries."""


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


NAMES = ("exchange", "queue", "routing_key", "source", "destination", "consumer_tag", "type")
"""Fields of methods that are short strings, and are UTF-8 wherever a content does not follow (observed)."""
_SHORT_STRINGS = {
    theirs: tuple(name for name in NAMES if name in ours.__slots__) for ours, theirs in _PIKA_CLASSES.items()
}
"""Which of these each method has; pika leaves as bytes what is no UTF-8."""

_NEEDS_NO_ENCODING: dict[type, Callable[[Any], bool]] = {
    pika.spec.Basic.Get: lambda method: _is_plain(method.queue),
    pika.spec.Basic.Ack: lambda method: type(method.delivery_tag) is int and 0 <= method.delivery_tag < 2**63,
}
"""For the methods that programs send most, whether encoding and decoding would change nothing."""


def method_in(method: Any, frame_max: int) -> Method:
    """A method without content, as it arrives. Raises what pika's encoder raises."""
    kind = type(method)
    if kind in _NEEDS_NO_ENCODING and _NEEDS_NO_ENCODING[kind](method):
        return _READERS[kind](method)
    encoded = b"".join(method.encode())
    if len(encoded) + METHOD_ID_SIZE > frame_max - FRAME_OVERHEAD:
        return _too_large(1, len(encoded) + METHOD_ID_SIZE, frame_max)
    arrived = _decoded(method, encoded)
    if any(type(getattr(arrived, name)) is bytes for name in _SHORT_STRINGS[type(method)]):
        return Malformed("Malformed UTF-8 in shortstr")
    read = _READERS[type(method)](arrived)
    if isinstance(read, methods.ConnectionStartOk) and read.mechanism == "AMQPLAIN":
        return read.replace(response=_amqplain_table(arrived.response))
    return read


def _decoded(method: Any, encoded: bytes) -> Any:
    # Onto a copy, as not every decoder of pika's sets all that its encoder wrote (Connection.UpdateSecret).
    arrived: Any = object.__new__(type(method))
    vars(arrived).update(vars(method))
    return arrived.decode(encoded)


def _amqplain_table(response: bytes) -> Any:
    # A field table without its length.
    try:
        return _table_in(pika.data.decode_table(len(response).to_bytes(4, "big") + response, 0)[0])
    except (struct.error, pika.exceptions.InvalidFieldTypeException, IndexError, UnicodeDecodeError):
        return {}


def content_in(method: Any, properties: Any, body: Any, frame_max: int) -> Method:
    """A method with content, as it arrives. Raises what pika's encoder raises."""
    if type(method) is not pika.spec.Basic.Publish:
        return method_in(method, frame_max)
    exchange, routing_key = method.exchange, method.routing_key
    if not (_is_plain(exchange) and _is_plain(routing_key)):
        arrived = _decoded(method, b"".join(method.encode()))
        exchange, routing_key = _as_printed(arrived.exchange), arrived.routing_key
    read = properties_in(properties, frame_max)
    if isinstance(read, Method):
        return read
    return BasicPublish(
        exchange,
        routing_key,
        bool(method.mandatory),
        bool(method.immediate),
        read,
        body if type(body) is bytes else bytes(body),
    )


def _as_printed(text: Any) -> Any:
    # What is no UTF-8 is refused; RabbitMQ's text shows it octet by octet (observed on 4.0.5).
    return text.decode("latin-1") if type(text) is bytes else text


def _is_plain(value: Any) -> bool:
    # A short ASCII string crosses the wire as it is.
    return type(value) is str and len(value) <= SHORT_STRING_MAX and value.isascii()


def _is_octet(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255


_CROSSES_AS_IT_IS = dict.fromkeys(BasicProperties.__slots__, _is_plain) | {
    "headers": lambda value: False,
    "timestamp": lambda value: False,
    "delivery_mode": _is_octet,
    "priority": _is_octet,
}
"""For each property, whether a value needs no encoding and decoding to be what the wire would make of it."""


_ALL_ABSENT = vars(pika.spec.BasicProperties())


def properties_in(properties: Any, frame_max: int) -> BasicProperties | Malformed:
    """Properties as they arrive. Raises what pika's encoder raises."""
    if isinstance(properties, pika.spec.BasicProperties):
        if vars(properties) == _ALL_ABSENT:
            return EMPTY_PROPERTIES
        fields = {name: value for name, value in vars(properties).items() if value is not None}
        if all(_CROSSES_AS_IT_IS[name](value) for name, value in fields.items()):
            return BasicProperties(**fields)
    encoded = b"".join(properties.encode())
    if len(encoded) + CONTENT_HEADER_SIZE > frame_max - FRAME_OVERHEAD:
        return _too_large(2, len(encoded) + CONTENT_HEADER_SIZE, frame_max)
    arrived = pika.spec.BasicProperties().decode(encoded)
    arrived.expiration = _as_printed(arrived.expiration)
    return BasicProperties(**{name: _table_in(getattr(arrived, name)) for name in BasicProperties.__slots__})


def _too_large(frame_type: int, size: int, frame_max: int) -> Malformed:
    reason = f"{{frame_too_large,{size},{frame_max - FRAME_OVERHEAD}}}"
    return Malformed(f"type {frame_type}, all octets = <<>>: {reason}")


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


_WITH_CONTENT = (methods.BasicDeliver, methods.BasicGetOk, methods.BasicReturn)


def frames_out(channel_number: int, method: Method) -> list[Any]:
    """The frames that pika would have read."""
    translated = frame.Method(channel_number, _WRITERS[type(method)](method))
    if not isinstance(method, _WITH_CONTENT):
        return [translated]
    body = method.body
    header = frame.Header(channel_number, len(body), properties_out(method.properties))
    return [translated, header, frame.Body(channel_number, body)] if body else [translated, header]
