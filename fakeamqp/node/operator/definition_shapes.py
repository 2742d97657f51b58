"""What kind of value stands where in definitions: told before anything is made, with the place as a JSON path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.records import Record


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_tags(value: Any) -> bool:
    return value is None or _is_text(value) or _is_texts(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


TEXT: tuple[Callable[[Any], bool], str] = (_is_text, "a string")
SHAPES: dict[str, dict[str, tuple[Callable[[Any], bool], str]]] = {
    "users": {
        "hashing_algorithm": TEXT,
        "tags": (_is_tags, "a list of strings, or one with commas"),
        "permissions": (_is_object, "an object"),
    },
    "vhosts": {"metadata": (_is_object, "an object"), "tags": (_is_texts, "a list of strings")},
    "permissions": {"vhost": TEXT},
    "topic_permissions": {"vhost": TEXT},
    "parameters": {"vhost": TEXT},
    "policies": {"vhost": TEXT},
    "queues": {"vhost": TEXT, "name": TEXT},
    "exchanges": {"vhost": TEXT, "type": TEXT},
    "bindings": {"vhost": TEXT, "routing_key": TEXT},
}
"""What is read without another look at it; keys that are absent are dealt with where they are read."""


def assert_shapes(definitions: Mapping[str, Any]) -> None:
    """Raise Misuse for the first value of a wrong kind, and for text that no JSON in UTF-8 can hold."""
    for path, value in texts_of(definitions, "$"):
        if not can_be_written(value):
            raise Misuse(f"badarg: {path} in definitions is {value!r}, which is no text in UTF-8")
    for kind, shapes in SHAPES.items():
        entries = definitions.get(kind)
        for number, entry in enumerate(entries if isinstance(entries, list | tuple) else ()):
            for key, (is_right, wanted) in shapes.items():
                if isinstance(entry, dict) and key in entry and not is_right(entry[key]):
                    raise Misuse(f"badarg: $.{kind}[{number}].{key} in definitions is {wanted}, not {entry[key]!r}")


def can_be_written(text: str) -> bool:
    """Whether UTF-8 can write it: a lone surrogate it cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts_of(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every string in a value of JSON or in a record of such, keys as well, each with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts_of(key, f"a key of {path}")
            yield from texts_of(each, f"{path}.{key}")
    elif isinstance(value, Record):
        for name in value.__slots__:
            yield from texts_of(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from texts_of(each, f"{path}[{number}]")
