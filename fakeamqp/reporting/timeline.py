"""The timeline as shapes: lanes, marks, bars of messages that wait, ways between lanes. The template draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from fakeamqp.reporting.columns import Columns, clock
from fakeamqp.reporting.following import DOWN, UP
from fakeamqp.reporting.journeys import Hold, Journey, Stay
from fakeamqp.reporting.lanes import Lane, Lanes
from fakeamqp.reporting.marks import CONFIRM, DELIVERY, PUBLISH, REDELIVERY, Symbol, symbol_of
from fakeamqp.reporting.run import Run
from fakeamqp.reporting.words import numbered, shown_body
from fakeamqp.simulation import trace

COLOURS = 6
NUMBER_WIDTH = 20.0
"""Bars that are shorter do not show their message's number."""
NUMBERED = (PUBLISH, DELIVERY, REDELIVERY, CONFIRM)


class Mark(NamedTuple):
    """An event; `journeys` are the numbers of the messages that it is about, `number` is shown above it."""

    x: float
    y: float
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
    columns = Columns(run.drawn, [run.events[index].at_us for index in run.drawn])
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
    lane = picture.lanes.of_event(event)
    journeys = run.concerned(index)
    symbol = symbol_of(event)
    numbers = [str(journey.number) for journey in journeys]
    picture.marks.append(
        Mark(
            x=picture.columns.of(index),
            y=lane.middle,
            event=index,
            symbol=symbol,
            journeys=" ".join(numbers),
            number=numbers[0] if len(numbers) == 1 and symbol in NUMBERED else "",
            time=clock(event.at_us),
            subject=run.subject(index),
            words=run.sentence(index),
        )
    )
    if event.kind == trace.FAULT:
        picture.faults.append(picture.columns.of(index))


def _draw_stay(picture: Timeline, run: Run, journey: Journey, stay: Stay) -> None:
    lane = picture.lanes.find(("queue", stay.queue))
    if lane is None:
        return
    y = picture.lanes.bar(lane, stay)
    moments: list[tuple[int, int | None, str]] = []
    since = stay.since
    for hold in stay.holds:
        moments += [(since, hold.since, "ready"), (hold.since, hold.until, "held")]
        since = hold.since if hold.until is None else hold.until
        _draw_hold(picture, run, journey, stay, hold)
    if not stay.is_held:
        moments.append((since, stay.until, "ready"))
    for start, end, state in moments:
        if end is None or end > start:
            _draw_bar(picture, run, journey, stay, (start, end), state)
    if stay.since != journey.published:
        _draw_passage(picture, journey, stay, y)


def _draw_bar(
    picture: Timeline, run: Run, journey: Journey, stay: Stay, when: tuple[int, int | None], state: str
) -> None:
    lane = picture.lanes.find(("queue", stay.queue))
    assert lane is not None
    x, end = picture.lanes.span(*when)
    if end <= x or (when[1] is not None and when[1] < run.first):
        return
    waits = "waits in" if state == "ready" else "is with a consumer, and still in"
    fate = f"; then {stay.outcome}" if stay.outcome and when[1] == stay.until else ""
    height = max(lane.pitch - 2, 2.0)
    number = str(journey.number) if end - x >= NUMBER_WIDTH and height >= 12 else ""
    words = f"{numbered([journey]).capitalize()} {shown_body(journey.body)} {waits} {stay.queue.name}{fate}"
    y = picture.lanes.bar(lane, stay) - height / 2
    picture.bars.append(Bar(x, y, end - x, height, state, journey.number, _colour(journey), number, words))


def _draw_hold(picture: Timeline, run: Run, journey: Journey, stay: Stay, hold: Hold) -> None:
    client = picture.lanes.find(picture.lanes.client(hold.connection))
    queue = picture.lanes.find(("queue", stay.queue))
    if client is None or queue is None:
        return
    y = picture.lanes.bar(client, hold)
    bottom = picture.lanes.bar(queue, stay)
    x, end = picture.lanes.span(hold.since, hold.until)
    if hold.since >= run.first:
        _draw_way(picture, journey, x, bottom, client.middle)
    if hold.until is not None and hold.until > max(hold.since, run.first):
        _draw_way(picture, journey, end, client.middle, bottom, is_faint=True)
    if end > x:
        outcome = f"; then {hold.outcome}" if hold.outcome else " until the end"
        words = f"{numbered([journey]).capitalize()} {shown_body(journey.body)} is held, from {stay.queue.name}{outcome}"
        height = max(client.pitch - 2, 1.5)
        picture.bars.append(
            Bar(x, y - height / 2, end - x, height, "with", journey.number, _colour(journey), "", words)
        )


def _draw_publication(picture: Timeline, run: Run, journey: Journey) -> None:
    """From the publisher to the exchange, and on to the queues."""
    client = picture.lanes.find(picture.lanes.client(journey.publisher))
    if journey.published is None or journey.published < run.first or client is None:
        return
    x = picture.columns.of(journey.published)
    exchange = picture.lanes.find(("exchange", journey.exchange))
    ends = [picture.lanes.bar(lane, stay) for stay, lane in _first_stays(picture, journey)]
    if exchange is not None:
        ends.append(exchange.middle)
        ring = f"M{x - 3:g} {exchange.middle:g}a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
        picture.ways.append(Way(ring, journey.number, _colour(journey), False))
    if ends:
        _draw_way(picture, journey, x, client.middle, max(ends))
    if journey.confirmed is not None:
        at = picture.columns.of(journey.confirmed)
        _draw_way(picture, journey, at, max(ends, default=client.middle), client.middle, is_faint=True)


def _first_stays(picture: Timeline, journey: Journey) -> list[tuple[Stay, Lane]]:
    found = [(stay, picture.lanes.find(("queue", stay.queue))) for stay in journey.stays]
    return [(stay, lane) for stay, lane in found if lane is not None and stay.since == journey.published]


def _draw_passage(picture: Timeline, journey: Journey, stay: Stay, y: float) -> None:
    """From the queue where a message died to the next one."""
    lane = picture.lanes.find(("queue", stay.queue))
    for source in journey.stays:
        before = picture.lanes.find(("queue", source.queue))
        if source is not stay and source.until == stay.since and before is not None and lane is not None:
            _draw_way(picture, journey, picture.columns.of(stay.since), picture.lanes.bar(before, source), y)


def _draw_way(
    picture: Timeline, journey: Journey, x: float, start: float, end: float, is_faint: bool = False
) -> None:
    tip = 4 if end > start else -4
    path = f"M{x:g} {start:g}V{end:g}m-3 {-tip}l3 {tip}l3 {-tip}"
    picture.ways.append(Way(path, journey.number, _colour(journey), is_faint))


def _draw_outages(picture: Timeline, run: Run) -> None:
    since: int | None = None
    for index in run.drawn:
        event = run.events[index]
        if event.kind == trace.BROKER and event.text in DOWN:
            since = index
        elif event.kind == trace.BROKER and event.text == UP and since is not None:
            _add_outage(picture, since, index)
            since = None
    if since is not None:
        _add_outage(picture, since, None)


def _add_outage(picture: Timeline, since: int, until: int | None) -> None:
    x, end = picture.lanes.span(since, until)
    picture.outages.append(Outage(x, max(end - x, 2.0)))


def _colour(journey: Journey) -> int:
    return (journey.number - 1) % COLOURS
