"""Faults: what goes wrong around a program, by hand, by script, or drawn by a search.

A `Fault` is a value: printed, it is the call that makes it. When it strikes is told by a step of the tasks (`at`), or
by a method that is about to be sent (`before`) or has arrived (`after`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.trace import FAULT
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import Method

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.network import Stream
    from fakeamqp.simulation.tasks import Task

WHICH = "fault"
"""The stream of choices whether something goes wrong, and what."""
DURATION = "duration"
"""The stream of choices for how long."""


@dataclass(frozen=True, repr=False)
class Fault:
    """One thing that goes wrong."""

    kind: str
    """A key of KINDS."""
    at: int | None = None
    """The step of the tasks before which it strikes, from 1."""
    before: str | None = None
    """The method before whose sending it strikes, such as "basic.ack": what is lost then never arrives."""
    after: str | None = None
    """The method after whose arrival it strikes, before its answer is read."""
    task: str | None = None
    """The task that it strikes; for `before` and `after` also whose method it must be. By default any."""
    occurrence: int = 1
    """Which of the methods that fit, from 1."""
    seconds: float | None = None
    """How long it lasts, in virtual seconds; None for ever, or until it is mended by hand."""
    lose: str = "by chance"
    """What a crash loses of the records that are on their way to the disk: "nothing", "everything", "by chance"."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Misuse(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if sum(each is not None for each in (self.at, self.before, self.after)) > 1:
            raise Misuse("a fault strikes once: give one of at=, before= and after=")
        if self.lose not in ("nothing", "everything", "by chance"):
            raise Misuse(f'lose= is "nothing", "everything" or "by chance", not {self.lose!r}')
        if self.occurrence < 1:
            raise Misuse(f"occurrences are counted from 1, not {self.occurrence}")

    def __repr__(self) -> str:
        given = [(field.name, getattr(self, field.name), field.default) for field in fields(self)[1:]]
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value, default in given if value != default)})"

    @property
    def is_immediate(self) -> bool:
        """Whether it strikes as soon as it is asked for."""
        return self.at is None and self.before is None and self.after is None


