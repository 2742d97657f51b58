"""A pika.BlockingConnection to one simulation, while all others go where they always went."""

from __future__ import annotations

import functools
import types
from collections import namedtuple
from typing import TYPE_CHECKING, Any, cast

import pika
import pika.compat
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.select_connection import IOLoop, SelectConnection

from fakeamqp.clients.adapters import connection_creator, in_memory_class, initialiser
from fakeamqp.clients.loop import VirtualIOLoop

if TYPE_CHECKING:
    from fakeamqp.simulation.simulation import Simulation


cached_namedtuple = functools.lru_cache(namedtuple)
"""pika makes the same class anew for each connection."""


def with_globals(function: Any, **others: Any) -> Any:
    """A function of pika's that finds other things under some of its module's names."""
    scope = {**function.__globals__, **others}
    return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)


class InMemoryBlockingConnection(pika.BlockingConnection):
    """pika.BlockingConnection, but that it and its channels read their broker's clock."""

    def sleep(self, duration: float) -> None:
        """Let `duration` virtual seconds pass while events are processed."""
        self._on_time(pika.BlockingConnection.sleep)(self, duration)

    def channel(self, channel_number: int | None = None) -> BlockingChannel:
        """A new channel."""
        channel: Any = super().channel(channel_number)
        channel.consume = functools.partial(self._on_time(BlockingChannel.consume), channel)
        return cast(BlockingChannel, channel)

    _create_connection = with_globals(pika.BlockingConnection._create_connection, namedtuple=cached_namedtuple)

    def _on_time(self, function: Any) -> Any:
        return with_globals(function, compat=self._virtual_compat)

    @functools.cached_property
    def _virtual_compat(self) -> Any:
        """What pika's functions take for the module pika.compat, with another clock."""
        clock = self._impl.simulation.world.clock
        return types.SimpleNamespace(**{**vars(pika.compat), "time_now": lambda: clock.seconds})


class _Adapter:
    """Takes the place of the adapter's class where a BlockingConnection creates its connection."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._create = connection_creator(SelectConnection, simulation).__func__
        self._initialise = initialiser(SelectConnection, simulation)

    def create_connection(self, connection_configs: Any, on_done: Any, custom_ioloop: Any) -> Any:
        """Connect to the broker, whether or not pika is redirected, to this one or to another."""
        _make_virtual(custom_ioloop, self._simulation)
        return self._create(self._connection, connection_configs, on_done, custom_ioloop)

    def _connection(self, **arguments: Any) -> Any:
        connection = object.__new__(in_memory_class(SelectConnection))
        self._initialise(connection, **arguments)
        return connection


def connect(simulation: Simulation, parameters: Any) -> InMemoryBlockingConnection:
    """Connect to a broker; `parameters` is what pika.BlockingConnection takes. Raises what that raises."""
    return InMemoryBlockingConnection(parameters, _impl_class=_Adapter(simulation))


def _make_virtual(loop: Any, simulation: Simulation) -> None:
    # BlockingConnection insists on making its loop itself; a redirection has made it virtual, but another broker's.
    if isinstance(loop, IOLoop) and getattr(loop, "simulation", None) is not simulation:
        loop.close()
        loop.__class__ = VirtualIOLoop
        VirtualIOLoop.__init__(loop, simulation)
