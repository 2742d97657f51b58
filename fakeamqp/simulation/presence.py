"""Whose tasks run in this thread: what stands in for Python's clocks, locks and threads asks here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.scheduler import Scheduler

_brokers: list[SimulatedBroker] = []
"""The brokers that have tasks; the last counts."""
_suspensions = 0
"""How often `real_threads` was entered."""


def enter(broker: SimulatedBroker) -> None:
    """From now on the programs here are this broker's."""
    _brokers.append(broker)


def leave(broker: SimulatedBroker) -> bool:
    """They are no longer; whether they were."""
    if broker not in _brokers:
        return False
    _brokers.remove(broker)
    return True


_searches = 0
"""How often `searching` was entered."""


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


def broker_here() -> SimulatedBroker | None:
    """The broker whose tasks, or whose test, this thread runs."""
    if _suspensions:
        return None
    for broker in reversed(_brokers):
        if broker.scheduler is not None and broker.scheduler.is_here():
            return broker
    return None


def scheduler_here() -> Scheduler | None:
    """That broker's scheduler."""
    broker = broker_here()
    return None if broker is None else broker.scheduler
