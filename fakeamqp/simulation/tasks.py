"""Tasks: unchanged blocking programs that take turns, each in a greenlet of its own.

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
from fakeamqp.simulation.trace import TASK
from fakeamqp.simulation.waiting import Deadlock, Waiter, deadlock_story
from fakeamqp.spec.errors import FakeamqpError, Misuse

if TYPE_CHECKING:
    from fakeamqp.clients.loop import VirtualIOLoop
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.network import Stream

THE_TEST = "the test"
SCHEDULE = "schedule"
"""The stream of choices who goes next."""
RESTART_AFTER_SECONDS = 1.0
"""How long a supervisor waits before it starts a program again that has failed."""


class TaskKilled(greenlet.GreenletExit):
    """Unwinds a program that was killed; whatever it still tries to say to the broker raises this again."""


class Livelock(FakeamqpError):
    """The programs go on and on: more steps were made than `max_steps` allows."""


class Moment:
    """A waiter for a time."""

    def __init__(self, broker: SimulatedBroker, until_us: int, what: str) -> None:
        self._broker = broker
        self._until_us = until_us
        self._what = what

    def next_deadline(self) -> int | None:
        """The time itself."""
        return self._until_us

    def has_work(self) -> bool:
        """Something goes on then."""
        return True

    def is_ready(self) -> bool:
        """Whether it has come."""
        return self._broker.clock.now_us >= self._until_us

    def explain(self) -> str:
        """In words."""
        return f"{self._what} until {self._until_us / 1e6:g} s"


class Ending:
    """A waiter for the end: that nothing can happen any more, that a predicate is true, or that a time has come."""

    def __init__(self, broker: SimulatedBroker, until: Callable[[], Any] | None, limit_us: int | None) -> None:
        self._broker = broker
        self._until = until
        self._limit_us = limit_us

    def next_deadline(self) -> int | None:
        """The latest time, if there is one."""
        return self._limit_us

    def has_work(self) -> bool:
        """Whether there is a latest time."""
        return self._limit_us is not None

    def is_ready(self) -> bool:
        """Whether what was waited for is there."""
        if self._limit_us is not None and self._broker.clock.now_us >= self._limit_us:
            return True
        return self._until is not None and bool(self._until())

    @property
    def ends_when_quiet(self) -> bool:
        """Whether it is over, too, once nothing can happen any more."""
        return self._until is None

    def explain(self) -> str:
        """In words."""
        return f"run() waits until {getattr(self._until, '__qualname__', 'the end')}"


class Seat:
    """Somebody who takes turns: the test itself, or a task."""

    is_alive = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.greenlet: Any = None
        self.waiter: Waiter | Ending | None = None
        """What it waits for; None if it could go on."""
        self.stalled_until_us = 0
        self.error: BaseException | None = None
        """What it is to raise when it goes on."""
        self.streams: list[Stream] = []
        """Its connections."""

    def is_ready(self, now_us: int) -> bool:
        """Whether it could go on now."""
        return now_us >= self.stalled_until_us and (self.waiter is None or self.waiter.is_ready())

    def next_deadline(self, now_us: int) -> int | None:
        """When it wants to go on by itself, microseconds."""
        found = None if self.waiter is None else self.waiter.next_deadline()
        if self.stalled_until_us > now_us:
            return self.stalled_until_us if found is None else max(self.stalled_until_us, found)
        return found

    def has_work(self, now_us: int) -> bool:
        """Whether its deadline may bring it further."""
        return self.stalled_until_us > now_us or (self.waiter is not None and self.waiter.has_work())


class Task(Seat):
    """A program, made by `broker.spawn`."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        restart_us: int | None,
        number: int,
    ) -> None:
        super().__init__(name)
        self.number = number
        self._scheduler = scheduler
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.restart_us = restart_us
        """How long after its failure it is started again, microseconds; None if it is not."""
        self.is_alive = False
        self.result: Any = None
        """What it has returned."""
        self.exception: BaseException | None = None
        """What it has failed with, the last time."""
        self.starts = 0

    def __repr__(self) -> str:
        return f"<Task {self.name!r}, {'alive' if self.is_alive else 'over'}>"

    def kill(self) -> None:
        """The process dies: its connections drop, and nothing that it still wanted to say reaches the broker.

        Its code is unwound, so that what it holds itself (a database transaction, a lock) is given back as by an
        operating system. Does nothing to a task that is over.
        """
        self._scheduler.kill(self)

    def restart(self) -> None:
        """Start the program again from its beginning; kills it first if it runs."""
        self._scheduler.kill(self)
        self._scheduler.start(self)

    def stall(self, seconds: float) -> None:
        """The program does nothing for so many virtual seconds, connected or not, as if it computed."""
        self.stalled_until_us = self._scheduler.broker.clock.now_us + to_us(seconds)


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
        self._thread = threading.get_ident()
        self._hub = greenlet.greenlet(self._serve)

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
        task.waiter = task.error = None
        task.stalled_until_us = 0
        task.starts += 1
        task.greenlet = greenlet.greenlet(lambda: self._run(task), self._hub)
        self._note(task, "starts" if task.starts == 1 else "starts again")

    def _run(self, task: Task) -> None:
        try:
            result = task.function(*task.args, **task.kwargs)
        except greenlet.GreenletExit:
            return  # whoever killed it has seen to the rest
        except Exception as exception:
            if self._is_current_life(task):
                self._failed(task, exception)
        except BaseException as interrupt:
            self.interrupt(interrupt)
            self._end(task)
        else:
            if self._is_current_life(task):
                task.result = result
                self._note(task, "is through")
                self._end(task)

    @staticmethod
    def _is_current_life(task: Task) -> bool:
        """Whether the program that runs here was not killed: what a killed one still comes to means nothing.

        While it is unwound it may fail in its own way, as pika does when a connection that was being opened is closed.
        """
        return task.is_alive and task.greenlet is greenlet.getcurrent()

    def _failed(self, task: Task, exception: Exception) -> None:
        task.exception = exception
        self._note(task, f"fails with {type(exception).__name__}: {exception}", exception=type(exception).__name__)
        self._end(task)
        if task.restart_us is None:
            self.interrupt(exception)
        else:
            self._start_later(task, task.restart_us)

    def _start_later(self, task: Task, after_us: int) -> None:
        starts = task.starts

        def start() -> None:
            if task.starts == starts and not task.is_alive:
                self.start(task)

        self.broker.later(after_us / 1e6, start)

    def _end(self, task: Task) -> None:
        """A process is over: its sockets close."""
        task.is_alive = False
        task.waiter = None
        streams, task.streams = task.streams, []
        for stream in streams:
            stream.close()
            stream.break_off()

    def kill(self, task: Task) -> None:
        """See `Task.kill`."""
        if not task.is_alive:
            return
        self._note(task, "dies")
        self._end(task)
        here = greenlet.getcurrent()
        if task.greenlet is here:
            raise TaskKilled
        if task.greenlet:  # it has begun and is not over
            task.greenlet.parent = here
            task.greenlet.throw(TaskKilled)

    def interrupt(self, error: BaseException) -> None:
        """Have the test raise something as soon as the task that runs gives way; the first of several counts."""
        self.main.error = self.main.error or error

    def fall(self, task: Task) -> None:
        """A task is killed by a fault; its supervisor, if it has one, starts it again."""
        if task.restart_us is not None:
            self._start_later(task, task.restart_us)
        self.kill(task)

    def close(self) -> None:
        """Kill all that is alive, and leave nothing suspended: a greenlet that is holds all it knows for ever."""
        for task in self.tasks:
            self.kill(task)
        self._hub.parent = greenlet.getcurrent()
        self._hub.throw(greenlet.GreenletExit)
        self._hub = greenlet.greenlet(self._serve)

    def adopt(self, stream: Stream) -> None:
        """Whoever runs has made a connection."""
        self.current.streams.append(stream)
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

    def sleep(self, seconds: float) -> None:
        """A program sleeps in virtual time."""
        until_us = self.broker.clock.now_us + to_us(seconds)
        self.give_way(Moment(self.broker, until_us, "sleeps"))

    def run(self, until: Callable[[], Any] | None, seconds: float | None) -> None:
        """See `Broker.run`."""
        if self.current is not self.main:
            raise Misuse("run() is for the test; a task runs by itself")
        limit_us = None if seconds is None else self.broker.clock.now_us + to_us(seconds)
        self.give_way(Ending(self.broker, until, limit_us))
        if until is not None and not until():
            raise Deadlock(f"after {seconds:g} virtual seconds, what run() was to wait for was still not true")

    def give_way(self, waiter: Waiter | Ending | None, stream: Stream | None = None) -> None:
        """Let others go first; return when whoever runs here is chosen again. `stream` is what it is about to use."""
        __tracebackhide__ = True
        seat = self.current
        if isinstance(seat, Task):
            self._step(seat, stream)
        seat.waiter = waiter
        chosen = self._choose()
        if chosen is not seat:
            self.current = chosen
            chosen.greenlet.switch()
        seat.waiter = None
        if seat.error is not None:
            error, seat.error = seat.error, None
            raise error
        self._refuse_the_dead(seat)

    def _step(self, task: Task, stream: Stream | None) -> None:
        self._refuse_the_dead(task)
        self.steps += 1
        if self.steps > self.max_steps:
            self.interrupt(
                Livelock(
                    f"no end is in sight after {self.max_steps} steps; the programs go on and on (if they should: "
                    "run(seconds=...), run(until=...) or a higher max_steps)"
                )
            )
        faults = self.broker.faults
        if faults.waiting:
            faults.at_step(self.steps, task, stream)
            self._refuse_the_dead(task)
        if self.on_step is not None:
            self.on_step(self.steps, task, stream)
            self._refuse_the_dead(task)

    @staticmethod
    def _refuse_the_dead(seat: Seat) -> None:
        if not seat.is_alive or seat.greenlet is not greenlet.getcurrent():
            raise TaskKilled

    def _serve(self, _: object) -> None:
        """The hub: where control comes when a task is over."""
        while True:
            self.current = self._choose()
            self.current.greenlet.switch()

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
        return isinstance(self.main.waiter, Ending) and self.main.waiter.is_ready()

    def _ready(self, now_us: int) -> list[Seat]:
        """Who could go on now: whoever runs first, then in the order of spawning, round and round."""
        seats: list[Seat] = [self.main, *(task for task in self.tasks if task.is_alive)]
        if self.current in seats:
            first = seats.index(self.current)
            seats = seats[first:] + seats[:first]
        return [seat for seat in seats if seat.is_ready(now_us)]

    def _jump(self) -> bool:
        """Nobody can go on now. Let time jump to where somebody can; False if that time never comes."""
        broker = self.broker
        now_us = broker.clock.now_us
        seats: list[Seat] = [self.main, *(task for task in self.tasks if task.is_alive)]
        deadlines = [seat.next_deadline(now_us) for seat in seats]
        deadlines.append(broker.next_deadline())
        deadline_us = min((each for each in deadlines if each is not None), default=None)
        has_work = (
            broker.has_work()
            or any(seat.has_work(now_us) for seat in seats)
            or any(stream.is_being_missed for seat in seats for stream in seat.streams)
        )
        if deadline_us is not None and has_work:
            broker.move_clock(deadline_us)
            return True
        waiter = self.main.waiter
        if not (isinstance(waiter, Ending) and waiter.ends_when_quiet):
            waits = [f"{seat.name}: {seat.waiter.explain()}" for seat in seats if seat.waiter is not None]
            self.main.error = Deadlock(deadlock_story(broker, waits))
        return False

    def _note(self, task: Task, what: str, **details: Any) -> None:
        self.broker.trace.note(self.broker.clock.now_us, TASK, f"{task.name} {what}", task=task.name, **details)
