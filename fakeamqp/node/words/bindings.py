"""Bindings: what leads from an exchange to a queue or to another exchange."""

from __future__ import annotations

from typing import Any, NamedTuple

from fakeamqp.node.words.erlang import term
from fakeamqp.spec.tables import Table


class Destination(NamedTuple):
    """Where a binding leads: `kind` is "queue" or "exchange"."""

    kind: str
    name: str


class Binding:
    """One binding. Its identity is source, destination, routing key and arguments, sorted and with their types."""

    __slots__ = ("_identity", "arguments", "destination", "routing_key", "source")

    def __init__(self, source: str, destination: Destination, routing_key: str, arguments: Table) -> None:
        self.source = source
        self.destination = destination
        self.routing_key = routing_key
        self.arguments = arguments
        self._identity = (source, destination, routing_key, _frozen(sorted(term(arguments))))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Binding) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        kind, name = self.destination
        return f"Binding({self.source!r} -> {kind} {name!r}, {self.routing_key!r}, {self.arguments!r})"


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value
