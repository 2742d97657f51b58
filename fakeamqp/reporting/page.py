"""Writes the report: templates filled with what `run`, `timeline` and `topology` have found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fakeamqp.reporting.columns import clock, duration
from fakeamqp.reporting.run import MOST_EVENTS, Run
from fakeamqp.reporting.timeline import draw
from fakeamqp.reporting.topology import topologies
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import Misuse


class Row(NamedTuple):
    """An event in the table."""

    event: int
    time: str
    subject: str
    words: str
    said: str
    """The method as it is, or nothing."""
    kind: str
    journeys: str
    is_drawn: bool


def write_report(
    world: World, path: str | os.PathLike[str], *, title: str = "", most_events: int = MOST_EVENTS
) -> None:
    """Write one HTML file that needs nothing else; see `Broker.write_report`."""
    Path(path).write_text(page(world, title=title, most_events=most_events), encoding="utf-8")


def page(world: World, *, title: str = "", most_events: int = MOST_EVENTS) -> str:
    """The page's HTML. Raises Misuse where Jinja2 is missing, and for less than one event."""
    if most_events < 1:
        raise Misuse(f"most_events={most_events!r}: show one event at least")
    try:
        import jinja2
    except ImportError:
        raise Misuse("the report needs Jinja2: pip install 'fakeamqp[report]'") from None
    with world.lock:
        run = Run(world, most_events)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fakeamqp.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:.1f}".removesuffix(".0")
    return environment.get_template("report.html").render(_context(run, title))


def _context(run: Run, title: str) -> dict[str, Any]:
    rows = list(_rows(run))
    return {
        "title": title or "A run of fakeamqp",
        "world": run.world,
        "facts": _facts(run),
        "timeline": draw(run) if run.drawn else None,
        "topologies": topologies(run),
        "is_running": run.world.node is not None,
        "rows": rows,
        "left_out": sum(not row.is_drawn for row in rows),
        "forgotten": run.first,
        "trace_limit": run.world.trace.limit,
        "is_complete": run.world.trace.is_complete,
    }


def _facts(run: Run) -> list[tuple[str, str]]:
    journeys = run.journeys.all
    stays = [stay for journey in journeys for stay in journey.stays]
    deliveries = sum(len(stay.holds) for stay in stays)
    redelivered = sum(max(len(stay.holds) - 1, 0) for stay in stays)
    again = f", {redelivered} of them again" if redelivered else ""
    return [
        ("RabbitMQ", run.world.version),
        ("seed", str(run.world.seed)),
        ("virtual time", duration(run.world.clock.now_us)),
        ("events", str(len(run.events))),
        ("published", str(sum(journey.published is not None for journey in journeys))),
        ("delivered", f"{deliveries}{again}"),
        ("acknowledged", str(sum(stay.outcome == "acknowledged" for stay in stays))),
    ]


def _rows(run: Run) -> Iterator[Row]:
    drawn = set(run.drawn)
    for index in run.shown:
        event = run.events[index]
        yield Row(
            event=index,
            time=clock(event.at_us),
            subject=run.subject(index),
            words=run.sentence(index),
            said="" if event.method is None else str(event).split("s  ", 1)[1],
            kind=event.kind,
            journeys=" ".join(str(journey.number) for journey in run.concerned(index)),
            is_drawn=index in drawn,
        )
