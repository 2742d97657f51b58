"""How each type of exchange routes: an index over its bindings, made by a function in a registry."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Protocol

from fakeamqp.node.bindings import Binding, Destination
from fakeamqp.node.erlang import printed, term
from fakeamqp.node.profile import Profile
from fakeamqp.node.topic import TopicTrie
from fakeamqp.spec.errors import precondition_failed
from fakeamqp.spec.tables import Table, field_type


class BindingIndex(Protocol):
    """The bindings from one exchange, arranged so that routing is cheap."""

    reads_headers: bool
    """Whether a route depends on more than the routing key."""

    def add(self, binding: Binding) -> None:
        """A binding from the exchange came."""

    def remove(self, binding: Binding) -> None:
        """A binding from the exchange went."""

    def route(self, routing_key: str, headers: Table) -> list[Destination]:
        """Where a message goes from here; a destination may come twice."""


class DirectIndex:
    """Type direct: the binding key is the routing key."""

    reads_headers = False

    def __init__(self, profile: Profile) -> None:
        self._destinations: dict[str, dict[Binding, Destination]] = {}

    def add(self, binding: Binding) -> None:
        self._destinations.setdefault(binding.routing_key, {})[binding] = binding.destination

    def remove(self, binding: Binding) -> None:
        at_key = self._destinations[binding.routing_key]
        del at_key[binding]
        if not at_key:
            del self._destinations[binding.routing_key]

    def route(self, routing_key: str, headers: Table) -> list[Destination]:
        return list(self._destinations.get(routing_key, {}).values())


class FanoutIndex:
    """Type fanout: every binding."""

    reads_headers = False

    def __init__(self, profile: Profile) -> None:
        self._destinations: dict[Binding, Destination] = {}

    def add(self, binding: Binding) -> None:
        self._destinations[binding] = binding.destination

    def remove(self, binding: Binding) -> None:
        del self._destinations[binding]

    def route(self, routing_key: str, headers: Table) -> list[Destination]:
        return list(self._destinations.values())


class TopicIndex:
    """Type topic: the binding key is a pattern of words."""

    reads_headers = False

    def __init__(self, profile: Profile) -> None:
        self._trie = TopicTrie()

    def add(self, binding: Binding) -> None:
        self._trie.add(binding.routing_key, binding)

    def remove(self, binding: Binding) -> None:
        self._trie.remove(binding.routing_key, binding)

    def route(self, routing_key: str, headers: Table) -> list[Destination]:
        return [binding.destination for binding in self._trie.match(routing_key)]


class HeadersIndex:
    """Type headers: the binding's arguments against the message's headers."""

    reads_headers = True

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._bindings: dict[Binding, Destination] = {}

    def add(self, binding: Binding) -> None:
        self._bindings[binding] = binding.destination

    def remove(self, binding: Binding) -> None:
        del self._bindings[binding]

    def route(self, routing_key: str, headers: Table) -> list[Destination]:
        return [
            destination
            for binding, destination in self._bindings.items()
            if headers_match(binding.arguments, headers, self._profile)
        ]


HEADERS_MATCHES: dict[str, tuple[Callable[..., bool], bool]] = {
    "all": (all, False),
    "any": (any, False),
    "all-with-x": (all, True),
    "any-with-x": (any, True),
}
"""For each x-match: how the single matches combine, and whether names that begin with `x-` take part."""


def headers_match(arguments: Table, headers: Table, profile: Profile) -> bool:
    """Whether a headers binding with these arguments takes a message with these headers.

    Source: rabbit_exchange_type_headers.erl, headers_match.
    """
    combine, counts_x = HEADERS_MATCHES[arguments.get("x-match", "all")]
    return combine(
        name in headers and (wanted is None or _same_value(wanted, headers[name], profile))
        for name, wanted in arguments.items()
        if (counts_x or not name.startswith("x-")) and name != "x-match"
    )


def _same_value(wanted: Any, found: Any, profile: Profile) -> bool:
    if isinstance(found, datetime.datetime) and not profile.headers_timestamps_match:
        return bool(term(wanted) == term(found) * 1000)
    return bool(term(wanted) == term(found))


def validate_headers_binding(arguments: Table) -> None:
    """Raise 406 for a binding to a headers exchange that RabbitMQ refuses."""
    if "x-match" not in arguments:
        return
    wanted = arguments["x-match"]
    if not isinstance(wanted, str):
        raise precondition_failed(
            f"Invalid x-match field type {field_type(wanted)} (value {printed(term(wanted))}); expected longstr"
        )
    if wanted not in HEADERS_MATCHES:
        raise precondition_failed(
            f"Invalid x-match field value {printed(term(wanted))}; expected all, any, all-with-x, or any-with-x"
        )


EXCHANGE_TYPES: dict[str, Callable[[Profile], BindingIndex]] = {
    "direct": DirectIndex,
    "fanout": FanoutIndex,
    "topic": TopicIndex,
    "headers": HeadersIndex,
}
"""Every type that exchange.declare knows."""
