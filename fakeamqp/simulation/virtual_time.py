"""The module `time`, virtual for programs that run as tasks.

`sleep`, `time`, `monotonic` and their nanosecond sisters are replaced in the module `time` and wherever a module has
imported them by these names. Elsewhere than in a broker's tasks and in the test that spawned them they stay real.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from fakeamqp.node.dates import START_S

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker

REAL: dict[str, Callable[..., Any]] = {
    name: getattr(time, name) for name in ("sleep", "time", "monotonic", "time_ns", "monotonic_ns")
}

_brokers: list[SimulatedBroker] = []
"""Whose time it is; the last counts."""
_places: list[tuple[dict[str, Any], str]] = []
"""The namespaces where replacements stand."""


_holds = 0
"""How often `hold` was entered."""


@contextlib.contextmanager
def hold() -> Iterator[None]:
    """Keep the replacements in place, whoever comes and goes: a search makes many brokers."""
    global _holds  # noqa: PLW0603
    _holds += 1
    _replace()
    try:
        yield
    finally:
        _holds -= 1
        _put_back()


def install(broker: SimulatedBroker) -> None:
    """From now on it is this broker's time."""
    _replace()
    _brokers.append(broker)


def uninstall(broker: SimulatedBroker) -> None:
    """It is this broker's time no longer; does nothing if it never was."""
    if broker in _brokers:
        _brokers.remove(broker)
        _put_back()


def _replace() -> None:
    if not _places:
        for module in tuple(sys.modules.values()):
            namespace = getattr(module, "__dict__", None)
            if namespace is None or namespace is globals():
                continue
            for name, real in REAL.items():
                if namespace.get(name) is real:
                    namespace[name] = VIRTUAL[name]
                    _places.append((namespace, name))


def _put_back() -> None:
    if not (_brokers or _holds):
        for namespace, name in _places:
            namespace[name] = REAL[name]
        _places.clear()


def _broker_here() -> SimulatedBroker | None:
    for broker in reversed(_brokers):
        if broker.scheduler is not None and broker.scheduler.is_here():
            return broker
    return None


def _sleep(seconds: float, /) -> None:
    broker = _broker_here()
    if broker is None:
        REAL["sleep"](seconds)
        return
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    assert broker.scheduler is not None
    broker.scheduler.sleep(seconds)


def _virtual(name: str, value: Callable[[int], float]) -> Callable[[], float]:
    real = REAL[name]

    def read() -> float:
        broker = _broker_here()
        return real() if broker is None else value(broker.clock.now_us)

    return read


VIRTUAL: dict[str, Callable[..., Any]] = {
    "sleep": _sleep,
    "time": _virtual("time", lambda now_us: START_S + now_us / 1e6),
    "monotonic": _virtual("monotonic", lambda now_us: now_us / 1e6),
    "time_ns": _virtual("time_ns", lambda now_us: START_S * 1_000_000_000 + now_us * 1000),
    "monotonic_ns": _virtual("monotonic_ns", lambda now_us: now_us * 1000),
}
