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
from typing import TYPE_CHECKING, Any, Protocol

from fakeamqp.simulation.hanging import explained
from fakeamqp.simulation.report import describe_queues
from fakeamqp.spec.errors import FakeamqpError

if TYPE_CHECKING:
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.network import Stream


LONGEST_NAP_SECONDS = 0.1
"""A thread that ends tells nobody, so whoever waits for it looks now and then whether it is still there."""


class Deadlock(FakeamqpError):
    """A client waits for something that can never happen; the message says who waits for what."""


class Waiter(Protocol):
    """A client program's event loop."""

    def next_deadline(self) -> int | None:
        """When it wants to go on by itself, microseconds."""

    def has_work(self) -> bool:
        """Whether one of its timers may bring the program further, rather than just keep it connected."""

    def is_ready(self) -> bool:
        """Whether there is something to do now."""

    def explain(self) -> str:
        """What it waits for, in words."""


class Loop(Waiter, Protocol):
    """A waiter that belongs to a thread."""

    owner: threading.Thread


class StreamLoop(Loop, Protocol):
    """A loop that waits for what arrives on streams."""

    def readable_stream(self) -> Stream | None:
        """The stream that something can be read from now."""


def wait(broker: SimulatedBroker, waiter: Loop) -> None:
    """Return once `waiter` is ready. The caller holds the broker's lock. Raises Deadlock instead of hanging."""
    __tracebackhide__ = True  # in pytest's tracebacks the program's own lines are what matters
    waiter.owner = threading.current_thread()
    while not waiter.is_ready():
        deadlines = [each for each in (waiter.next_deadline(), broker.next_deadline()) if each is not None]
        deadline_us = min(deadlines, default=None)
        if others_may_act(broker):
            _sleep(broker, deadline_us)
        elif deadline_us is not None and (waiter.has_work() or broker.has_work()):
            broker.move_clock(deadline_us)
        elif _an_alarm_may_ring(broker):
            _sleep(broker, deadline_us)
            if not _an_alarm_may_ring(broker):
                return  # its handler may have changed what the program waits for
        else:
            others = [f"besides: {loop.explain()}" for loop in broker.loops if loop is not waiter]
            raise Deadlock(deadlock_story(broker, [explained(waiter, sys._getframe()), *others]))


def others_may_act(broker: SimulatedBroker) -> bool:
    """Whether there are real threads that may bring this one further."""
    here = threading.current_thread()
    clients = [loop.owner for loop in broker.loops]
    newcomers = [each for each in threading.enumerate() if each not in broker.bystanders]
    return any(each is not here and each.is_alive() for each in (*clients, *newcomers))


def alarm_handler() -> Any:
    """Who is called when an alarm (signal.alarm, signal.setitimer) rings; None where the system has none."""
    return signal.getsignal(signal.SIGALRM) if hasattr(signal, "SIGALRM") else None


def _an_alarm_may_ring(broker: SimulatedBroker) -> bool:
    """Whether the program has set an alarm whose handler may end its waiting.

    One that was there before the broker watches over the test, as pytest-timeout's does.
    """
    handler = alarm_handler()
    if not callable(handler) or handler is broker.watchdog:
        return False
    is_here = threading.current_thread() is threading.main_thread()
    return is_here and signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _sleep(broker: SimulatedBroker, deadline_us: int | None) -> None:
    began_us, began = broker.clock.now_us, time.monotonic()
    left = math.inf if deadline_us is None else max(0.0, (deadline_us - began_us) / 1e6)
    broker.sleep(min(left, LONGEST_NAP_SECONDS))
    reached_us = began_us + round((time.monotonic() - began) * 1e6)
    broker.move_clock(reached_us if deadline_us is None else min(reached_us, deadline_us), is_jump=False)


def deadlock_story(broker: SimulatedBroker, waits: list[str]) -> str:
    """Who waits for what, and how things stand with the broker."""
    lines = ["nothing can happen any more, but a client waits:", *(f"  {each}" for each in waits)]
    lines += [f"  {line}" for line in describe_queues(broker)]
    if broker.node is not None and broker.node.state.alarms:
        low = " & ".join(broker.node.state.alarms)
        lines.append(f"  the broker is low on {low} and reads nothing from who has published; see broker.clear_alarm")
    lines.append(
        "A real program would hang here. If it should not: publish what it waits for, or give it a time limit, "
        "as in process_data_events(time_limit=...) or consume(inactivity_timeout=...)"
    )
    return "\n".join(lines)
