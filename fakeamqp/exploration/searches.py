"""Searches: which runs to make, and in which order."""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from fakeamqp.exploration.runs import Outcome
from fakeamqp.simulation.faults.injection import DURATION, WHICH
from fakeamqp.simulation.tasks.tasks import SCHEDULE
from fakeamqp.simulation.world.chance import Choice, Chooser, ReplayingChooser
from fakeamqp.spec.errors import Misuse

FAULT_STREAMS = (WHICH, DURATION, "crash")
"""The choices that say what goes wrong."""
PCT_DEPTH = 3
"""How many turns of events a bug may take for PCT to find it with the probability that it promises."""


STUBBORN_SHARE = 0.3
"""Which part of random runs lets a fault strike again at the same place."""
STUBBORN_RATE = 0.5
"""How likely it does so when a program comes to that place."""


class Start(NamedTuple):
    """How one run is to be made; can be sent to another process."""

    kind: str
    """"random", then `values` is a seed; "pct", then also among how many choices of the schedule priorities may change;
    or "replay", then these are choices."""
    values: tuple[int, ...]

    def chooser(self) -> Chooser:
        """Where the run's choices come from."""
        if self.kind == "replay":
            return ReplayingChooser(self.values)
        return RandomWalk(*self.values) if self.kind == "random" else PriorityWalk(*self.values)


QUIET = Start("replay", ())
"""The run in which every choice is 0."""


def named(among: Sequence[str], count: int) -> list[str]:
    """Who may go next: tasks, or the disk, which then writes what is on its way there."""
    return [*among, *("the disk" for _ in range(count - len(among)))]


