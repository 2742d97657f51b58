"""Whose tasks run in this thread: what stands in for Python's clocks, locks and threads asks here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from fakeamqp.simulation.tasks.scheduler import Scheduler

_schedulers: list[Scheduler] = []
"""Those of the brokers that have tasks; the last counts."""
_suspensions = 0
"""How often `real_threads` was entered."""
_searches = 0
"""How often `searching` was entered."""


def enter(scheduler: Scheduler) -> None:
    """From now on the programs here are this scheduler's."""
    _schedulers.append(scheduler)


def leave(scheduler: Scheduler) -> bool:
    """They are no longer; whether they were."""
    if scheduler not in _schedulers:
        return False
    _schedulers.remove(scheduler)
    return True


@contextlib.contextmanager
def searching() -> Iterator[None]:
    """In here runs are made that nobody looks at."""
    global _searches  # noqa: PLW0603
    _searches += 1
    try:
        yield
    finally:
        _searches -= 1


def is_searching() -> bool:
    """Whether nobody looks at the runs that are made."""
    return bool(_searches)


@contextlib.contextmanager
def real_threads() -> Iterator[None]:
    """In here a thread waits for real ones, as if there were no tasks."""
    global _suspensions  # noqa: PLW0603
    _suspensions += 1
    try:
        yield
    finally:
        _suspensions -= 1


def scheduler_here() -> Scheduler | None:
    """The scheduler whose tasks, or whose test, this thread runs."""
    if _suspensions:
        return None
    for scheduler in reversed(_schedulers):
        if scheduler.is_here():
            return scheduler
    return None
