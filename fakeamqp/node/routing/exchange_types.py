"""What a type of exchange is, and how the four of AMQP route: each by an index over an exchange's bindings."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.topic import TopicTrie
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.erlang import printed, term
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import precondition_failed
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import EMPTY_TABLE, Table, field_type


class BindingIndex(ABC):
    """The bindings from one exchange, arranged so that routing is cheap."""

    is_cacheable = True
    """Whether a message's route depends on nothing but its routing keys, and finding it changes nothing."""

    @abstractmethod
    def add(self, binding: Binding) -> None:
        """A binding from the exchange came."""

    @abstractmethod
    def remove(self, binding: Binding) -> None:
        """A binding from the exchange went."""

    @abstractmethod
    def route(self, message: Message) -> list[Destination]:
        """Where a message goes from here; a destination may come twice."""

    @abstractmethod
    def leads(self, binding: Binding, message: Message) -> bool | None:
        """Whether one of the bindings leads a message on, without changing anything; None where that is not settled.

        That is so where chance decides, or a function of the user's own, which may have a state.
        """

    def delay_ms(self, message: Message) -> int:
        """For how long a message is set aside before it is routed by the bindings, if it is; 0 if not."""
        return 0

    def remembered(self) -> list[Message]:
        """What a new binding gets at once, the latest first."""
        return []

    def recover(self) -> None:  # noqa: B027
        """The node has been started again, and all bindings that survived are back."""


class DirectIndex(BindingIndex):
    """Type direct: the binding key is the routing key."""

    def __init__(self) -> None:
        self._destinations: dict[str, dict[Binding, Destination]] = {}

    def add(self, binding: Binding) -> None:
        self._destinations.setdefault(binding.routing_key, {})[binding] = binding.destination

    def remove(self, binding: Binding) -> None:
        at_key = self._destinations[binding.routing_key]
        del at_key[binding]
        if not at_key:
            del self._destinations[binding.routing_key]

    def route(self, message: Message) -> list[Destination]:
        return [found for key in message.routing_keys for found in self._destinations.get(key, {}).values()]

    def leads(self, binding: Binding, message: Message) -> bool:
        return any(binding in self._destinations.get(key, {}) for key in message.routing_keys)


class TopicIndex(BindingIndex):
    """Type topic: the binding key is a pattern of words."""

    def __init__(self) -> None:
        self._trie = TopicTrie()

    def add(self, binding: Binding) -> None:
        self._trie.add(binding.routing_key, binding)

    def remove(self, binding: Binding) -> None:
        self._trie.remove(binding.routing_key, binding)

    def route(self, message: Message) -> list[Destination]:
        return [binding.destination for key in message.routing_keys for binding in self._trie.match(key)]

    def leads(self, binding: Binding, message: Message) -> bool:
        return any(binding in self._trie.match(key) for key in message.routing_keys)


class FanoutIndex(BindingIndex):
    """Type fanout: every binding. Also what types build on that have no better arrangement."""

    def __init__(self) -> None:
        self.bindings: dict[Binding, Destination] = {}

    def add(self, binding: Binding) -> None:
        self.bindings[binding] = binding.destination

    def remove(self, binding: Binding) -> None:
        del self.bindings[binding]

    def route(self, message: Message) -> list[Destination]:
        return list(self.bindings.values())

    def leads(self, binding: Binding, message: Message) -> bool | None:
        return binding in self.bindings


class HeadersIndex(FanoutIndex):
    """Type headers: the binding's arguments against the message's headers."""

    is_cacheable = False

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._profile = profile

    def route(self, message: Message) -> list[Destination]:
        headers = message.properties.headers or EMPTY_TABLE
        return [
            destination
            for binding, destination in self.bindings.items()
            if headers_match(binding.arguments, headers, self._profile)
        ]

    def leads(self, binding: Binding, message: Message) -> bool:
        return headers_match(binding.arguments, message.properties.headers or EMPTY_TABLE, self._profile)


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
        header_matches(name, wanted, headers, profile)
        for name, wanted in arguments.items()
        if (counts_x or not name.startswith("x-")) and name != "x-match"
    )


def header_matches(name: str, wanted: Any, headers: Table, profile: Profile) -> bool:
    """Whether a message has a header that a binding's argument asks for; None asks for any value."""
    return name in headers and (wanted is None or _same_value(wanted, headers[name], profile))


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


def _take_any_arguments(arguments: Table) -> None:
    """What a type does that does not care for the arguments it is declared with."""


def _take_any_binding(exchange: ExchangeFact, binding: Binding, leads_to: str) -> None:
    """What a type does that does not care for the bindings from it."""


class ExchangeType(Record, frozen=True):
    """What a node has to know of a type of exchange."""

    make_index: Callable[[ExchangeFact], BindingIndex]
    check_arguments: Callable[[Table], None] = _take_any_arguments
    """Raises what RabbitMQ refuses a declaration with; a redeclaration is not asked."""
    check_binding: Callable[[ExchangeFact, Binding, str], None] = _take_any_binding
    """Raises what RabbitMQ refuses a binding with; it leads to an "exchange", or to a queue of this type."""


def standard_types(profile: Profile) -> dict[str, ExchangeType]:
    """The four types of AMQP."""
    return {
        "direct": ExchangeType(lambda fact: DirectIndex()),
        "fanout": ExchangeType(lambda fact: FanoutIndex()),
        "topic": ExchangeType(lambda fact: TopicIndex()),
        "headers": ExchangeType(
            lambda fact: HeadersIndex(profile),
            check_binding=lambda fact, binding, leads_to: validate_headers_binding(binding.arguments),
        ),
    }
