"""Tasks: unchanged blocking programs, each in a greenlet of its own, and what they wait for."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from fakeamqp.simulation.clock import Clock, to_us
from fakeamqp.simulation.tasks.program_code import Program
from fakeamqp.simulation.tasks.waiters import Ending, Waiter
from fakeamqp.spec.errors import FakeamqpError

SCHEDULE = "schedule"
"""The stream of choices who goes next."""
RESTART_AFTER_SECONDS = 1.0
"""How long a supervisor waits before it starts a program again that has failed."""


class TaskExited(FakeamqpError):
    """A program that nobody starts again has ended itself with an exit status other than 0 (sys.exit, SystemExit)."""


class Livelock(FakeamqpError):
    """The programs go on and on: more steps were made than `max_steps` allows."""

    def __init__(self, text: str, later_half_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.later_half_seconds = later_half_seconds
        """How much virtual time the later half of the steps took: where it passes, the programs wait for something."""


class Fiber:
    """Somebody who takes turns: the test itself, or a task."""

    is_alive = True
    process: Task | None = None
    """The task whose process it runs in."""
    thread: Any = None
    """The threading.Thread, where it is one that a task has started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.greenlet: Any = None
        self.waiter: Waiter | Ending | None = None
        """What it waits for; None if it could go on."""
        self.error: BaseException | None = None
        """What it is to raise when it goes on."""

    @property
    def stalled_until_us(self) -> int:
        """When it may go on at the earliest; a process is stalled as a whole."""
        return 0 if self.process is None else self.process.process_stalled_until_us

    def is_ready(self, now_us: int) -> bool:
        """Whether it could go on now."""
        process, waiter = self.process, self.waiter
        if process is not None and now_us < process.process_stalled_until_us:
            return False
        return waiter is None or waiter.is_ready()

    def next_deadline(self, now_us: int) -> int | None:
        """When it wants to go on by itself, microseconds."""
        found = None if self.waiter is None else self.waiter.next_deadline()
        if self.stalled_until_us > now_us:
            return self.stalled_until_us  # it may have something to do by then
        return found

    def has_work(self, now_us: int) -> bool:
        """Whether its deadline may bring it further."""
        return self.stalled_until_us > now_us or (self.waiter is not None and self.waiter.has_work())


class Supervisor(Protocol):
    """Whoever starts and ends tasks."""

    clock: Clock

    def kill(self, task: Task) -> None:
        """See `Task.kill`."""

    def restart(self, task: Task) -> None:
        """See `Task.restart`."""


class Task(Fiber):
    """A program, made by `broker.spawn`."""

    def __init__(
        self,
        supervisor: Supervisor,
        name: str,
        program: Program,
        restart_us: int | None,
        number: int,
    ) -> None:
        super().__init__(name)
        self.process = self
        self.number = number
        self._supervisor = supervisor
        self.program = program
        self.restart_us = restart_us
        """How long after its failure it is started again, microseconds; None if it is not."""
        self.is_alive = False
        self.process_stalled_until_us = 0
        self.result: Any = None
        """What it has returned."""
        self.exception: BaseException | None = None
        """What it has failed with, the last time."""
        self.starts = 0
        self.threads: list[TaskThread] = []
        """The threads that it has started, and that have not ended."""
        self.executors: weakref.WeakKeyDictionary[Any, None] = weakref.WeakKeyDictionary()
        """The thread pools that it has used."""
        self._counts: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"<Task {self.name!r}, {'alive' if self.is_alive else 'over'}>"

    @property
    def never_ran(self) -> bool:
        """Whether it is still to begin, for the first time."""
        return self.is_alive and self.starts == 1 and not self.greenlet

    def begin(self) -> None:
        """A life begins, and remembers nothing of the one before."""
        self.is_alive = True
        self.waiter = self.error = self.result = None
        self.process_stalled_until_us = 0
        self.starts += 1
        self.executors.clear()
        self._counts.clear()

    def counted(self, kind: str, number: str) -> int:
        """What number something of a kind has in this life of the process, where Python has counted it as `number`."""
        return self._counts.setdefault((kind, number), sum(known == kind for known, _ in self._counts))

    def kill(self) -> None:
        """The process dies: its connections drop, and nothing that it still wanted to say reaches the broker.

        Its code is unwound, so that what it holds itself (a database transaction, a lock) is given back as by an
        operating system. Does nothing to a task that is over.
        """
        self._supervisor.kill(self)

    def restart(self) -> None:
        """Start the program again from its beginning; kills it first if it runs."""
        self._supervisor.restart(self)

    def stall(self, seconds: float) -> None:
        """The program does nothing for so many virtual seconds, connected or not, as if it computed.

        Where it is stalled already, it is so until the later of the two times.
        """
        until_us = self._supervisor.clock.now_us + to_us(seconds)
        self.process_stalled_until_us = max(self.process_stalled_until_us, until_us)


class TaskThread(Fiber):
    """A thread that a task has started: it takes turns like a task, and dies with that one's process."""

    process: Task

    def __init__(self, process: Task, thread: Any, identity: int) -> None:
        super().__init__(f"{process.name}'s {thread.name}")
        self.process = process
        self.thread = thread
        self.identity = identity
        """What threading.get_ident says in it."""
