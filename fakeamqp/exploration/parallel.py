"""Making the runs of a search, here or on an executor's processors, with the same outcomes in the same order.

Runs are sent in parts that take about as long as PART_SECONDS, several at a time, so that nobody waits for work.
"""

from __future__ import annotations

import itertools
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import NamedTuple

from fakeamqp.exploration.determinism import run_repeatably
from fakeamqp.exploration.quiet import quiet
from fakeamqp.exploration.runs import Case, Outcome, run_once
from fakeamqp.exploration.searches import Search, Start
from fakeamqp.spec.errors import Misuse

PART_SECONDS = 0.1
"""How long a part takes, in real time: long beside sending it, short beside what is wasted once a run has failed."""
FIRST_PART = 4
"""How many runs a part has before anybody knows how long they take."""
LARGEST_PART = 100
PARTS_UNDER_WAY = 16
"""How many parts may be with the executor; it may have any number of workers, and nobody can ask it."""

_here = threading.Lock()
"""Held while runs are made in this process: pika can be redirected once at a time."""
_explorers: list[int] = []
"""Processes that wait for an executor: this one, and in a forked one its parent."""


class Part(NamedTuple):
    """What came of some runs that were made together, up to the first that failed."""

    outcomes: list[Outcome]
    seconds: float


def outcomes(
    case: Case, search: Search, runs: int, executor: Executor | None, check_determinism: bool
) -> Generator[tuple[Start, Outcome], None, None]:
    """The outcomes of up to `runs` runs that a search wants, in its order, whoever makes them."""
    parts = _made_here if executor is None else _made_by
    return parts(case, search, runs, executor, check_determinism)


def _made_here(
    case: Case, search: Search, runs: int, executor: Executor | None, check_determinism: bool
) -> Generator[tuple[Start, Outcome], None, None]:
    for _ in range(runs):
        start = next(search.starts(), None)
        if start is None:
            return
        outcome = _run(case, start, check_determinism)
        search.learn(start, outcome)
        yield start, outcome


def _made_by(
    case: Case, search: Search, runs: int, executor: Executor | None, check_determinism: bool
) -> Generator[tuple[Start, Outcome], None, None]:
    assert executor is not None
    _refuse_what_cannot_be_sent(case, executor)
    under_way: deque[tuple[list[Start], Future[Part]]] = deque()
    size = FIRST_PART
    left = runs
    _explorers.append(os.getpid())
    try:
        while True:
            while left and len(under_way) < PARTS_UNDER_WAY:
                starts = list(itertools.islice(search.starts(), min(size, left)))
                if not starts:
                    break
                left -= len(starts)
                future = executor.submit(run_part, case, starts, search.needs_choices, check_determinism)
                under_way.append((starts, future))
            if not under_way:
                return
            starts, future = under_way.popleft()
            made = future.result()
            size = max(1, min(LARGEST_PART, int(PART_SECONDS * len(made.outcomes) / made.seconds)))
            for start, outcome in zip(starts, made.outcomes, strict=False):
                search.learn(start, outcome)
                yield start, outcome
    finally:
        _explorers.pop()
        for _, future in under_way:
            future.cancel()


def run_part(case: Case, starts: list[Start], needs_choices: bool, check_determinism: bool) -> Part:
    """Some runs, in another process, up to the first that fails. Raises Misuse in the process that explores."""
    if os.getpid() in _explorers:
        raise Misuse(
            "this executor runs in the process that explores, where pika can be redirected to one broker at a time, "
            "so that it would bring nothing; give a concurrent.futures.ProcessPoolExecutor, or Dask workers that are "
            "processes"
        )
    began = time.perf_counter()
    found = []
    with _here, quiet(patch_time=case.patches_time):
        for start in starts:
            outcome = _run(case, start, check_determinism)
            is_of_use = needs_choices or outcome.failure is not None
            found.append(outcome if is_of_use else outcome._replace(choices=()))
            if outcome.failure is not None:
                break
    return Part(found, time.perf_counter() - began)


def _run(case: Case, start: Start, check_determinism: bool) -> Outcome:
    return run_repeatably(case, start) if check_determinism else run_once(case, start.chooser())


def _refuse_what_cannot_be_sent(case: Case, executor: Executor) -> None:
    if not isinstance(executor, ProcessPoolExecutor):
        return  # others, such as Dask's, send more than pickle can
    try:
        pickle.dumps(case)
    except Exception as error:
        raise Misuse(
            f"scenario and invariant cannot be sent to another process ({error}); define them, and the classes of what "
            "they hold, at the top level of a module"
        ) from None
