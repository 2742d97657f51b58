"""Run the demo's test, and say what it shows."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

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


def main() -> int:
    """Returns 0 if the test caught the bug, and only the bug."""
    print(BEFORE)
    test = pathlib.Path(__file__).with_name("test_orders.py")
    alone = ["-c", os.devnull, "--rootdir", str(test.parent), "-p", "no:cacheprovider"]
    quiet = ["-q", "--tb=line", "-rf", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    outcome = pytest.main([*alone, *quiet, str(test)])
    print(AFTER)
    return 0 if outcome == pytest.ExitCode.TESTS_FAILED else 1


if __name__ == "__main__":
    sys.exit(main())
