"""explore: many runs of one scenario, until one breaks it."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple

from fakeamqp.broker import Broker
from fakeamqp.exploration import settings
from fakeamqp.exploration.determinism import NotRepeatable, assert_hashes_do_not_matter
from fakeamqp.exploration.parallel import outcomes
from fakeamqp.exploration.quiet import last_lines_logged, quiet
from fakeamqp.exploration.replaying import begin_exploration, how_to_replay
from fakeamqp.exploration.runs import Case, Failure, Outcome, run_once
from fakeamqp.exploration.searches import QUIET, Search, Start, search_named
from fakeamqp.exploration.shrinking import shrunk, values_of
from fakeamqp.exploration.story import mermaid, tell
from fakeamqp.exploration.tokens import Token, token_of
from fakeamqp.simulation.faults.faults import Fault, Faults
from fakeamqp.simulation.world.chance import ReplayingChooser
from fakeamqp.spec.errors import Misuse


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
        chosen = self.token.partition("+")[0].partition(":")
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
    seed: int | None = None,
    faults: Faults = Faults(),  # noqa: B008  (immutable)
    search: str = "random",
    bound: int = 2,
    executor: Executor | None = None,
    check_determinism: bool = False,
    max_steps: int = 2000,
    horizon: float | None = None,
    time_limit: float | None = None,
    may_hang: bool = False,
    shrink: bool = True,
    progress: bool | None = None,
    **broker_arguments: Any,
) -> Exploration:
    """Run a scenario under many interleavings, crashes and faults; raise Counterexample with the first that breaks it.

    docs/exploring.md tells each argument at length. All but the scenario can be left out.

    - scenario: called with a fresh `Broker` that pika is redirected to; it makes all it uses anew, and spawns tasks
    - invariant: called in the end with the broker, and with what the scenario returned unless that was None; it
      asserts, or returns False where something is wrong. What a task that is not restarted raises is wrong as well
    - always: the same, but asked at every step once the stage is set, so that the story ends where it went wrong
    - runs: at most so many; an exhaustive search may end earlier
    - seed: of the search and of the brokers
    - faults: what may go wrong in a run, and how often; by default nothing but the order of events is varied
    - search: "random", "pct", "exhaustive", "crash points" or "crash points + schedules"; the latter three make every
      run with up to `bound` choices other than in the quiet run, in which everything goes in order
    - executor: of processes; then scenario and invariant must be picklable. What is found does not depend on it
    - check_determinism: make each run twice and compare; raises NotRepeatable with the first difference
    - horizon, max_steps: virtual seconds, or steps, after which a run ends; steps without time are a Livelock
    - time_limit: real seconds after which no run is begun any more
    - may_hang: whether a program may wait for ever for a method's answer or a confirm; else that is a Deadlock
    - shrink: whether to look for the simplest run that fails in the same way
    - progress: a progress bar on standard error; by default where that is a terminal
    - broker_arguments: of `Broker`; `sync_interval` is 0.1 by default. Under pytest, what its marker, options and ini
      file say holds where nothing is given here, for `seed` too

    Raises Misuse for arguments that make no sense.
    """
    _check_arguments(scenario, invariant, always, runs, faults, bound, max_steps, executor)
    _check_times(horizon, time_limit)
    token = begin_exploration()
    broker_arguments = {**settings.now(), **broker_arguments}
    of_test = broker_arguments.pop("seed", 0)
    seed = of_test if seed is None else seed
    case = Case(scenario, invariant, seed, faults, max_steps, always, broker_arguments, horizon, may_hang)
    if token is not None:
        return _replayed(case, token)
    plan = _Plan(search_named(search, seed, bound), runs, executor, check_determinism, time_limit, shrink)
    return _searched(case, plan, progress)


class _Plan(NamedTuple):
    """How to search."""

    search: Search
    runs: int
    executor: Executor | None
    check_determinism: bool
    time_limit: float | None
    shrink: bool


def _searched(case: Case, plan: _Plan, progress: bool | None) -> Exploration:
    """Search; raise Counterexample with the first run that fails."""
    found = Exploration()
    began = time.perf_counter()
    if plan.check_determinism:
        assert_hashes_do_not_matter(case, QUIET)
    with (
        _progress(progress, plan.runs) as advance,
        quiet(patch_time=case.patches_time),
        contextlib.closing(outcomes(case, plan.search, plan.runs, plan.executor, plan.check_determinism)) as made,
    ):
        failing = _first_failure(made, found, advance, None if plan.time_limit is None else began + plan.time_limit)
        if failing is not None and plan.shrink:
            failing = shrunk(case, failing)
    if failing is not None:
        raise _counterexample(case, failing, found.runs)
    found.is_complete = plan.search.is_complete
    found.seconds = time.perf_counter() - began
    return found


def _check_arguments(
    scenario: object,
    invariant: object,
    always: object,
    runs: int,
    faults: object,
    bound: int,
    max_steps: int,
    executor: object,
) -> None:
    if not callable(scenario):
        raise Misuse(f"explore takes a scenario, a function of a broker, not {scenario!r}")
    for each in (invariant, always):
        if each is not None and not callable(each):
            raise Misuse(f"invariant= and always= take functions of a broker, not {each!r}")
    if runs < 1:
        raise Misuse(f"runs= is how many runs to make, at least 1, not {runs!r}")
    if bound < 0:
        raise Misuse(f"bound= is how many choices may be other than the quiet one, at least 0, not {bound!r}")
    if max_steps < 1:
        raise Misuse(f"max_steps= is how many steps a run may make, at least 1, not {max_steps!r}")
    if not isinstance(faults, Faults):
        raise Misuse(f"faults= takes a Faults, such as Faults(crash=1), not {faults!r}")
    if executor is not None and not isinstance(executor, Executor):
        raise Misuse(
            f"executor= takes a concurrent.futures.Executor (of Dask: client.get_executor()), not {executor!r}"
        )


def _check_times(horizon: float | None, time_limit: float | None) -> None:
    for name, seconds in (("horizon", horizon), ("time_limit", time_limit)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise Misuse(f"{name}= is a number of seconds above 0, not {seconds!r}")


def _first_failure(
    made: Iterable[tuple[Start, Outcome]],
    found: Exploration,
    advance: Callable[[Exploration], None],
    latest: float | None,
) -> Outcome | None:
    """The first outcome that is a failure, if there is one by this time; keeps account of all before it."""
    states: set[int] = set()
    for _, outcome in made:
        found.runs += 1
        found.steps += outcome.steps
        if not outcome.states <= states:
            states |= outcome.states
            found.states, found.last_new_state = len(states), found.runs
        advance(found)
        if outcome.failure is not None:
            return outcome
        if latest is not None and time.perf_counter() >= latest:
            return None
    return None


def replay(
    scenario: Callable[[Broker], Any],
    invariant: Callable[..., Any] | None,
    token: str,
    *,
    always: Callable[..., Any] | None = None,
    faults: Faults = Faults(),  # noqa: B008  (immutable)
    max_steps: int = 2000,
    horizon: float | None = None,
    may_hang: bool = False,
    **broker_arguments: Any,
) -> Exploration:
    """Make one run again: the word that a counterexample printed tells the seed, the choices, faults and settings.

    Other arguments are those of `explore`; they are needed where the word cannot hold them, as it holds no functions.
    Raises Counterexample if it fails; answers an Exploration of one run if it does not. Raises Misuse for what is no
    such word, and where the run does not fail and there are no such choices in it.
    """
    case = Case(scenario, invariant, 0, faults, max_steps, always, broker_arguments, horizon, may_hang)
    return _replayed(case, token)


def _replayed(case: Case, token: str) -> Exploration:
    told = Token(token)
    case = told.of(case)
    outcome = run_once(case, ReplayingChooser(told.values))
    if outcome.failure is not None:
        raise _counterexample(case, outcome, 0)
    _assert_fits(token, told, outcome)
    return Exploration(1, outcome.steps, len(outcome.states), 1)


def _assert_fits(token: str, told: Token, outcome: Outcome) -> None:
    """Raise Misuse where a run that ended well had none of the choices that it was to make otherwise."""
    for number, value in enumerate(told.values):
        count = outcome.choices[number].of if number < len(outcome.choices) else 0
        if value and value >= count:
            there = f"that one has {count} outcomes" if count else f"the run has only {len(outcome.choices)} choices"
            raise Misuse(
                f"{token!r} does not fit: outcome {value} of choice {number} is wanted, but {there}. The programs, the "
                "scenario or the settings are not those of the counterexample any more; explore again"
            )


def _counterexample(case: Case, failing: Outcome, runs: int) -> Counterexample:
    values = values_of(failing)
    with last_lines_logged():
        outcome = run_once(case, ReplayingChooser(values), is_traced=True)
    if outcome.failure is None:
        raise NotRepeatable(
            "a run failed, and passed when it was made again with the same choices; "
            "explore(check_determinism=True) finds what the program depends on. It failed with:\n"
            + (failing.failure.traceback if failing.failure else "")
        )
    token = token_of(case, values)
    return Counterexample(outcome, token, how_to_replay(token, case.scenario, case.invariant), runs)


def _progress(wanted: bool | None, runs: int) -> contextlib.AbstractContextManager[Callable[[Exploration], None]]:
    if wanted is None:
        wanted = sys.stderr.isatty()
    if not wanted:
        return contextlib.nullcontext(lambda _: None)
    from fakeamqp.exploration.progress import progress_bar

    return progress_bar(runs)
