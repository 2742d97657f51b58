"""Which code is the program's that is under test: all but that of fakeamqp and pika. The demo's is one."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Program(NamedTuple):
    """What is spawned: `function(*args, **kwargs)`."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def _directory(path: str) -> str:
    return os.path.dirname(path) + os.sep


_FAKEAMQP = _directory(os.path.dirname(os.path.dirname(__file__)))
_DEMO = os.path.join(_FAKEAMQP, "demo", "")
_found = importlib.util.find_spec("pika")  # without importing it
PIKA = _directory(_found.origin) if _found is not None and _found.origin is not None else os.sep
"""Where pika's code is."""
_PYTHON = _directory(os.__file__)
_PACKAGES = ("site-packages", "dist-packages")


def is_of_program(filename: str) -> bool:
    """Whether a frame with this file's code is one of the program's."""
    return filename.startswith(_DEMO) or not filename.startswith((_FAKEAMQP, PIKA))


def is_of_python(filename: str) -> bool:
    """Whether a frame with this file's code is one of Python's library."""
    return filename.startswith(_PYTHON) and not filename.startswith(_PACKAGES, len(_PYTHON))
