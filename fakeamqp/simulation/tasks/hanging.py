"""Programs that wait for ever for what must be answered: told from their stacks.

A program that waits for deliveries, or sleeps, may do so for ever. One that waits for the answer to a method, for a
confirm, or for the end of a close may not: a real one would hang there.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

from fakeamqp.simulation.tasks.program_code import PIKA, is_of_program, is_of_python
from fakeamqp.simulation.tasks.task_waiters import LOCK, LockWaiter, held_by
from fakeamqp.simulation.tasks.tasks import Fiber

BLOCKING_API = os.path.join(PIKA, "adapters", "blocking_connection.py")
MAY_WAIT = ""
"""Said of what may wait for ever, as what it waits for may be anything that comes."""
OF_PIKA = dict.fromkeys(("start_consuming", "consume", "process_data_events", "sleep"), MAY_WAIT) | {
    "basic_publish": "its confirm",
    "__init__": "its connection",
    "close": "the answer to its close",
}
"""What functions of pika's blocking API wait for; the others, for the answer to what they are called."""
FUTURE = "the result of a future"
OF_PYTHON: dict[str, dict[str, str]] = {
    threading.__file__: {"wait": MAY_WAIT, "wait_for": MAY_WAIT, "acquire": "a semaphore"},
    queue.__file__: {"get": MAY_WAIT, "put": "room in a queue", "join": "the end of what is in a queue"},
    os.path.join(os.path.dirname(os.__file__), "concurrent", "futures", "_base.py"): dict.fromkeys(
        ("result", "exception", "wait", "as_completed", "result_iterator"), FUTURE
    ),
}
"""What functions of Python's library wait for, by file."""


class Hang(NamedTuple):
    """A program that waits for ever."""

    task: str
    what: str
    """What it waits for, in words."""
    where: str
    """The line of the program, as path:number."""

    def __str__(self) -> str:
        return f"{self.task} waits for ever for {self.what} ({self.where})"


def hang_of(frame: FrameType | None, name: str, waiter: Any = None) -> Hang | None:
    """What a program that stands in this frame, and gave way to this waiter, waits for; None if it may."""
    awaited = _lock(waiter)
    for each in _outwards(frame):
        filename, function = each.f_code.co_filename, each.f_code.co_name
        if filename == BLOCKING_API:
            awaited = OF_PIKA.get(function, f"the answer to {function}")
        elif filename in OF_PYTHON:
            awaited = OF_PYTHON[filename].get(function, awaited)
        elif is_of_program(filename):
            return Hang(name, awaited, f"{filename}:{each.f_lineno}") if awaited else None
    return None


def hangs(fibers: Sequence[Fiber]) -> list[Hang]:
    """Those of the tasks and threads that wait for ever for what must be answered, once nothing can happen any more.

    A future may be that of a thread that waits for deliveries.
    """
    found = []
    for fiber in fibers:
        hang = hang_of(frame_of(fiber), fiber.name, fiber.waiter)
        if hang is not None and not (hang.what == FUTURE and _may_be_served(fiber, fibers)):
            found.append(hang)
    return found


def _may_be_served(waiting: Fiber, fibers: Sequence[Fiber]) -> bool:
    """Whether another thread of its process is about something."""
    others = (fiber for fiber in fibers if fiber.process is waiting.process and fiber is not waiting)
    return any(
        hang_of(frame_of(fiber), fiber.name, fiber.waiter) is None and _is_in_program(frame_of(fiber))
        for fiber in others
    )


def _is_in_program(frame: FrameType | None) -> bool:
    files = (each.f_code.co_filename for each in _outwards(frame))
    return any(is_of_program(file) and not is_of_python(file) for file in files)


def _lock(waiter: Any) -> str:
    """The lock that is waited for, if it is one, and who holds it."""
    return f"{LOCK}{held_by(waiter.blockers)}" if isinstance(waiter, LockWaiter) and waiter.is_for_lock else MAY_WAIT


def explained(waiter: Any, frame: FrameType | None) -> str:
    """What somebody waits for in words, and with what its program hangs in this frame, if it does."""
    hang = hang_of(frame, "its program", waiter)
    if hang is None:
        return str(waiter.explain())
    return f"{waiter.explain()} ({hang.where})" if hang.what in waiter.explain() else f"{waiter.explain()}; {hang}"


def frame_of(fiber: Fiber) -> FrameType | None:
    """Where a program stands; of the one that runs, that is here."""
    frame: FrameType | None = fiber.greenlet.gr_frame
    return sys._getframe() if frame is None and fiber.greenlet else frame


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
