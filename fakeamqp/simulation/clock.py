"""Virtual time."""

from __future__ import annotations

import math

from fakeamqp.spec.errors import Misuse


class Clock:
    """The one clock of a broker and its clients: integer microseconds that move only when told to."""

    __slots__ = ("now_us",)

    def __init__(self) -> None:
        self.now_us = 0

    @property
    def seconds(self) -> float:
        """Now, in seconds since the broker was made."""
        return self.now_us / 1_000_000


def to_us(seconds: float) -> int:
    """A span of seconds in microseconds; raises Misuse where it is negative or endless."""
    if not 0 <= seconds < math.inf:
        raise Misuse(f"{seconds!r} is no span of time; give a finite number of seconds from 0 on")
    return round(seconds * 1_000_000)
