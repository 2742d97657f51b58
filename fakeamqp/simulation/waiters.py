"""Waiters of tasks and their threads for one another: for a lock, or the end of a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fakeamqp.simulation.clock import to_us

if TYPE_CHECKING:
    from fakeamqp.simulation.locks import Lock
    from fakeamqp.simulation.processes import Processes
    from fakeamqp.simulation.tasks import Fiber, TaskThread

LOCK, NOTIFICATION = "a lock", "a notification"
"""What is waited for: the lock itself, or that Condition.wait is told something, which it waits for with a lock."""
_LONGEST_SECONDS = 1e9
"""Whoever waits longer waits for ever."""


class TimedWaiter:
    """A waiter that gives up after so many virtual seconds; never, where that is None."""

    def __init__(self, processes: Processes, seconds: float | None) -> None:
        self._processes = processes
        self._until_us: int | None = None
        if seconds is not None and seconds < _LONGEST_SECONDS:
            self._until_us = processes.broker.clock.now_us + to_us(max(0.0, seconds))

    def next_deadline(self) -> int | None:
        """When it gives up."""
        return self._until_us

    def has_work(self) -> bool:
        """Whether it gives up some time: then its program goes on."""
        return self._until_us is not None

    def is_too_late(self) -> bool:
        """Whether it is time to give up."""
        return self._until_us is not None and self._processes.broker.clock.now_us >= self._until_us


class LockWaiter(TimedWaiter):
    """A waiter for a lock."""

    def __init__(self, lock: Lock, processes: Processes, seconds: float | None, what: str) -> None:
        super().__init__(processes, seconds)
        self._lock = lock
        self._what = what

    @property
    def is_for_lock(self) -> bool:
        """Whether it is for a lock itself, and not for what a condition is to tell."""
        return self._what == LOCK

    @property
    def blockers(self) -> list[Fiber]:
        """Who alone can give it back, as far as one knows: nobody where it is a condition that is waited for."""
        holder = self._lock.holder
        if not self.is_for_lock or holder is None or self._until_us is not None:
            return []
        return [self._processes.main if isinstance(holder, int) else holder]

    def is_ready(self) -> bool:
        """Whether the lock is free, or it is time to give up."""
        return not self._lock.locked() or self.is_too_late()

    def explain(self) -> str:
        """In words."""
        return f"waits for {self._what}{held_by(self.blockers)}"


def held_by(blockers: Sequence[Fiber]) -> str:
    """Who holds what is waited for, in words."""
    if not blockers:
        return ""
    return f" that {blockers[0].name} holds{'' if blockers[0].is_alive else ', which is over'}"


class JoinWaiter(TimedWaiter):
    """A waiter for the ends of threads."""

    def __init__(self, processes: Processes, fibers: Sequence[TaskThread], seconds: float | None = None) -> None:
        super().__init__(processes, seconds)
        self._fibers = fibers

    @property
    def blockers(self) -> list[Fiber]:
        """The threads that are to end, if it waits for nothing else."""
        return [] if self._until_us is not None else [fiber for fiber in self._fibers if fiber.is_alive]

    def is_ready(self) -> bool:
        """Whether they have ended, or it is time to give up."""
        return self.is_too_late() or not any(fiber.is_alive for fiber in self._fibers)

    def explain(self) -> str:
        """In words."""
        return f"waits for the end of {', '.join(fiber.name for fiber in self._fibers if fiber.is_alive)}"
