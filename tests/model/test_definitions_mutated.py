"""Definitions that somebody has damaged: whatever stands where, nothing but Misuse comes out, and it says where."""

from __future__ import annotations

import contextlib
import copy
import math
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakeamqp import Broker, FakeamqpError, Misuse, UnsupportedDefinitions

GONE = object()
JUNK = [None, 5, -1, True, 3.5, math.nan, 2**70, "", "x", "\ud800", b"x", [], [1], [[]], [{}], {}, {"a": 1}, GONE]
Path = tuple[Any, ...]


@cache
def exported() -> Any:
    """The definitions of a broker with a bit of everything."""
    broker = Broker(vhosts=["shop"], users={"alice": "secret"})
    channel = broker.connect().channel()
    channel.exchange_declare("x", "topic", durable=True)
    channel.exchange_declare("y", "headers", durable=True)
    channel.exchange_bind("y", "x", "k")
    channel.queue_declare("q", durable=True, arguments={"x-max-length": 5})
    channel.queue_bind("q", "x", "a.#")
    broker.set_policy("p", "^q", {"max-length": 3})
    broker.set_operator_policy("op", "^q", {"max-length": 3})
    broker.set_vhost_limits({"max-queues": 5})
    broker.set_topic_permissions("alice", "x", ".*", ".*")
    return broker.export_definitions()


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a value of JSON but the whole."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[key], (*path, key))


def mutated(places: list[tuple[Path, Any]]) -> Any:
    """The definitions with something else at some places, as far as these are still there."""
    definitions = copy.deepcopy(exported())
    for path, junk in places:
        holder = definitions
        try:
            for key in path[:-1]:
                holder = holder[key]
            if junk is GONE:
                del holder[path[-1]]
            else:
                holder[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took the place away
    return definitions


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_nothing_but_misuse_comes_out(data: st.DataObject) -> None:
    place = st.tuples(st.sampled_from(list(paths(exported()))), st.sampled_from(JUNK))
    definitions = mutated(data.draw(st.lists(place, min_size=1, max_size=3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(Misuse, UnsupportedDefinitions):
            Broker(definitions=definitions)


@pytest.mark.parametrize(
    ("path", "junk", "shown"),
    [
        (
            ("users", 0, "tags"),
            8,
            r"\$\.users\[0\]\.tags in definitions is a list of strings, or",
        ),
        (("users", 0, "hashing_algorithm"), [], r"\$\.users\[0\]\.hashing_algorithm in definitions is a string"),
        (("vhosts", 0, "metadata"), 5, r"\$\.vhosts\[0\]\.metadata in definitions is an object, not 5"),
        (("bindings", 0, "routing_key"), 5, r"\$\.bindings\[0\]\.routing_key in definitions is a string, not 5"),
        (
            ("queues", 0, "name"),
            "\ud800",
            r"\$\.queues\[0\]\.name in definitions is '\\ud800', which is no text",
        ),
    ],
)
def test_the_place_is_told(path: Path, junk: Any, shown: str) -> None:
    with pytest.raises(Misuse, match=shown):
        Broker(definitions=mutated([(path, junk)]))


@pytest.mark.parametrize("name", ["", "no/such/file.json"])
def test_a_file_that_cannot_be_read(name: str) -> None:
    with pytest.raises(Misuse, match=f"definitions='{name}' cannot be read"):
        Broker(definitions=name)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("add_user", ("bob", "secret", 8)),
        ("add_user", ("bob", "secret", [8])),
        ("add_user", (5, "secret")),
        ("add_user", ("bob", 5)),
        ("add_user", ("\ud800", "secret")),
        ("set_user_tags", ("guest", "administrator")),
        ("change_password", ("guest", None)),
        ("add_vhost", (5,)),
        ("set_permissions", ("guest", 5, ".*", ".*")),
        ("set_permissions", ("guest", "\ud800", ".*", ".*")),
        ("set_policy", ("\ud800", "q", {"max-length": 3})),
        ("set_policy", ("p", "q", {"overflow": "\ud800"})),
        ("set_policy", ("p", "q", {"\ud800": 1})),
        ("set_vhost_limits", ({"max-queues": "\ud800"},)),
        ("set_user_limits", ("guest", {"\ud800": 1})),
    ],
)
def test_an_operators_mistakes_are_misuse(command: str, arguments: tuple[Any, ...]) -> None:
    broker = Broker()
    before = broker.export_definitions()
    with pytest.raises(FakeamqpError):
        getattr(broker, command)(*arguments)
    assert broker.export_definitions() == before
