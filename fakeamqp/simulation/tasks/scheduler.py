"""The scheduler: who goes when among the test and its tasks.

A program runs until it talks to the broker or waits; there another may go first. Which one goes is drawn from the
broker's Chooser, so that a seed, a recorded list of choices or a search decides. Whoever runs is put first among
those that are ready: the choice 0 lets it go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fakeamqp.node.state.connection import Phase
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.tasks.hanging import explained, frame_of
from fakeamqp.simulation.tasks.knots import knot, knot_story
from fakeamqp.simulation.tasks.processes import Processes
from fakeamqp.simulation.tasks.tasks import SCHEDULE, Fiber, Livelock, Task
from fakeamqp.simulation.tasks.waiters import Ending, Moment, StreamLoop, Waiter
from fakeamqp.simulation.tasks.waiting import Deadlock, Waiting, deadlock_story
from fakeamqp.simulation.world.network import Network, Stream
from fakeamqp.spec.errors import Misuse


class StepFaults(Protocol):
    """Whoever makes things go wrong: asked at each step, while something waits to go wrong."""

    @property
    def waiting(self) -> Sequence[Any]:
        """What waits to go wrong."""

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """Tasks have come to a step; `stream` is what the task is about to use."""


class Scheduler(Processes):
    """Who goes when."""

    def __init__(
        self, network: Network, waiting: Waiting, faults: StepFaults, max_steps: int, *, patches_time: bool
    ) -> None:
        super().__init__(network, max_steps)
        self.waiting = waiting
        self.patches_time = patches_time
        """Whether the clocks that its tasks read are virtual."""
        self._faults = faults
        self.steps = 0
        """How often a task has come to a point where another might have gone first."""
        self.on_step: Callable[[int, Task, Stream | None], None] | None = None
        """Called at each step, with its number; may break things."""
        self._steps_before = 0
        """How many steps there were when the test itself last went on."""
        self._half_time_us = 0
        """When half of the steps were made that the test allows."""
        self.was_run = False
        """Whether the test has let the tasks run."""
        self._is_asking = False
        """Whether the test's `until` is being asked."""

    # -- turns --------------------------------------------------------------------------------------------------

    def before_send(self, stream: Stream) -> None:
        """A program is about to send a method. Where it does no more than connect, nobody comes in between."""
        if self.current is not self.main and stream.connection is not None:
            if stream.connection.phase is Phase.RUNNING:
                self.give_way(None, stream)
            else:
                self._refuse_the_dead(self.current)

    def after_send(self, stream: Stream) -> None:
        """A program has sent what is not answered, and goes on, unless something goes wrong at just this moment.

        Others need not come in between, as they can before it says more.
        """
        if self.current.process is not None:
            self._step(self.current, self.current.process, stream)

    def before_connecting(self) -> None:
        """A program is about to connect."""
        if self.current is not self.main:
            self.give_way(None)

    def await_events(self, loop: StreamLoop) -> None:
        """A program goes on when its loop has something to do; before it reads what has arrived, others may come."""
        if not loop.is_ready():
            self.give_way(loop)
        elif self.current is not self.main:
            stream = loop.readable_stream()
            if stream is not None and stream.is_open_for_use:
                self.give_way(loop, stream)
            else:
                self._refuse_the_dead(self.current)

    def sit_out(self) -> None:
        """Whoever runs, and was stalled just now, goes on when that is over."""
        if self.current.stalled_until_us > self.clock.now_us:
            self.give_way(None)

    def sleep(self, seconds: float) -> None:
        """A program sleeps in virtual time."""
        until_us = self.clock.now_us + to_us(seconds)
        self.give_way(Moment(self.clock, until_us, "sleeps"))

    def run(self, until: Callable[[], Any] | None, seconds: float | None) -> None:
        """See `Broker.run`."""
        if self.current is not self.main:
            raise Misuse("run() is for the test; a task runs by itself")
        if until is not None and not callable(until):
            raise Misuse(f"until= takes a function that tells whether to stop, not {until!r}")
        limit_us = None if seconds is None else self.clock.now_us + to_us(seconds)
        self.was_run = True
        ending = Ending(self.clock, until, limit_us)
        self.give_way(ending)
        if until is not None and ending.is_too_late() and not until():
            raise Deadlock(f"after {seconds:g} virtual seconds, what run() was to wait for was still not true")

    def give_way(self, waiter: Waiter | Ending | None, stream: Stream | None = None) -> None:
        """Let others go first; return when whoever runs here is chosen again. `stream` is what it is about to use."""
        __tracebackhide__ = True
        fiber = self.current
        if fiber.process is not None:
            self._step(fiber, fiber.process, stream)
        elif self._is_asking:
            raise Misuse("until= is asked between the steps of tasks: it may look at things, but not wait for any")
        else:
            self._steps_before = self.steps
        fiber.waiter = waiter
        chosen = self._next()
        while chosen is not fiber:
            self.current = chosen
            chosen.greenlet.switch()
            chosen = fiber if self.current is fiber else self._next()  # the latter in the test, when a task is over
        self.current = fiber
        fiber.waiter = None
        if fiber.error is not None:
            error, fiber.error = fiber.error, None
            raise error
        self._refuse_the_dead(fiber)

    def _step(self, fiber: Fiber, task: Task, stream: Stream | None) -> None:
        """A task has come to a step, by itself or with one of its threads."""
        self._refuse_the_dead(fiber)
        self.steps += 1
        made = self.steps - self._steps_before
        if made == self.max_steps // 2:
            self._half_time_us = self.clock.now_us
        if made > self.max_steps:
            text = (
                f"no end is in sight after {self.max_steps} steps; the programs go on and on (if they should: "
                "run(seconds=...), run(until=...) or a higher max_steps)"
            )
            self.interrupt(Livelock(text, (self.clock.now_us - self._half_time_us) / 1e6))
        if self._faults.waiting:
            self._faults.at_step(self.steps, task, stream)
            self._refuse_the_dead(fiber)
        if self.on_step is not None:
            self.on_step(self.steps, task, stream)
            self._refuse_the_dead(fiber)

    def _next(self) -> Fiber:
        """Who goes next. What goes wrong while that is found out is for the test to hear of."""
        try:
            return self._choose()
        except BaseException as error:
            self.interrupt(error)
            return self.main

    def _choose(self) -> Fiber:
        """Who goes next. Lets time jump when nobody can go now."""
        world = self.world
        while True:
            if self.main.error is not None or self._is_over():
                return self.main
            ready = self._ready(self.clock.now_us)
            has_unsafe = world.has_unsafe_records()
            if ready:
                count = len(ready) + has_unsafe
                index = 0 if count == 1 else world.draw(SCHEDULE, count, [fiber.name for fiber in ready])
                if index < len(ready):
                    return ready[index]
                world.sync()
            elif not self._jump():
                return self.main

    def _is_over(self) -> bool:
        waiter = self.main.waiter
        if type(waiter) is not Ending:
            return False
        before, self.current, self._is_asking = self.current, self.main, True
        try:
            return waiter.is_ready()
        finally:
            self.current, self._is_asking = before, False

    def _ready(self, now_us: int) -> list[Fiber]:
        """Who could go on now: whoever runs first, then in the order of spawning, round and round."""
        fibers = self.fibers()
        if self.current in fibers and self.current is not fibers[0]:
            first = fibers.index(self.current)
            fibers = fibers[first:] + fibers[:first]
        return [fiber for fiber in fibers if type(fiber.waiter) is not Ending and fiber.is_ready(now_us)]

    def _jump(self) -> bool:
        """Nobody can go on now. Let time jump to where somebody can; False if that time never comes."""
        world = self.world
        now_us = self.clock.now_us
        fibers = self.fibers()
        deadlines = [fiber.next_deadline(now_us) for fiber in fibers]
        deadlines.append(world.next_deadline())
        deadline_us = min((each for each in deadlines if each is not None), default=None)
        has_work = self.network.has_work() or any(fiber.has_work(now_us) for fiber in fibers)
        if deadline_us is not None and has_work:
            world.move_clock(deadline_us)
            return True
        waiter = self.main.waiter
        stuck = knot(fibers)
        if stuck or not (isinstance(waiter, Ending) and waiter.ends_when_quiet):
            waits = [
                f"{fiber.name}: {explained(fiber.waiter, None if fiber is self.main else frame_of(fiber))}"
                for fiber in stuck or fibers
                if fiber.waiter is not None
            ]
            self.main.error = Deadlock(knot_story(waits) if stuck else deadlock_story(world, waits))
        return False
