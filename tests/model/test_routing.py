"""Routing through random topologies that change all the time, against a model without index and cache."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import fakeamqp
from fakeamqp.spec.methods import (
    BasicPublish,
    BasicReturn,
    ChannelClose,
    ChannelCloseOk,
    ChannelOpen,
    ExchangeBind,
    ExchangeDeclare,
    ExchangeDelete,
    ExchangeUnbind,
    Method,
    QueueBind,
    QueueDeclare,
    QueueDelete,
    QueuePurge,
    QueueUnbind,
)
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.testing.direct import connect
from tests.model._sizes import size
from tests.model._topology import Declared, Topology, bound

EXCHANGES = ("direct", "fanout", "topic", "headers", "other")
QUEUES = ("q1", "q2", "q3", "a")
FAVOURITES = 5
"""How many of the first bindings are followed."""
KEYS = ("", "a", "b", "a.b", ".")

exchanges = st.sampled_from(EXCHANGES)
queues = st.sampled_from(QUEUES)
keys = st.sampled_from(KEYS)
binding_keys = st.sampled_from((*KEYS, "#", "*", "a.*", "a.#.b", "#.#"))
header_names = st.sampled_from(("h1", "h2", "x-h"))
header_values = st.sampled_from((1, 2, "1", True, None))
headers = st.dictionaries(header_names, header_values, max_size=3)
binding_arguments = st.builds(
    lambda pairs, mode: pairs if mode is None else pairs | {"x-match": mode},
    headers,
    st.sampled_from((None, "all", "any", "all-with-x", "any-with-x")),
)
destinations = st.one_of(st.tuples(st.just("queue"), queues), st.tuples(st.just("exchange"), exchanges))
bindings = st.tuples(exchanges | st.just("amq.fanout"), destinations, binding_keys, binding_arguments)


Wanted = tuple[str, tuple[str, str], str, dict[str, Any]]
"""A binding to make: source, (kind, name) of the destination, key, arguments."""


@st.composite
def declarations(draw: st.DrawFn) -> Declared:
    """An exchange. One that is auto-delete is transient, as nothing has shown what a restart does to others."""
    durable = draw(st.booleans())
    return Declared(
        draw(st.sampled_from(("direct", "fanout", "topic", "headers"))),
        durable,
        auto_delete=not durable and draw(st.booleans()),
        internal=draw(st.integers(0, 9)) == 9,
        alternate=draw(st.none() | st.sampled_from((*EXCHANGES, "missing", "", "amq.fanout"))),
    )


class Publication:
    """A message that can be published again and again."""

    def __init__(self, exchange: str, key: str, cc: list[Any], bcc: list[Any], user_headers: dict[str, Any]) -> None:
        self.exchange = exchange
        self.key = key
        self.keys = [key, *(each for each in (*cc, *bcc) if isinstance(each, str))]
        self.headers = user_headers | ({"CC": cc} if cc else {}) | ({"BCC": bcc} if bcc else {})

    def __repr__(self) -> str:
        return f"Publication({self.exchange!r}, {self.key!r}, headers={self.headers})"

    def method(self, body: bytes) -> BasicPublish:
        properties = BasicProperties(headers=self.headers) if self.headers else EMPTY_PROPERTIES
        return BasicPublish(self.exchange, self.key, mandatory=True, properties=properties, body=body)


publications = st.builds(
    Publication,
    exchange=exchanges | exchanges | st.just(""),
    key=keys,
    cc=st.just([]) | st.lists(keys | st.just(5), max_size=2),
    bcc=st.just([]) | st.lists(keys, max_size=1),
    user_headers=st.just({}) | headers,
)


class RoutingMachine(RuleBasedStateMachine):
    """Declares, binds, deletes, unbinds, and publishes in between."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies = (str(number).encode() for number in itertools.count(1))
        self.favourites: list[Publication] = []
        """Each first binding's own key and headers, which it takes, and its key without headers."""
        self.topology = Topology({"amq.fanout": Declared("fanout")})

    @initialize(
        version=st.sampled_from(("3.10", "4.0")),
        kinds=st.lists(declarations(), min_size=5, max_size=5),
        wanted=st.lists(bindings, min_size=5, max_size=12),
    )
    def start(self, version: str, kinds: list[Declared], wanted: list[Wanted]) -> None:
        for source, _, key, arguments in wanted[:FAVOURITES]:
            matching = {name: value for name, value in arguments.items() if name != "x-match"}
            self.favourites += [Publication(source, key, [], [], each) for each in (matching, {})]
        self.broker = fakeamqp.Broker(version=version)
        self.reconnect()
        for name, kind in zip(EXCHANGES, kinds, strict=True):
            self.declare_exchange(name, kind if name == "other" else replace(kind, type=name))
        for name in QUEUES:
            self.declare_queue(name, True)
        self.bind(wanted)

    def reconnect(self) -> None:
        self.connection = connect(self.broker)
        self.channel = self.connection.channel()

    def call(self, method: Method, succeeds: bool = True) -> None:
        """Send a method that is answered; where it is refused, open a new channel."""
        answer = self.channel.call(method)
        assert isinstance(answer, ChannelClose) is not succeeds, answer
        if not succeeds:
            self.channel.send(ChannelCloseOk())
            self.channel.call(ChannelOpen())

    # -- the topology changes -------------------------------------------------------------------------------------

    @rule(name=exchanges, kind=declarations())
    def declare_exchange(self, name: str, kind: Declared) -> None:
        if name in self.topology.exchanges:
            return
        arguments = {} if kind.alternate is None else {"alternate-exchange": kind.alternate}
        self.call(
            ExchangeDeclare(name, kind.type, False, kind.durable, kind.auto_delete, kind.internal, False, arguments)
        )
        self.topology.exchanges[name] = kind

    @rule(name=queues, durable=st.booleans())
    def declare_queue(self, name: str, durable: bool) -> None:
        if name not in self.topology.queues:
            self.call(QueueDeclare(name, durable=durable))
            self.topology.queues[name] = durable

    @rule(name=exchanges, if_unused=st.booleans())
    def delete_exchange(self, name: str, if_unused: bool) -> None:
        in_use = any(each.source == name for each in self.topology.bindings)
        self.call(ExchangeDelete(name, if_unused), succeeds=not (if_unused and in_use))
        if not (if_unused and in_use):
            self.topology.delete_exchange(name)

    @rule(name=queues)
    def delete_queue(self, name: str) -> None:
        self.call(QueueDelete(name))
        self.topology.delete_queue(name)

    @rule(wanted=st.lists(bindings, min_size=1, max_size=4))
    def bind(self, wanted: list[Wanted]) -> None:
        for each in wanted:
            self.bind_one(*each)

    def bind_one(self, source: str, to: tuple[str, str], key: str, arguments: dict[str, Any]) -> None:
        kind, name = to
        ends = self.topology.queues if kind == "queue" else self.topology.exchanges
        exist = source in self.topology.exchanges and name in ends
        if kind == "queue":
            self.call(QueueBind(name, source, key, False, arguments), succeeds=exist)
        else:
            self.call(ExchangeBind(name, source, key, False, arguments), succeeds=exist)
        if exist:
            self.topology.bindings.add(bound(source, kind, name, key, arguments))

    @precondition(lambda self: self.topology.bindings)
    @rule(data=st.data(), misses=st.booleans())
    def unbind(self, data: st.DataObject, misses: bool) -> None:
        gone = data.draw(st.sampled_from(sorted(self.topology.bindings, key=repr)))
        arguments = {name: value for name, _, value in gone.arguments}
        if misses:  # unbinding what is not bound changes nothing
            arguments["nothing-like-it"] = 1
        if gone.kind == "queue":
            self.call(QueueUnbind(gone.destination, gone.source, gone.key, arguments))
        else:
            self.call(ExchangeUnbind(gone.destination, gone.source, gone.key, False, arguments))
        if not misses:
            self.topology.unbind({gone})

    @rule(graceful=st.booleans())
    def restart(self, graceful: bool) -> None:
        if graceful:
            self.broker.stop()
        else:
            self.broker.crash()
        self.broker.restart()
        self.reconnect()
        self.topology.restart()

    # -- messages find their way ------------------------------------------------------------------------------------

    @rule(publication=publications)
    def publish(self, publication: Publication) -> None:
        self.deliver(publication)

    @invariant()
    def the_favourites_go_where_they_belong(self) -> None:
        """After every step: what is remembered of routes must still hold."""
        for publication in self.favourites:
            self.deliver(publication)

    def deliver(self, publication: Publication) -> None:
        """Publish, and compare who got it; then the queues are emptied, for the next one."""
        body = next(self.bodies)
        exchange = self.topology.exchanges.get(publication.exchange)
        if publication.exchange and (exchange is None or exchange.internal):
            self.call(publication.method(body), succeeds=False)
            return
        expected = self.topology.route(publication.exchange, publication.keys, publication.headers)
        self.channel.send(publication.method(body))
        returned = [each.body for each in self.channel.receive() if isinstance(each, BasicReturn)]
        assert returned == ([] if expected else [body])
        got = {name: [each.body for each in queue.messages] for name, queue in self.broker.vhost().queues.items()}
        assert got == {name: [body] if name in expected else [] for name in self.topology.queues}
        for name in sorted(expected):
            self.call(QueuePurge(name))

    @invariant()
    def the_topology_is_as_declared(self) -> None:
        self.broker.simulation.world.check()
        there = self.broker.vhost()
        named = {name for name in there.exchanges if name and not name.startswith("amq.")}
        assert named == set(self.topology.exchanges) - {"amq.fanout"}
        assert set(there.queues) == set(self.topology.queues)
        listed = [
            bound(each.source, each.destination_kind, each.destination, each.routing_key, dict(each.arguments))
            for each in there.bindings
        ]
        assert len(listed) == len(set(listed))
        assert set(listed) == self.topology.bindings


TestRouting = RoutingMachine.TestCase
TestRouting.settings = size(40, steps=40)
