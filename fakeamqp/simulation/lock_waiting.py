"""Waiters for locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.simulation.clock import to_us

if TYPE_CHECKING:
    from fakeamqp.simulation.locks import Lock
    from fakeamqp.simulation.scheduler import Scheduler
    from fakeamqp.simulation.tasks import Seat

LOCK, NOTIFICATION = "a lock", "a notification"
"""What is waited for: the lock itself, or that Condition.wait is told something, which it waits for with a lock."""
_LONGEST_SECONDS = 1e9
"""Whoever waits longer waits for ever."""


class LockWaiter:
    """A waiter for a lock, at most until a time."""

    def __init__(self, lock: Lock, scheduler: Scheduler, seconds: float, what: str) -> None:
        self._lock = lock
        self._scheduler = scheduler
        self._what = what
        now_us = scheduler.broker.clock.now_us
        self._until_us = now_us + to_us(seconds) if 0 <= seconds < _LONGEST_SECONDS else None

    @property
    def is_for_lock(self) -> bool:
        """Whether it is for a lock itself, and not for what a condition is to tell."""
        return self._what == LOCK

    @property
    def blockers(self) -> list[Seat]:
        """Who alone can give it back, as far as one knows: nobody where it is a condition that is waited for."""
        holder = self._lock.holder
        if not self.is_for_lock or holder is None or self._until_us is not None:
            return []
        return [self._scheduler.main if isinstance(holder, int) else holder]

    def next_deadline(self) -> int | None:
        """When it gives up."""
        return self._until_us

    def has_work(self) -> bool:
        """Whether it gives up some time: then its program goes on."""
        return self._until_us is not None

    def is_ready(self) -> bool:
        """Whether the lock is free, or it is time to give up."""
        return not self._lock.locked() or self.is_too_late()

    def is_too_late(self) -> bool:
        """Whether it is time to give up."""
        return self._until_us is not None and self._scheduler.broker.clock.now_us >= self._until_us

    def explain(self) -> str:
        """In words."""
        return f"waits for {self._what}{held_by(self.blockers)}"


def held_by(blockers: list[Seat]) -> str:
    """Who holds what is waited for, in words."""
    if not blockers:
        return ""
    return f" that {blockers[0].name} holds{'' if blockers[0].is_alive else ', which is over'}"
