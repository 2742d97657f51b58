"""Choices by their moments: which task was at which of its turns, whatever others did before.

A list of choices is a list of places, and one choice fewer shifts all that follow. By moments a run can be made again
without one of its choices, and the others stay what they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fakeamqp.exploration.searches import named
from fakeamqp.simulation.faults.injection import WHICH, task_at
from fakeamqp.simulation.tasks.tasks import SCHEDULE
from fakeamqp.simulation.world.chance import Chooser


class Moment(NamedTuple):
    """When something is chosen."""

    stream: str
    task: str
    """Who runs, or at whose step something may go wrong; empty where that does not matter."""
    turn: int
    """How often the same was chosen before."""


Chosen = int | str
"""What is chosen other than the quiet choice: who goes next, by name; or a number."""


class _Counting:
    """Tells moments, one after another."""

    def __init__(self) -> None:
        self._turns: Counter[tuple[str, str]] = Counter()

    def moment(self, stream: str, among: Sequence[str]) -> Moment:
        task = among[0] if stream == SCHEDULE else task_at(among[0]) if stream == WHICH else ""
        moment = Moment(stream, task, self._turns[stream, task])
        self._turns[stream, task] += 1
        return moment


class Reader:
    """Has another chooser choose, and keeps what it chose by moments."""

    def __init__(self, source: Chooser) -> None:
        self._source = source
        self._counting = _Counting()
        self.chosen: dict[Moment, Chosen] = {}
        """What was chosen where that was not the quiet choice."""
        self.possible: dict[Moment, list[Chosen]] = {}
        """What else than the quiet choice there was at each moment."""

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """What the other chooser says."""
        number = self._source.choose(stream, count, among)
        moment = self._counting.moment(stream, among)
        options: list[Chosen] = [*named(among, count)] if stream == SCHEDULE else [*range(count)]
        self.possible[moment] = options[1:]
        if number:
            self.chosen[moment] = options[number]
        return number


class AtMoments:
    """Chooses what is given at each moment, and the quiet choice elsewhere and where that is not possible."""

    def __init__(self, chosen: Mapping[Moment, Chosen]) -> None:
        self._chosen = chosen
        self._counting = _Counting()

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        wanted = self._chosen.get(self._counting.moment(stream, among), 0)
        if isinstance(wanted, int):
            return min(wanted, count - 1)
        names = named(among, count)
        return names.index(wanted) if wanted in names else 0
