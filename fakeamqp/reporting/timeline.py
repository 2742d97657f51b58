"""The timeline as shapes: lanes, marks, bars of messages that wait, ways between lanes. The template draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fakeamqp.reporting.columns import Columns, clock
from fakeamqp.reporting.following import DOWN, UP
from fakeamqp.reporting.journeys import Hold, Journey, Stay
from fakeamqp.reporting.lanes import Lane, Lanes
from fakeamqp.reporting.marks import CONFIRM, DELIVERY, PUBLISH, REDELIVERY, Symbol, stands_with, symbol_of
from fakeamqp.reporting.run import Run
from fakeamqp.reporting.words import numbered, shown_body
from fakeamqp.simulation.record import events as kinds

COLOURS = 6
NUMBER_WIDTH = 20.0
"""Bars that are shorter do not show their message's number."""
NUMBERED = (PUBLISH, DELIVERY, REDELIVERY, CONFIRM)


class Mark(NamedTuple):
    """An event; `journeys` are the numbers of the messages that it is about, `number` is shown above it."""

    x: float
    y: float
    scale: float
    event: int
    symbol: Symbol
    journeys: str
    number: str
    time: str
    subject: str
    words: str


class Bar(NamedTuple):
    """A message that waits in a queue ("ready", "held") or is with a consumer ("with")."""

    x: float
    y: float
    width: float
    height: float
    state: str
    journey: int
    colour: int
    number: str
    words: str


class Way(NamedTuple):
    """A line from lane to lane; a faint one is shown only where somebody follows the message."""

    path: str
    journey: int
    colour: int
    is_faint: bool


class Outage(NamedTuple):
    """The broker is down."""

    x: float
    width: float


@dataclass
class Timeline:
    """Everything there is to draw."""

    columns: Columns
    lanes: Lanes
    marks: list[Mark] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)
    """Where something went wrong on purpose."""

    @property
    def legend(self) -> list[Symbol]:
        """The symbols that occur."""
        return list(dict.fromkeys(mark.symbol for mark in self.marks))


def draw(run: Run) -> Timeline:
    """The timeline of a run."""
    events = [run.events[index] for index in run.drawn]
    joined = {
        index
        for index, event, before in zip(run.drawn, events, [None, *events], strict=False)
        if stands_with(event, before)
    }
    columns = Columns(run.drawn, [event.at_us for event in events], joined)
    picture = Timeline(columns, Lanes(run, columns))
    for index in run.drawn:
        _draw_mark(picture, run, index)
    for journey, stay in picture.lanes.stays():
        _draw_stay(picture, run, journey, stay)
    for journey in run.journeys.all:
        _draw_publication(picture, run, journey)
    _draw_outages(picture, run)
    return picture


def _draw_mark(picture: Timeline, run: Run, index: int) -> None:
    event = run.events[index]
    journeys = run.concerned(index)
    lane, y = _place(picture, run, index)
    symbol = symbol_of(event)
    numbers = [str(journey.number) for journey in journeys]
    picture.marks.append(
        Mark(
            x=picture.columns.of(index),
            y=y,
            scale=1.0 if event.kind != kinds.EFFECT or not lane.pitch else min(1.0, lane.pitch / 16),
            event=index,
            symbol=symbol,
            journeys=" ".join(numbers),
            number=numbers[0] if len(numbers) == 1 and symbol in NUMBERED else "",
            time=clock(event.at_us),
            subject=run.subject(index),
            words=run.sentence(index),
        )
    )
    if event.kind == kinds.FAULT:
        picture.faults.append(picture.columns.of(index))


def _place(picture: Timeline, run: Run, index: int) -> tuple[Lane, float]:
    """Where a mark stands: in its lane's middle, or at the end of the bar of the message that something befell."""
    event = run.events[index]
    place, journeys = run.place(index), run.concerned(index)
    lane = picture.lanes.of_event(event, place)
    if event.kind == kinds.EFFECT and place is not None and journeys:
        stay = journeys[0].stay_in(place)
        if stay is not None:
            return lane, picture.lanes.bar(lane, stay)
    return lane, lane.middle


def _draw_stay(picture: Timeline, run: Run, journey: Journey, stay: Stay) -> None:
    lane = picture.lanes.find(("queue", stay.queue))
    if lane is None:
        return
    for hold in stay.holds:
        _draw_hold(picture, run, journey, stay, hold)
    for when, state in _moments(stay):
        if when[1] is None or when[1] > when[0]:
            _draw_bar(picture, run, journey, stay, when, state)
    _draw_passage(picture, journey, stay)


def _moments(stay: Stay) -> list[tuple[tuple[int, int | None], str]]:
    """From when to when a message was ready, and held; in a stream it is ready whoever has it."""
    if stay.is_in_stream:
        return [((stay.since, stay.until), "ready")]
    found: list[tuple[tuple[int, int | None], str]] = []
    since = stay.since
    for hold in stay.holds:
        found += [((since, hold.since), "ready"), ((hold.since, hold.until), "held")]
        since = hold.since if hold.until is None else hold.until
    return found if stay.is_held else [*found, ((since, stay.until), "ready")]


