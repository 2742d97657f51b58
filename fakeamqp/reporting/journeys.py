"""Messages followed through a run: published, waiting in queues, with consumers, settled.

Methods do not name messages, so they are paired as RabbitMQ would have it: what arrives from a queue is the oldest
message of that exchange, routing key and body which may be in that queue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fakeamqp.spec.methods import BasicDeliver, BasicGetOk, BasicPublish, BasicReturn
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties

Content: TypeAlias = "BasicPublish | BasicDeliver | BasicGetOk | BasicReturn"
Label: TypeAlias = "tuple[str, str, bytes]"
"""Exchange, routing key and body."""


class Place(NamedTuple):
    """A queue or an exchange of a virtual host."""

    vhost: str
    name: str


@dataclass
class Hold:
    """A delivery: a message is with a consumer. Events are counted from 0, as they stand in the trace."""

    connection: int
    since: int
    until: int | None = None
    """The event that settled it, or brought it back; None for none so far."""
    outcome: str = ""


@dataclass
class Stay:
    """A message's stay in one queue."""

    queue: Place
    since: int
    until: int | None = None
    """The event after which it is not there any more."""
    outcome: str = ""
    holds: list[Hold] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        """Whether a consumer has it."""
        return bool(self.holds) and self.holds[-1].until is None


@dataclass
class Journey:
    """A message's way; `published` is None where that was before the trace begins."""

    number: int
    exchange: Place
    routing_key: str
    body: bytes
    properties: BasicProperties
    published: int | None = None
    publisher: int = 0
    """The connection that published it; 0 where nobody knows."""
    confirmed: int | None = None
    returned: int | None = None
    stays: list[Stay] = field(default_factory=list)

    def stay_in(self, queue: Place) -> Stay | None:
        """The latest stay in a queue."""
        return next((stay for stay in reversed(self.stays) if stay.queue == queue), None)


class Journeys:
    """All messages of a run, by what they look like."""

    def __init__(self) -> None:
        self.all: list[Journey] = []
        self._by_label: dict[tuple[str, Label], list[Journey]] = {}

    def begin(self, vhost: str, method: Content, published: int | None, publisher: int) -> Journey:
        """A message of which nothing was known before."""
        exchange, routing_key, body = label = (method.exchange, method.routing_key, method.body)
        journey = Journey(
            len(self.all) + 1, Place(vhost, exchange), routing_key, body, method.properties, published, publisher
        )
        self.all.append(journey)
        self._by_label.setdefault((vhost, label), []).append(journey)
        return journey

    def labelled(self, vhost: str, label: Label) -> list[Journey]:
        """Messages that were published so, oldest first."""
        return self._by_label.get((vhost, label), [])

    def like(self, vhost: str, method: Content) -> list[Journey]:
        """Messages that a method may carry: certainly this one, or else whatever looks the same; oldest first."""
        exchange, routing_key = first_label(method.exchange, method.routing_key, method.properties)
        found = self.labelled(vhost, (exchange, routing_key, method.body))
        if method.properties is not EMPTY_PROPERTIES:
            same = [journey for journey in found if journey.properties is method.properties]
            return same or found
        return found

    def open_stays(self, queue: Place) -> list[tuple[Journey, Stay]]:
        """The messages that are in a queue, as far as is known."""
        return [
            (journey, stay)
            for journey in self.all
            for stay in journey.stays
            if stay.queue == queue and stay.until is None
        ]


def first_label(exchange: str, routing_key: str, properties: BasicProperties) -> tuple[str, str]:
    """Exchange and routing key that a message was published with, before it became a dead letter."""
    headers = properties.headers or {}
    first = (headers.get("x-first-death-queue"), headers.get("x-first-death-reason"))
    for death in deaths_of(properties):
        if (death.get("queue"), death.get("reason")) == first:
            keys = death.get("routing-keys") or [routing_key]
            return str(death.get("exchange", exchange)), str(keys[0])
    return exchange, routing_key


def deaths_of(properties: BasicProperties) -> list[dict[str, Any]]:
    """What the header x-death tells; a publisher may have written anything there."""
    deaths = (properties.headers or {}).get("x-death")
    return [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else []
