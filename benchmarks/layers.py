"""Where the time of a pika program goes, layer by layer: a sampler looks a thousand times a second who is at work."""

from __future__ import annotations

import collections
import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pika

import fakeamqp
from benchmarks.exploration import run_each
from benchmarks.program import Program

EVERY_S = 1e-3
ROW_S = 1.0
"""How long each row is measured, in time of this process."""
MESSAGES = 500
CONNECTIONS = 30
ROWS = ("connect_and_close", "open_and_close_channel", "publish", "publish_confirmed", "get", "consume_and_ack")
_FAKEAMQP = str(Path(fakeamqp.__file__).parent)
LAYERS = {
    "pika": str(Path(pika.__file__).parent),
    "clients": f"{_FAKEAMQP}/clients",
    "simulation": f"{_FAKEAMQP}/simulation",
    "node": f"{_FAKEAMQP}/node",
    "exploration": f"{_FAKEAMQP}/exploration",
}
"""Each layer's directory. What one of them calls elsewhere, such as logging or copying, is its own time."""
OTHER = "the program"


def layer_of(frame: FrameType | None) -> str:
    """Which layer is at work in a frame: that of the innermost caller which belongs to one."""
    while frame is not None:
        for name, directory in LAYERS.items():
            if frame.f_code.co_filename.startswith(directory):
                return name
        frame = frame.f_back
    return OTHER


@contextlib.contextmanager
def sampled(counts: collections.Counter[str]) -> Iterator[None]:
    """While it lasts, count which layer is at work, in steps of this process's own time."""

    def look(_: int, frame: FrameType | None) -> None:
        counts[layer_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def shares(work: Callable[[], object]) -> dict[str, float]:
    """Each layer's part of the time that some work takes, which is done again and again for a while."""
    counts: collections.Counter[str] = collections.Counter()
    with sampled(counts):
        until_s = time.process_time() + ROW_S
        while time.process_time() < until_s:
            work()
    return {name: count / counts.total() for name, count in counts.items()}


def measured() -> Iterator[tuple[str, dict[str, float]]]:
    """Each row's name, and its shares."""
    with fakeamqp.Broker():
        program = Program(pika.BlockingConnection, MESSAGES, CONNECTIONS)
        for row in ROWS:
            yield row.replace("_", " "), shares(getattr(program, row))
    yield "explore", shares(lambda: run_each(20))


def as_text() -> str:
    """The table, in percent."""
    names = [*LAYERS, OTHER]
    lines = [f"{'':24}" + "".join(f"{name:>13}" for name in names)]
    for row, found in measured():
        lines.append(f"{row:24}" + "".join(f"{found.get(name, 0):>12.0%} " for name in names).rstrip())
    return "\n".join(lines)
