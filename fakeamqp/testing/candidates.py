"""What an assertion wished for, and which events come nearest to it and in which respect each differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakeamqp.simulation.record.events import Event
from fakeamqp.simulation.record.outcomes import shown_queues
from fakeamqp.spec.records import Record

MOST_SHOWN = 5


class Wish(Record, frozen=True):
    """One respect in which an event must be as wanted."""

    name: str
    wanted: Any
    actual: Callable[[Event], Any]
    is_met_by: Callable[[Any], bool]

    differs: Callable[[Any, Any], str] | None = None
    """How what is there differs from what is wanted, in words."""
    weight: float = 1
    """How far off an event is that differs in this respect."""

    def is_met(self, event: Event) -> bool:
        """Whether the event is as wanted."""
        return self.is_met_by(self.actual(event))

    def difference(self, event: Event) -> str:
        """How the event differs, in words."""
        actual = self.actual(event)
        return (
            f"{self.name} is {actual!r}, not {self.wanted!r}"
            if self.differs is None
            else self.differs(actual, self.wanted)
        )


def equal(name: str, wanted: Any, actual: Callable[[Event], Any]) -> Wish:
    """An event must have this value."""
    return Wish(name, wanted, actual, lambda found: bool(found == wanted))


def having_headers(wanted: Mapping[str, Any]) -> Wish:
    """A message must have these headers, among others."""
    return Wish(
        "headers",
        dict(wanted),
        lambda event: event.properties.headers or {},
        lambda found: all(name in found and found[name] == value for name, value in wanted.items()),
        _other_headers,
    )


def _other_headers(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    missing = [f"header {name!r} is missing" for name in wanted if name not in found]
    other = [name for name in wanted if name in found and found[name] != wanted[name]]
    return "; ".join(missing + [f"header {name!r} is {found[name]!r}, not {wanted[name]!r}" for name in other])


def going_to(queue: str | None) -> Wish:
    """A message must have gone to this queue, or with None to none at all."""
    return Wish(
        "to",
        queue,
        lambda event: () if event.details is None else event.details["queues"],
        lambda found: (queue in found) if queue is not None else not found,
        lambda found, wanted: f"it went to {shown_queues(found)}, not to {shown_queues([queue] if queue else [])}",
        weight=0.5,  # the message that was meant is nearer than another one that went there
    )


def wished(wishes: Sequence[Wish]) -> str:
    """What was wished for, in words."""
    return ", ".join(f"{wish.name}={wish.wanted!r}" for wish in wishes)


def nearest(events: Sequence[Event], wishes: Sequence[Wish]) -> list[Event]:
    """Of the events that are not as wanted, those that are least far off first; of two alike, the later one."""
    others = [event for event in reversed(events) if not all(wish.is_met(event) for wish in wishes)]
    return sorted(others, key=lambda event: sum(wish.weight for wish in wishes if not wish.is_met(event)))


def told(candidates: Sequence[Event], wishes: Sequence[Wish]) -> list[str]:
    """The first candidates, and in which respect each differs, a line each."""
    lines = []
    for event in candidates[:MOST_SHOWN]:
        lines.append(f"  {event}")
        lines += [f"    {wish.difference(event)}" for wish in wishes if not wish.is_met(event)]
    left_out = len(candidates) - MOST_SHOWN
    return lines + [f"  ... and {left_out} more that are farther off"] * (left_out > 0)
