"""The exchange types of plugins that come with RabbitMQ, and x-local-random, which 4.0 has built in."""

from __future__ import annotations

import datetime
import re
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from sortedcontainers import SortedKeyList

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.routing.exchange_types import BindingIndex, ExchangeType, FanoutIndex
from fakeamqp.node.routing.hashing import jump_consistent_hash, phash2
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.erlang import binary, printed, term
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, precondition_failed
from fakeamqp.spec.tables import EMPTY_TABLE, Table, field_type

Choose: TypeAlias = Callable[[str, int], int]
"""`choose(stream, count)`: one of `count` possibilities, from 0 on. Streams are independent of one another."""

HASH_HEADER = "hash-header"
HASH_PROPERTY = "hash-property"
HASH_PROPERTIES = ("correlation_id", "message_id", "timestamp")
HISTORY_LENGTH = "x-recent-history-length"
NO_STORE = "x-recent-history-no-store"
DEFAULT_HISTORY_LENGTH = 20


def plugin_types(profile: Profile, choose: Choose) -> dict[str, ExchangeType]:
    """The types that a node has with all these plugins enabled."""
    types = {
        "x-consistent-hash": ExchangeType(
            lambda fact: ConsistentHashIndex(fact.arguments, profile),
            check_arguments=check_hash_arguments,
            check_binding=lambda fact, binding, leads_to: check_weight(binding.routing_key),
        ),
        "x-modulus-hash": ExchangeType(lambda fact: ModulusHashIndex()),
        "x-random": ExchangeType(lambda fact: RandomIndex(fact, choose)),
        "x-recent-history": ExchangeType(
            lambda fact: RecentHistoryIndex(fact.arguments), check_arguments=check_history_arguments
        ),
    }
    if profile.has_local_random_exchange:
        types["x-local-random"] = ExchangeType(
            lambda fact: RandomIndex(fact, choose), check_binding=check_local_random_binding
        )
    return types


# -- x-consistent-hash ----------------------------------------------------------------------------------------------


class ConsistentHashIndex(FanoutIndex):
    """Type x-consistent-hash: a hash chooses among buckets, of which each destination owns as many as its weight.

    Source: rabbit_exchange_type_consistent_hash.erl.
    """

    heeds_keys = True

    def __init__(self, arguments: Table, profile: Profile) -> None:
        super().__init__()
        self.is_cacheable = not (HASH_HEADER in arguments or HASH_PROPERTY in arguments)
        self._arguments = arguments
        self._profile = profile
        self._weights: dict[Destination, int] = {}
        """How many buckets each destination owns, in the order of the buckets."""

    def add(self, binding: Binding) -> None:
        super().add(binding)
        self._weights.setdefault(binding.destination, int(binding.routing_key))  # a second binding has no buckets

    def remove(self, binding: Binding) -> None:
        super().remove(binding)
        self._weights.pop(binding.destination, None)  # whichever of its bindings goes

    def recover(self) -> None:
        # RabbitMQ recovers sorted bindings, but in parallel, so that the order is chance there (observed).
        self._weights.clear()
        for binding in sorted(self.bindings, key=in_erlang_order):
            self._weights.setdefault(binding.destination, int(binding.routing_key))

    def route(self, message: Message) -> list[Destination]:
        buckets = sum(self._weights.values())
        if not buckets:
            return []
        # With one bucket RabbitMQ does not look at the message either.
        bucket = jump_consistent_hash(self._hashed(message), buckets) if buckets > 1 else 0
        owners = iter(self._weights.items())
        owner, weight = next(owners)
        while bucket >= weight:
            bucket -= weight
            owner, weight = next(owners)
        return [owner]

    def leads(self, binding: Binding, message: Message) -> bool:
        return binding.destination in self.route(message)

    def _hashed(self, message: Message) -> int:
        value = hashed_value(self._arguments, message, self._profile)
        return value if isinstance(value, int) else phash2(value)


def in_erlang_order(binding: Binding) -> tuple[bytes, str, bytes]:
    """Sorts the bindings from one exchange as Erlang sorts them; those to one place that differ in arguments alike."""
    kind, name = binding.destination
    return (binary(binding.routing_key), kind, binary(name))


def hashed_value(arguments: Table, message: Message, profile: Profile) -> Any:
    """What an x-consistent-hash exchange with these arguments hashes of a message, as an Erlang term."""
    if HASH_HEADER in arguments:
        return _header_hashed(message.properties.headers or EMPTY_TABLE, arguments[HASH_HEADER], profile)
    if HASH_PROPERTY in arguments:
        value = getattr(message.properties, arguments[HASH_PROPERTY])
        if value is None:
            return "undefined"
        return str(value).encode() if isinstance(value, int) else binary(value)
    return binary(message.routing_key)


