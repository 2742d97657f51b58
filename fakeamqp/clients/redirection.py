"""Redirection: while it lasts, every pika connection reaches one broker, however the program imported pika."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pika.compat
from pika.adapters.base_connection import BaseConnection
from pika.adapters.select_connection import IOLoop
from pika.connection import Connection

from fakeamqp.clients.adapters import SERVICES, connection_creator, initialiser
from fakeamqp.clients.connections import InMemoryConnection
from fakeamqp.clients.loop import VirtualIOLoop
from fakeamqp.spec.errors import Misuse, UnsupportedFeature

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker

_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def redirect(broker: SimulatedBroker) -> Iterator[None]:
    """Redirect pika's adapters to a broker. Raises Misuse while another redirection lasts.

    Methods of pika's classes are replaced, not the classes, so that names imported earlier lead here as well.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise Misuse(
            "pika is redirected to a Broker already, and can be to one at a time; leave that `with` block first, "
            "or reach a second broker with its connect()"
        )
    try:
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in _replacements(broker):
                stack.callback(setattr, owner, name, vars(owner)[name])
                setattr(owner, name, replacement)
            yield
    finally:
        _one_at_a_time.release()


def _replacements(broker: SimulatedBroker) -> list[tuple[Any, str, Any]]:
    replacements: list[tuple[Any, str, Any]] = [
        (pika.compat, "time_now", lambda: broker.clock.seconds),
        (IOLoop, "__init__", _virtual_loop_initialiser(broker)),
        (Connection, "__init__", _guarded(Connection.__init__)),
        (BaseConnection, "_start_connection_workflow", classmethod(_refuse)),
    ]
    for adapter in SERVICES:
        replacements.append((adapter, "__init__", initialiser(adapter, broker)))
        replacements.append((adapter, "create_connection", connection_creator(adapter, broker)))
    return replacements


def _virtual_loop_initialiser(broker: SimulatedBroker) -> Callable[[Any], None]:
    def __init__(self: Any) -> None:  # noqa: N807
        self.__class__ = VirtualIOLoop
        VirtualIOLoop.__init__(self, broker)

    return __init__


def _guarded(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        if not isinstance(self, InMemoryConnection):
            _refuse(type(self))
        original(self, *args, **kwargs)

    return __init__


def _refuse(adapter: type, *_: Any, **__: Any) -> None:
    # An adapter that nobody redirects would look for a real broker on the network.
    supported = ", ".join(each.__name__ for each in SERVICES)
    raise UnsupportedFeature(
        f"fakeamqp cannot redirect {adapter.__name__}; it redirects BlockingConnection, {supported}"
    )
