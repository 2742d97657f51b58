"""The timeline's horizontal axis: a column for each event, as order is what matters, and a seam where time jumps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

LEFT = 22.0
WIDTH = 1060.0
"""How wide a timeline would like to be, pixels."""
NARROWEST, WIDEST = 20.0, 40.0
SEAM = 50.0
"""How wide a jump of time is drawn, however long it is."""
JUMP_US = 1000
"""Time that passes in smaller steps is not marked."""
LABEL = 64.0
"""How far labels of the axis stay apart."""


class Seam(NamedTuple):
    """Where virtual time has jumped."""

    x: float
    width: float
    label: str


class Tick(NamedTuple):
    """A time on the axis."""

    x: float
    label: str


class Columns:
    """Where events stand.

    `shown` are the events that are drawn, by their numbers, and `times_us` when they were; those in `joined` stand in
    the column of the one before.
    """

    def __init__(self, shown: Sequence[int], times_us: Sequence[int], joined: Collection[int] = ()) -> None:
        self.seams: list[Seam] = []
        self.ticks: list[Tick] = []
        self._shown = shown
        self._x: list[float] = []
        jumps = sum(later - sooner >= JUMP_US for sooner, later in pairwise(times_us))
        self.step = min(max((WIDTH - jumps * SEAM) / max(len(shown) - len(joined), 1), NARROWEST), WIDEST)
        x = LEFT
        last_us = times_us[0] if times_us else 0
        for event, at_us in zip(shown, times_us, strict=True):
            if event in joined:
                self._x.append(self._x[-1])
                continue
            if at_us - last_us >= JUMP_US:
                self.seams.append(Seam(x - self.step / 2, SEAM, f"+{duration(at_us - last_us)}"))
                x += SEAM
            if not self.ticks or (at_us - last_us >= JUMP_US and x - self.ticks[-1].x >= LABEL):
                self.ticks.append(Tick(x, clock(at_us)))
            self._x.append(x)
            x += self.step
            last_us = at_us
        self.width = x

    def of(self, event: int) -> float:
        """Where an event stands; one that is not drawn, with the drawn one before it."""
        place = bisect_right(self._shown, event) - 1
        return self._x[place] if place >= 0 else 0.0


def duration(span_us: int) -> str:
    """A span of time, as short as it is exact enough."""
    seconds = span_us / 1e6
    if 0 < seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def clock(at_us: int) -> str:
    """A time since the beginning."""
    return f"{at_us / 1e6:.3f}".rstrip("0").rstrip(".") + " s"


def tracks(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """For each interval, in order of their beginnings, the first track that is free."""
    ends: list[float] = []
    chosen = []
    for start, end in intervals:
        track = next((number for number, free_from in enumerate(ends) if free_from <= start), len(ends))
        if track == len(ends):
            ends.append(end)
        ends[track] = max(ends[track], end)
        chosen.append(track)
    return chosen
