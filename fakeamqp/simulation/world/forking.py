"""Forked processes: a child has copies of its parent's brokers, and what it does to them nobody else sees.

So it is told, instead of publishing into its own copy.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from fakeamqp.spec.errors import Misuse


class Severable(Protocol):
    """What cannot be used in a forked child."""

    def sever(self, refuse: Callable[..., NoReturn], absent: Any) -> None:
        """Put `refuse` where everybody passes, and `absent`, which refuses everything, where connections lead."""


_watched: weakref.WeakSet[Severable] = weakref.WeakSet()


def watch(each: Severable) -> None:
    """Refuse whoever uses this in a forked child."""
    _watched.add(each)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise Misuse(
        "this broker lives in the process that made it, and this one is a fork of that (multiprocessing, os.fork); a "
        "copy of it here would be seen by nobody. Run the program as a task (broker.spawn) or in a thread; for runs "
        "in other processes, make the Broker there"
    )


class _Absent:
    """Stands for the broker where a forked child uses a connection of its parent's."""

    def __getattr__(self, name: str) -> NoReturn:
        _refuse()


def _sever_all() -> None:
    """In a child: no broker of its parent's can be used."""
    for each in _watched:
        each.sever(_refuse, _Absent())


if hasattr(os, "register_at_fork"):  # not on Windows, where nobody forks
    os.register_at_fork(after_in_child=_sever_all)
