"""Virtual hosts: a world of exchanges, queues and bindings each, and the routes through it."""

from __future__ import annotations

from fakeamqp.node.bindings import Binding, Destination
from fakeamqp.node.exchanges import PREDECLARED_EXCHANGES, Exchange, exchange_named
from fakeamqp.node.facts import BindingFact, ExchangeFact
from fakeamqp.node.profile import Profile
from fakeamqp.node.queues import Queue, queue_named
from fakeamqp.spec.errors import not_found
from fakeamqp.spec.tables import EMPTY_TABLE, Table

ROUTE_CACHE_SIZE = 10_000
"""How many (exchange, routing key) pairs a virtual host remembers the route of."""


class VirtualHost:
    """One virtual host."""

    def __init__(self, name: str, profile: Profile) -> None:
        self.name = name
        self.exchanges: dict[str, Exchange] = {}
        self.queues: dict[str, Queue] = {}
        self._bindings_to: dict[Destination, dict[Binding, None]] = {}
        self._routes: dict[tuple[str, str], tuple[Queue, ...]] = {}
        for exchange, kind, internal in PREDECLARED_EXCHANGES:
            self.add_exchange(Exchange(ExchangeFact(name, exchange, kind, True, False, internal, {}), profile))

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
        self._routes.clear()

    def remove_queue(self, name: str) -> None:
        """A queue went; its bindings are gone already."""
        del self.queues[name]
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

    def route_all(self, exchange: str, routing_keys: tuple[str, ...], headers: Table) -> tuple[Queue, ...]:
        """`route` for a message with several routing keys: the queues that any of them leads to, each once."""
        if not exchange:
            return tuple(dict.fromkeys(self.queues[key] for key in routing_keys if key in self.queues))
        return self._find_route(exchange, routing_keys, headers)[0]

    def route(self, exchange: str, routing_key: str, headers: Table) -> tuple[Queue, ...]:
        """The queues that a message published to an exchange goes to, each once."""
        if not exchange:
            queue = self.queues.get(routing_key)
            return () if queue is None else (queue,)
        key = (exchange, routing_key)
        route = self._routes.get(key)
        if route is None:
            route, depends_on_headers = self._find_route(exchange, (routing_key,), headers)
            if not depends_on_headers:
                if len(self._routes) >= ROUTE_CACHE_SIZE:
                    self._routes.clear()
                self._routes[key] = route
        return route

    def _find_route(self, start: str, routing_keys: tuple[str, ...], headers: Table) -> tuple[tuple[Queue, ...], bool]:
        # Exchanges are visited once, so that cycles end; an alternate exchange is asked only where nothing matched.
        # Source: rabbit_exchange.erl, route1.
        queues: dict[str, Queue] = {}
        seen = {start}
        todo = [start]
        depends_on_headers = False
        for name in todo:
            exchange = self.exchanges[name]
            depends_on_headers = depends_on_headers or exchange.index.reads_headers
            destinations = self._destinations(exchange, routing_keys, headers)
            for kind, destination in destinations:
                if kind == "queue":
                    queues[destination] = self.queues[destination]
                elif destination not in seen and destination in self.exchanges:
                    seen.add(destination)
                    todo.append(destination)
        return tuple(queues.values()), depends_on_headers

    @staticmethod
    def _destinations(exchange: Exchange, routing_keys: tuple[str, ...], headers: Table) -> list[Destination]:
        destinations = [each for key in routing_keys for each in exchange.index.route(key, headers)]
        if not destinations and exchange.alternate:
            return [Destination("exchange", exchange.alternate)]
        return destinations

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
            assert self._find_route(start, (routing_key,), EMPTY_TABLE)[0] == route
        for queue in self.queues.values():
            assert not queue.is_dirty
            queue.check()