class RandomWalk:
    """Draws at random; how often programs are interrupted and things go wrong differs from run to run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._fault_rate = 10 ** self._random.uniform(-2.3, -0.7)
        self._switch_rate = self._random.choice((0.1, 0.3, 1.0))
        self._is_stubborn = self._random.random() < STUBBORN_SHARE
        self._struck: Sequence[str] | None = None
        """Where it let something go wrong last, in a stubborn run."""
        self._last_fault = 0

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        if stream == SCHEDULE and self._random.random() >= self._switch_rate:
            return 0
        return self._fault(count, among) if stream == WHICH else self._random.randrange(count)

    def _fault(self, count: int, place: Sequence[str]) -> int:
        """Whether something goes wrong now, and what.

        A stubborn run lets the same thing go wrong again where the same program has as much in hand as it had then:
        mostly the message that came back.
        """
        if self._struck == place and self._random.random() < STUBBORN_RATE:
            return self._last_fault
        if self._random.random() >= self._fault_rate:
            return 0
        self._last_fault = 1 + self._random.randrange(count - 1)
        if self._is_stubborn:
            self._struck = place
        return self._last_fault


class PriorityWalk(RandomWalk):
    """Lets the program of the highest priority go, and lowers priorities at a few random moments.

    Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, "A randomized scheduler with probabilistic guarantees of
    finding bugs" (ASPLOS 2010), PCT.
    """

    def __init__(self, seed: int, length: int) -> None:
        super().__init__(seed)
        self._priorities: dict[str, float] = {}
        self._changes = {1 + self._random.randrange(length) for _ in range(PCT_DEPTH - 1)}
        self._moment = 0

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        if stream != SCHEDULE:
            return super().choose(stream, count, among)
        names = named(among, count)
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

    needs_choices: bool
    """Whether it learns from the choices that were made in runs that end well."""

    @property
    def is_complete(self) -> bool:
        """Whether it has made all runs there are within its bound."""

    def starts(self) -> Iterator[Start]:
        """The next runs, as many as are known before their outcomes are."""

    def learn(self, start: Start, outcome: Outcome) -> None:
        """A run has come to its end; called in the order of `starts`."""


class RandomSearch:
    """Endless runs with seeds of their own, after the quiet one."""

    is_complete = False
    needs_choices = False

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._has_begun = False

    def starts(self) -> Iterator[Start]:
        """The quiet run, then runs without end."""
        if not self._has_begun:
            self._has_begun = True
            yield QUIET
        while True:
            yield Start("random", (self._random.getrandbits(64),))

    def learn(self, start: Start, outcome: Outcome) -> None:
        """Nothing to learn: runs are independent of one another."""


class PrioritySearch:
    """Endless runs with seeds of their own, after a quiet one that shows how long they are."""

    is_complete = False
    needs_choices = True

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._length: int | None = None
        self._has_begun = False

    def starts(self) -> Iterator[Start]:
        """The quiet run; once that is known, runs without end."""
        if not self._has_begun:
            self._has_begun = True
            yield QUIET
        while self._length is not None:
            yield Start("pct", (self._random.getrandbits(64), self._length))

    def learn(self, start: Start, outcome: Outcome) -> None:
        """The quiet run says among how many choices priorities may change."""
        if self._length is None:
            self.needs_choices = False
            self._length = max(1, sum(choice.stream == SCHEDULE for choice in outcome.choices))


class Depth(NamedTuple):
    """In how many choices a run differs from the quiet one."""

    differences: int = 0
    of_schedule: int = 0
    """How many of these are about who goes next."""


class Parent(NamedTuple):
    """A run of a bounded search from which others branch off, each with one difference more."""

    depth: Depth
    values: tuple[int, ...]
    """Its choices up to its last difference; all that came after were quiet."""
    branches: array[int]
    """How many possibilities each later choice had that may be made otherwise; 1 for those that may not. Negated for
    choices of the schedule."""


class BoundedSearch:
    """All runs that differ from the quiet one, in which every choice is 0, in at most `bound` choices.

    Runs with fewer differences come first, so that what is found first is simplest. With `streams` only choices of
    these are made otherwise, and with `schedules` at most so many of the schedule. Source: Emmi, Qadeer, Rakamaric,
    "Delay-bounded scheduling" (POPL 2011).
    """

    needs_choices = True

    def __init__(self, bound: int, streams: tuple[str, ...] | None, schedules: int | None = None) -> None:
        self._bound = bound
        self._schedules = bound if schedules is None else schedules
        self._streams = streams
        self._known: Iterator[tuple[Start, Depth]] = iter(((QUIET, Depth()),))
        self._parents: deque[Parent] = deque()
        self._depths: dict[Start, Depth] = {}
        """The runs under way."""
        self._next: Start | None = None
        self._depth = Depth()
        self._look()

    @property
    def is_complete(self) -> bool:
        """Whether there is no run left."""
        return self._next is None and not self._depths

    def starts(self) -> Iterator[Start]:
        """The runs that are known."""
        while (start := self._next) is not None:
            self._depths[start] = self._depth
            self._look()
            yield start

    def _look(self) -> None:
        """Find the next run. Children are made when it is their turn: there are far more than parents."""
        found = next(self._known, None)
        while found is None and self._parents:
            self._known = _children(self._parents.popleft())
            found = next(self._known, None)
        self._next, self._depth = found or (None, Depth())

    def learn(self, start: Start, outcome: Outcome) -> None:
        """Each choice that came after the last difference could be made otherwise."""
        depth = self._depths.pop(start)
        if depth.differences < self._bound:
            later = outcome.choices[len(start.values) :]
            branches = array("q", (self._branches(choice, depth) for choice in later))
            self._parents.append(Parent(depth, start.values, branches))
            if self._next is None:
                self._look()

    def _branches(self, choice: Choice, depth: Depth) -> int:
        if self._streams is not None and choice.stream not in self._streams:
            return 1
        if choice.stream == SCHEDULE:
            return -choice.of if depth.of_schedule < self._schedules else 1
        return choice.of


def _children(parent: Parent) -> Iterator[tuple[Start, Depth]]:
    differences, of_schedule = parent.depth
    for quiet, count in enumerate(parent.branches):
        depth = Depth(differences + 1, of_schedule + (count < 0))
        for value in range(1, abs(count)):
            yield Start("replay", (*parent.values, *(0,) * quiet, value)), depth


def search_named(name: str, seed: int, bound: int) -> Search:
    """The search that a user has asked for. Raises Misuse for one that there is not."""
    if name == "random":
        return RandomSearch(seed)
    if name == "pct":
        return PrioritySearch(seed)
    if name == "exhaustive":
        return BoundedSearch(bound, None)
    if name == "crash points":
        return BoundedSearch(bound, FAULT_STREAMS)
    if name == "crash points + schedules":
        return BoundedSearch(bound, (*FAULT_STREAMS, SCHEDULE), schedules=1)
    raise Misuse(
        f'there is no search {name!r}; there are "random", "pct", "exhaustive", "crash points" and '
        '"crash points + schedules"'
    )
