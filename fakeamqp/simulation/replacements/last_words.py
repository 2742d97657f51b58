"""What a killed program logs while its code is unwound: nothing, as a process that is killed logs nothing."""

from __future__ import annotations

import logging

from fakeamqp.simulation.replacements.presence import scheduler_here

_REAL_HANDLE = logging.Logger.handle


def _handle(logger: logging.Logger, record: logging.LogRecord) -> None:
    """`logging.Logger.handle`."""
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current.is_alive:
        _REAL_HANDLE(logger, record)


METHODS = ((logging.Logger, "handle", _handle),)
"""The class, the name, and ours."""
