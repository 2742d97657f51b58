"""Methods of pika's, as they arrive."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from typing import Any, Protocol

import pika.data
import pika.exceptions
import pika.spec

from fakeamqp.clients.translation.classes import CONTENT_FIELDS, FRAME_OVERHEAD, PIKA_CLASSES
from fakeamqp.clients.translation.outbound import ABSENT_PROPERTIES
from fakeamqp.clients.translation.tables import known_table, plain_table, table_in
from fakeamqp.spec import methods
from fakeamqp.spec.methods import SHORT_STRING_MAX, BasicPublish, Malformed, Method
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties

METHOD_ID_SIZE = 4
CONTENT_HEADER_SIZE = 12
"""Octets of a method frame, and of a content header frame, before what it carries."""


class Limits(Protocol):
    """What both ends have agreed on; pika's connection parameters are that."""

    @property
    def frame_max(self) -> int:
        """The size of the largest frame, octets."""


def _made(text: list[str], **scope: Any) -> Callable[[Any], Any]:
    exec("\n".join(text), scope)
    function: Callable[[Any], Any] = scope["read"]
    return function


def _reader(ours: type[Method]) -> Callable[[Any], Method]:
    """How a method of pika's that the wire has seen becomes ours."""
    conversions = {"Table": "table(m.{0} or {{}})", "bool": "bool(m.{0})"}
    names = [each for each in ours.__slots__ if each not in CONTENT_FIELDS]
    values = [conversions.get(ours.__annotations__[each], "m.{0}").format(each) for each in names]
    return _made(["def read(m):", f" return ours({', '.join(values)})"], ours=ours, table=table_in)


_INTEGERS = {"delivery_tag": 2**63, "frame_max": 2**32, "message_count": 2**32, "prefetch_size": 2**32}
"""Integer fields of more than 16 bits, and what their values must be below to come back as they are."""

_PLAIN = {
    "str": " if type({0}) is not str or len({0}) > 255 or not {0}.isascii(): return None",
    "int": " if type({0}) is not int or not 0 <= {0} < {1}: return None",
    "bool": " {0} = bool({0})",
    "bytes | Table": " if type({0}) is not bytes or len({0}) > 255 or v_mechanism == 'AMQPLAIN': return None",
    "Table": " {0} = plain_table({0})\n if {0} is None: return None",
}
"""For each type of a field, lines that leave the quick way where the wire might change its value."""
_CLIENT_PROPERTIES = _PLAIN["Table"].replace("plain_table", "known_table")


def _reserved(ours: type[Method], theirs: type) -> dict[str, Any]:
    """Fields that pika encodes and no server reads, with their defaults; but for bits, as any value makes one."""
    known = inspect.signature(theirs).parameters
    return {
        name: each.default for name, each in known.items() if name not in ours.__slots__ and each.default is not False
    }


def _quick_reader(ours: type[Method], theirs: type) -> Callable[[Any], Method | None]:
    """How a method of pika's becomes ours where encoding and decoding would change nothing; None where it might.

    Made as text once for each class, as `_reader` is: programs send thousands of these, and nearly all are plain.
    """
    text = ["def read(m):"]
    for name, default in _reserved(ours, theirs).items():
        text.append(f" if m.{name} is not {name}: return None" if default is not None else " return None")
    for name in ours.__slots__:
        text.append(f" v_{name} = m.{name}")
        rule = _CLIENT_PROPERTIES if name == "client_properties" else _PLAIN[ours.__annotations__[name]]
        text.append(rule.format(f"v_{name}", _INTEGERS.get(name, 2**16)))
    values = ", ".join(f"v_{name}" for name in ours.__slots__)
    scope = {"ours": ours, "plain_table": plain_table, "known_table": known_table, **_reserved(ours, theirs)}
    return _made([*text, f" return ours({values})"], **scope)


_READERS = {theirs: _reader(ours) for ours, theirs in PIKA_CLASSES.items()}
_QUICK_READERS = {
    theirs: _quick_reader(ours, theirs)
    for ours, theirs in PIKA_CLASSES.items()
    if all(each in _PLAIN for each in ours.__annotations__.values())
}
"""Of methods with fields of these types alone; those with content have others."""


