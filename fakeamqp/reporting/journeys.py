"""Messages and their ways through a run: published, waiting in queues, with consumers, gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fakeamqp.spec.properties import BasicProperties

Label: TypeAlias = "tuple[str, str, str, bytes]"
"""What a message looks like from outside: virtual host, exchange, routing key and body."""


class Place(NamedTuple):
    """A queue or an exchange of a virtual host."""

    vhost: str
    name: str


@dataclass
class Hold:
    """A delivery: a message is with a consumer. Events are counted from 0, as they stand in the trace."""

    connection: int
    since: int
    received: int | None = None
    """The event with which the client has read it; None if it has not."""
    until: int | None = None
    """The event that settled it, or brought it back; None for none so far."""
    outcome: str = ""


@dataclass
class Stay:
    """A message's stay in one queue."""

    queue: Place
    since: int
    properties: BasicProperties
    is_in_stream: bool = False
    source: Stay | None = None
    """The stay that came before, where this one is a dead letter's, or comes from the disk."""
    until: int | None = None
    """The event after which it is not there any more."""
    outcome: str = ""
    holds: list[Hold] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        """Whether a consumer has it."""
        return any(hold.until is None for hold in self.holds)

    def bring_back(self, event: int, outcome: str) -> None:
        """Nobody holds it any more."""
        for hold in self.holds:
            if hold.until is None:
                hold.until, hold.outcome = event, outcome

    def end(self, event: int, outcome: str) -> None:
        """It is not there any more."""
        self.bring_back(event, outcome)
        self.until, self.outcome = event, outcome


@dataclass
class Journey:
    """A message's way; `published` is None where that was before the trace begins, or the broker has made it."""

    number: int
    exchange: Place
    routing_key: str
    body: bytes
    published: int | None = None
    publisher: int = 0
    """The connection that published it; 0 where nobody knows."""
    confirmed: int | None = None
    stays: list[Stay] = field(default_factory=list)

    @property
    def label(self) -> Label:
        """What it looked like when it was published."""
        return (*self.exchange, self.routing_key, self.body)

    def stay_in(self, queue: Place) -> Stay | None:
        """The latest stay in a queue."""
        return next((stay for stay in reversed(self.stays) if stay.queue == queue), None)


class Journeys:
    """All messages of a run, by what they look like and by where they are."""

    def __init__(self) -> None:
        self.all: list[Journey] = []
        self._labelled: dict[Label, list[Journey]] = {}
        self._inside: dict[Place, list[tuple[Journey, Stay]]] = {}

    def begin(self, label: Label, published: int | None, publisher: int) -> Journey:
        """A message of which nothing was known before."""
        vhost, exchange, routing_key, body = label
        journey = Journey(len(self.all) + 1, Place(vhost, exchange), routing_key, body, published, publisher)
        self.all.append(journey)
        self._labelled.setdefault(label, []).append(journey)
        return journey

    def labelled(self, label: Label) -> list[Journey]:
        """Messages that were published so, oldest first."""
        return self._labelled.get(label, [])

    def enter(self, journey: Journey, stay: Stay) -> None:
        """A message has come to a queue."""
        journey.stays.append(stay)
        self._inside.setdefault(stay.queue, []).append((journey, stay))

    def inside(self, queue: Place) -> list[tuple[Journey, Stay]]:
        """What is in a queue, in the order in which it came."""
        there = [pair for pair in self._inside.get(queue, []) if pair[1].until is None]
        self._inside[queue] = there
        return list(there)

    def alike_inside(self, queue: Place, label: Label, properties: BasicProperties) -> list[tuple[Journey, Stay]]:
        """What a queue holds of a message: certainly this one, or whatever looks the same, in order.

        Properties may differ where the queue itself has added a header, or has left one out (3.10's streams, x-death).
        """
        inside = [pair for pair in self.inside(queue) if pair[0].body == label[-1]]
        found = [pair for pair in inside if pair[0].label == label] or inside
        same = [pair for pair in found if pair[1].properties is properties]
        return same or [pair for pair in found if pair[1].properties == properties] or found


def first_label(vhost: str, exchange: str, routing_key: str, body: bytes, properties: BasicProperties) -> Label:
    """What a message looked like when it was published, before it became a dead letter."""
    headers = properties.headers or {}
    first = (headers.get("x-first-death-queue"), headers.get("x-first-death-reason"))
    for death in _deaths(headers.get("x-death")):
        if (death.get("queue"), death.get("reason")) == first:
            keys = death.get("routing-keys") or [routing_key]
            return vhost, str(death.get("exchange", exchange)), str(keys[0]), body
    return vhost, exchange, routing_key, body


def _deaths(header: Any) -> list[dict[str, Any]]:
    """What the header x-death tells; a publisher may have written anything there."""
    return [death for death in header if isinstance(death, dict)] if isinstance(header, list) else []
