"""What a bug of the corpus is: two programs in the same scenario, and what must hold in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import fakeamqp

Scenario = Callable[[fakeamqp.Broker], Any]
"""Sets the stage, spawns the program's tasks, and returns the state that the invariant looks at."""


@dataclass(frozen=True)
class Bug:
    """A classic bug, the program that has it and the one that has not."""

    name: str
    buggy: Scenario
    mended: Scenario
    invariant: Callable[[fakeamqp.Broker, Any], None]
    faults: fakeamqp.Faults = field(default_factory=fakeamqp.Faults)
    """With none, the order in which tasks run is enough to find it."""
    search: str = "random"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments for `fakeamqp.explore`, such as max_steps."""

    def explore(self, scenario: Scenario, *, runs: int, seed: int = 0, progress: Any = None) -> fakeamqp.Exploration:
        """Search for the bug in one of its two scenarios. Raises fakeamqp.Counterexample if it is there."""
        return fakeamqp.explore(
            scenario,
            self.invariant,
            runs=runs,
            seed=seed,
            faults=self.faults,
            search=self.search,
            progress=progress,
            **self.settings,
        )
