"""Searches: which runs to make, and in which order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from fakeamqp.exploration.runs import Outcome
from fakeamqp.simulation.chance import Chooser, ReplayingChooser
from fakeamqp.simulation.injection import DURATION, WHICH
from fakeamqp.simulation.tasks import SCHEDULE
from fakeamqp.spec.errors import Misuse

FAULT_STREAMS = (WHICH, DURATION, "crash")
"""The choices that say what goes wrong."""
PCT_DEPTH = 3
"""How many turns of events a bug may take for PCT to find it with the probability that it promises."""
PCT_STEPS = 150
"""Among how many choices of the schedule PCT spreads its changes of priority."""


class Start(NamedTuple):
    """How one run is to be made; can be sent to another process."""

    kind: str
    """"random" or "pct", then `values` is one seed; or "replay", then these are choices."""
    values: tuple[int, ...]

    def chooser(self) -> Chooser:
        """Where the run's choices come from."""
        if self.kind == "replay":
            return ReplayingChooser(self.values)
        return (RandomWalk if self.kind == "random" else PriorityWalk)(self.values[0])


class RandomWalk:
    """Draws at random; how often programs are interrupted and things go wrong differs from run to run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._fault_rate = 10 ** self._random.uniform(-2.3, -0.7)
        self._switch_rate = self._random.choice((0.1, 0.3, 1.0))

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        if stream == SCHEDULE and self._random.random() >= self._switch_rate:
            return 0
        if stream == WHICH and self._random.random() >= self._fault_rate:
            return 0
        return self._random.randrange(count) if stream != WHICH else 1 + self._random.randrange(count - 1)


class PriorityWalk(RandomWalk):
    """Lets the program of the highest priority go, and lowers priorities at a few random moments.

    Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic guarantees of
    finding bugs" (ASPLOS 2010), PCT.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._priorities: dict[str, float] = {}
        self._changes = {self._random.randrange(PCT_STEPS) for _ in range(PCT_DEPTH - 1)}
        self._moment = 0

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        if stream != SCHEDULE:
            return super().choose(stream, count, among)
        names = [*among, *("the disk" for _ in range(count - len(among)))]
        for name in names:
            if name not in self._priorities:
                self._priorities[name] = 1.0 + self._random.random()
        first = max(names, key=self._priorities.__getitem__)
        self._moment += 1
        if self._moment in self._changes:
            self._priorities[first] = -float(self._moment)
            first = max(names, key=self._priorities.__getitem__)
        return names.index(first)


class Search(Protocol):
    """Says which runs to make."""

    @property
    def is_complete(self) -> bool:
        """Whether it has made all runs there are within its bound."""

    def starts(self) -> Iterator[Start]:
        """The next runs, as many as are known before their outcomes are."""

    def learn(self, start: Start, outcome: Outcome) -> None:
        """A run has come to its end."""


class RandomSearch:
    """Endless runs with seeds of their own."""

    is_complete = False

    def __init__(self, kind: str, seed: int) -> None:
        self._kind = kind
        self._random = random.Random(seed)

    def starts(self) -> Iterator[Start]:
        """Runs without end."""
        while True:
            yield Start(self._kind, (self._random.getrandbits(64),))

    def learn(self, start: Start, outcome: Outcome) -> None:
        """Nothing to learn: runs are independent of one another."""


class BoundedSearch:
    """All runs that differ from the quiet one, in which every choice is 0, in at most `bound` choices.

    Runs with fewer differences come first, so that what is found first is simplest. With `streams` only choices of
    these are made otherwise. Source: Emmi, Qadeer, Rakamaric, "Delay-bounded scheduling" (POPL 2011).
    """

    def __init__(self, bound: int, streams: tuple[str, ...] | None) -> None:
        self._bound = bound
        self._streams = streams
        self._todo: deque[tuple[int, Start]] = deque([(0, Start("replay", ()))])
        self._depths: dict[Start, int] = {}

    @property
    def is_complete(self) -> bool:
        """Whether there is no run left."""
        return not self._todo and not self._depths

    def starts(self) -> Iterator[Start]:
        """The runs that are known."""
        while self._todo:
            depth, start = self._todo.popleft()
            self._depths[start] = depth
            yield start

    def learn(self, start: Start, outcome: Outcome) -> None:
        """Each choice that came after the last difference could be made otherwise."""
        depth = self._depths.pop(start)
        if depth == self._bound:
            return
        chosen = [choice.chosen for choice in outcome.choices]
        for index in range(len(start.values), len(chosen)):
            choice = outcome.choices[index]
            if self._streams is None or choice.stream in self._streams:
                for value in range(1, choice.of):
                    self._todo.append((depth + 1, Start("replay", (*chosen[:index], value))))


def search_named(name: str, seed: int, bound: int) -> Search:
    """The search that a user has asked for. Raises Misuse for one that there is not."""
    if name in ("random", "pct"):
        return RandomSearch(name, seed)
    if name == "exhaustive":
        return BoundedSearch(bound, None)
    if name == "crash points":
        return BoundedSearch(bound, FAULT_STREAMS)
    raise Misuse(f'there is no search {name!r}; there are "random", "pct", "exhaustive" and "crash points"')
