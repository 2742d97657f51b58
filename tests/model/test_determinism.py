"""One seed, one run: the same program sees the same, byte for byte, twice in a process and in any two processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model._program import run
from tests.model._sizes import size

GENERATED_NAME = re.compile(r"(?:amq\.(?:gen|ctag)-|ctag\d+\.)([\w-]+)")
PROGRAM_SEEDS = range(10)

seeds = st.integers(0, 2**64)
versions = st.sampled_from(("3.10", "4.0"))


@size(25)
@given(versions, seeds, seeds)
def test_a_program_sees_the_same_twice(version: str, broker_seed: int, program_seed: int) -> None:
    assert run(version, broker_seed, program_seed) == run(version, broker_seed, program_seed)


@pytest.mark.parametrize("version", ["3.10", "4.0"])
def test_programs_see_the_same_in_every_process(version: str) -> None:
    here = "\n".join(line for each in PROGRAM_SEEDS for line in run(version, 7, each)).encode()
    there = [in_new_process(hash_seed, version, 7, *PROGRAM_SEEDS) for hash_seed in ("0", "1")]
    assert there == [here, here]


@size(25)
@given(versions, st.lists(seeds, min_size=2, max_size=2, unique=True), st.integers(1, 3))
def test_different_seeds_give_different_names(version: str, broker_seeds: list[int], program_seed: int) -> None:
    first, second = (names(run(version, seed, program_seed)) for seed in broker_seeds)
    assert first
    assert not first & second


def names(seen: list[str]) -> set[str]:
    """The random part of every generated name."""
    return set(GENERATED_NAME.findall("\n".join(seen)))


def in_new_process(hash_seed: str, *arguments: object) -> bytes:
    """What programs see in a process where sets and dicts of strings have another order."""
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-m", "tests.model._program", *map(str, arguments)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        cwd=root,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout
