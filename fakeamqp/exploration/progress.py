"""The progress bar of an exploration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from fakeamqp.exploration.explore import Exploration


@contextlib.contextmanager
def progress_bar(runs: int) -> Iterator[Callable[[Exploration], None]]:
    """A bar that shows how many runs were made, and how many distinct states they went through."""
    columns = [TextColumn("exploring"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[states]}")]
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("exploring", total=runs, states="")

        def advance(found: Exploration) -> None:
            states = f"{found.states} states, the last new one in run {found.last_new_state}"
            progress.update(task, completed=found.runs, states=states)

        yield advance
