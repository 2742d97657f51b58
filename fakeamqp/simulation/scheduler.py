"""The scheduler: who goes when among the test and its tasks.

A program runs until it talks to the broker or waits; there another may go first. Which one goes is drawn from the
broker's Chooser, so that a seed, a recorded list of choices or a search decides. Whoever runs is put first among
those that are ready: the choice 0 lets it go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import greenlet

from fakeamqp.node.connections import Phase
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.hanging import explained, frame_of
from fakeamqp.simulation.tasks import (
    RESTART_AFTER_SECONDS,
    SCHEDULE,
    THE_TEST,
    Ending,
    Livelock,
    Moment,
    Seat,
    Task,
    TaskExited,
    TaskKilled,
)
from fakeamqp.simulation.trace import TASK
from fakeamqp.simulation.waiting import Deadlock, Waiter, deadlock_story
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.clients.loop import VirtualIOLoop
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.network import Stream

PATIENCE = 100
"""How often a dead program may catch TaskKilled and go on, before it is left where it is for ever."""

_abandoned: list[Any] = []
"""Greenlets of dead programs that caught TaskKilled again and again; kept, as to free them is to let them go on."""


class Scheduler:
    """Who goes when."""

    def __init__(self, broker: SimulatedBroker, max_steps: int) -> None:
        self.broker = broker
        self.max_steps = max_steps
        self.steps = 0
        """How often a task has come to a point where another might have gone first."""
        self.main = Seat(THE_TEST)
        self.main.greenlet = greenlet.getcurrent()
        self.current: Seat = self.main
        self.tasks: list[Task] = []
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
        self._thread = threading.get_ident()

    def is_here(self) -> bool:
        """Whether this thread is the one where tasks live."""
        return threading.get_ident() == self._thread

    # -- tasks --------------------------------------------------------------------------------------------------

    def spawn(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        name: str | None,
        restart: bool | float,
    ) -> Task:
        """A new task, which begins at the next opportunity."""
        if not callable(function):
            raise Misuse(f"spawn takes a function and its arguments, not {function!r}; do not call it yourself")
        names = {task.name for task in self.tasks} | {THE_TEST}
        if name in names:
            raise Misuse(f"there is a task {name!r} already; give each a name of its own")
        wanted = name or str(getattr(function, "__name__", "task"))
        unique = wanted
        for number in range(2, len(names) + 3):
            if unique not in names:
                break
            unique = f"{wanted} {number}"
        restart_us = None if restart is False else to_us(RESTART_AFTER_SECONDS if restart is True else restart)
        task = Task(self, unique, function, args, kwargs, restart_us, len(self.tasks) + 1)
        self.tasks.append(task)
        self.start(task)
        return task

    def start(self, task: Task) -> None:
        """A task begins, or begins anew."""
        task.is_alive = True
        task.waiter = task.error = task.result = None
        task.stalled_until_us = 0
        task.starts += 1
        task.greenlet = greenlet.greenlet(lambda: self._run(task), self.main.greenlet)
        self._note(task, "starts" if task.starts == 1 else "starts again")
        if task.starts > self.max_steps:
            self.interrupt(Livelock(f"{task.name} fails and is started again and again, {self.max_steps} times by now"))

    def _run(self, task: Task) -> None:
        """From the program's beginning to its end. Of one that was killed it does not matter how it ends.

        Then control goes to the greenlet's parent: the test's, which chooses who goes next, or whoever has killed it.
        """
        here = greenlet.getcurrent()
        result = None
        try:
            result = task.function(*task.args, **task.kwargs)
        except SystemExit as exit_:
            if self._is_life_of(task, here) and exit_.code not in (None, 0):
                self._exited(task, exit_)
        except Exception as exception:
            if self._is_life_of(task, here):
                self._failed(task, exception, f"fails with {type(exception).__name__}: {exception}")
        except greenlet.GreenletExit:
            if self._is_life_of(task, here):
                self._end(task)
        except BaseException as interrupt:
            self.interrupt(interrupt)
            if self._is_life_of(task, here):
                self._end(task)
        if self._is_life_of(task, here):
            task.result = result
            self._note(task, "is through")
            self._end(task)

    @staticmethod
    def _is_life_of(task: Seat, here: Any) -> bool:
        return task.is_alive and task.greenlet is here

    def _exited(self, task: Task, exit_: SystemExit) -> None:
        status = repr(exit_.code) if isinstance(exit_.code, str) else exit_.code
        exited = TaskExited(f"{task.name} exits with {status}")
        exited.__cause__ = exit_
        self._failed(task, exited, f"exits with {status}")

    def _failed(self, task: Task, exception: Exception, words: str) -> None:
        task.exception = exception
        self._note(task, words, exception=type(exception).__name__)
        self._end(task)
        if task.restart_us is None:
            self.interrupt(exception)
        else:
            self._start_later(task, task.restart_us)

    def _start_later(self, task: Task, after_us: int) -> None:
        starts = task.starts

        def start() -> None:
            if task.starts == starts and not task.is_alive and task in self.tasks:
                self.start(task)

        self.broker.later(after_us / 1e6, start)

    def _end(self, task: Task) -> None:
        """A process is over: its sockets close."""
        task.is_alive = False
        task.waiter = None
        for stream in self.streams_of(task):
            stream.close()
            stream.break_off()

    def streams_of(self, task: Task) -> list[Stream]:
        """A task's connections, oldest first."""
        return [stream for stream in self.broker.open_streams() if stream.owner == task.name]

    def kill(self, task: Task) -> None:
        """See `Task.kill`."""
        self._refuse_the_dead(self.current)
        if not task.is_alive:
            return
        self._note(task, "dies")
        self._end(task)
        if task.greenlet is greenlet.getcurrent():
            raise TaskKilled
        if task.greenlet:  # it has begun and is not over
            self._unwind(task)

    def _unwind(self, task: Task) -> None:
        """A dead program's code comes to its end: what it still wants of the broker is refused, then we go on here."""
        ending = task.greenlet
        ending.parent = greenlet.getcurrent()
        before, self.current = self.current, task
        try:
            ending.throw(TaskKilled)
        finally:
            self.current = before

    def restart(self, task: Task) -> None:
        """See `Task.restart`."""
        if task is self.current:
            self._start_later(task, 0)
        self.kill(task)
        self.start(task)

    def interrupt(self, error: BaseException) -> None:
        """Have the test raise something as soon as the task that runs gives way; the first of several counts."""
        self.main.error = self.main.error or error

    def fall(self, task: Task) -> None:
        """A task is killed by a fault; its supervisor, if it has one, starts it again."""
        if task.restart_us is not None and task.is_alive:
            self._start_later(task, task.restart_us)
        self.kill(task)

    def close(self) -> None:
        """Kill all that is alive, and forget all tasks."""
        for task in self.tasks:
            self.kill(task)
        self.tasks.clear()
        self.main.error = None

    def adopt(self, stream: Stream) -> None:
        """Whoever runs has made a connection."""
        if self.current is not self.main:
            stream.owner = self.current.name

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
        if isinstance(self.current, Task):
            self._step(self.current, stream)

    def before_connecting(self) -> None:
        """A program is about to connect."""
        if self.current is not self.main:
            self.give_way(None)

    def await_events(self, loop: VirtualIOLoop) -> None:
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
        if self.current.stalled_until_us > self.broker.clock.now_us:
            self.give_way(None)

    def sleep(self, seconds: float) -> None:
        """A program sleeps in virtual time."""
        until_us = self.broker.clock.now_us + to_us(seconds)
        self.give_way(Moment(self.broker, until_us, "sleeps"))

    def run(self, until: Callable[[], Any] | None, seconds: float | None) -> None:
        """See `Broker.run`."""
        if self.current is not self.main:
            raise Misuse("run() is for the test; a task runs by itself")
        if until is not None and not callable(until):
            raise Misuse(f"until= takes a function that tells whether to stop, not {until!r}")
        limit_us = None if seconds is None else self.broker.clock.now_us + to_us(seconds)
        self.was_run = True
        ending = Ending(self.broker, until, limit_us)
        self.give_way(ending)
        if until is not None and ending.is_too_late() and not until():
            raise Deadlock(f"after {seconds:g} virtual seconds, what run() was to wait for was still not true")

    def give_way(self, waiter: Waiter | Ending | None, stream: Stream | None = None) -> None:
        """Let others go first; return when whoever runs here is chosen again. `stream` is what it is about to use."""
        __tracebackhide__ = True
        seat = self.current
        if isinstance(seat, Task):
            self._step(seat, stream)
        elif self._is_asking:
            raise Misuse("until= is asked between the steps of tasks: it may look at things, but not wait for any")
        else:
            self._steps_before = self.steps
        seat.waiter = waiter
        chosen = self._next()
        while chosen is not seat:
            self.current = chosen
            chosen.greenlet.switch()
            chosen = seat if self.current is seat else self._next()  # the latter in the test, when a task is over
        self.current = seat
        seat.waiter = None
        if seat.error is not None:
            error, seat.error = seat.error, None
            raise error
        self._refuse_the_dead(seat)

    def _step(self, task: Task, stream: Stream | None) -> None:
        self._refuse_the_dead(task)
        self.steps += 1
        made = self.steps - self._steps_before
        if made == self.max_steps // 2:
            self._half_time_us = self.broker.clock.now_us
        if made > self.max_steps:
            text = (
                f"no end is in sight after {self.max_steps} steps; the programs go on and on (if they should: "
                "run(seconds=...), run(until=...) or a higher max_steps)"
            )
            self.interrupt(Livelock(text, (self.broker.clock.now_us - self._half_time_us) / 1e6))
        faults = self.broker.faults
        if faults.waiting:
            faults.at_step(self.steps, task, stream)
            self._refuse_the_dead(task)
        if self.on_step is not None:
            self.on_step(self.steps, task, stream)
            self._refuse_the_dead(task)

    def _refuse_the_dead(self, seat: Seat) -> None:
        here: Any = greenlet.getcurrent()
        if self._is_life_of(seat, here) or seat is self.main:
            return
        here.refusals = getattr(here, "refusals", 0) + 1
        if here.refusals > PATIENCE:
            _abandoned.append(here)
            here.parent.switch()  # for ever
        raise TaskKilled

    def _next(self) -> Seat:
        """Who goes next. What goes wrong while that is found out is for the test to hear of."""
        try:
            return self._choose()
        except BaseException as error:
            self.interrupt(error)
            return self.main

    def _choose(self) -> Seat:
        """Who goes next. Lets time jump when nobody can go now."""
        broker = self.broker
        while True:
            if self.main.error is not None or self._is_over():
                return self.main
            ready = self._ready(broker.clock.now_us)
            has_unsafe = broker.has_unsafe_records()
            if ready:
                count = len(ready) + has_unsafe
                index = 0 if count == 1 else broker.choose(SCHEDULE, count, [seat.name for seat in ready])
                if index < len(ready):
                    return ready[index]
                broker.sync()
            elif not self._jump():
                return self.main

    def _is_over(self) -> bool:
        waiter = self.main.waiter
        if not isinstance(waiter, Ending):
            return False
        before, self.current, self._is_asking = self.current, self.main, True
        try:
            return waiter.is_ready()
        finally:
            self.current, self._is_asking = before, False

    def _ready(self, now_us: int) -> list[Seat]:
        """Who could go on now: whoever runs first, then in the order of spawning, round and round."""
        seats: list[Seat] = [self.main, *(task for task in self.tasks if task.is_alive)]
        if self.current in seats:
            first = seats.index(self.current)
            seats = seats[first:] + seats[:first]
        return [seat for seat in seats if not isinstance(seat.waiter, Ending) and seat.is_ready(now_us)]

    def _jump(self) -> bool:
        """Nobody can go on now. Let time jump to where somebody can; False if that time never comes."""
        broker = self.broker
        now_us = broker.clock.now_us
        seats: list[Seat] = [self.main, *(task for task in self.tasks if task.is_alive)]
        deadlines = [seat.next_deadline(now_us) for seat in seats]
        deadlines.append(broker.next_deadline())
        deadline_us = min((each for each in deadlines if each is not None), default=None)
        has_work = broker.has_work() or any(seat.has_work(now_us) for seat in seats)
        if deadline_us is not None and has_work:
            broker.move_clock(deadline_us)
            return True
        waiter = self.main.waiter
        if not (isinstance(waiter, Ending) and waiter.ends_when_quiet):
            waits = [
                f"{seat.name}: {explained(seat.waiter.explain(), frame_of(seat) if isinstance(seat, Task) else None)}"
                for seat in seats
                if seat.waiter is not None
            ]
            self.main.error = Deadlock(deadlock_story(broker, waits))
        return False

    def _note(self, task: Task, what: str, **details: Any) -> None:
        self.broker.trace.note(self.broker.clock.now_us, TASK, f"{task.name} {what}", task=task.name, **details)
