"""The pika adapters that can be put in memory, each with the loop that drives it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pika.adapters.asyncio_connection import AsyncioConnection, _AsyncioIOServicesAdapter
from pika.adapters.base_connection import BaseConnection
from pika.adapters.select_connection import SelectConnection
from pika.adapters.utils.nbio_interface import AbstractIOServices
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from fakeamqp.clients.in_memory import InMemoryConnection, NameServices, start_connection_workflow
from fakeamqp.clients.loop import VirtualIOLoop

if TYPE_CHECKING:
    from fakeamqp.simulation.simulation import Simulation


class SelectServices(NameServices, SelectorIOServicesAdapter):
    """pika's I/O services over a virtual loop."""


class AsyncioServices(NameServices, _AsyncioIOServicesAdapter):
    """pika's I/O services over asyncio's loop."""


def select_services(simulation: Simulation, custom_ioloop: Any) -> AbstractIOServices:
    """I/O services for a SelectConnection. `custom_ioloop` is what pika's constructor takes under this name."""
    if isinstance(custom_ioloop, AbstractIOServices):
        return custom_ioloop
    return SelectServices(custom_ioloop or VirtualIOLoop(simulation))


def asyncio_services(simulation: Simulation, custom_ioloop: Any) -> AbstractIOServices:
    """I/O services for an AsyncioConnection. `custom_ioloop` is what pika's constructor takes under this name."""
    if isinstance(custom_ioloop, AbstractIOServices):
        return custom_ioloop
    return AsyncioServices(custom_ioloop)


SERVICES = {SelectConnection: select_services, AsyncioConnection: asyncio_services}
"""The adapters, and what makes their I/O services."""


def initialiser(adapter: type, simulation: Simulation) -> Callable[..., None]:
    """An `__init__` for an adapter: with its arguments, but onto the broker."""

    def __init__(  # noqa: N807
        self: Any,
        parameters: Any = None,
        on_open_callback: Any = None,
        on_open_error_callback: Any = None,
        on_close_callback: Any = None,
        custom_ioloop: Any = None,
        internal_connection_workflow: bool = True,
    ) -> None:
        if not isinstance(self, InMemoryConnection):
            self.__class__ = in_memory_class(self.__class__)
        self.simulation = simulation
        BaseConnection.__init__(
            self,
            parameters,
            on_open_callback,
            on_open_error_callback,
            on_close_callback,
            SERVICES[adapter](simulation, custom_ioloop),
            internal_connection_workflow=internal_connection_workflow,
        )

    return __init__


def connection_creator(adapter: type, simulation: Simulation) -> Any:
    """A classmethod `create_connection` for an adapter: with its arguments, but onto the broker."""

    def create_connection(
        cls: Any, connection_configs: Any, on_done: Any, custom_ioloop: Any = None, workflow: Any = None
    ) -> Any:
        services = SERVICES[adapter](simulation, custom_ioloop)
        return start_connection_workflow(
            simulation,
            connection_configs,
            lambda parameters: cls(parameters=parameters, custom_ioloop=services, internal_connection_workflow=False),
            services,
            workflow,
            on_done,
        )

    return classmethod(create_connection)


@functools.lru_cache(maxsize=256)
def in_memory_class(base: Any) -> Any:
    """A class that is `base`, an adapter of pika's or a user's class derived from one, but in memory."""
    return type(base.__name__, (InMemoryConnection, base), {"__module__": base.__module__})
