"""Clocks that are virtual for programs that run as tasks: the module `time`, `datetime.now` and its sisters.

What measures the processor (`process_time`, `thread_time`) and `clock_gettime` stay real.
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from typing import Any

from fakeamqp.node.words.dates import START_S
from fakeamqp.simulation.replacements.presence import scheduler_here
from fakeamqp.simulation.tasks.scheduler import Scheduler

_REAL_SLEEP, _REAL_STRFTIME = time.sleep, time.strftime


def _scheduler_here() -> Scheduler | None:
    """The scheduler whose time is virtual here."""
    scheduler = scheduler_here()
    return scheduler if scheduler is not None and scheduler.patches_time else None


@functools.wraps(_REAL_SLEEP)
def _sleep(seconds: float, /) -> None:
    scheduler = _scheduler_here()
    if scheduler is None:
        _REAL_SLEEP(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    scheduler.sleep(seconds)


def _unix_time(scheduler: Scheduler) -> float:
    return START_S + scheduler.clock.now_us / 1e6


def _reading(name: str, value: Callable[[int], float]) -> tuple[str, Any, Any]:
    """A function of `time` that reads a clock."""
    real = getattr(time, name)

    @functools.wraps(real)
    def read() -> float:
        scheduler = _scheduler_here()
        return real() if scheduler is None else value(scheduler.clock.now_us)

    return name, real, read


def _of_now(name: str) -> tuple[str, Any, Any]:
    """A function of `time` that says what a time is in the calendar: now, if it is not told another."""
    real = getattr(time, name)

    @functools.wraps(real)
    def tell(seconds: float | None = None, /) -> Any:
        scheduler = _scheduler_here()
        return real(seconds) if seconds is not None or scheduler is None else real(_unix_time(scheduler))

    return name, real, tell


@functools.wraps(_REAL_STRFTIME)
def _strftime(format: str, /, *when: Any) -> str:
    scheduler = _scheduler_here()
    if when or scheduler is None:
        return _REAL_STRFTIME(format, *when)
    return _REAL_STRFTIME(format, time.localtime(_unix_time(scheduler)))


_MONOTONIC = _reading("monotonic", lambda now_us: now_us / 1e6)
FUNCTIONS = (
    ("sleep", _REAL_SLEEP, _sleep),
    ("strftime", _REAL_STRFTIME, _strftime),
    _reading("time", lambda now_us: START_S + now_us / 1e6),
    _MONOTONIC,
    ("_time", *_MONOTONIC[1:]),  # so do threading and queue call it
    ("time", *_MONOTONIC[1:]),
    _reading("perf_counter", lambda now_us: now_us / 1e6),
    _reading("time_ns", lambda now_us: START_S * 1_000_000_000 + now_us * 1000),
    _reading("monotonic_ns", lambda now_us: now_us * 1000),
    _reading("perf_counter_ns", lambda now_us: now_us * 1000),
    *map(_of_now, ("localtime", "gmtime", "ctime")),
)
"""The name, the real function, and ours."""


def _dated(owner: type, name: str, value: Callable[..., Any]) -> tuple[type, str, Any]:
    """A class method of `datetime`'s classes that reads a clock."""
    real = vars(owner)[name]

    def read(cls: type, *args: Any, **kwargs: Any) -> Any:
        scheduler = _scheduler_here()
        if scheduler is None:
            return real.__get__(None, cls)(*args, **kwargs)
        return value(cls, _unix_time(scheduler), *args, **kwargs)

    return owner, name, classmethod(read)


def _now(cls: Any, seconds: float, tz: datetime.tzinfo | None = None) -> Any:
    return cls.fromtimestamp(seconds, tz)


def _utcnow(cls: Any, seconds: float) -> Any:
    return cls.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None)


METHODS = (
    _dated(datetime.datetime, "now", _now),
    _dated(datetime.datetime, "utcnow", _utcnow),
)
"""The class, the name, and ours. date.today and datetime.today ask time.time."""
