"""Faults that a search draws: at each step of the tasks, whether something goes wrong, and what."""

from __future__ import annotations

from fakeamqp.simulation.faults.fault_commands import FaultCommands
from fakeamqp.simulation.faults.fault_effects import Target
from fakeamqp.simulation.faults.faults import OF_A_STREAM, OF_A_TASK, Fault, Faults
from fakeamqp.simulation.tasks.tasks import Task
from fakeamqp.simulation.world.network import Stream

WHICH = "fault"
"""The stream of choices whether something goes wrong, and what."""
DURATION = "duration"
"""The stream of choices for how long."""

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


class Injector:
    """Lets faults strike where the broker's chooser says so: at each step it draws whether, which and how."""

    def __init__(self, commands: FaultCommands, faults: Faults) -> None:
        self._commands = commands
        self._left = {kind: int(getattr(faults, kind)) for kind in faults.kinds}
        self._is_spent = not any(self._left.values())
        self._kinds = faults.kinds
        self._tasks = faults.tasks
        self.struck: list[Fault] = []
        """The plan that has come of it."""

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """Tasks have come to a step: draw. The choice 0 is that nothing happens."""
        if self._is_spent or (self._tasks is not None and task.name not in self._tasks):
            return
        draw = self._commands.parts.world.draw
        chosen = draw(WHICH, len(self._kinds) + 1, (self._place(task),))
        if not chosen:
            return
        kind = self._kinds[chosen - 1]
        needs_stream = kind in OF_A_STREAM
        if not self._left[kind] or (needs_stream and stream is None):
            return
        self._left[kind] -= 1
        self._is_spent = not any(self._left.values())
        durations = DURATIONS.get(kind)
        seconds = durations[draw(DURATION, len(durations))] if durations else None
        fault = Fault(kind, at=number, task=task.name if kind in OF_A_TASK else None, seconds=seconds)
        self.struck.append(fault)
        self._commands.perform(fault, Target(task, stream if needs_stream else None))

    def _place(self, task: Task) -> str:
        """Where a program stands, as far as a search may want to strike it there again: how many messages it holds."""
        held = 0
        for stream in self._commands.parts.network.open_streams():
            if stream.owner == task.name and stream.connection is not None:
                for channel in stream.connection.channels.values():
                    held += len(channel.unacked)
        return f"{task.name}{_HOLDS}{held}"


_HOLDS = " holds "


def task_at(place: str) -> str:
    """The task of a place, as a choice whether something goes wrong names it."""
    return place.rpartition(_HOLDS)[0]
