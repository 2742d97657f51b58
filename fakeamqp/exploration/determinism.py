"""Whether a run can be repeated: it is made twice here, and in interpreters whose hashes of strings differ."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable
from typing import NamedTuple

from fakeamqp.exploration.runs import Case, Outcome, run_once
from fakeamqp.exploration.searches import Start
from fakeamqp.spec.errors import FakeamqpError

HASH_SEEDS = ("1", "2", "3", "4")
"""Values of PYTHONHASHSEED; with each another interpreter makes the run, and sets are in another order."""
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
    first, second = (run_once(case, start.chooser(), is_traced=True) for _ in range(2))
    _compare(
        account_of(first).lines,
        account_of(second).lines,
        "Something decides here that fakeamqp does not control: a real clock (datetime.now), uuid4, random, "
        "what another run has left behind",
    )
    return first._replace(trace=())


def assert_hashes_do_not_matter(case: Case, start: Start) -> None:
    """Make a run in other interpreters, if the case can be sent there. Raises NotRepeatable if one differs."""
    try:
        question = pickle.dumps((sys.path, pickle.dumps((case, start))))
    except Exception:
        return
    here = account_of(run_once(case, start.chooser(), is_traced=True))
    for there in _elsewhere(question):
        _compare(
            here.lines,
            there.lines,
            "The second was made by an interpreter with another PYTHONHASHSEED: here the order of a set decides, or "
            "the hash of a string",
        )


def _elsewhere(question: bytes) -> Iterable[Account]:
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


def _compare(first: tuple[str, ...], second: tuple[str, ...], advice: str) -> None:
    for number, (one, other) in enumerate(itertools.zip_longest(first, second, fillvalue="(nothing more)"), 1):
        if one != other:
            raise NotRepeatable(
                f"two runs with the same choices differ from event {number} on:\n"
                f"  first:  {one}\n  second: {other}\n{advice}"
            )
