"""Each bug of the corpus is found and told shortly; in the mended programs nothing is found."""

from __future__ import annotations

import pkgutil

import pytest

import fakeamqp
import tests.bugs
from tests.bugs.bug import LONGEST_STORY, Bug, steps_told
from tests.bugs.registry import BUGS

MENDED_RUNS = 200
"""A sample; `python -m tests.bugs` makes 20,000."""

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))


@pytest.fixture(scope="module")
def findings() -> dict[str, fakeamqp.Counterexample]:
    """What was found, by the bug's name: finding takes longer than all else."""
    return {}


@pytest.fixture
def found(bug: Bug, findings: dict[str, fakeamqp.Counterexample]) -> fakeamqp.Counterexample:
    """What breaks the buggy program."""
    if bug.name not in findings:
        counterexample = bug.find()
        assert counterexample is not None, "not found"
        findings[bug.name] = counterexample
    return findings[bug.name]


@each_bug
def test_the_bug_is_found_and_told_shortly(bug: Bug, found: fakeamqp.Counterexample) -> None:
    assert found.failure.kind == bug.failure, str(found)
    assert steps_told(found) <= LONGEST_STORY, str(found)


@each_bug
def test_what_was_found_is_found_again_by_its_token(bug: Bug, found: fakeamqp.Counterexample) -> None:
    with pytest.raises(fakeamqp.Counterexample) as again:
        fakeamqp.replay(bug.buggy, bug.invariant, found.token, faults=bug.faults, **bug.settings)
    assert again.value.story == found.story


@each_bug
def test_the_mended_program_withstands_the_same(bug: Bug) -> None:
    assert bug.explore(bug.mended, runs=MENDED_RUNS).runs == MENDED_RUNS


@each_bug
def test_the_mended_program_does_the_same_by_the_same_choices(bug: Bug) -> None:
    bug.explore(bug.mended, runs=3, check_determinism=True)


def test_every_bug_is_registered() -> None:
    parts = {"bug", "parts", "outbox", "registry", "test_bugs", "__main__"}
    modules = {module.name for module in pkgutil.iter_modules(tests.bugs.__path__)} - parts
    assert len(BUGS) == len(modules)
    assert len({bug.name for bug in BUGS}) == len(BUGS)
