"""Virtual hosts: a world of exchanges, queues and bindings each, and the routes through it."""

from __future__ import annotations

import functools
from collections.abc import Callable

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import EVENT_EXCHANGE, EVENT_VHOST, PREDECLARED_EXCHANGES, Exchange
from fakeamqp.node.routing.registry import ExchangeTypes
from fakeamqp.node.state.policy_matching import Policies
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact, ExchangeFact, VirtualHostFact, VirtualHostLimitsFact
from fakeamqp.node.words.names import exchange_named, queue_named
from fakeamqp.spec.errors import not_found
from fakeamqp.spec.properties import EMPTY_PROPERTIES

ROUTE_CACHE_SIZE = 10_000
"""How many (exchange, routing key) pairs a virtual host remembers the route of."""


@functools.lru_cache(maxsize=100)
def _predeclared(vhost: str) -> tuple[ExchangeFact, ...]:
    """The exchanges that are there from the start."""
    exchanges = [*PREDECLARED_EXCHANGES, *([(EVENT_EXCHANGE, "topic", True)] if vhost == EVENT_VHOST else ())]
    return tuple(ExchangeFact(vhost, name, kind, True, False, internal, {}) for name, kind, internal in exchanges)


class VirtualHost:
    """One virtual host."""

    def __init__(self, name: str, types: ExchangeTypes, fact: VirtualHostFact | None = None) -> None:
        self.name = name
        self.fact = fact or VirtualHostFact(name)
        self.limits: VirtualHostLimitsFact | None = None
        self.policies = Policies(types.profile)
        self.is_traced = False
        """Whether the firehose is on."""
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self._bindings_to: dict[Destination, dict[Binding, None]] = {}
        self._routes: dict[tuple[str, str | None], tuple[Queue, ...]] = {}
        """By exchange and routing key; None where all keys lead the same way."""
        self._exclusive_queues: dict[int, dict[Queue, None]] = {}
        """By the number of the connection that they belong to."""
        for each in _predeclared(name):
            self.add_exchange(Exchange(each, types.make_index(each)))

    def exchange(self, name: str) -> Exchange:
        """The exchange; raises 404 if there is none."""
        found = self.exchanges.get(name)
        if found is None:
            raise not_found(f"no {exchange_named(name, self.name)}")
        return found

    def queue(self, name: str) -> Queue:
        """The queue; raises 404 if there is none."""
        found = self.queues.get(name)
        if found is None:
            raise not_found(f"no {queue_named(name, self.name)}")
        return found

    def has(self, destination: Destination) -> bool:
        """Whether a queue or exchange exists."""
        return destination.name in (self.queues if destination.kind == "queue" else self.exchanges)

    def kind_of(self, destination: Destination) -> str:
        """What a destination is that exists: an "exchange", or a queue of this type."""
        return self.queues[destination.name].type.name if destination.kind == "queue" else destination.kind

    def add_exchange(self, exchange: Exchange) -> None:
        """An exchange came."""
        self.exchanges[exchange.name] = exchange
        self._routes.clear()

    def remove_exchange(self, name: str) -> None:
        """An exchange went; its bindings are gone already."""
        del self.exchanges[name]
        self._routes.clear()

    def add_queue(self, queue: Queue) -> None:
        """A queue came."""
        self.queues[queue.name] = queue
        if queue.owner is not None:
            self._exclusive_queues.setdefault(queue.owner, {})[queue] = None
        self._routes.clear()

    def remove_queue(self, name: str) -> None:
        """A queue went; its bindings are gone already."""
        queue = self.queues.pop(name)
        if queue.owner is not None:
            of_owner = self._exclusive_queues[queue.owner]
            del of_owner[queue]
            if not of_owner:
                del self._exclusive_queues[queue.owner]
        self._routes.clear()

    def exclusive_queues(self, connection: int) -> list[Queue]:
        """The queues that belong to a connection, by its number, in the order of their declaration."""
        return list(self._exclusive_queues.get(connection, ()))

    def forget_routes(self) -> None:
        """Some exchange has another alternate exchange than before."""
        self._routes.clear()

    def has_binding(self, binding: Binding) -> bool:
        """Whether there is this very binding."""
        return binding in self._bindings_to.get(binding.destination, ())

    def add_binding(self, binding: Binding) -> None:
        """A binding came; its ends exist."""
        self._bindings_to.setdefault(binding.destination, {})[binding] = None
        self.exchanges[binding.source].add_binding(binding)
        self._routes.clear()

    def remove_binding(self, binding: Binding) -> None:
        """A binding went."""
        to = self._bindings_to[binding.destination]
        del to[binding]
        if not to:
            del self._bindings_to[binding.destination]
        self.exchanges[binding.source].remove_binding(binding)
        self._routes.clear()

    def bindings_to(self, destination: Destination) -> list[Binding]:
        """All bindings that lead to a queue or exchange."""
        return list(self._bindings_to.get(destination, ()))

    def bindings(self) -> list[BindingFact]:
        """All bindings, by exchange; without the default exchange's, which bind every queue to its own name."""
        return [
            BindingFact(self.name, binding) for exchange in self.exchanges.values() for binding in exchange.bindings
        ]

    def route(self, exchange: str, message: Message) -> tuple[Queue, ...]:
        """The queues that a message which reaches an exchange goes to, each once."""
        if message.further_keys:
            return self._route_all(exchange, message)
        routing_key = message.routing_key
        if not exchange:
            queue = self.queues.get(routing_key)
            return () if queue is None else queue.alone
        route = self._routes.get((exchange, routing_key))
        if route is None:
            route = self._routes.get((exchange, None))
        if route is None:
            route, is_cacheable, heeds_keys = self._find_route(exchange, message)
            if is_cacheable:
                if len(self._routes) >= ROUTE_CACHE_SIZE:
                    self._routes.clear()
                self._routes[exchange, routing_key if heeds_keys else None] = route
        return route

    def _route_all(self, exchange: str, message: Message) -> tuple[Queue, ...]:
        if not exchange:
            return tuple(dict.fromkeys(self.queues[key] for key in message.routing_keys if key in self.queues))
        return self._find_route(exchange, message)[0]

    def _find_route(self, start: str, message: Message) -> tuple[tuple[Queue, ...], bool, bool]:
        """Where it leads, whether that is so for all messages with this key, and whether the key plays a part."""
        is_cacheable, heeds_keys = True, False

        def route(exchange: Exchange) -> list[Destination]:
            nonlocal is_cacheable, heeds_keys
            is_cacheable = is_cacheable and exchange.index.is_cacheable
            heeds_keys = heeds_keys or exchange.index.heeds_keys
            return exchange.index.route(message)

        return self.follow(start, route), is_cacheable, heeds_keys

    def follow(self, start: str, route: Callable[[Exchange], list[Destination]]) -> tuple[Queue, ...]:
        """The queues that are reached from an exchange where each leads on as `route` says.

        Exchanges are visited once, so that cycles end; an alternate exchange is asked only where nothing matched.
        Source: rabbit_exchange.erl, route1.
        """
        queues: dict[str, Queue] = {}
        seen = {start}
        todo = [start]
        for name in todo:
            exchange = self.exchanges[name]
            destinations = route(exchange)
            if not destinations and exchange.alternate:
                destinations = [Destination("exchange", exchange.alternate)]
            for kind, destination in destinations:
                if kind == "queue":
                    queues[destination] = self.queues[destination]
                elif destination not in seen and destination in self.exchanges:
                    seen.add(destination)
                    todo.append(destination)
        return tuple(queues.values())

    def check(self) -> None:
        """What must hold between turns."""
        for name, exchange in self.exchanges.items():
            assert exchange.name == name
            for binding in exchange.bindings:
                assert binding.source == name
                assert self.has(binding.destination), binding
                assert self.has_binding(binding), binding
        assert sum(map(len, self._bindings_to.values())) == len(self.bindings())
        for (start, routing_key), route in self._routes.items():
            message = Message(start, routing_key or "", EMPTY_PROPERTIES, b"")
            assert self._find_route(start, message)[0] == route
        for queue in self.queues.values():
            queue.check()
