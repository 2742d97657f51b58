"""Each bug of the corpus is found and told shortly; in the mended programs nothing is found."""

from __future__ import annotations

import pkgutil

import pytest

import tests.bugs
from tests.bugs.bug import LONGEST_STORY, Bug, steps_told
from tests.bugs.registry import BUGS

MENDED_RUNS = 200
"""A sample; `python -m tests.bugs` makes 20,000."""

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))


@each_bug
def test_the_bug_is_found(bug: Bug) -> None:
    found = bug.find()
    assert found is not None
    assert found.failure.kind == bug.failure, str(found)
    assert steps_told(found) <= LONGEST_STORY, str(found)


@each_bug
def test_the_mended_program_withstands_the_same(bug: Bug) -> None:
    assert bug.explore(bug.mended, runs=MENDED_RUNS).runs == MENDED_RUNS


@each_bug
def test_both_programs_repeat_from_their_choices(bug: Bug) -> None:
    bug.explore(bug.mended, runs=3, check_determinism=True)
    found = bug.find()
    again = bug.find()
    assert found is not None
    assert again is not None
    assert found.story == again.story


def test_every_bug_is_registered() -> None:
    parts = {"bug", "parts", "outbox", "registry", "test_bugs", "__main__"}
    modules = {module.name for module in pkgutil.iter_modules(tests.bugs.__path__)} - parts
    assert len(BUGS) == len(modules)
    assert len({bug.name for bug in BUGS}) == len(BUGS)