def _header_hashed(headers: Table, name: str, profile: Profile) -> Any:
    if name not in headers:
        return "undefined"
    value = term(headers[name])
    if not profile.has_message_containers:
        return (field_type(headers[name]), value)
    if isinstance(headers[name], datetime.datetime):
        return value * 1000  # 4.0 has milliseconds inside
    if isinstance(value, list):
        if not value:
            raise HardError(541, "", names_method=False)  # RabbitMQ's channel dies of it (observed)
        return value[0]
    return value


def check_hash_arguments(arguments: Table) -> None:
    """Raise what declaring an x-consistent-hash exchange with these arguments is refused with."""
    for name in (HASH_HEADER, HASH_PROPERTY):
        if name in arguments and not isinstance(arguments[name], str):
            raise HardError(541, "", names_method=False)  # RabbitMQ's channel dies of it (observed)
    if HASH_HEADER in arguments and HASH_PROPERTY in arguments:
        raise precondition_failed("hash-header and hash-property are mutually exclusive")
    if HASH_PROPERTY in arguments and arguments[HASH_PROPERTY] not in HASH_PROPERTIES:
        raise precondition_failed(f"Unsupported property: {arguments[HASH_PROPERTY]}")


def check_weight(binding_key: str) -> None:
    """Raise 406 unless a binding key is a positive integer, as Erlang spells them."""
    key = binary(binding_key)
    if not re.fullmatch(rb"[+-]?[0-9]+", key):
        raise precondition_failed(f"The binding key must be an integer: {printed(key)}")
    if int(key) < 1:
        raise precondition_failed("The binding key must be greater than 0")


# -- x-modulus-hash -------------------------------------------------------------------------------------------------


class ModulusHashIndex(BindingIndex):
    """Type x-modulus-hash: a hash of the routing keys chooses among the sorted bindings.

    Source: rabbit_sharding_exchange_type_modulus_hash.erl.
    """

    def __init__(self) -> None:
        self._bindings: SortedKeyList[Binding, tuple[bytes, str, bytes]] = SortedKeyList(key=in_erlang_order)

    def add(self, binding: Binding) -> None:
        self._bindings.add(binding)

    def remove(self, binding: Binding) -> None:
        self._bindings.remove(binding)

    def route(self, message: Message) -> list[Destination]:
        if not self._bindings:
            return []
        hashed = phash2([binary(key) for key in message.routing_keys])
        return [self._bindings[hashed % len(self._bindings)].destination]

    def leads(self, binding: Binding, message: Message) -> bool:
        return binding.destination in self.route(message)


# -- x-random and x-local-random ------------------------------------------------------------------------------------


class RandomIndex(FanoutIndex):
    """Types x-random and x-local-random: any one binding; a destination bound twice is drawn twice as often.

    Of a node without a cluster all queues are local. Source: rabbit_exchange_type_random.erl.
    """

    is_cacheable = False

    def __init__(self, exchange: ExchangeFact, choose: Choose) -> None:
        super().__init__()
        self._choose = choose
        self._stream = f"exchange {exchange.name!r} in {exchange.vhost!r}"

    def route(self, message: Message) -> list[Destination]:
        destinations = list(self.bindings.values())
        return [destinations[self._choose(self._stream, len(destinations))]] if destinations else []

    def leads(self, binding: Binding, message: Message) -> bool | None:
        return True if len(set(self.bindings.values())) == 1 else None


def check_local_random_binding(exchange: ExchangeFact, binding: Binding, leads_to: str) -> None:
    """Raise 406 unless a binding leads to a classic queue, with an empty key."""
    if binding.routing_key:
        raise precondition_failed(f"Non empty binding '{binding.routing_key}' key not permitted")
    if leads_to == "exchange":
        raise precondition_failed("Destination not found")
    if leads_to != "classic":
        raise precondition_failed(f"Queue type rabbit_{leads_to}_queue not valid for this exchange type")


# -- x-recent-history -----------------------------------------------------------------------------------------------


class RecentHistoryIndex(FanoutIndex):
    """Type x-recent-history: every binding; the last messages are remembered for bindings to come.

    They are in memory alone, also those of a durable exchange. Source: rabbit_exchange_type_recent_history.erl.
    """

    is_cacheable = False

    def __init__(self, arguments: Table) -> None:
        super().__init__()
        length = arguments.get(HISTORY_LENGTH, DEFAULT_HISTORY_LENGTH)
        self._history: deque[Message] = deque(maxlen=length)

    def remembered(self) -> list[Message]:
        return list(self._history)

    def route(self, message: Message) -> list[Destination]:
        if (message.properties.headers or EMPTY_TABLE).get(NO_STORE) is not True:
            self._history.appendleft(message)
        return super().route(message)


def check_history_arguments(arguments: Table) -> None:
    """Raise 406 where the length of an x-recent-history exchange's memory is no positive integer."""
    if HISTORY_LENGTH not in arguments:
        return
    length = arguments[HISTORY_LENGTH]
    if field_type(length) not in ("signedint", "long") or length < 1:
        raise precondition_failed(
            f"Invalid argument {printed(term(length))}, '{HISTORY_LENGTH}' must be a positive integer"
        )
