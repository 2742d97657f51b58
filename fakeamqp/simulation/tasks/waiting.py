"""Waiting: what happens when a client has nothing to do until something comes.

Alone, it jumps: virtual time moves to the next thing that will happen. Beside other threads that might do
something, time does not jump: the client sleeps until it is told, and virtual time passes as fast as real time.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
import weakref
from typing import Any

from fakeamqp.simulation.management.report import describe_queues
from fakeamqp.simulation.tasks.hanging import explained
from fakeamqp.simulation.tasks.waiters import Loop
from fakeamqp.simulation.world.network import Network
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import FakeamqpError

LONGEST_NAP_SECONDS = 0.1
"""A thread that ends tells nobody, so whoever waits for it looks now and then whether it is still there."""


class Deadlock(FakeamqpError):
    """A client waits for something that can never happen; the message says who waits for what."""


class Waiting:
    """The event loops that wait, and the threads that were there before."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._world = network.world
        self.loops: list[Loop] = []
        """Event loops of clients, in the order in which they were made."""
        self._bystanders = weakref.WeakSet(threading.enumerate())
        """Threads that were there before, such as those of test tools; they do nothing here unless they connect."""
        self._bystanders.discard(threading.current_thread())
        self._watchdog = _alarm_handler()
        """Whom an alarm calls that was set before; it watches over the test, and brings no program further."""

    def wait(self, waiter: Loop) -> None:
        """Return once `waiter` is ready. The caller holds the lock. Raises Deadlock instead of hanging."""
        __tracebackhide__ = True  # in pytest's tracebacks the program's own lines are what matters
        world = self._world
        waiter.owner = threading.current_thread()
        while not waiter.is_ready():
            deadlines = [each for each in (waiter.next_deadline(), world.next_deadline()) if each is not None]
            deadline_us = min(deadlines, default=None)
            if self.others_may_act():
                self._sleep(deadline_us)
            elif deadline_us is not None and (waiter.has_work() or self._network.has_work()):
                world.move_clock(deadline_us)
            elif self._an_alarm_may_ring():
                self._sleep(deadline_us)
                if not self._an_alarm_may_ring():
                    return  # its handler may have changed what the program waits for
            else:
                others = [f"besides: {loop.explain()}" for loop in self.loops if loop is not waiter]
                raise Deadlock(deadlock_story(world, [explained(waiter, sys._getframe()), *others]))

    def others_may_act(self) -> bool:
        """Whether there are real threads that may bring this one further."""
        here = threading.current_thread()
        clients = [loop.owner for loop in self.loops]
        newcomers = [each for each in threading.enumerate() if each not in self._bystanders]
        return any(each is not here and each.is_alive() for each in (*clients, *newcomers))

    def _an_alarm_may_ring(self) -> bool:
        """Whether the program has set an alarm whose handler may end its waiting.

        One that was there before the broker watches over the test, as pytest-timeout's does.
        """
        handler = _alarm_handler()
        if not callable(handler) or handler is self._watchdog:
            return False
        is_here = threading.current_thread() is threading.main_thread()
        return is_here and signal.getitimer(signal.ITIMER_REAL)[0] > 0

    def _sleep(self, deadline_us: int | None) -> None:
        world = self._world
        began_us, began = world.clock.now_us, time.monotonic()
        left = math.inf if deadline_us is None else max(0.0, (deadline_us - began_us) / 1e6)
        world.sleep(min(left, LONGEST_NAP_SECONDS))
        reached_us = began_us + round((time.monotonic() - began) * 1e6)
        world.move_clock(reached_us if deadline_us is None else min(reached_us, deadline_us), is_jump=False)


def _alarm_handler() -> Any:
    """Who is called when an alarm (signal.alarm, signal.setitimer) rings; None where the system has none."""
    return signal.getsignal(signal.SIGALRM) if hasattr(signal, "SIGALRM") else None


def deadlock_story(world: World, waits: list[str]) -> str:
    """Who waits for what, and how things stand with the broker."""
    lines = ["nothing can happen any more, but a client waits:", *(f"  {each}" for each in waits)]
    lines += [f"  {line}" for line in describe_queues(world)]
    if world.node is not None and world.node.state.alarms:
        low = " & ".join(world.node.state.alarms)
        lines.append(f"  the broker is low on {low} and reads nothing from who has published; see broker.clear_alarm")
    lines.append(
        "A real program would hang here. If it should not: publish what it waits for, or give it a time limit, "
        "as in process_data_events(time_limit=...) or consume(inactivity_timeout=...)"
    )
    return "\n".join(lines)