def _draw_bar(
    picture: Timeline, run: Run, journey: Journey, stay: Stay, when: tuple[int, int | None], state: str
) -> None:
    lane = picture.lanes.find(("queue", stay.queue))
    assert lane is not None
    x, end = picture.lanes.span(*when)
    if end <= x or (when[1] is not None and when[1] < run.first):
        return
    waits = "waits in" if state == "ready" else "is with a consumer, and still in"
    outcome = f"; then {stay.outcome}" if stay.outcome and when[1] == stay.until else ""
    height = max(lane.pitch - 2, 2.0)
    number = str(journey.number) if end - x >= NUMBER_WIDTH and height >= 12 else ""
    words = f"{numbered([journey]).capitalize()} {shown_body(journey.body)} {waits} {stay.queue.name}{outcome}"
    y = picture.lanes.bar(lane, stay) - height / 2
    picture.bars.append(Bar(x, y, end - x, height, state, journey.number, _colour(journey), number, words))


def _draw_hold(picture: Timeline, run: Run, journey: Journey, stay: Stay, hold: Hold) -> None:
    client = picture.lanes.find(picture.lanes.client(hold.connection))
    queue = picture.lanes.find(("queue", stay.queue))
    if client is None or queue is None:
        return
    y = picture.lanes.bar(client, hold)
    bottom = picture.lanes.bar(queue, stay)
    x, end = picture.lanes.span(hold.since if hold.received is None else hold.received, hold.until)
    if hold.received is not None and hold.received >= run.first:
        _draw_way(picture, journey, x, bottom, client.middle)
    if hold.until is not None and hold.until > max(hold.since, run.first):
        _draw_way(picture, journey, end, client.middle, bottom, is_faint=True)
    if end > x:
        outcome = f"; then {hold.outcome}" if hold.outcome else " until the end"
        verb = "is held" if hold.received is not None else "is under way and was not read"
        words = f"{numbered([journey]).capitalize()} {shown_body(journey.body)} {verb}, from {stay.queue.name}{outcome}"
        height = max(client.pitch - 2, 1.5)
        picture.bars.append(
            Bar(x, y - height / 2, end - x, height, "with", journey.number, _colour(journey), "", words)
        )


def _draw_publication(picture: Timeline, run: Run, journey: Journey) -> None:
    """From the publisher to the exchange, and on to the queues; later, where a transaction or a delay is between."""
    client = picture.lanes.find(picture.lanes.client(journey.publisher))
    if journey.published is None or journey.published < run.first or client is None:
        return
    exchange = picture.lanes.find(("exchange", journey.exchange))
    published_x = picture.columns.of(journey.published)
    bottoms: dict[float, float] = {}
    if exchange is not None:
        bottoms[published_x] = exchange.middle
        ring = f"M{published_x - 3:g} {exchange.middle:g}a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
        picture.ways.append(Way(ring, journey.number, _colour(journey), False))
    for stay in journey.stays:
        lane = picture.lanes.find(("queue", stay.queue))
        if stay.source is None and lane is not None:
            x = picture.columns.of(stay.since)
            bottoms[x] = max(bottoms.get(x, 0.0), picture.lanes.bar(lane, stay))
    for x, bottom in bottoms.items():
        is_later = x > published_x and exchange is not None
        _draw_way(picture, journey, x, exchange.middle if exchange is not None and is_later else client.middle, bottom)
    if journey.confirmed is not None:
        bottom = max(bottoms.values(), default=client.middle)
        _draw_way(picture, journey, picture.columns.of(journey.confirmed), bottom, client.middle, is_faint=True)


def _draw_passage(picture: Timeline, journey: Journey, stay: Stay) -> None:
    """From the queue where a message died to the next one."""
    before = None if stay.source is None else picture.lanes.find(("queue", stay.source.queue))
    lane = picture.lanes.find(("queue", stay.queue))
    if stay.source is not None and before is not None and lane is not None:
        start, end = picture.lanes.bar(before, stay.source), picture.lanes.bar(lane, stay)
        _draw_way(picture, journey, picture.columns.of(stay.since), start, end)


def _draw_way(picture: Timeline, journey: Journey, x: float, start: float, end: float, is_faint: bool = False) -> None:
    tip = 4 if end > start else -4
    path = f"M{x:g} {start:g}V{end:g}m-3 {-tip}l3 {tip}l3 {-tip}"
    picture.ways.append(Way(path, journey.number, _colour(journey), is_faint))


def _draw_outages(picture: Timeline, run: Run) -> None:
    since: int | None = None
    for index in run.drawn:
        event = run.events[index]
        if event.kind == kinds.BROKER and event.text in DOWN:
            since = index
        elif event.kind == kinds.BROKER and event.text == UP and since is not None:
            _add_outage(picture, since, index)
            since = None
    if since is not None:
        _add_outage(picture, since, None)


def _add_outage(picture: Timeline, since: int, until: int | None) -> None:
    x, end = picture.lanes.span(since, until)
    picture.outages.append(Outage(x, max(end - x, 2.0)))


def _colour(journey: Journey) -> int:
    return (journey.number - 1) % COLOURS
