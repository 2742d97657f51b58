"""A pika.BlockingConnection to one simulation, while all others go where they always went."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pika
import pika.compat
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.select_connection import IOLoop, SelectConnection

from fakeamqp.clients.adapters import connection_creator, in_memory_class, initialiser
from fakeamqp.clients.loop import VirtualIOLoop

if TYPE_CHECKING:
    from fakeamqp.simulation.simulation import Simulation


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

    def _on_time(self, function: Any) -> Callable[..., Any]:
        # pika's own function, but that what it takes for the module pika.compat has another clock.
        clock = self._impl.simulation.world.clock
        compat = types.SimpleNamespace(**{**vars(pika.compat), "time_now": lambda: clock.seconds})
        scope = {**function.__globals__, "compat": compat}
        return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__)


def connect(simulation: Simulation, parameters: Any) -> InMemoryBlockingConnection:
    """Connect to a broker; `parameters` is what pika.BlockingConnection takes. Raises what that raises."""
    create = connection_creator(SelectConnection, simulation).__func__

    def create_connection(cls: Any, connection_configs: Any, on_done: Any, custom_ioloop: Any) -> Any:
        _make_virtual(custom_ioloop, simulation)
        return create(cls, connection_configs, on_done, custom_ioloop)

    members = {
        "__init__": initialiser(SelectConnection, simulation),
        "create_connection": classmethod(create_connection),
    }
    adapter = type(SelectConnection.__name__, (in_memory_class(SelectConnection),), members)
    return InMemoryBlockingConnection(parameters, _impl_class=adapter)


def _make_virtual(loop: Any, simulation: Simulation) -> None:
    # BlockingConnection insists on making its loop itself; a redirection has made it virtual, but another broker's.
    if isinstance(loop, IOLoop) and getattr(loop, "simulation", None) is not simulation:
        loop.close()
        loop.__class__ = VirtualIOLoop
        VirtualIOLoop.__init__(loop, simulation)
