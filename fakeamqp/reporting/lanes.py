"""The timeline's lanes: the broker, its clients, exchanges and queues, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fakeamqp.reporting.columns import Columns, tracks
from fakeamqp.reporting.journeys import Hold, Journey, Place, Stay
from fakeamqp.reporting.run import Run
from fakeamqp.simulation.record.events import EFFECT, Event

Key: TypeAlias = "tuple[str, str | int | Place]"
"""What a lane is for: ("task", name), ("connection", number), ("exchange", place), ("queue", place)."""

BROKER: Key = ("broker", "")
AXIS = 40.0
"""Height of the time axis, pixels."""
GAP = 5.0
MARKS, HOLD_PITCH, HOLDS_HEIGHT = 44.0, 6.0, 72.0
BAR_PITCH, BARS_HEIGHT, MOST_TRACKS = 16.0, 160.0, 40
PAD = 6.0
LONGEST = 20
"""Characters of a name that fit."""


@dataclass
class Lane:
    """One lane; `y` is its upper edge, `middle` the height of its marks."""

    kind: str
    label: str
    note: str
    y: float
    height: float
    middle: float
    pitch: float = 0.0
    """How far its bars are apart."""

    @property
    def short_label(self) -> str:
        """The label, without its middle where it is long: names often differ in their ends."""
        return self.label if len(self.label) <= LONGEST else f"{self.label[: LONGEST - 12]}…{self.label[-11:]}"


class Lanes:
    """All lanes, and where bars lie in them."""

    def __init__(self, run: Run, columns: Columns) -> None:
        self._run = run
        self._columns = columns
        self._by_key: dict[Key, Lane] = {}
        self._track: dict[int, int] = {}
        """By a hold's or a stay's id: its track in its lane."""
        self.height = AXIS
        self._add(BROKER, "broker", "", 36.0, 18.0)
        self._add_clients()
        self._add_exchanges()
        self._add_queues()

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._by_key.values())

    def of_event(self, event: Event, place: Place | None) -> Lane:
        """The lane of whoever speaks, hears or is concerned; of an effect, that of the queue where it happened."""
        key: Key = self.client(event.connection) if event.connection else ("task", event.task)
        if event.kind == EFFECT:
            key = ("queue", place) if place is not None else BROKER
        return self._by_key.get(key) or self._by_key[BROKER]

    def client(self, connection: int) -> Key:
        """The key of a connection's lane: its task's, or its own."""
        owner = self._run.owners.get(connection)
        return ("task", owner) if owner else ("connection", connection)

    def find(self, key: Key) -> Lane | None:
        """A lane, if there is one."""
        return self._by_key.get(key)

    def bar(self, lane: Lane, thing: Hold | Stay) -> float:
        """The middle of a bar's track."""
        first = lane.middle + 17 if isinstance(thing, Hold) else lane.y + PAD + lane.pitch / 2
        return first + self._track.get(id(thing), 0) * lane.pitch

    def stays(self) -> Iterator[tuple[Journey, Stay]]:
        """The stays that reach into what is drawn."""
        for journey in self._run.journeys.all:
            for stay in journey.stays:
                if stay.until is None or stay.until >= self._run.first:
                    yield journey, stay

    def span(self, since: int, until: int | None) -> tuple[float, float]:
        """From where to where something lasts."""
        start = self._columns.of(since)
        end = self._columns.width if until is None else self._columns.of(until)
        return start, max(end, start)

    def _add(self, key: Key, label: str, note: str, height: float, middle: float, pitch: float = 0.0) -> None:
        self._by_key[key] = Lane(key[0], label, note, self.height, height, self.height + middle, pitch)
        self.height += height + GAP

    def _add_clients(self) -> None:
        for key, numbers in self._clients().items():
            held = [hold for _, stay in self.stays() for hold in stay.holds if hold.connection in numbers]
            depth = min(self._spread(held), MOST_TRACKS)
            pitch = min(HOLD_PITCH, HOLDS_HEIGHT / max(depth, 1))
            is_task = key[0] == "task"
            note = f"connection{'s' if len(numbers) > 1 else ''} {_listed(numbers)}" if is_task and numbers else ""
            label = str(key[1]) if is_task else f"connection {key[1]}"
            self._add(key, label, note, MARKS + depth * pitch, 24.0, pitch)

    def _clients(self) -> dict[Key, list[int]]:
        """Who speaks, hears or is concerned in what is shown, with their connections; who came first stands first."""
        seen: dict[Key, list[int]] = {}
        shown: set[Key] = set()
        for index, event in enumerate(self._run.events):
            if event.connection or event.task:
                key: Key = self.client(event.connection) if event.connection else ("task", event.task)
                numbers = seen.setdefault(key, [])
                if event.connection and event.connection not in numbers:
                    numbers.append(event.connection)
                if index >= self._run.first:
                    shown.add(key)
        return {key: numbers for key, numbers in seen.items() if key in shown}

    def _add_exchanges(self) -> None:
        for journey in self._run.journeys.all:
            key: Key = ("exchange", journey.exchange)
            is_seen = journey.published is not None and journey.published >= self._run.first
            if is_seen and journey.exchange.name and key not in self._by_key:
                self._add(key, journey.exchange.name, _where(journey.exchange, "exchange"), 34.0, 17.0)

    def _add_queues(self) -> None:
        stays = list(self.stays())
        for place in self._run.queues:
            inside = [stay for _, stay in stays if stay.queue == place]
            most = self._spread(inside)
            depth = min(most, MOST_TRACKS)
            pitch = min(BAR_PITCH, BARS_HEIGHT / max(depth, 1))
            height = max(34.0, 2 * PAD + depth * pitch)
            note = _where(place, "queue") + (f", up to {most} messages" if most > MOST_TRACKS / 4 else "")
            self._add(("queue", place), place.name, note, height, height / 2, pitch)

    def _spread(self, things: Sequence[Hold | Stay]) -> int:
        """Give bars tracks so that they do not overlap, but for what is too much; how many it takes."""
        ordered: list[Hold | Stay] = sorted(things, key=lambda thing: self._columns.of(thing.since))
        chosen = tracks([self.span(thing.since, thing.until) for thing in ordered])
        for thing, track in zip(ordered, chosen, strict=True):
            self._track[id(thing)] = min(track, MOST_TRACKS - 1)
        return max(chosen, default=-1) + 1


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:4]))
    return f"{shown}, …" if len(numbers) > 4 else shown


def _where(place: Place, kind: str) -> str:
    return kind if place.vhost == "/" else f"{kind} in {place.vhost}"