class FaultCommands:
    """`broker.faults`: each call strikes at once or, with at=, before= or after=, when that comes."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._broker = broker
        self.waiting: list[tuple[Fault, int]] = []
        """Faults that have not struck yet, and how many fitting methods each still lets pass."""

    @property
    def plan(self) -> tuple[Fault, ...]:
        """What is still to strike."""
        return tuple(fault for fault, _ in self.waiting)

    def play(self, plan: Iterable[Fault]) -> None:
        """Have all faults of a plan strike, each when its time comes."""
        for fault in plan:
            self.strike(fault)

    def strike(self, fault: Fault) -> None:
        """Have one fault strike, now or when its time comes."""
        if fault.is_immediate:
            perform(self._broker, fault, self._task(fault.task), None)
        else:
            self.waiting.append((fault, fault.occurrence - 1))

    def crash(self, **when: Any) -> None:
        """The node dies, as by `broker.crash()`; with `seconds` it is started again after that time."""
        self.strike(Fault("crash", **when))

    def stop(self, **when: Any) -> None:
        """The node is shut down gracefully; with `seconds` it is started again after that time."""
        self.strike(Fault("stop", **when))

    def disconnect(self, **when: Any) -> None:
        """A connection breaks: of the task, of whoever sends the method, or all. What is under way is lost."""
        self.strike(Fault("disconnect", **when))

    def partition(self, **when: Any) -> None:
        """A connection goes silent: nothing arrives any more at either end, until heartbeats are missed."""
        self.strike(Fault("partition", **when))

    def refuse(self, **when: Any) -> None:
        """New connections are refused for `seconds`."""
        self.strike(Fault("refuse", **when))

    def slow(self, **when: Any) -> None:
        """What the node says reaches a client `seconds` later."""
        self.strike(Fault("slow", **when))

    def alarm(self, **when: Any) -> None:
        """The node runs low on memory, for `seconds`: publishers are blocked."""
        self.strike(Fault("alarm", **when))

    def kill(self, **when: Any) -> None:
        """A task dies; its supervisor, if it has one, starts it again."""
        self.strike(Fault("kill", **when))

    def stall(self, **when: Any) -> None:
        """A task does nothing for `seconds`."""
        self.strike(Fault("stall", **when))

    # -- what the network and the tasks call --------------------------------------------------------------------------

    def before_send(self, stream: Stream, method: Method) -> None:
        """A client is about to send a method."""
        self._look_for("before", stream, method)

    def after_send(self, stream: Stream, method: Method) -> None:
        """A method has arrived."""
        self._look_for("after", stream, method)

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """Tasks have come to a step."""
        due = [each for each in self.waiting if each[0].at == number]
        for each in due:
            self.waiting.remove(each)
            fault = each[0]
            perform(self._broker, fault, self._task(fault.task) or task, stream)

    def _look_for(self, moment: str, stream: Stream, method: Method) -> None:
        due: list[Fault] = []
        still: list[tuple[Fault, int]] = []
        for fault, to_pass in self.waiting:
            fits = getattr(fault, moment) == method.NAME and fault.task in (None, stream.owner)
            if fits and not to_pass:
                due.append(fault)
            else:
                still.append((fault, to_pass - fits))
        self.waiting = still
        for fault in due:
            perform(self._broker, fault, self._task(stream.owner or None), stream)

    def _task(self, name: str | None) -> Task | None:
        if name is None:
            return None
        scheduler = self._broker.scheduler
        found = [task for task in scheduler.tasks if task.name == name] if scheduler is not None else []
        if not found:
            raise Misuse(f"there is no task {name!r}; give a task that was spawned")
        return found[0]


# -- what each does -----------------------------------------------------------------------------------------------


def perform(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> None:
    """Let a fault strike: `task` is whom, `stream` which of its connections; None where all are meant."""
    struck = KINDS[fault.kind](broker, fault, task, stream)
    where = f" {task.name}" if task is not None and fault.kind in OF_A_TASK else ""
    lasts = "" if fault.seconds is None else f" for {fault.seconds:g} s"
    name = task.name if task is not None else ""
    if struck:
        broker.trace.note(broker.clock.now_us, FAULT, f"{fault.kind}{where}{lasts}", task=name, fault=fault.kind)


def _crash(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    if broker.node is None:
        return False
    broker.crash(fault.lose)
    _start_later(broker, fault.seconds)
    return True


def _stop(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    if broker.node is None:
        return False
    broker.stop()
    _start_later(broker, fault.seconds)
    return True


def _start_later(broker: SimulatedBroker, seconds: float | None) -> None:
    def start() -> None:
        if broker.node is None:
            broker.restart()

    if seconds is not None:
        broker.later(seconds, start)


def _streams(broker: SimulatedBroker, task: Task | None, stream: Stream | None) -> list[Stream]:
    if stream is not None:
        return [stream]
    streams = broker.open_streams() if task is None else task.streams
    return [each for each in streams if not each.is_broken]


def _disconnect(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    found = _streams(broker, task, stream)
    for each in found:
        each.lose()
    return bool(found)


def _partition(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    found = _streams(broker, task, stream)
    for each in found:
        each.is_silent = True
        if fault.seconds is not None:
            broker.later(fault.seconds, each.heal)
    return bool(found)


def _slow(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    found = _streams(broker, task, stream)
    for each in found:
        each.hold_back(_needed(fault))
    return bool(found)


def _refuse(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    broker.refuse_connections(_needed(fault))
    return True


def _alarm(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    if broker.node is None:
        return False
    broker.alarm("memory")
    node = broker.node

    def clear() -> None:
        if broker.node is node:
            broker.clear_alarm("memory")

    if fault.seconds is not None:
        broker.later(fault.seconds, clear)
    return True


def _kill(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    task = _needed_task(fault, task)
    assert broker.scheduler is not None
    broker.trace.note(broker.clock.now_us, FAULT, f"kill {task.name}", task=task.name, fault="kill")
    broker.scheduler.fall(task)
    return False  # it is told already, as whoever kills itself does not come back


def _stall(broker: SimulatedBroker, fault: Fault, task: Task | None, stream: Stream | None) -> bool:
    _needed_task(fault, task).stall(_needed(fault))
    return True


def _needed(fault: Fault) -> float:
    if fault.seconds is None:
        raise Misuse(f"{fault.kind} takes seconds=, how long it lasts in virtual time")
    to_us(fault.seconds)
    return fault.seconds


def _needed_task(fault: Fault, task: Task | None) -> Task:
    if task is None:
        raise Misuse(f"{fault.kind} strikes a task: give task=, the name of one that was spawned")
    return task


KINDS: dict[str, Callable[[SimulatedBroker, Fault, Task | None, Stream | None], bool]] = {
    "crash": _crash,
    "stop": _stop,
    "disconnect": _disconnect,
    "partition": _partition,
    "refuse": _refuse,
    "slow": _slow,
    "alarm": _alarm,
    "kill": _kill,
    "stall": _stall,
}
"""What can go wrong, by name; each answers whether it has struck and is still to be told."""

OF_A_TASK = ("disconnect", "partition", "slow", "kill", "stall")
"""Faults that strike one task, or a connection of it."""

DURATIONS: dict[str, tuple[float, ...]] = {
    "crash": (0.5, 3.0),
    "stop": (0.5, 3.0),
    "refuse": (0.5, 3.0),
    "slow": (0.5, 5.0, 60.0),
    "alarm": (1.0, 10.0, 60.0),
    "stall": (1.0, 30.0, 2000.0),
}
"""How long what a search lets go wrong may last, in seconds; the longest stall outlives RabbitMQ's acknowledgement
timeout of half an hour."""


@dataclass(frozen=True, repr=False)
class Faults:
    """How often each may strike in one run of a search; see the commands of `broker.faults` for what they are."""

    crash: int = 0
    stop: int = 0
    disconnect: int = 0
    partition: int = 0
    refuse: int = 0
    slow: int = 0
    alarm: int = 0
    kill: int = 0
    stall: int = 0

    def __repr__(self) -> str:
        return f"Faults({', '.join(f'{kind}={getattr(self, kind)}' for kind in self.kinds)})"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that may strike at all."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))


class Injector:
    """Lets faults strike where the broker's chooser says so: at each step it draws whether, which and how."""

    def __init__(self, broker: SimulatedBroker, faults: Faults) -> None:
        self._broker = broker
        self._left = {kind: int(getattr(faults, kind)) for kind in faults.kinds}
        self._kinds = faults.kinds
        self.struck: list[Fault] = []
        """The plan that has come of it."""

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """Tasks have come to a step: draw. The choice 0 is that nothing happens."""
        if not any(self._left.values()):
            return
        choose = self._broker.choose
        chosen = choose(WHICH, len(self._kinds) + 1)
        if not chosen:
            return
        kind = self._kinds[chosen - 1]
        needs_stream = kind in ("disconnect", "partition", "slow")
        if not self._left[kind] or (needs_stream and stream is None):
            return
        self._left[kind] -= 1
        durations = DURATIONS.get(kind)
        seconds = durations[choose(DURATION, len(durations))] if durations else None
        fault = Fault(kind, at=number, task=task.name if kind in OF_A_TASK else None, seconds=seconds)
        self.struck.append(fault)
        perform(self._broker, fault, task, stream if needs_stream else None)
