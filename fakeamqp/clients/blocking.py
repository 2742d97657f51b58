"""A pika.BlockingConnection to one broker, while all others go where they always went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection

from fakeamqp.clients.adapters import connection_creator, in_memory_class, initialiser
from fakeamqp.clients.loop import VirtualIOLoop

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker


class InMemoryBlockingConnection(pika.BlockingConnection):
    """pika.BlockingConnection, but that it sleeps in its broker's time."""

    def sleep(self, duration: float) -> None:
        """Let `duration` virtual seconds pass while events are processed."""
        assert duration >= 0, duration
        clock = self._impl.broker.clock
        deadline = clock.seconds + duration
        self.process_data_events(duration)
        while (left := deadline - clock.seconds) > 0:
            self.process_data_events(left)


def connect(broker: SimulatedBroker, parameters: Any) -> InMemoryBlockingConnection:
    """Connect to a broker; `parameters` is what pika.BlockingConnection takes. Raises what that raises."""
    create = connection_creator(SelectConnection, broker).__func__

    def create_connection(cls: Any, connection_configs: Any, on_done: Any, custom_ioloop: Any) -> Any:
        _make_virtual(custom_ioloop, broker)
        return create(cls, connection_configs, on_done, custom_ioloop)

    members = {
        "__init__": initialiser(SelectConnection, broker),
        "create_connection": classmethod(create_connection),
    }
    adapter = type(SelectConnection.__name__, (in_memory_class(SelectConnection, broker),), members)
    return InMemoryBlockingConnection(parameters, _impl_class=adapter)


def _make_virtual(loop: Any, broker: SimulatedBroker) -> None:
    # BlockingConnection insists on making its loop itself; a redirection has made it virtual, but another broker's.
    if isinstance(loop, IOLoop) and getattr(loop, "broker", None) is not broker:
        loop.close()
        loop.__class__ = VirtualIOLoop
        VirtualIOLoop.__init__(loop, broker)
