"""Simulations whose schedule and faults Hypothesis draws, together with a test's other data.

    @given(simulation=simulations(faults=Faults(crash=1)), orders=st.lists(st.binary()))
    def test_nothing_is_lost(simulation, orders):
        with simulation as broker:
            broker.spawn(publish, orders)
            broker.spawn(work, restart=True)
            broker.run()
            assert ...

What fails shrinks towards the quiet run, in which programs do not interrupt one another and nothing goes wrong, and is
kept in Hypothesis' example database like any other example. Needs `pip install fakeamqp[hypothesis,simulation]`;
docs/property_testing.md has a whole example.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from fakeamqp.broker import Broker
from fakeamqp.exploration.quiet import quiet
from fakeamqp.exploration.runs import SYNC_INTERVAL_SECONDS
from fakeamqp.exploration.story import tell_events
from fakeamqp.simulation.faults.faults import Fault, Faults
from fakeamqp.simulation.faults.injection import WHICH, Injector
from fakeamqp.simulation.tasks.tasks import SCHEDULE
from fakeamqp.simulation.world.chance import UNIMPORTANT, SeededChooser
from fakeamqp.spec.errors import Misuse

SWITCH_ONE_IN = (10, 3, 1)
"""At one in so many points where another task may go first, chance decides who does; elsewhere whoever runs goes on."""
FAULT_ONE_IN = (50, 15, 5)
"""At one in so many steps chance decides what goes wrong, if anything."""
MAX_STEPS = 2000
"""How many steps an example may take before it is a livelock, if the user does not say."""


class DrawnChooser:
    """Choices from a `random.Random` of Hypothesis', whose draws shrink towards 0: the quiet choice everywhere."""

    def __init__(self, source: random.Random, one_in: dict[str, int]) -> None:
        self._source = source
        self._one_in = one_in
        self._names = SeededChooser(0)
        self._end: BaseException | None = None
        """How Hypothesis has ended the example, if it has; a program's `finally` may still want to choose."""

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities."""
        if count > UNIMPORTANT:
            return self._names.choose(stream, count)
        if self._end is not None:
            raise self._end
        quiet = count * (self._one_in.get(stream, 1) - 1)
        try:
            return max(0, self._source.randrange(quiet + count) - quiet)
        except BaseException as end:
            self._end = end
            raise


class Simulation:
    """A broker for one example of a test: use it once, in a `with` statement, and make assertions inside of it."""

    def __init__(self, chooser: DrawnChooser, faults: Faults, broker_arguments: dict[str, Any]) -> None:
        self.broker = Broker(
            chooser=chooser,
            **{
                "sync_interval": SYNC_INTERVAL_SECONDS,
                "max_steps": MAX_STEPS,
                "trace_limit": None,
                **broker_arguments,
            },
        )
        """The broker that pika is redirected to inside the `with` statement."""
        self._faults = faults
        self._injector = Injector(self.broker.faults, faults)

    def __repr__(self) -> str:
        return f"simulation of {self._faults}"

    @property
    def plan(self) -> tuple[Fault, ...]:
        """The faults that have struck so far, as `broker.faults.play` takes them."""
        return tuple(self._injector.struck)

    def __enter__(self) -> Broker:
        """Redirect pika, and let faults strike at the steps of tasks. Raises Misuse where `Broker` does."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(quiet(patch_time=self.broker.simulation.tasks.patches_time))
            stack.enter_context(self.broker)
            self.broker.simulation.tasks.watch_steps(self._injector.at_step)
            self._stack = stack.pop_all()
        return self.broker

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill the tasks, let pika go; if the test fails, Hypothesis is given the story."""
        events = tuple(self.broker.trace)
        self._stack.__exit__(kind, error, traceback)
        if isinstance(error, Exception) and not isinstance(error, HypothesisException):
            faults = ", ".join(map(repr, self.plan)) or "none"
            note("\n".join([f"Faults: {faults}", *tell_events(events), f"  => {type(error).__name__}: {error}"]))


def simulations(
    faults: Faults = Faults(),  # noqa: B008  (immutable)
    **broker_arguments: Any,
) -> st.SearchStrategy[Simulation]:
    """Simulations of a program under many interleavings, crashes and faults; shrinks to the quiet run.

    - faults: what may go wrong in a run, and how often; by default nothing but the order of events is varied
    - broker_arguments: of `fakeamqp.Broker`, such as version= and max_steps=. `sync_interval` is 0.1 seconds by
      default, so that a crash finds something that was not safe

    Raises Misuse if `faults` is no `Faults`, or for a chooser= or seed= of your own: all choices are Hypothesis'.
    """
    if not isinstance(faults, Faults):
        raise Misuse(f"faults= takes a Faults, such as Faults(crash=1), not {faults!r}")
    for name in ("chooser", "seed"):
        if name in broker_arguments:
            raise Misuse(f"simulations take no {name}=, as Hypothesis makes all choices")

    return _simulations(faults, broker_arguments)


@st.composite
def _simulations(draw: st.DrawFn, faults: Faults, broker_arguments: dict[str, Any]) -> Simulation:
    one_in = {SCHEDULE: draw(st.sampled_from(SWITCH_ONE_IN)), WHICH: draw(st.sampled_from(FAULT_ONE_IN))}
    return Simulation(DrawnChooser(draw(st.randoms(use_true_random=False)), one_in), faults, broker_arguments)
