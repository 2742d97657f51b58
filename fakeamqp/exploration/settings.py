"""What pytest says of the brokers of the running test: by its marker, the command line and the ini file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_roots: list[Path] = []
"""Where the paths of the running test's session begin."""
_givers: list[Callable[[], dict[str, Any]]] = []
"""The last counts: pytest can run inside pytest."""


@contextlib.contextmanager
def given_by(settings: Callable[[], dict[str, Any]], root: Path) -> Iterator[None]:
    """While a test runs, its explorations take from here what they are not given themselves.

    `root` is where the paths of its session begin.
    """
    _givers.append(settings)
    _roots.append(root)
    try:
        yield
    finally:
        _givers.pop()
        _roots.pop()


def findable(node: str) -> str:
    """A test's node id as it can be given to pytest in the working directory."""
    path, separator, rest = node.partition("::")
    if not _roots or _roots[-1] == Path.cwd():
        return node
    return f"{_roots[-1] / path}{separator}{rest}"


def now() -> dict[str, Any]:
    """Arguments of Broker for explorations that begin now."""
    return _givers[-1]() if _givers else {}
