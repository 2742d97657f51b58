"""explore: many runs of one scenario, until one breaks it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from fakeamqp.broker import Broker
from fakeamqp.exploration.runs import Case, Failure, Outcome, run_once
from fakeamqp.exploration.searches import Search, Start, search_named
from fakeamqp.exploration.shrinking import shrunk, values_of
from fakeamqp.exploration.story import mermaid, tell
from fakeamqp.exploration.tokens import parse_token, token_of
from fakeamqp.simulation import virtual_time
from fakeamqp.simulation.chance import ReplayingChooser
from fakeamqp.simulation.faults import Fault, Faults
from fakeamqp.spec.errors import FakeamqpError, Misuse

BATCH = 50
"""How many runs are made between two looks at the outcomes; what is found does not depend on who makes them."""

replay_token: list[str] = []
"""The run that `pytest --amqp-replay` asks for, if it does."""


class NotRepeatable(FakeamqpError):
    """Two runs with the same choices differ: the program depends on something that fakeamqp does not control."""


class Counterexample(AssertionError):
    """A run that breaks the scenario, made small; its text tells the story and how to replay it."""

    def __init__(self, outcome: Outcome, token: str, how_to_replay: str, runs: int) -> None:
        assert outcome.failure is not None
        self.outcome = outcome
        self.failure: Failure = outcome.failure
        self.token = token
        self.replay = how_to_replay
        """The line that makes this run again."""
        self.runs = runs
        """How many runs it took to find it."""
        self.plan: tuple[Fault, ...] = outcome.plan
        """The faults of the run, as `broker.faults.play` takes them."""
        self.story = tell(outcome)
        """What happened, a numbered step each."""
        self.mermaid = mermaid(outcome)
        """The same as a Mermaid sequence diagram."""
        super().__init__(self._text())

    def _text(self) -> str:
        found = f"after {self.runs} runs" if self.runs else "in the run that was replayed"
        faults = ", ".join(map(repr, self.plan)) or "none"
        chosen = self.token.partition(":")
        return "\n".join(
            [
                f"{self.failure.kind}: {self.failure.text}",
                "",
                f"Found {found}, seed {chosen[0]}, choices {chosen[2] or 'all quiet'}, faults: {faults}",
                f"Replay it: {self.replay}",
                "",
                *self.story,
                "",
                self.mermaid,
                "",
                self.failure.traceback,
            ]
        )


@dataclass
class Exploration:
    """What many runs without a counterexample have shown."""

    runs: int = 0
    steps: int = 0
    states: int = 0
    """How many distinct states of programs and queues there were."""
    last_new_state: int = 0
    """In which run a state was last new: runs beyond it showed nothing that was not seen before."""
    is_complete: bool = False
    """Whether these were all runs there are within the bound of an exhaustive search."""
    seconds: float = 0.0

    def __str__(self) -> str:
        extent = "all runs within the bound" if self.is_complete else "no counterexample"
        return (
            f"{self.runs} runs of {self.steps} steps in {self.seconds:.1f} s, {extent}; "
            f"{self.states} distinct states, the last new one in run {self.last_new_state}"
        )


def explore(
    scenario: Callable[[Broker], Any],
    invariant: Callable[..., Any] | None = None,
    *,
    runs: int = 1000,
    always: Callable[..., Any] | None = None,
    seed: int = 0,
    faults: Faults = Faults(),  # noqa: B008  (immutable)
    search: str = "random",
    bound: int = 2,
    executor: Executor | None = None,
    check_determinism: bool = False,
    max_steps: int = 2000,
    shrink: bool = True,
    progress: bool | None = None,
    **broker_arguments: Any,
) -> Exploration:
    """Run a scenario under many interleavings, crashes and faults; raise Counterexample with the first that breaks it.

    - scenario: called with a fresh `Broker` that pika is redirected to; it sets the stage and spawns tasks, which then
      run until nothing can happen any more. It must make all it uses anew, so that runs do not know of one another
    - invariant: called in the end with the broker, and with what the scenario returned unless that was None; it
      asserts, or returns False where something is wrong. What a task that is not restarted raises is wrong as well
    - always: the same, but asked at every step once the stage is set, so that the story ends where it went wrong
    - runs: at most so many; an exhaustive search may end earlier
    - faults: what may go wrong in a run, and how often; by default nothing but the order of events is varied
    - search: "random"; "pct" (priorities, changed a few times, which finds what takes an unlikely order); "exhaustive"
      (every run with up to `bound` choices other than the quiet one); "crash points" (the same, of faults alone: with
      `faults=Faults(crash=1)` and `bound=3` a crash at every step, with every loss and every length of outage)
    - executor: any concurrent.futures.Executor; then scenario and invariant must be picklable. What is found does not
      depend on it
    - check_determinism: make each run twice and compare; raises NotRepeatable with the first difference
    - max_steps: a run that goes on beyond is a failure (Livelock)
    - shrink: whether to look for the simplest run that fails in the same way
    - progress: a progress bar on standard error; by default where that is a terminal
    - broker_arguments: of `Broker`, such as version= and vhosts=. `sync_interval` is 0.1 by default, so that a crash
      finds something that was not safe

    Raises Misuse for arguments that make no sense.
    """
    if runs < 1:
        raise Misuse(f"runs= is how many runs to make, at least 1, not {runs!r}")
    case = Case(scenario, invariant, seed, faults, max_steps, always, broker_arguments)
    if replay_token:
        return replay(
            scenario,
            invariant,
            replay_token[0],
            always=always,
            faults=faults,
            max_steps=max_steps,
            **broker_arguments,
        )
    found = Exploration()
    began = time.perf_counter()
    with _progress(progress, runs) as advance, quiet():
        for start, outcome in _outcomes(case, search_named(search, seed, bound), runs, executor, found):
            found.runs += 1
            advance(found)
            if check_determinism:
                _assert_repeatable(case, start)
            if outcome.failure is not None:
                failing = shrunk(case, outcome) if shrink else outcome
                break
        else:
            failing = None
    if failing is not None:
        raise _counterexample(case, failing, found.runs)
    found.seconds = time.perf_counter() - began
    return found


def replay(
    scenario: Callable[[Broker], Any],
    invariant: Callable[..., Any] | None,
    token: str,
    *,
    always: Callable[..., Any] | None = None,
    faults: Faults = Faults(),  # noqa: B008  (immutable)
    max_steps: int = 2000,
    **broker_arguments: Any,
) -> Exploration:
    """Make one run again, with the arguments of `explore` and the word that a counterexample printed.

    Raises Counterexample if it fails; answers an Exploration of one run if it does not.
    """
    seed, values = parse_token(token)
    case = Case(scenario, invariant, seed, faults, max_steps, always, broker_arguments)
    outcome = run_once(case, ReplayingChooser(values))
    if outcome.failure is not None:
        raise _counterexample(case, outcome, 0)
    return Exploration(1, outcome.steps, len(outcome.states), 1)


def _outcomes(
    case: Case, search: Search, runs: int, executor: Executor | None, found: Exploration
) -> Iterator[tuple[Start, Outcome]]:
    """The outcomes of the runs that a search wants, in its order; keeps account of the states."""
    states: set[int] = set()
    left = runs
    count = 0
    while left:
        starts = list(itertools.islice(search.starts(), min(left, BATCH * _workers(executor))))
        if not starts:
            break
        left -= len(starts)
        for start, outcome in zip(starts, _run_all(case, starts, executor), strict=True):
            count += 1
            found.steps += outcome.steps
            if not outcome.states <= states:
                states |= outcome.states
                found.states, found.last_new_state = len(states), count
            search.learn(start, outcome)
            yield start, outcome
    found.is_complete = search.is_complete


def _workers(executor: Executor | None) -> int:
    return 1 if executor is None else 8


def _run_all(case: Case, starts: list[Start], executor: Executor | None) -> Iterable[Outcome]:
    if executor is None:
        return (run_once(case, start.chooser()) for start in starts)
    size = max(1, len(starts) // _workers(executor))
    parts = [starts[first : first + size] for first in range(0, len(starts), size)]
    futures = [executor.submit(run_part, case, part) for part in parts]
    return itertools.chain.from_iterable(future.result() for future in futures)


def run_part(case: Case, starts: list[Start]) -> list[Outcome]:
    """Some runs, in another process."""
    with quiet():
        return [run_once(case, start.chooser()) for start in starts]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is logged in runs that nobody looks at; the one that is shown, a counterexample, logs again.

    What makes time virtual is kept in place from run to run.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with virtual_time.hold():
            yield
    finally:
        logging.disable(before)


def _counterexample(case: Case, failing: Outcome, runs: int) -> Counterexample:
    values = values_of(failing)
    outcome = run_once(case, ReplayingChooser(values), is_traced=True)
    if outcome.failure is None:
        raise NotRepeatable(
            "a run failed, and passed when it was made again with the same choices; "
            "explore(check_determinism=True) finds what the program depends on. It failed with:\n"
            + (failing.failure.traceback if failing.failure else "")
        )
    token = token_of(case.seed, values)
    return Counterexample(outcome, token, _how_to_replay(case, token), runs)


def _how_to_replay(case: Case, token: str) -> str:
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test is not None:
        return f"pytest {shlex.quote(test.rpartition(' ')[0])} --amqp-replay={token}"
    names = [getattr(each, "__qualname__", repr(each)) for each in (case.scenario, case.invariant)]
    return f"fakeamqp.replay({names[0]}, {names[1] if case.invariant else None}, {token!r}, ...)"


def _assert_repeatable(case: Case, start: Start) -> None:
    first, second = (run_once(case, start.chooser(), is_traced=True) for _ in range(2))
    if first.digest == second.digest:
        return
    for number, (one, other) in enumerate(itertools.zip_longest(first.trace, second.trace), 1):
        if str(one) != str(other):
            raise NotRepeatable(
                f"two runs with the same choices differ from event {number} on:\n  first:  {one}\n  second: {other}\n"
                "Something decides here that fakeamqp does not control: a real clock (datetime.now), uuid4, random, "
                "the order of a set, what another run has left behind"
            )


def _progress(wanted: bool | None, runs: int) -> contextlib.AbstractContextManager[Callable[[Exploration], None]]:
    if wanted is None:
        wanted = sys.stderr.isatty()
    if not wanted:
        return contextlib.nullcontext(lambda _: None)
    from fakeamqp.exploration.progress import progress_bar

    return progress_bar(runs)
