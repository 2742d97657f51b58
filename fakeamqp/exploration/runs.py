"""One run of a scenario: everything that happens in it follows from the case and from what its chooser says."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fakeamqp.broker import Broker
from fakeamqp.simulation.faults.faults import Fault, Faults
from fakeamqp.simulation.faults.injection import Injector
from fakeamqp.simulation.tasks.hanging import hangs
from fakeamqp.simulation.tasks.program_code import is_of_program
from fakeamqp.simulation.tasks.tasks import Livelock
from fakeamqp.simulation.tasks.waiting import Deadlock
from fakeamqp.simulation.world.chance import Choice, Chooser, RecordingChooser
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.simulation.record.trace import Event
    from fakeamqp.simulation.tasks.tasks import Task
    from fakeamqp.simulation.world.network import Stream

POLLING_SECONDS = 60
"""Where so much virtual time passes in the later half of the steps of a run, its programs poll: no livelock."""
SYNC_INTERVAL_SECONDS = 0.1
"""How long message records may wait for the disk in an explored run, if the user does not say: long enough for a
crash to find some there."""


@dataclass(frozen=True)
class Case:
    """What is explored. Can be sent to another process if the scenario and the invariant can."""

    scenario: Callable[[Broker], Any]
    invariant: Callable[..., Any] | None
    seed: int
    faults: Faults
    max_steps: int = 2000
    always: Callable[..., Any] | None = None
    """Like the invariant, but asked at every step."""
    broker: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `Broker`."""
    horizon: float | None = None
    """After how many virtual seconds a run ends at the latest."""
    may_hang: bool = False
    """Whether programs may wait for ever for what must be answered."""

    @property
    def patches_time(self) -> bool:
        """Whether clocks are virtual in its runs."""
        return bool(self.broker.get("patch_time", True))


class Failure(NamedTuple):
    """What went wrong in a run, in words that can be sent to another process."""

    kind: str
    """The exception's type."""
    text: str
    """What it says."""
    where: str
    """The last line of the program in its traceback: two runs that fail there with the same kind fail alike."""
    traceback: str


class Outcome(NamedTuple):
    """What came of a run."""

    choices: tuple[Choice, ...]
    failure: Failure | None
    steps: int
    states: frozenset[int]
    """Hashes of the states of programs and queues that it went through."""
    plan: tuple[Fault, ...]
    """The faults that struck."""
    trace: tuple[Event, ...] = ()
    digest: str = ""
    """A hash of the trace."""


def run_once(case: Case, source: Chooser, *, is_traced: bool = False) -> Outcome:
    """Run a case once. What its programs, the scenario or the invariant raise is the outcome's failure.

    What says something of the whole search comes out: wrong use of fakeamqp (Misuse), as no other run would be any
    better; a test that skips itself, or expects to fail; whoever interrupts.
    """
    chooser = RecordingChooser(source, case.seed)
    arguments = {"sync_interval": SYNC_INTERVAL_SECONDS, "trace_limit": 0, **case.broker}
    if is_traced:
        arguments["trace_limit"] = None
    broker = Broker(
        seed=case.seed,
        chooser=chooser,
        max_steps=case.max_steps,
        **arguments,
    )
    observer = _Observer(broker, case.faults)
    failure: Failure | None = None
    with broker:
        try:
            broker.simulation.tasks.watch_steps(observer.at_step)
            state = case.scenario(broker)
            observer.always = partial(_check, case.always, broker, state)
            has_ended = _run_to_the_end(case, broker)
            if not (chooser.choices or broker.steps):
                raise Misuse("the scenario has spawned no program, so there is nothing to explore; see broker.spawn")
            _check(case.invariant, broker, state)
            if has_ended and not case.may_hang:
                failure = _hang(broker)
        except BaseException as error:
            if not _is_failure(error):
                raise
            failure = _failure(error)
        steps = broker.steps
        trace = tuple(broker.trace) if is_traced else ()
        broker.simulation.tasks.end()
    digest = hashlib.blake2b("\n".join(map(str, trace)).encode()).hexdigest() if is_traced else ""
    return Outcome(
        tuple(chooser.choices), failure, steps, frozenset(observer.states), tuple(observer.struck), trace, digest
    )


def _run_to_the_end(case: Case, broker: Broker) -> bool:
    """Let the programs run; whether nothing can happen any more, or they would just go on polling."""
    try:
        broker.run(seconds=case.horizon)
    except Livelock as livelock:
        if livelock.later_half_seconds < POLLING_SECONDS:
            raise
        return False
    return case.horizon is None or broker.now < case.horizon


def _hang(broker: Broker) -> Failure | None:
    """The failure that a program waits for ever for what must be answered, if one does."""
    scheduler = broker.simulation.tasks.scheduler
    found = [] if scheduler is None else hangs(scheduler.fibers()[1:])
    if not found:
        return None
    text = "; ".join(map(str, found))
    return Failure(Deadlock.__name__, text, found[0].where, f"{Deadlock.__name__}: {text}")


def _check(invariant: Callable[..., Any] | None, broker: Broker, state: Any) -> None:
    if invariant is None:
        return
    answer = invariant(broker) if state is None else invariant(broker, state)
    if answer is False:
        raise AssertionError(f"{getattr(invariant, '__qualname__', invariant)} does not hold")


def _is_failure(error: BaseException) -> bool:
    """Whether it is the run that has failed."""
    return not isinstance(error, (Misuse, KeyboardInterrupt, *_verdicts()))


def _verdicts() -> list[type[BaseException]]:
    """What a test raises to say that it is not to be judged: of those test frameworks that are there at all."""
    names = (("unittest.case", "SkipTest"), *(("_pytest.outcomes", name) for name in ("Skipped", "XFailed", "Exit")))
    found = ((sys.modules.get(module), name) for module, name in names)
    return [getattr(module, name) for module, name in found if module is not None]


def _failure(error: BaseException) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_of_program(frame.filename)]
    last = (own or frames)[-1]
    shown = "".join(traceback.format_exception(error))
    return Failure(type(error).__name__, str(error), f"{last.filename}:{last.lineno}", shown)


def _nothing() -> None:
    """Nothing must hold until the stage is set."""


class _Observer:
    """Looks at every step: lets faults strike, and remembers which states there were."""

    def __init__(self, broker: Broker, faults: Faults) -> None:
        self._simulation = broker.simulation
        self._injector = Injector(broker.faults, faults) if faults.kinds else None
        self.states: set[int] = set()
        self.always: Callable[[], None] = _nothing
        """What must hold at every step; asserts."""

    @property
    def struck(self) -> list[Fault]:
        """The faults that have struck."""
        return self._injector.struck if self._injector is not None else []

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """A task has come to a step."""
        self.states.add(self._state(task))
        try:
            self.always()
        except BaseException as error:
            self._simulation.tasks.interrupt(error)
        if self._injector is not None:
            self._injector.at_step(number, task, stream)

    def _state(self, task: Task) -> int:
        """A hash of who is about to go on, and of how many messages each queue has ready and has given out.

        Of numbers alone, as their hashes are the same in every process.
        """
        node = self._simulation.world.node
        if node is None:
            return hash((task.number, -1))
        sizes: list[int] = [task.number, task.starts]
        for vhost in node.state.vhosts.values():
            for queue in vhost.queues.values():
                sizes.append(len(queue.backlog))
                sizes.append(len(queue.unacked))
        return hash(tuple(sizes))
