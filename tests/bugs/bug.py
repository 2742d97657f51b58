"""What a bug of the corpus is: two programs in the same scenario, and what must hold in the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import fakeamqp

Scenario = Callable[[fakeamqp.Broker], Any]
"""Sets the stage, spawns the program's tasks, and returns the state that the invariant looks at."""

RUNS_TO_FIND = 2000
"""Within so many runs each bug must be found."""
LONGEST_STORY = 12
"""How many steps the story of a counterexample may have."""


ONE_OF_EACH = fakeamqp.Faults(kill=1, disconnect=1, crash=1)


@dataclass(frozen=True)
class Bug:
    """A classic bug: the program that has it, and the one that has not."""

    name: str
    buggy: Scenario
    mended: Scenario
    invariant: Callable[[fakeamqp.Broker, Any], None]
    faults: fakeamqp.Faults = ONE_OF_EACH
    """What may go wrong around both programs in one run."""
    failure: str = "AssertionError"
    """How the buggy program fails: "AssertionError" where the invariant does not hold, or "Livelock"."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments for `fakeamqp.explore`, such as max_steps."""

    def explore(
        self,
        scenario: Scenario,
        *,
        runs: int,
        seed: int = 0,
        executor: Executor | None = None,
        check_determinism: bool = False,
        progress: bool | None = False,
    ) -> fakeamqp.Exploration:
        """Search one of the two scenarios; the arguments are `fakeamqp.explore`'s. Raises fakeamqp.Counterexample."""
        return fakeamqp.explore(
            scenario,
            self.invariant,
            runs=runs,
            seed=seed,
            faults=self.faults,
            executor=executor,
            check_determinism=check_determinism,
            progress=progress,
            **self.settings,
        )

    def find(
        self, *, seed: int = 0, executor: Executor | None = None, progress: bool | None = False
    ) -> fakeamqp.Counterexample | None:
        """What breaks the buggy program, or None if `RUNS_TO_FIND` runs do not show it."""
        try:
            self.explore(self.buggy, runs=RUNS_TO_FIND, seed=seed, executor=executor, progress=progress)
        except fakeamqp.Counterexample as counterexample:
            return counterexample
        return None


def steps_told(counterexample: fakeamqp.Counterexample) -> int:
    """How many numbered steps its story has."""
    return sum(1 for line in counterexample.story if re.match(r" *\d+\.", line))
