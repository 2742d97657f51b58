"""`python -m tests.bugs`: how soon each bug is found, and that the mended programs withstand the same; one table."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import fakeamqp
from tests.bugs.bug import LONGEST_STORY, RUNS_TO_FIND, Bug, steps_told
from tests.bugs.registry import BUGS

SECONDS_TO_FIND = 10.0
MENDED_RUNS = 20_000
TITLES = ("bug", "runs to find it", "seconds, with shrinking", "steps of the story", "mended: runs", "seconds")


class Row(NamedTuple):
    """What was measured of one bug."""

    bug: Bug
    found: fakeamqp.Counterexample | None
    find_seconds: float
    withstood: fakeamqp.Exploration | fakeamqp.Counterexample
    mended_seconds: float

    @property
    def is_good(self) -> bool:
        """Whether it was found for what it is, soon and told shortly, and the mended program withstood everything."""
        return (
            self.found is not None
            and self.found.failure.kind == self.bug.failure
            and self.find_seconds <= SECONDS_TO_FIND
            and steps_told(self.found) <= LONGEST_STORY
            and isinstance(self.withstood, fakeamqp.Exploration)
        )

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        found, withstood = self.found, self.withstood
        fails = isinstance(withstood, fakeamqp.Counterexample)
        return (
            self.bug.name,
            f"{found.runs:,}" if found is not None else f"not in {RUNS_TO_FIND:,}",
            f"{self.find_seconds:.1f}",
            str(steps_told(found)) if found is not None else "",
            f"fails in run {withstood.runs:,}" if fails else f"{withstood.runs:,}",
            f"{self.mended_seconds:.0f}",
        )


def measure(bug: Bug, runs: int, seed: int, executor: Executor | None) -> Row:
    """Look for the bug, in this process; then for any in the mended program, with the executor."""
    began = time.perf_counter()
    with _silence():
        found = bug.find(seed=seed)
    find_seconds = time.perf_counter() - began
    began = time.perf_counter()
    withstood: fakeamqp.Exploration | fakeamqp.Counterexample
    try:
        with _silence():
            withstood = bug.explore(bug.mended, runs=runs, seed=seed, executor=executor)
    except fakeamqp.Counterexample as counterexample:
        withstood = counterexample
    return Row(bug, found, find_seconds, withstood, time.perf_counter() - began)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """The programs print what programs print."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _executor(jobs: int) -> contextlib.AbstractContextManager[Executor | None]:
    if jobs == 1:
        return contextlib.nullcontext()
    return ProcessPoolExecutor(jobs, initializer=_mute)


def _mute() -> None:
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (as long as the process lives)


def table(rows: list[Row]) -> str:
    """The measurements in Markdown."""
    lines = [TITLES, ("---", *("---:" for _ in TITLES[1:])), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bugs", description="Find each bug of the corpus; print a table.")
    parser.add_argument("--runs", type=int, default=MENDED_RUNS, help="runs of each mended program (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TEXT", default="", help="only bugs whose names contain this")
    parser.add_argument("--jobs", type=int, default=1, help="processes for the mended programs (%(default)s)")
    parser.add_argument("--stories", action="store_true", help="print what was found in full")
    return parser.parse_args()


def main() -> int:
    """Returns 1 if a bug is not found as it should be, or anything is found in a mended program."""
    arguments = _arguments()
    bugs = [bug for bug in BUGS if arguments.only in bug.name]
    rows: list[Row] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _executor(arguments.jobs) as executor, Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=len(bugs))
        for bug in bugs:
            progress.update(bar, description=bug.name)
            rows.append(measure(bug, arguments.runs, arguments.seed, executor))
            progress.advance(bar)
    for row in rows:
        if row.found is not None and arguments.stories:
            print(f"{row.bug.name}: {row.found}\n")
        if isinstance(row.withstood, fakeamqp.Counterexample):
            print(f"{row.bug.name}, mended: {row.withstood}\n")
    print(table(rows))
    return 0 if all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
