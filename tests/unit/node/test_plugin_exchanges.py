"""The exchange types of plugins, where no client can tell: what is remembered, and which choices are drawn."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.exchange_types import BindingIndex
from fakeamqp.node.routing.plugin_exchanges import check_weight, plugin_types
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.errors import SoftError
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import make_types


def index_of(kind: str, **arguments: Any) -> BindingIndex:
    """An index of an exchange with these arguments, `_` standing for `-`."""
    given = {key.replace("_", "-"): arguments[key] for key in arguments}
    return make_types().make_index(ExchangeFact("/", "prices", kind, True, False, False, given))


def binding(queue: str, key: str = "1") -> Binding:
    return Binding("prices", Destination("queue", queue), key, {})


def routed(index: BindingIndex, key: str = "", **properties: Any) -> list[str]:
    message = Message("prices", key, BasicProperties(**properties), b"")
    return [destination.name for destination in index.route(message)]


@pytest.mark.parametrize(
    ("kind", "arguments", "expected"),
    [
        ("x-consistent-hash", {}, True),
        ("x-consistent-hash", {"hash_header": "h"}, False),
        ("x-consistent-hash", {"hash_property": "message_id"}, False),
        ("x-modulus-hash", {}, True),
        ("x-random", {}, False),
        ("x-local-random", {}, False),
        ("x-recent-history", {}, False),
    ],
)
def test_routes_are_remembered_where_the_key_alone_makes_them(kind: str, arguments: Any, expected: bool) -> None:
    assert index_of(kind, **arguments).is_cacheable is expected


def test_a_bucket_finds_its_owner_however_heavy_it_is() -> None:
    index = index_of("x-consistent-hash")
    index.add(binding("heavy", "1" + "0" * 30))
    index.add(binding("light", "1"))
    assert routed(index, "key") == ["heavy"]
    index.remove(binding("heavy", "1" + "0" * 30))
    assert routed(index, "key") == ["light"]


def test_a_property_that_is_no_text_chooses_by_its_octets() -> None:
    index = index_of("x-consistent-hash", hash_property="message_id")
    for queue in "abc":
        index.add(binding(queue))
    assert routed(index, message_id=b"m") == routed(index, message_id="m")


def test_a_modulus_exchange_forgets_bindings() -> None:
    index = index_of("x-modulus-hash")
    for queue in "ab":
        index.add(binding(queue))
    index.remove(binding("a"))
    assert routed(index) == ["b"]
    index.remove(binding("b"))
    assert routed(index) == []


@pytest.mark.parametrize(
    ("key", "leads_to", "text"),
    [
        ("k", "classic", "Non empty binding 'k' key not permitted"),
        ("", "exchange", "Destination not found"),
        ("", "quorum", "Queue type rabbit_quorum_queue not valid for this exchange type"),
    ],
)
def test_local_random_leads_to_classic_queues_alone(key: str, leads_to: str, text: str) -> None:
    fact = ExchangeFact("/", "prices", "x-local-random", True, False, False, {})
    kind = make_types().find("x-local-random")
    kind.check_binding(fact, binding("orders", ""), "classic")
    with pytest.raises(SoftError, match=f"^.*{text}"):
        kind.check_binding(fact, binding("orders", key), leads_to)


@pytest.mark.parametrize("key", [b"\xff", "٣", "1\n"])
def test_only_ascii_digits_are_a_weight(key: Any) -> None:
    with pytest.raises(SoftError, match="The binding key must be an integer"):
        check_weight(key)


@pytest.mark.parametrize("kind", ["x-random", "x-local-random"])
def test_each_exchange_draws_from_a_stream_of_its_own(kind: str) -> None:
    drawn: list[tuple[str, int]] = []

    def choose(stream: str, count: int) -> int:
        drawn.append((stream, count))
        return 1

    index = plugin_types(PROFILES["4.0"], choose)[kind].make_index(
        ExchangeFact("test", "dice", kind, True, False, False, {})
    )
    assert routed(index) == []
    for queue in "abc":
        index.add(binding(queue, ""))
    assert routed(index) == ["b"]
    assert drawn == [("exchange 'dice' in 'test'", 3)]


def test_only_a_history_is_remembered() -> None:
    kinds = ["direct", "x-random", "x-recent-history"]
    found = {}
    for kind in kinds:
        index = index_of(kind)
        routed(index, "key")
        found[kind] = [message.routing_key for message in index.remembered()]
    assert found == {"direct": [], "x-random": [], "x-recent-history": ["key"]}
