"""What drives a transport: our own loop on virtual time, or somebody else's, such as asyncio's, on real time."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from fakeamqp.clients.loop import VirtualIOLoop

if TYPE_CHECKING:
    from fakeamqp.clients.transport import Transport
    from fakeamqp.simulation.simulation import Simulation


class Driver(Protocol):
    """Sees to it that a transport dispatches what arrives."""

    def start(self, transport: Transport) -> None:
        """The transport is connected."""

    def stop(self, transport: Transport) -> None:
        """The transport has nothing more to dispatch."""


def driver_for(nbio: Any, simulation: Simulation) -> Driver:
    """The driver for a connection with these I/O services of pika's."""
    loop = nbio.get_native_ioloop()
    return VirtualDriver(loop) if isinstance(loop, VirtualIOLoop) else ForeignDriver(nbio, simulation)


class VirtualDriver:
    """Our loop asks its transports itself."""

    def __init__(self, loop: VirtualIOLoop) -> None:
        self._loop = loop

    def start(self, transport: Transport) -> None:
        """The transport is connected."""
        self._loop.transports.append(transport)

    def stop(self, transport: Transport) -> None:
        """The transport has nothing more to dispatch."""
        if transport in self._loop.transports:
            self._loop.transports.remove(transport)


class ForeignDriver:
    """A loop that is not ours is told. Its time is real, so the broker's deadlines come when that time has passed."""

    def __init__(self, nbio: Any, simulation: Simulation) -> None:
        self._nbio = nbio
        self._simulation = simulation
        self._transport: Transport | None = None
        self._next_us: int | None = None
        """The deadline of the broker's that is being waited for."""

    def start(self, transport: Transport) -> None:
        """The transport is connected."""
        self._transport = transport
        transport.listen(self._on_change)

    def stop(self, transport: Transport) -> None:
        """The transport has nothing more to dispatch."""
        self._transport = None

    def _on_change(self) -> None:
        """Called from any thread, under the broker's lock."""
        transport = self._transport
        if transport is None:
            return
        if transport.is_readable():
            self._call_soon(transport.dispatch)
        deadline_us = self._simulation.world.next_deadline()
        if deadline_us is not None and deadline_us != self._next_us:
            self._next_us = deadline_us
            self._call_soon(functools.partial(self._wait_for, deadline_us))

    def _call_soon(self, callback: Callable[[], None]) -> None:
        # A program may close its loop and leave connections behind: then there is nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._nbio.add_callback_threadsafe(callback)

    def _wait_for(self, deadline_us: int) -> None:
        left_us = max(0, deadline_us - self._simulation.world.clock.now_us)
        self._nbio.call_later(left_us / 1_000_000, functools.partial(self._reach, deadline_us))

    def _reach(self, deadline_us: int) -> None:
        if self._transport is None or deadline_us != self._next_us:
            return  # another deadline has come before this one
        with self._simulation.world.lock:
            self._next_us = None
            self._simulation.world.move_clock(deadline_us)
            self._simulation.world.notify()
