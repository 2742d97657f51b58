"""Making a failing run small: fewer choices that are not the quiet one, then fewer steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from fakeamqp.exploration.moments import AtMoments, Chosen, Moment, Reader
from fakeamqp.exploration.runs import Case, Outcome, run_once
from fakeamqp.exploration.searches import FAULT_STREAMS, BoundedSearch
from fakeamqp.simulation.tasks.tasks import SCHEDULE
from fakeamqp.simulation.world.chance import ReplayingChooser

ATTEMPTS = 1000
"""How many runs may be spent on making choices quiet."""
NEIGHBOURS = 200
"""How many runs with a single choice that is not quiet are tried first: as many without, then as many with a fault."""


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
    """Makes a run simpler by passes over its choices: leaves some out, replaces some by simpler ones, moves some.

    After each that succeeds it begins again, until none does.
    """

    def __init__(self, case: Case, failing: Outcome) -> None:
        self._case = case
        self._left = ATTEMPTS
        self._seen: set[frozenset[tuple[Moment, Chosen]]] = set()
        self.best = failing

    def shrink(self) -> Outcome:
        """The simplest run that was found."""
        while self._left and any(self._accepts(candidate) for candidate in self._candidates()):
            pass
        return self.best

    def _candidates(self) -> Iterator[dict[Moment, Chosen]]:
        """Runs that may be simpler than the best one, by their choices, boldest first."""
        reader = Reader(ReplayingChooser(values_of(self.best)))
        run_once(self._case, reader)
        chosen = reader.chosen
        yield {}
        yield from _without_blocks(chosen)
        yield from (_without(chosen, *pair) for pair in itertools.combinations(chosen, 2))
        for moment, value in chosen.items():
            if isinstance(value, int):
                yield from ({**chosen, moment: lower} for lower in range(1, value))
        for moment in chosen:
            yield from _moved(_without(chosen, moment), moment, chosen[moment], reader.possible)
        for moment, other in itertools.permutations(chosen, 2):  # one goes, and another moves
            yield from _moved(_without(chosen, moment, other), other, chosen[other], reader.possible)
        for pair in itertools.combinations((moment for moment in chosen if moment.stream == SCHEDULE), 2):
            yield from _with_one_more(_without(chosen, *pair), SCHEDULE, reader.possible)

    def _accepts(self, candidate: dict[Moment, Chosen]) -> bool:
        key = frozenset(candidate.items())
        if key in self._seen or not self._left:
            return False
        self._seen.add(key)
        self._left -= 1
        outcome = run_once(self._case, AtMoments(candidate))
        if not _fails_alike(outcome, self.best) or _size(outcome) >= _size(self.best):
            return False
        self.best = outcome
        return True


def _without(chosen: Mapping[Moment, Chosen], *moments: Moment) -> dict[Moment, Chosen]:
    return {moment: value for moment, value in chosen.items() if moment not in moments}


def _without_blocks(chosen: Mapping[Moment, Chosen]) -> Iterator[dict[Moment, Chosen]]:
    """Half of the choices are left out, then quarters, at last each one."""
    items = list(chosen.items())
    size = len(items) // 2
    while size:
        for start in range(0, len(items), size):
            yield dict(items[:start] + items[start + size :])
        size //= 2


def _moved(
    others: dict[Moment, Chosen], moment: Moment, value: Chosen, possible: Mapping[Moment, Sequence[Chosen]]
) -> Iterator[dict[Moment, Chosen]]:
    """The others, and a choice at every other moment where it was possible."""
    for at, values in possible.items():
        if at.stream == moment.stream and at != moment and at not in others and value in values:
            yield {**others, at: value}


def _with_one_more(
    others: dict[Moment, Chosen], stream: str, possible: Mapping[Moment, Sequence[Chosen]]
) -> Iterator[dict[Moment, Chosen]]:
    """The others, and any one choice of a stream."""
    for at, values in possible.items():
        if at.stream == stream and at not in others:
            yield from ({**others, at: value} for value in values)


def _fails_alike(outcome: Outcome, other: Outcome) -> bool:
    if outcome.failure is None or other.failure is None:
        return False
    return outcome.failure.kind == other.failure.kind and outcome.failure.where == other.failure.where


def _size(outcome: Outcome) -> tuple[int, int, list[int]]:
    values = values_of(outcome)
    return sum(1 for value in values if value), outcome.steps, values
