"""Programs that wait for ever for what must be answered: told from their stacks.

A program that waits for deliveries, or sleeps, may do so for ever. One that waits for the answer to a method, for a
confirm, or for the end of a close may not: a real one would hang there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.simulation.program_code import PIKA, is_of_program

if TYPE_CHECKING:
    from fakeamqp.simulation.scheduler import Scheduler
    from fakeamqp.simulation.tasks import Task

MAY_WAIT = ("start_consuming", "consume", "process_data_events", "sleep")
"""What of pika's blocking API waits for whatever comes."""
BLOCKING_API = os.path.join(PIKA, "adapters", "blocking_connection.py")


class Hang(NamedTuple):
    """A program that waits for ever."""

    task: str
    what: str
    """What it waits for, in words."""
    where: str
    """The line of the program, as path:number."""

    def __str__(self) -> str:
        return f"{self.task} waits for ever for {self.what} ({self.where})"


def hang_of(frame: FrameType | None, task: str) -> Hang | None:
    """What a program that stands in this frame waits for; None if it may."""
    called = ""
    for each in _outwards(frame):
        filename = each.f_code.co_filename
        if filename == BLOCKING_API:
            called = each.f_code.co_name
        elif is_of_program(filename):
            if called and called not in MAY_WAIT:
                return Hang(task, _awaited(called), f"{filename}:{each.f_lineno}")
            return None
    return None


def hangs(scheduler: Scheduler) -> list[Hang]:
    """The tasks that wait for ever for what must be answered, once nothing can happen any more."""
    found = (hang_of(frame_of(task), task.name) for task in scheduler.tasks if task.is_alive)
    return [hang for hang in found if hang is not None]


def explained(what: str, frame: FrameType | None) -> str:
    """What a client waits for in words, and with what its program hangs in this frame, if it does."""
    hang = hang_of(frame, "its program")
    return what if hang is None else f"{what}; {hang}"


def frame_of(task: Task) -> FrameType | None:
    """Where a program stands; of the one that runs, that is here."""
    frame: FrameType | None = task.greenlet.gr_frame
    return sys._getframe() if frame is None and task.greenlet else frame


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _awaited(function: str) -> str:
    if function == "basic_publish":
        return "its confirm"
    return {"__init__": "its connection", "close": "the answer to its close"}.get(function, f"the answer to {function}")
