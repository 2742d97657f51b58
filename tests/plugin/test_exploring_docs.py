"""The example of docs/exploring.md finds its bug, and the line that it prints replays it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "exploring.md"
PAYMENTS, _ = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)


def test_the_worker_that_may_not_charge_is_found_and_replayed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_payments=PAYMENTS)
    result = pytester.runpytest("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*worker: dies"])
    replay = re.search(r"--amqp-replay=(\S+)", str(result.stdout))
    assert replay is not None
    again = pytester.runpytest("-p", "no:cacheprovider", f"--amqp-replay={replay[1]}")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*in the run that was replayed*", "*worker: dies"])
