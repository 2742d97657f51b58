"""Whether a run can be repeated: it is made twice here, and in interpreters whose hashes of strings differ."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import NamedTuple

from fakeamqp.exploration.runs import Case, Outcome, run_once
from fakeamqp.exploration.searches import Start
from fakeamqp.exploration.unrepeatable import Reading, watched
from fakeamqp.spec.errors import FakeamqpError

HASH_SEEDS = ("1", "1", "2", "3", "4", "5", "6")
"""Values of PYTHONHASHSEED; with each an interpreter makes the run, with sets in another order. The first two agree."""
PROGRAM = "from fakeamqp.exploration.determinism import answer; answer()"


class NotRepeatable(FakeamqpError):
    """Two runs with the same choices differ: the program depends on something that fakeamqp does not control."""


class Account(NamedTuple):
    """What a run was like: its events as text, and how it failed, if it did."""

    events: tuple[str, ...]
    failure: str

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it."""
        return (*self.events, self.failure)


def account_of(outcome: Outcome) -> Account:
    """What a traced run was like."""
    failure = outcome.failure
    return Account(tuple(map(str, outcome.trace)), f"{failure.kind}: {failure.text}" if failure else "ends well")


def run_repeatably(case: Case, start: Start) -> Outcome:
    """Make a run, and make it again. Raises NotRepeatable with the first difference."""
    with watched() as readings:
        first, second = (run_once(case, start.chooser(), is_traced=True) for _ in range(2))
    _compare(account_of(first).lines, account_of(second).lines, lambda number: _suspects(readings, number))
    return first._replace(trace=())


def assert_hashes_do_not_matter(case: Case, start: Start) -> None:
    """Make a run in other interpreters. Raises NotRepeatable if one differs; warns where it cannot be sent there."""
    run_repeatably(case, start)  # what differs even here is no matter of hashes
    import cloudpickle  # here, as few ask for this

    try:
        question = pickle.dumps((sys.path, cloudpickle.dumps((case, start))))
    except Exception as error:
        warnings.warn(
            f"check_determinism: the scenario cannot be sent to other interpreters ({error}), so the order of a set of "
            "strings is not checked",
            stacklevel=3,
        )
        return
    accounts = _elsewhere(question)
    if len(accounts) < len(HASH_SEEDS):
        return  # the module of the scenario cannot be imported there
    first, again, *others = (account.lines for account in accounts)
    _compare(first, again, lambda _: OF_A_PROCESS)
    for other in others:
        _compare(first, other, lambda _: OF_HASHES)
    here = account_of(run_once(case, start.chooser(), is_traced=True))
    _compare(here.lines, first, lambda _: LEFT_BEHIND)


OF_A_PROCESS = (
    "The second was made by another process: here something decides that is asked for when a module is imported or "
    "differs from process to process, such as uuid4, random or a clock that is read there, an address, the process's id"
)
OF_HASHES = (
    "The second was made by an interpreter with another PYTHONHASHSEED: here the order of a set decides, or the hash "
    "of a string"
)
LEFT_BEHIND = (
    "The second was made by a new interpreter: here something decides that the runs and tests before have left behind, "
    "such as a variable of a module"
)


def _suspects(readings: list[Reading], number: int) -> str:
    """What the program has asked for before two runs differ, the last first."""
    before = [reading for reading in readings if reading.events < number]
    asked = list(dict.fromkeys(f"{reading.name} ({reading.place})" for reading in reversed(before)))
    if asked:
        return (
            f"Before that, the program has asked for what differs from run to run: {', '.join(asked[:MOST_SUSPECTS])}"
        )
    return (
        "Something decides here that fakeamqp does not control: an address (the order of a set of objects, repr), a "
        "random.Random without a seed, C code, what another run has left behind"
    )


MOST_SUSPECTS = 3
"""How many are named."""


def _elsewhere(question: bytes) -> list[Account]:
    interpreters = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in HASH_SEEDS
    ]
    answers = [interpreter.communicate(question)[0] for interpreter in interpreters]
    return [pickle.loads(answer) for answer in answers if answer]


def answer() -> None:
    """What such an interpreter does: read a case, make the run, write what it was like; nothing if it cannot."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the program prints is no answer
    path, question = pickle.load(sys.stdin.buffer)
    sys.path[:] = path
    case, start = pickle.loads(question)
    with output:
        pickle.dump(account_of(run_once(case, start.chooser(), is_traced=True)), output)


def _compare(first: tuple[str, ...], second: tuple[str, ...], advice: Callable[[int], str]) -> None:
    for number, (one, other) in enumerate(itertools.zip_longest(first, second, fillvalue="(nothing more)"), 1):
        if one != other:
            raise NotRepeatable(
                f"two runs with the same choices differ from event {number} on:\n"
                f"  first:  {one}\n  second: {other}\n{advice(number)}"
            )