NAMES = ("exchange", "queue", "routing_key", "source", "destination", "consumer_tag", "type")
"""Fields of methods that are short strings, and are UTF-8 wherever a content does not follow (observed)."""
_SHORT_STRINGS = {
    theirs: tuple(name for name in NAMES if name in ours.__slots__) for ours, theirs in PIKA_CLASSES.items()
}
"""Which of these each method has; pika leaves as bytes what is no UTF-8."""


def method_in(method: Any, limits: Limits) -> Method:
    """A method without content, as it arrives. Raises what pika's encoder raises."""
    kind = type(method)
    quick = _QUICK_READERS.get(kind)
    if quick is not None and (read := quick(method)) is not None:
        return read
    encoded = b"".join(method.encode())
    if len(encoded) + METHOD_ID_SIZE > limits.frame_max - FRAME_OVERHEAD:
        return _too_large(1, len(encoded) + METHOD_ID_SIZE, limits.frame_max)
    arrived = _decoded(method, encoded)
    if any(type(getattr(arrived, name)) is bytes for name in _SHORT_STRINGS[kind]):
        return Malformed("Malformed UTF-8 in shortstr")
    read = _READERS[kind](arrived)
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
        return table_in(pika.data.decode_table(len(response).to_bytes(4, "big") + response, 0)[0])
    except (struct.error, pika.exceptions.InvalidFieldTypeException, IndexError, UnicodeDecodeError):
        return {}


def content_in(method: Any, properties: Any, body: Any, limits: Limits) -> Method:
    """A method with content, as it arrives. Raises what pika's encoder raises."""
    if type(method) is not pika.spec.Basic.Publish:
        return method_in(method, limits)
    exchange, routing_key = method.exchange, method.routing_key
    if not (
        type(exchange) is type(routing_key) is str
        and len(exchange) <= SHORT_STRING_MAX
        and len(routing_key) <= SHORT_STRING_MAX
        and exchange.isascii()
        and routing_key.isascii()
    ):
        arrived = _decoded(method, b"".join(method.encode()))
        exchange, routing_key = _as_printed(arrived.exchange), arrived.routing_key
    read: Any = EMPTY_PROPERTIES
    if properties is not NO_PROPERTIES:
        read = properties_in(properties, limits)
        if isinstance(read, Malformed):
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


NO_PROPERTIES = pika.spec.BasicProperties()
"""Properties that nobody changes, and of which none is given."""


def _plain_properties(fields: dict[str, Any]) -> dict[str, Any] | None:
    """The properties that are given, where the wire would not change them; None where it might."""
    plain = {}
    for name, value in fields.items():
        if value is None:
            continue
        if name == "headers":
            value = plain_table(value)
            if value is None:
                return None
        elif name not in _CROSSES_AS_IT_IS or not _CROSSES_AS_IT_IS[name](value):
            return None
        plain[name] = value
    return plain


def properties_in(properties: Any, limits: Limits) -> BasicProperties | Malformed:
    """Properties as they arrive. Raises what pika's encoder raises."""
    if isinstance(properties, pika.spec.BasicProperties):
        fields = vars(properties)
        if fields == ABSENT_PROPERTIES:
            return EMPTY_PROPERTIES
        plain = _plain_properties(fields)
        if plain is not None:
            return BasicProperties(**plain)
    encoded = b"".join(properties.encode())
    if len(encoded) + CONTENT_HEADER_SIZE > limits.frame_max - FRAME_OVERHEAD:
        return _too_large(2, len(encoded) + CONTENT_HEADER_SIZE, limits.frame_max)
    arrived = pika.spec.BasicProperties().decode(encoded)
    arrived.expiration = _as_printed(arrived.expiration)
    return BasicProperties(**{name: table_in(getattr(arrived, name)) for name in BasicProperties.__slots__})


def _too_large(frame_type: int, size: int, frame_max: int) -> Malformed:
    reason = f"{{frame_too_large,{size},{frame_max - FRAME_OVERHEAD}}}"
    return Malformed(f"type {frame_type}, all octets = <<>>: {reason}")
