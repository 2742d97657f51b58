"""The examples of docs/property_testing.md find their bugs, and pass what is mended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fakeamqp.testing.machine
import fakeamqp.testing.simulations  # noqa: F401 pytester forgets what is imported inside its runs

DOCUMENT = Path(__file__).parents[2] / "docs" / "property_testing.md"
ROUTER, SHOP, LETTERS = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def test_the_router_that_misses_orders_is_found_and_the_mended_one_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(ROUTER)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["FAILED *orders.[*[]]*"])
    result.stdout.fnmatch_lines(["*key='orders'*"])


def test_the_worker_that_loses_orders_is_found_and_the_mended_one_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SHOP)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*state.place_an_order()*", "*state.work(carrier_answers=False)*"])
    result.stdout.fnmatch_lines(["FAILED *TestHasty*"])


def test_the_program_that_loses_letters_is_found_and_the_mended_one_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(LETTERS)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*letters=[[]b'a'[]]*"])
    result.stdout.fnmatch_lines(["FAILED *forward_hastily*"])
    result.stdout.fnmatch_lines(["*Faults: kill(at=7, task='forward_hastily')*"])
