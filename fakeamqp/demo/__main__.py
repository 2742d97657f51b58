"""Run the demo's test, and say what it shows."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

BEFORE = """\
Two workers ship orders from a RabbitMQ queue: fakeamqp/demo/orders.py, plain pika.
One test runs each: fakeamqp/demo/test_orders.py. Shipping fails once, the broker crashes, a new worker starts.
No container, no port, no sleep: 30 seconds of inactivity pass in virtual time.
"""

AFTER = """
hasty_worker acknowledges an order before it ships it, so that an order whose shipping fails is lost:
the test failed, and under "fakeamqp" stands what RabbitMQ and the program said to one another.
careful_worker acknowledges afterwards: the order came back, redelivered, and the test passed.
"""


def main() -> int:
    """Returns 0 if the test caught the bug, and only the bug."""
    print(BEFORE)
    test = pathlib.Path(__file__).with_name("test_orders.py")
    alone = ["-c", os.devnull, "--rootdir", str(test.parent), "-p", "no:cacheprovider"]
    quiet = ["-q", "--tb=short", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    outcome = pytest.main([*alone, *quiet, str(test)])
    print(AFTER)
    return 0 if outcome == pytest.ExitCode.TESTS_FAILED else 1


if __name__ == "__main__":
    sys.exit(main())
