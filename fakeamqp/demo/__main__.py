"""Run the demo's test, and say what it shows."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys
from typing import Any

BEFORE = """\
A shop places orders, a worker ships them: fakeamqp/demo/orders.py, plain blocking pika code, nothing of fakeamqp.
One test explores both kinds of worker: fakeamqp/demo/test_orders.py. Who goes first, when the broker crashes, and
when a program dies is varied in up to 300 runs, in process: no container, no port, no sleep.
"""

AFTER = """
hasty_worker acknowledges an order before it ships it. The search found a run that loses an order, made it as short
as can be, and told it above: the step marked ! is what went wrong. The line after "Replay it" makes that run again.
careful_worker acknowledges afterwards: whatever happened, each order came back until it was shipped.
"""


NEEDED = ("pytest", "greenlet", "rich")


class Tally:
    """A pytest plugin that remembers how each worker's test ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """A part of a test is over."""
        if report.when == "call" or report.failed:
            self.outcomes[report.nodeid.rpartition("[")[2].rstrip("]")] = report.outcome


def main() -> int:
    """Returns 0 if the test caught the bug, and only the bug."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"The demo needs {' and '.join(missing)}: pip install 'fakeamqp[pytest,simulation]'", file=sys.stderr)
        return 1
    import pytest

    print(BEFORE)
    test = pathlib.Path(__file__).with_name("test_orders.py")
    alone = ["-c", os.devnull, "--rootdir", str(test.parent), "-p", "no:cacheprovider"]
    quiet = ["-q", "--tb=line", "-rf", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    tally = Tally()
    pytest.main([*alone, *quiet, str(test)], plugins=[tally])
    if tally.outcomes != {"hasty_worker": "failed", "careful_worker": "passed"}:
        print("This is not what the demo should show; the lines above say what went wrong.", file=sys.stderr)
        return 1
    print(AFTER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
