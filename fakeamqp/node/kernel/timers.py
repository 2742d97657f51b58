"""Timers: what the node wants to do later, in (time, sequence) order."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

NEVER_US = 2**62
"""A time that does not come."""
FEW_CANCELLED = 50
"""So many cancelled timers are no burden."""


class Timer:
    """One thing to do at one time, once; can be cancelled."""

    __slots__ = ("_timers", "action", "at_us", "is_housekeeping", "sequence")

    def __init__(
        self, timers: Timers, at_us: int, sequence: int, action: Callable[[], None], is_housekeeping: bool
    ) -> None:
        self._timers: Timers | None = timers
        """Where it waits; None when it does no longer."""
        self.at_us = at_us
        self.sequence = sequence
        self.action: Callable[[], None] | None = action
        self.is_housekeeping = is_housekeeping

    def __lt__(self, other: Timer) -> bool:
        return (self.at_us, self.sequence) < (other.at_us, other.sequence)

    def cancel(self) -> None:
        """Never fire. Cancelling twice, or after it fired, does nothing."""
        self.action = None
        if self._timers is not None:
            self._timers.count_cancelled()
            self._timers = None

    def leave(self) -> None:
        """It waits no longer, as its time has come."""
        self._timers = None


class Timers:
    """A heap of timers. `next_us` is when the earliest may fire: an early guess where that one was cancelled."""

    __slots__ = ("_cancelled", "_heap", "_sequence", "next_us")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._sequence = itertools.count()
        self._cancelled = 0
        """How many in the heap are cancelled."""
        self.next_us = NEVER_US

    def at(self, at_us: int, action: Callable[[], None], *, is_housekeeping: bool = False) -> Timer:
        """Do `action` at this time. Housekeeping keeps things alive but brings no program any further."""
        timer = Timer(self, at_us, next(self._sequence), action, is_housekeeping)
        heapq.heappush(self._heap, timer)
        self.next_us = self._heap[0].at_us
        return timer

    def count_cancelled(self) -> None:
        """A timer that waits is cancelled. When half of all are, they are thrown out, so that they do not pile up."""
        self._cancelled += 1
        if self._cancelled > FEW_CANCELLED and 2 * self._cancelled > len(self._heap):
            self._heap = [each for each in self._heap if each.action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def pop_due(self, now_us: int) -> Timer | None:
        """Take the earliest timer that is due, if any."""
        self._drop_cancelled()
        if not self._heap or self._heap[0].at_us > now_us:
            return None
        timer = heapq.heappop(self._heap)
        timer.leave()
        self._drop_cancelled()
        return timer

    def next_deadline(self) -> int | None:
        """When the earliest timer fires, in microseconds."""
        self._drop_cancelled()
        return self._heap[0].at_us if self._heap else None

    def has_work(self) -> bool:
        """Whether any timer waits that is not mere housekeeping."""
        return any(each.action is not None and not each.is_housekeeping for each in self._heap)

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        self.next_us = self._heap[0].at_us if self._heap else NEVER_US
