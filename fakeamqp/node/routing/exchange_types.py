"""What a type of exchange is, and how the four of AMQP route: each by an index over an exchange's bindings."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

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
    heeds_keys = True
    """Whether it depends on routing keys."""

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

    heeds_keys = False

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


class HeadersIndex(BindingIndex):
    """Type headers: the binding's arguments against the message's headers.

    A binding is found by what it asks for: one that wants any of its arguments by each of them, one that wants all by
    the one that the fewest others are found by. Only what is found is matched in full.
    """

    is_cacheable = False

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._numbers: dict[Binding, int] = {}
        """In the order of their coming, which is the order of routing."""
        self._next_number = 0
        self._asking: dict[_Asked, dict[Binding, None]] = {}
        self._places: dict[Binding, list[_Asked]] = {}
        """Under what each binding is found."""

    def add(self, binding: Binding) -> None:
        self._numbers[binding] = self._next_number
        self._next_number += 1
        combine, asked = _asked(binding.arguments)
        places = [_place(name, None if wanted is None else term(wanted)) for name, wanted in asked]
        if combine is all:
            places = [min(places, key=lambda each: len(self._asking.get(each, ())), default=_NOTHING)]
        self._places[binding] = places
        for each in places:
            self._asking.setdefault(each, {})[binding] = None

    def remove(self, binding: Binding) -> None:
        del self._numbers[binding]
        for each in self._places.pop(binding):
            asking = self._asking[each]
            asking.pop(binding, None)
            if not asking:
                del self._asking[each]

    def route(self, message: Message) -> list[Destination]:
        headers = message.properties.headers or EMPTY_TABLE
        found = dict(self._asking.get(_NOTHING, ()))
        for name, value in headers.items():
            for place in {(name, None), _place(name, _compared(value, self._profile))}:
                for binding in self._asking.get(place, ()):
                    if binding not in found and headers_match(binding.arguments, headers, self._profile):
                        found[binding] = None
        return [binding.destination for binding in sorted(found, key=self._numbers.__getitem__)]

    def leads(self, binding: Binding, message: Message) -> bool:
        return headers_match(binding.arguments, message.properties.headers or EMPTY_TABLE, self._profile)


HEADERS_MATCHES: dict[str, tuple[Callable[..., bool], bool]] = {
    "all": (all, False),
    "any": (any, False),
    "all-with-x": (all, True),
    "any-with-x": (any, True),
}
"""For each x-match: how the single matches combine, and whether names that begin with `x-` take part."""


def _asked(arguments: Table) -> tuple[Callable[..., bool], list[tuple[str, Any]]]:
    """How a headers binding's single matches combine, and the headers that it asks for, with values; None is any."""
    combine, counts_x = HEADERS_MATCHES[arguments.get("x-match", "all")]
    asked = [each for each in arguments.items() if each[0] != "x-match"]
    return combine, asked if counts_x else [each for each in asked if not each[0].startswith("x-")]


def headers_match(arguments: Table, headers: Table, profile: Profile) -> bool:
    """Whether a headers binding with these arguments takes a message with these headers.

    Source: rabbit_exchange_type_headers.erl, headers_match.
    """
    combine, asked = _asked(arguments)
    return combine(header_matches(name, wanted, headers, profile) for name, wanted in asked)


def header_matches(name: str, wanted: Any, headers: Table, profile: Profile) -> bool:
    """Whether a message has a header that a binding's argument asks for; None asks for any value."""
    return name in headers and (wanted is None or bool(term(wanted) == _compared(headers[name], profile)))


def _compared(found: Any, profile: Profile) -> Any:
    """What the value that is asked for must be equal to, where a header has this value."""
    is_milliseconds = isinstance(found, datetime.datetime) and not profile.headers_timestamps_match
    return term(found) * 1000 if is_milliseconds else term(found)


_Asked: TypeAlias = "tuple[str, Any]"
"""A header's name, and the term that is asked for; None where any value will do, or where it cannot be looked up."""

_NOTHING: _Asked = ("", ())
"""Where a binding is found that asks for nothing, and takes all."""


def _place(name: str, wanted: Any) -> _Asked:
    return (name, wanted if isinstance(wanted, bytes | str | int | float | tuple) else None)


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


_DIRECT = ExchangeType(lambda fact: DirectIndex())
_FANOUT = ExchangeType(lambda fact: FanoutIndex())
_TOPIC = ExchangeType(lambda fact: TopicIndex())


def standard_types(profile: Profile) -> dict[str, ExchangeType]:
    """The four types of AMQP."""
    headers = ExchangeType(
        lambda fact: HeadersIndex(profile),
        check_binding=lambda fact, binding, leads_to: validate_headers_binding(binding.arguments),
    )
    return {"direct": _DIRECT, "fanout": _FANOUT, "topic": _TOPIC, "headers": headers}
