"""Waiters of tasks and their threads for one another: for a lock, or the end of a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from fakeamqp.simulation.clock import Clock
from fakeamqp.simulation.tasks.tasks import Fiber, TaskThread
from fakeamqp.simulation.tasks.waiters import TimedWaiter

LOCK, NOTIFICATION = "a lock", "a notification"
"""What is waited for: the lock itself, or that Condition.wait is told something, which it waits for with a lock."""


class Holdable(Protocol):
    """A lock."""

    holder: Any
    """Who has acquired it: a Fiber, or the identity of a real thread, which is also the test's."""

    def locked(self) -> bool:
        """Whether somebody holds it."""


class LockWaiter(TimedWaiter):
    """A waiter for a lock."""

    def __init__(self, lock: Holdable, test: Fiber, clock: Clock, seconds: float | None, what: str) -> None:
        super().__init__(clock, seconds)
        self._lock = lock
        self._test = test
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
        return [self._test if isinstance(holder, int) else holder]

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

    def __init__(self, clock: Clock, fibers: Sequence[TaskThread], seconds: float | None = None) -> None:
        super().__init__(clock, seconds)
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
