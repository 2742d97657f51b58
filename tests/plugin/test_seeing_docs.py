"""The examples of docs/seeing.md pass, but for the one that is to fail, and that one says what the document says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fakeamqp.testing.assertions  # noqa: F401 pytester forgets what is imported inside its runs

DOCUMENT = Path(__file__).parents[2] / "docs" / "seeing.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
(FAILURE,) = re.findall(r"^```text\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_examples_do_what_the_document_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("\n\n".join(EXAMPLES))
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=5)
    result.stdout.fnmatch_lines(["FAILED *test_an_order_from_a_region_is_shipped*"])
    shown = [re.sub(r"^E\s+(AssertionError: )?", "", line).strip() for line in result.outlines if line[:1] == "E"]
    expected = [line.strip() for line in FAILURE.splitlines()]
    assert [line for line in shown if line] == [line for line in expected if line]
