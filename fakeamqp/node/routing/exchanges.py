"""Exchanges."""

from __future__ import annotations

from fakeamqp.node.routing.exchange_types import BindingIndex
from fakeamqp.node.words.arguments import ALTERNATE_EXCHANGE, assert_equivalent, assert_equivalent_arguments, described
from fakeamqp.node.words.bindings import Binding
from fakeamqp.node.words.erlang import atom
from fakeamqp.node.words.facts import ExchangeFact, PolicyFact
from fakeamqp.node.words.names import exchange_named

EVENT_VHOST = "/"
EVENT_EXCHANGE = "amq.rabbitmq.event"
"""Of the plugin rabbitmq_event_exchange, in this virtual host alone."""
TRACE_EXCHANGE = "amq.rabbitmq.trace"
PREDECLARED_EXCHANGES = (
    ("", "direct", False),
    ("amq.direct", "direct", False),
    ("amq.fanout", "fanout", False),
    ("amq.topic", "topic", False),
    ("amq.headers", "headers", False),
    ("amq.match", "headers", False),
    (TRACE_EXCHANGE, "topic", True),
)
"""What every virtual host has from the start: name, type, internal."""


class Exchange:
    """An exchange and the bindings from it."""

    __slots__ = ("alternate", "bindings", "fact", "index", "name", "policy")

    def __init__(self, fact: ExchangeFact, index: BindingIndex) -> None:
        self.fact = fact
        self.name = fact.name
        self.alternate: str | None = fact.arguments.get(ALTERNATE_EXCHANGE)
        """Where messages go that match no binding, as its arguments or else its policy say."""
        self.policy: PolicyFact | None = None
        self.index = index
        self.bindings: dict[Binding, None] = {}
        """Bindings from here, in their order."""

    def add_binding(self, binding: Binding) -> None:
        """A binding from here came."""
        self.bindings[binding] = None
        self.index.add(binding)

    def remove_binding(self, binding: Binding) -> None:
        """A binding from here went."""
        del self.bindings[binding]
        self.index.remove(binding)


def assert_equivalent_exchange(existing: ExchangeFact, received: ExchangeFact) -> None:
    """Raise 406 unless a redeclaration says the same. Source: rabbit_exchange.erl, assert_equivalence."""
    where = exchange_named(existing.name, existing.vhost)
    assert_equivalent(f"'{atom(existing.type)}'", f"'{atom(received.type)}'", "type", where)
    for key in ("durable", "auto_delete", "internal"):
        assert_equivalent(described(getattr(existing, key)), described(getattr(received, key)), key, where)
    assert_equivalent_arguments(existing.arguments, received.arguments, ALTERNATE_EXCHANGE, where)
