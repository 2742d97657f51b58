"""What pytest says of the brokers of the running test: by its marker, the command line and the ini file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_running: list[tuple[Callable[[], dict[str, Any]], Path]] = []
"""The running test's settings, and where the paths of its session begin. The last counts: pytest can run in pytest."""


@contextlib.contextmanager
def given_by(settings: Callable[[], dict[str, Any]], root: Path) -> Iterator[None]:
    """While a test runs, its explorations take from here what they are not given themselves.

    `root` is where the paths of its session begin.
    """
    _running.append((settings, root))
    try:
        yield
    finally:
        _running.pop()


def findable(node: str) -> str:
    """A test's node id as it can be given to pytest in the working directory."""
    path, separator, rest = node.partition("::")
    if not _running or _running[-1][1] == Path.cwd():
        return node
    return f"{_running[-1][1] / path}{separator}{rest}"


def now() -> dict[str, Any]:
    """Arguments of Broker for explorations that begin now."""
    return _running[-1][0]() if _running else {}
