"""Clocks that are virtual for programs that run as tasks: the module `time`, `datetime.now` and its sisters.

What measures the processor (`process_time`, `thread_time`) and `clock_gettime` stay real.
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fakeamqp.node.words.dates import START_S
from fakeamqp.simulation.presence import broker_here

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker

_REAL_SLEEP, _REAL_STRFTIME = time.sleep, time.strftime


def _clock_here() -> SimulatedBroker | None:
    broker = broker_here()
    return broker if broker is not None and broker.patches_time else None


@functools.wraps(_REAL_SLEEP)
def _sleep(seconds: float, /) -> None:
    broker = _clock_here()
    if broker is None:
        _REAL_SLEEP(seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    assert broker.scheduler is not None
    broker.scheduler.sleep(seconds)


def _unix_time(broker: SimulatedBroker) -> float:
    return START_S + broker.clock.now_us / 1e6


def _reading(name: str, value: Callable[[int], float]) -> tuple[str, Any, Any]:
    """A function of `time` that reads a clock."""
    real = getattr(time, name)

    @functools.wraps(real)
    def read() -> float:
        broker = _clock_here()
        return real() if broker is None else value(broker.clock.now_us)

    return name, real, read


def _of_now(name: str) -> tuple[str, Any, Any]:
    """A function of `time` that says what a time is in the calendar: now, if it is not told another."""
    real = getattr(time, name)

    @functools.wraps(real)
    def tell(seconds: float | None = None, /) -> Any:
        broker = _clock_here()
        return real(seconds) if seconds is not None or broker is None else real(_unix_time(broker))

    return name, real, tell


@functools.wraps(_REAL_STRFTIME)
def _strftime(format: str, /, *when: Any) -> str:
    broker = _clock_here()
    if when or broker is None:
        return _REAL_STRFTIME(format, *when)
    return _REAL_STRFTIME(format, time.localtime(_unix_time(broker)))


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
        broker = _clock_here()
        if broker is None:
            return real.__get__(None, cls)(*args, **kwargs)
        return value(cls, _unix_time(broker), *args, **kwargs)

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
