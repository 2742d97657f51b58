"""What Python's library gives that differs from run to run: who asks for it is remembered, to be named."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import secrets
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from fakeamqp.simulation.replacements.presence import scheduler_here
from fakeamqp.simulation.replacements.replacing import Group
from fakeamqp.simulation.tasks.program_code import is_of_program, is_of_python

_OF_CHANCE = ("random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "uniform", "triangular")
_OF_BITS = ("getrandbits", "randbytes")
_DISTRIBUTIONS = ("gauss", "normalvariate", "lognormvariate", "expovariate", "betavariate", "gammavariate")
FUNCTIONS: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (uuid, ("uuid1", "uuid4")),
    (random, (*_OF_CHANCE, *_OF_BITS, *_DISTRIBUTIONS)),
    (secrets, ("token_bytes", "token_hex", "token_urlsafe", "choice", "randbelow", "randbits")),
    (os, ("urandom",)),
    (time, ("clock_gettime", "clock_gettime_ns", "process_time", "process_time_ns", "thread_time", "thread_time_ns")),
)
"""What is watched, by module."""


class Reading(NamedTuple):
    """Something was asked for that differs from run to run."""

    name: str
    """The function."""
    place: str
    """The line of the program, as path:number."""
    events: int
    """How many events there were before."""


@contextlib.contextmanager
def watched() -> Iterator[list[Reading]]:
    """The list grows with whatever is asked for in here by programs."""
    readings: list[Reading] = []
    functions = [
        (name, real, _watching(f"{module.__name__}.{name}", real, readings))
        for module, names in FUNCTIONS
        for name in names
        if (real := getattr(module, name, None)) is not None
    ]
    group = Group(functions, ())
    group.put_in_place()
    try:
        yield readings
    finally:
        group.put_back()


def _watching(name: str, real: Callable[..., Any], readings: list[Reading]) -> Callable[..., Any]:
    @functools.wraps(real)
    def ask(*args: Any, **kwargs: Any) -> Any:
        scheduler = scheduler_here()
        frame = sys._getframe(1)
        file = frame.f_code.co_filename
        if scheduler is not None and is_of_program(file) and not is_of_python(file):
            readings.append(Reading(name, f"{file}:{frame.f_lineno}", len(scheduler.world.trace)))
        return real(*args, **kwargs)

    return ask
