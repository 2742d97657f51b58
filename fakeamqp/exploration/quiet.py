"""What runs log: nothing where nobody looks at them, and the last lines of a counterexample's."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator

from fakeamqp.simulation.replacements import replacing

MOST_LOGGED = 100
"""How many lines are kept of what a counterexample's run logs."""


@contextlib.contextmanager
def quiet(*, patch_time: bool) -> Iterator[None]:
    """Nothing is logged in runs that nobody looks at; the one that is shown, a counterexample, logs again.

    What stands in for clocks, locks and threads is kept in place from run to run.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with replacing.hold(patch_time=patch_time):
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def last_lines_logged() -> Iterator[None]:
    """Of what is logged in here the last lines are logged, at its end: a livelock would fill a report."""
    kept: deque[tuple[logging.Logger, logging.LogRecord]] = deque(maxlen=MOST_LOGGED)
    count = 0

    def keep(logger: logging.Logger, record: logging.LogRecord) -> None:
        nonlocal count
        count += 1
        record.msg, record.args = record.getMessage(), None  # as what it tells of changes
        kept.append((logger, record))

    real = logging.Logger.callHandlers
    logging.Logger.callHandlers = keep  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        logging.Logger.callHandlers = real  # type: ignore[method-assign]
        if count > len(kept):
            logging.getLogger("fakeamqp").warning("%d lines of this run's log are left out", count - len(kept))
        for logger, record in kept:
            logger.callHandlers(record)
