"""Measuring on a machine that others use too: everything is a ratio of two things, taken turn by turn.

Where nothing waits for another process, time is this process's own, so that what others do counts little.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

Round: TypeAlias = Callable[[], float]
"""One round of a measurement; answers seconds for one operation."""

APPENDS = 500_000
REFERENCE_APPEND_S = 1 / 2_400_000
"""A bare append on the machine that absolute targets were set on. Elsewhere they move with the append."""


def interleaved(rounds: int, *sides: Round, choose: Callable[[list[float]], float] = min) -> list[float]:
    """The best, or another choice, of each side's rounds, which take turns, so that a busy moment hits all alike."""
    found: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, results in zip(sides, found, strict=True):
            gc.collect()
            gc.freeze()  # what others have left in memory must not slow this side's own garbage collections
            results.append(side())
            gc.unfreeze()
    return [choose(results) for results in found]


def seconds_each(count: int, operation: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds for each of `count` things that one call does: of this process, or real ones with another clock."""
    began = clock()
    operation()
    return (clock() - began) / count


class _Small:
    __slots__ = ("first", "second")

    def __init__(self, first: int, second: int) -> None:
        self.first = first
        self.second = second


def bare_append() -> float:
    """The yardstick: append 500,000 objects of two slots, each made in the loop, to an empty deque.

    In an interpreter of its own, as memory that a process has used before comes cheaper than fresh memory.
    """
    return in_new_interpreter("from benchmarks.timing import append_here; print(append_here())")


def append_here() -> float:
    """`bare_append`, in this interpreter."""

    def append_all() -> None:
        append = deque[_Small]().append
        for number in range(APPENDS):
            append(_Small(number, number))

    return seconds_each(APPENDS, append_all)


def in_new_interpreter(program: str, **environment: str) -> float:
    """The number that a program prints, run in a new interpreter of the same kind, with some variables set for it."""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    return float(ran.stdout)


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    measured: str
    target: str
    compared_with: str
    ratio: float
    is_met: bool


def at_most(limit: float, name: str, measured: str, compared_with: str, ratio: float, words: str = "") -> Figure:
    """A figure whose ratio may reach `limit`; `words` say what that is in absolute terms."""
    return Figure(name, measured, f"<= {limit:,.4g} {words}".rstrip(), compared_with, ratio, ratio <= limit)


def at_least(limit: float, name: str, measured: str, compared_with: str, ratio: float, words: str = "") -> Figure:
    """A figure whose ratio must reach `limit`; `words` say what that is in absolute terms."""
    return Figure(name, measured, f">= {limit:,.4g} {words}".rstrip(), compared_with, ratio, ratio >= limit)


def within(limit_s: float, name: str, measured_s: float, append_s: float) -> Figure:
    """A figure with a target in seconds, told in bare appends."""
    return at_most(
        limit_s / REFERENCE_APPEND_S,
        name,
        shown(measured_s),
        f"bare append, {shown(append_s)}",
        measured_s / append_s,
        f"({shown(limit_s)})",
    )


def shown(seconds: float) -> str:
    """A span of time, with a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


HEADINGS = ("", "measured", "target", "compared with", "ratio", "")


def table(figures: Iterable[Figure]) -> str:
    """The figures as text, one a line."""
    rows = [HEADINGS]
    for each in figures:
        ratio = f"{each.ratio:,.0f}" if each.ratio >= 1000 else f"{each.ratio:.3g}"
        rows.append(
            (each.name, each.measured, each.target, each.compared_with, ratio, "ok" if each.is_met else "missed")
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
