"""pika's private event loop, on virtual time."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pika.adapters.select_connection import IOLoop
from pika.heartbeat import HeartbeatChecker

from fakeamqp.node.kernel.timers import Timer, Timers
from fakeamqp.spec.errors import UnsupportedFeature

if TYPE_CHECKING:
    from fakeamqp.clients.transport import Transport
    from fakeamqp.simulation.simulation import Simulation
    from fakeamqp.simulation.world.network import Stream


class VirtualIOLoop(IOLoop):
    """`pika.adapters.select_connection.IOLoop` without sockets: where that one sleeps, virtual time jumps.

    Frames are dispatched in `poll` alone, never while the program is inside another call.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.owner = threading.current_thread()
        self.transports: list[Transport] = []
        self._callbacks: deque[Callable[[], None]] = deque()
        self._timers = Timers()
        self._is_stopping = False
        self._is_running = False
        with simulation.world.lock:
            simulation.waiting.loops.append(self)

    # -- what pika calls ----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give everything up."""
        assert not self._is_running, "Cannot call close() before start() unwinds."
        self._callbacks.clear()
        self._timers = Timers()
        with self.simulation.world.lock:
            if self in self.simulation.waiting.loops:
                self.simulation.waiting.loops.remove(self)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back after `delay` virtual seconds. Raises ValueError for a negative delay, as pika does."""
        if delay < 0:
            raise ValueError(f"call_later: delay must be non-negative, but got {delay!r}")
        if not callable(callback):
            raise TypeError(f"callback must be a callable, but got {callback!r}")
        at_us = self.simulation.world.clock.now_us + math.ceil(delay * 1_000_000)
        keeps_alive = isinstance(getattr(callback, "__self__", None), HeartbeatChecker)
        return self._timers.at(at_us, callback, is_housekeeping=keeps_alive)

    def remove_timeout(self, timeout_handle: Timer) -> None:
        """Cancel a timer."""
        timeout_handle.cancel()

    def add_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        """Call back in the next round; may be called from any thread."""
        if not callable(callback):
            raise TypeError(f"callback must be a callable, but got {callback!r}")
        with self.simulation.world.lock:
            self._callbacks.append(callback)
            self.simulation.world.notify()

    add_callback = add_callback_threadsafe

    def process_timeouts(self) -> None:
        """Run the callbacks and timers that are due now, not those that they add."""
        for _ in range(len(self._callbacks)):
            self._callbacks.popleft()()
        now_us = self.simulation.world.clock.now_us
        if now_us < self._timers.next_us:
            return
        due = []
        while (timer := self._timers.pop_due(now_us)) is not None:
            due.append(timer)
        for timer in due:
            if timer.action is not None:
                timer.action()

    def start(self) -> None:
        """Run until `stop`, which may have come already. Raises RuntimeError where it runs, as pika does."""
        if self._is_running:
            raise RuntimeError("IOLoop is not reentrant and is already running")
        self._is_running = True
        try:
            while not self._is_stopping:
                self.poll()
                self.process_timeouts()
        finally:
            self._is_running = self._is_stopping = False

    def stop(self) -> None:
        """Make `start` return; may be called from any thread."""
        with self.simulation.world.lock:
            self._is_stopping = True
            self.simulation.world.notify()

    def activate_poller(self) -> None:
        """Nothing to activate: there is no poller."""

    def deactivate_poller(self) -> None:
        """Nothing to deactivate: there is no poller."""

    def poll(self) -> None:
        """Wait until there is something to do, and dispatch the frames that have arrived."""
        __tracebackhide__ = True
        scheduler = self.simulation.tasks.scheduler
        if scheduler is not None and scheduler.is_here():
            scheduler.await_events(self)
        elif not self.is_ready():
            with self.simulation.world.lock:
                self.simulation.waiting.wait(self)
        for transport in tuple(self.transports):
            transport.dispatch()

    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None:
        """File descriptors have no place in virtual time."""
        raise UnsupportedFeature("fakeamqp's in-memory event loop watches no file descriptors; use call_later instead")

    update_handler: Any = add_handler
    remove_handler: Any = add_handler

    # -- what the broker calls ----------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether there is something to do now."""
        for transport in self.transports:
            if transport.is_readable():
                return True
        return self._is_stopping or bool(self._callbacks) or self._timers.next_us <= self.simulation.world.clock.now_us

    def next_deadline(self) -> int | None:
        """When the earliest timer fires, microseconds."""
        return self._timers.next_deadline()

    def has_work(self) -> bool:
        """Whether a timer may bring the program further."""
        return self._timers.has_work() or any(each.stream.is_missed_by_client() for each in self.transports)

    def readable_stream(self) -> Stream | None:
        """The stream where something has arrived, if there is one."""
        return next((each.stream for each in self.transports if each.is_readable()), None)

    def explain(self) -> str:
        """What the programs on this loop wait for."""
        return "; ".join(transport.explain() for transport in self.transports) or "an event loop without connections"
