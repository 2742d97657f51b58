"""Forked processes: a child has copies of its parent's brokers, and what it does to them nobody else sees.

So it is told, instead of publishing into its own copy.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker

_brokers: weakref.WeakSet[SimulatedBroker] = weakref.WeakSet()
DOORS = ("open_stream", "_running_node", "_scheduler")
"""What everybody passes who wants something of a broker."""


def watch(broker: SimulatedBroker) -> None:
    """Refuse whoever uses this broker in a forked child."""
    _brokers.add(broker)


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


def _cut_off() -> None:
    """In a child: no broker of its parent's can be used."""
    for broker in _brokers:
        for stream in broker.open_streams():
            stream.cut_off(_Absent())
        for name in DOORS:
            setattr(broker, name, _refuse)


if hasattr(os, "register_at_fork"):  # not on Windows, where nobody forks
    os.register_at_fork(after_in_child=_cut_off)
