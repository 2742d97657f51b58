"""Waiters: what a program waits for, and until when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from fakeamqp.simulation.clock import Clock, to_us
from fakeamqp.simulation.world.network import Stream

_LONGEST_SECONDS = 1e9
"""Whoever waits longer waits for ever."""


class Waiter(Protocol):
    """A client program's event loop."""

    def next_deadline(self) -> int | None:
        """When it wants to go on by itself, microseconds."""

    def has_work(self) -> bool:
        """Whether one of its timers may bring the program further, rather than just keep it connected."""

    def is_ready(self) -> bool:
        """Whether there is something to do now."""

    def explain(self) -> str:
        """What it waits for, in words."""


class Loop(Waiter, Protocol):
    """A waiter that belongs to a thread."""

    owner: threading.Thread


class StreamLoop(Loop, Protocol):
    """A loop that waits for what arrives on streams."""

    def readable_stream(self) -> Stream | None:
        """The stream that something can be read from now."""


class Moment:
    """A waiter for a time."""

    def __init__(self, clock: Clock, until_us: int, what: str) -> None:
        self._clock = clock
        self._until_us = until_us
        self._what = what

    def next_deadline(self) -> int | None:
        """The time itself."""
        return self._until_us

    def has_work(self) -> bool:
        """Something goes on then."""
        return True

    def is_ready(self) -> bool:
        """Whether it has come."""
        return self._clock.now_us >= self._until_us

    def explain(self) -> str:
        """In words."""
        return f"{self._what} until {self._until_us / 1e6:g} s"


class Ending:
    """A waiter for the end: that nothing can happen any more, that a predicate is true, or that a time has come."""

    def __init__(self, clock: Clock, until: Callable[[], Any] | None, limit_us: int | None) -> None:
        self._clock = clock
        self._until = until
        self._limit_us = limit_us

    def next_deadline(self) -> int | None:
        """The latest time, if there is one."""
        return self._limit_us

    def has_work(self) -> bool:
        """Whether there is a latest time."""
        return self._limit_us is not None

    def is_ready(self) -> bool:
        """Whether what was waited for is there."""
        return self.is_too_late() or (self._until is not None and bool(self._until()))

    def is_too_late(self) -> bool:
        """Whether the latest time has come."""
        return self._limit_us is not None and self._clock.now_us >= self._limit_us

    @property
    def ends_when_quiet(self) -> bool:
        """Whether it is over, too, once nothing can happen any more."""
        return self._until is None

    def explain(self) -> str:
        """In words."""
        return f"run() waits until {getattr(self._until, '__qualname__', 'the end')}"


class TimedWaiter:
    """A waiter that gives up after so many virtual seconds; never, where that is None."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._until_us: int | None = None
        if seconds is not None and seconds < _LONGEST_SECONDS:
            self._until_us = clock.now_us + to_us(max(0.0, seconds))

    def next_deadline(self) -> int | None:
        """When it gives up."""
        return self._until_us

    def has_work(self) -> bool:
        """Whether it gives up some time: then its program goes on."""
        return self._until_us is not None

    def is_too_late(self) -> bool:
        """Whether it is time to give up."""
        return self._until_us is not None and self._clock.now_us >= self._until_us
