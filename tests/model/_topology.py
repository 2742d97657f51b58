"""A slow model of exchanges, queues and bindings: plain sets, and routing as their definition says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.model.test_topic_matching import matches as topic_matches

Headers = dict[str, Any]


class Bound(NamedTuple):
    """A binding; `arguments` are sorted pairs, each value with its type, as they are part of its identity."""

    source: str
    kind: str
    destination: str
    key: str
    arguments: tuple[tuple[str, str, Any], ...]


def bound(source: str, kind: str, destination: str, key: str, arguments: Headers) -> Bound:
    typed = sorted((name, type(value).__name__, value) for name, value in arguments.items())
    return Bound(source, kind, destination, key, tuple(typed))


@dataclass
class Declared:
    """An exchange."""

    type: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    alternate: str | None = None


@dataclass
class Topology:
    """What has been declared, without any index or cache."""

    exchanges: dict[str, Declared] = field(default_factory=dict)
    queues: dict[str, bool] = field(default_factory=dict)
    """Name -> durable."""
    bindings: set[Bound] = field(default_factory=set)

    def route(self, start: str, keys: list[str], headers: Headers) -> set[str]:
        """The queues that a message published to an exchange reaches."""
        if start == "":
            return set(keys) & set(self.queues)
        return self._reached(start, keys, headers, frozenset())

    def _reached(self, name: str, keys: list[str], headers: Headers, above: frozenset[str]) -> set[str]:
        if name in above or name not in self.exchanges:
            return set()
        taking = [each for each in self.bindings if each.source == name and self._takes(each, keys, headers)]
        queues = {each.destination for each in taking if each.kind == "queue"}
        further = {each.destination for each in taking if each.kind == "exchange"}
        if not taking and self.exchanges[name].alternate is not None:
            further = {self.exchanges[name].alternate or ""}
        for each in further:
            queues |= self._reached(each, keys, headers, above | {name})
        return queues

    def _takes(self, binding: Bound, keys: list[str], headers: Headers) -> bool:
        kind = self.exchanges[binding.source].type
        if kind == "headers":
            return headers_match(binding, headers)
        return any(
            {"fanout": True, "direct": binding.key == key, "topic": topic_matches(binding.key, key)}[kind]
            for key in keys
        )

    def unbind(self, gone: set[Bound]) -> None:
        """Bindings go, and auto-delete exchanges that lose their last one."""
        self.bindings -= gone
        for source in {each.source for each in gone}:
            if (
                source in self.exchanges
                and self.exchanges[source].auto_delete
                and not any(each.source == source for each in self.bindings)
            ):
                self.delete_exchange(source)

    def delete_exchange(self, name: str) -> None:
        """An exchange goes, with the bindings from it and to it."""
        if self.exchanges.pop(name, None) is not None:
            self.bindings -= {each for each in self.bindings if each.source == name}
            self.unbind({each for each in self.bindings if (each.kind, each.destination) == ("exchange", name)})

    def delete_queue(self, name: str) -> None:
        """A queue goes, with the bindings to it."""
        if self.queues.pop(name, None) is not None:
            self.unbind({each for each in self.bindings if (each.kind, each.destination) == ("queue", name)})

    def restart(self) -> None:
        """Only what is durable is still there, and bindings of which both ends are."""
        self.exchanges = {name: each for name, each in self.exchanges.items() if each.durable}
        self.queues = {name: durable for name, durable in self.queues.items() if durable}
        ends = {"queue": self.queues, "exchange": self.exchanges}
        self.bindings = {
            each for each in self.bindings if each.source in self.exchanges and each.destination in ends[each.kind]
        }


def headers_match(binding: Bound, headers: Headers) -> bool:
    """Whether a headers exchange's binding takes a message with these headers."""
    arguments = {name: value for name, _, value in binding.arguments}
    mode = arguments.pop("x-match", "all")
    wanted = {name: value for name, value in arguments.items() if mode.endswith("-with-x") or not name.startswith("x-")}
    hits = [
        name in headers and (value is None or (type(headers[name]), headers[name]) == (type(value), value))
        for name, value in wanted.items()
    ]
    return any(hits) if mode.startswith("any") else all(hits)
