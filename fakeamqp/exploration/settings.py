"""What pytest says of the brokers of the running test: by its marker, the command line and the ini file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

_givers: list[Callable[[], dict[str, Any]]] = []
"""The last counts: pytest can run inside pytest."""


@contextlib.contextmanager
def given_by(settings: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """While a test runs, its explorations take from here what they are not given themselves."""
    _givers.append(settings)
    try:
        yield
    finally:
        _givers.pop()


def now() -> dict[str, Any]:
    """Arguments of Broker for explorations that begin now."""
    return _givers[-1]() if _givers else {}
