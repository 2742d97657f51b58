"""Redirection: while it lasts, every pika connection reaches one simulation, however the program imported pika."""

from __future__ import annotations

import contextlib
import gc
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pika.compat
import pika.connection
from pika.adapters import blocking_connection
from pika.adapters.base_connection import BaseConnection
from pika.adapters.select_connection import IOLoop
from pika.connection import Connection

from fakeamqp.clients.adapters import SERVICES, connection_creator, initialiser
from fakeamqp.clients.blocking import cached_namedtuple
from fakeamqp.clients.in_memory import InMemoryConnection
from fakeamqp.clients.loop import VirtualIOLoop
from fakeamqp.clients.parameters import quick_copy
from fakeamqp.simulation.tasks.program_code import is_of_program
from fakeamqp.spec.errors import Misuse, UnsupportedFeature

if TYPE_CHECKING:
    from fakeamqp.simulation.simulation import Simulation

_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def redirect(simulation: Simulation) -> Iterator[None]:
    """Redirect pika's adapters to a broker. Raises Misuse while another redirection lasts.

    Methods of pika's classes are replaced, not the classes, so that names imported earlier lead here as well.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise Misuse(
            "pika is redirected to a Broker already, and can be to one at a time; leave that `with` block first, "
            "or reach a second broker with its connect() (in pytest: amqp_broker goes neither with a broker of a wider "
            "scope nor with explore, which makes brokers of its own)"
        )
    try:
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in _replacements(simulation):
                _replace(stack, owner, name, replacement)
            yield
    finally:
        _one_at_a_time.release()


@contextlib.contextmanager
def refuse_the_network() -> Iterator[None]:
    """While it lasts, every pika connection that no Broker is there for raises Misuse, which names its place."""
    with contextlib.ExitStack() as stack:
        _replace(stack, Connection, "__init__", _guarded(Connection.__init__, _refuse_network))
        _replace(stack, BaseConnection, "_start_connection_workflow", classmethod(_refuse_network))
        yield


def _refuse_network(adapter: type, *_: Any, **__: Any) -> None:
    raise Misuse(
        f"a {adapter.__name__} of pika's is made while no fakeamqp.Broker is active: at {_place()}. It would go to the "
        "network, which --amqp-strict (amqp_strict) refuses; make it inside a test with amqp_broker, or inside "
        "`with fakeamqp.Broker():`"
    )


def _replace(stack: contextlib.ExitStack, owner: Any, name: str, replacement: Any) -> None:
    stack.callback(setattr, owner, name, vars(owner)[name])
    setattr(owner, name, replacement)


def _place() -> str:
    """The line of the program that has called pika."""
    frames = [frame for frame in traceback.extract_stack() if is_of_program(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"


def open_network_connections() -> list[str]:
    """pika's connections in this process that go to the network, each in words."""
    found = [each for each in gc.get_objects() if isinstance(each, Connection)]
    on_network = [each for each in found if not isinstance(each, InMemoryConnection)]
    return [
        f"a {type(each).__name__} of pika's to {each.params.host}:{each.params.port}"
        for each in on_network
        if hasattr(each, "connection_state") and not each.is_closed  # without: its constructor has raised
    ]


def _replacements(simulation: Simulation) -> list[tuple[Any, str, Any]]:
    replacements: list[tuple[Any, str, Any]] = [
        (pika.compat, "time_now", lambda: simulation.world.clock.seconds),
        (IOLoop, "__init__", _virtual_loop_initialiser(simulation)),
        (Connection, "__init__", _guarded(Connection.__init__, _refuse)),
        (BaseConnection, "_start_connection_workflow", classmethod(_refuse)),
    ]
    if "namedtuple" in vars(blocking_connection):
        replacements.append((blocking_connection, "namedtuple", cached_namedtuple))
    if "copy" in vars(pika.connection):
        replacements.append((pika.connection, "copy", quick_copy))
    for adapter in SERVICES:
        replacements.append((adapter, "__init__", initialiser(adapter, simulation)))
        replacements.append((adapter, "create_connection", connection_creator(adapter, simulation)))
    return replacements


def _virtual_loop_initialiser(simulation: Simulation) -> Callable[[Any], None]:
    def __init__(self: Any) -> None:  # noqa: N807
        self.__class__ = VirtualIOLoop
        VirtualIOLoop.__init__(self, simulation)

    return __init__


def _guarded(original: Callable[..., None], refuse: Callable[[type], None]) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        if not isinstance(self, InMemoryConnection):
            refuse(type(self))
        original(self, *args, **kwargs)

    return __init__


def _refuse(adapter: type, *_: Any, **__: Any) -> None:
    # An adapter that nobody redirects would look for a real broker on the network.
    supported = ", ".join(each.__name__ for each in SERVICES)
    raise UnsupportedFeature(
        f"fakeamqp cannot redirect {adapter.__name__}; it redirects BlockingConnection, {supported}"
    )
