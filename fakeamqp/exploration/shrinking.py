"""Making a failing run small: fewer choices that are not the quiet one, then fewer steps."""

from __future__ import annotations

from collections.abc import Iterator

from fakeamqp.exploration.runs import Case, Outcome, run_once
from fakeamqp.exploration.searches import FAULT_STREAMS, BoundedSearch
from fakeamqp.simulation.chance import ReplayingChooser
from fakeamqp.simulation.tasks import SCHEDULE

ATTEMPTS = 600
"""How many runs may be spent on making choices quiet."""
NEIGHBOURS = 200
"""How many runs with a single choice that is not quiet are tried first: as many without, then as many with a fault."""
LONGEST_SHIFT = 40
"""By how many choices what comes after one may move forward when that one goes."""


def values_of(outcome: Outcome) -> list[int]:
    """A run's choices, without the quiet ones at its end."""
    values = [choice.chosen for choice in outcome.choices]
    while values and not values[-1]:
        values.pop()
    return values


def shrunk(case: Case, failing: Outcome) -> Outcome:
    """A run that fails in the same way and is as simple as could be found."""
    has_fault = any(choice.stream in FAULT_STREAMS and choice.chosen for choice in failing.choices)
    return (
        _one_choice(case, failing, (SCHEDULE,))
        or (_one_choice(case, failing, FAULT_STREAMS) if has_fault else None)
        or _Shrinker(case, failing).shrink()
    )


def _one_choice(case: Case, failing: Outcome, streams: tuple[str, ...]) -> Outcome | None:
    """The first run that fails alike with at most one choice of `streams` other than the quiet one, if there is one."""
    search = BoundedSearch(1, streams)
    left = NEIGHBOURS
    while left and not search.is_complete:
        for start in search.starts():
            left -= 1
            outcome = run_once(case, start.chooser())
            if _fails_alike(outcome, failing):
                return outcome
            search.learn(start, outcome)
            if not left:
                break
    return None


class _Shrinker:
    def __init__(self, case: Case, failing: Outcome) -> None:
        self._case = case
        self._left = ATTEMPTS
        self._seen: set[tuple[int, ...]] = set()
        self.best = failing

    def shrink(self) -> Outcome:
        """Try simpler runs until none of those that are tried fails any more."""
        while any(self._accepts(candidate) for candidate in self._candidates()) and self._left:
            pass
        return self.best

    def _candidates(self) -> Iterator[list[int]]:
        """Runs that may be simpler than the best one, boldest first."""
        values = values_of(self.best)
        yield []
        size = len(values) // 2
        while size:
            for start in range(0, len(values), size):
                if any(values[start : start + size]):
                    yield values[:start] + [0] * len(values[start : start + size]) + values[start + size :]
            size //= 2
        odd = [index for index, value in enumerate(values) if value]
        for index in odd[:-1]:  # without it there may be fewer choices before the next
            for width in range(1, LONGEST_SHIFT):
                yield values[:index] + values[index + width :]
        for index in odd:
            for width in (16, 4, 1):
                if index >= width:
                    yield values[: index - width] + values[index:]  # the same, but earlier
        for index in odd:
            if values[index] > 1:
                yield [*values[:index], values[index] // 2, *values[index + 1 :]]
                yield [*values[:index], values[index] - 1, *values[index + 1 :]]

    def _accepts(self, candidate: list[int]) -> bool:
        key = tuple(candidate)
        if key in self._seen or not self._left:
            return False
        self._seen.add(key)
        self._left -= 1
        outcome = run_once(self._case, ReplayingChooser(candidate))
        if not _fails_alike(outcome, self.best) or _size(outcome) >= _size(self.best):
            return False
        self.best = outcome
        return True


def _fails_alike(outcome: Outcome, other: Outcome) -> bool:
    if outcome.failure is None or other.failure is None:
        return False
    return outcome.failure.kind == other.failure.kind and outcome.failure.where == other.failure.where


def _size(outcome: Outcome) -> tuple[int, int, list[int]]:
    values = values_of(outcome)
    return sum(1 for value in values if value), outcome.steps, values
