"""The processes of a run: the programs that were spawned, from their starts to their ends or deaths."""

from __future__ import annotations

import _thread
import abc
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import greenlet

from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.record.events import THE_TEST
from fakeamqp.simulation.record.trace import TASK
from fakeamqp.simulation.tasks.program_code import Program
from fakeamqp.simulation.tasks.task_waiters import JoinWaiter
from fakeamqp.simulation.tasks.tasks import (
    RESTART_AFTER_SECONDS,
    Fiber,
    Livelock,
    Task,
    TaskExited,
    TaskThread,
)
from fakeamqp.simulation.tasks.waiters import Ending, Waiter
from fakeamqp.simulation.world.network import Network, Stream
from fakeamqp.spec.errors import Misuse

IDENTITIES = 1 << 40
"""Where the identities of tasks' threads begin: no real thread has such."""
PATIENCE = 100
"""How often a dead program may catch TaskKilled and go on, before it is left where it is for ever."""

_abandoned: list[Any] = []
"""Greenlets of dead programs that caught TaskKilled again and again; kept, as to free them is to let them go on."""


class TaskKilled(greenlet.GreenletExit):
    """Unwinds a program that was killed; whatever it still tries to say to the broker raises this again."""


class Processes(abc.ABC):
    """The tasks and their threads."""

    def __init__(self, network: Network, max_steps: int) -> None:
        self.network = network
        self.world = network.world
        self.clock = network.world.clock
        self.max_steps = max_steps
        self.main = Fiber(THE_TEST)
        self.main.greenlet = greenlet.getcurrent()
        self.current: Fiber = self.main
        self.tasks: list[Task] = []
        self.threads: list[TaskThread] = []
        """The threads of all tasks that have not ended, oldest first."""
        self._fibers: list[Fiber] | None = None
        """Whoever takes turns; None when somebody has begun or ended, and it is to be made anew."""
        self._identities = itertools.count(IDENTITIES)
        self._thread = _thread.get_ident()

    @abc.abstractmethod
    def give_way(self, waiter: Waiter | Ending | None, stream: Stream | None = None) -> None:
        """Let others go first; return when whoever runs here is chosen again. `stream` is what it is about to use."""

    def is_here(self) -> bool:
        """Whether this thread is the one where tasks live."""
        return _thread.get_ident() == self._thread

    def fibers(self) -> list[Fiber]:
        """Whoever takes turns: the test, the tasks that are alive, their threads. The list is not to be changed."""
        if self._fibers is None:
            self._fibers = [self.main, *(task for task in self.tasks if task.is_alive), *self.threads]
        return self._fibers

    # -- beginnings ---------------------------------------------------------------------------------------------

    def spawn(self, program: Program, name: str | None, restart: bool | float) -> Task:
        """A new task, which begins at the next opportunity."""
        function = program.function
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
        task = Task(self, unique, program, restart_us, len(self.tasks) + 1)
        self.tasks.append(task)
        self.start(task)
        return task

    def start(self, task: Task) -> None:
        """A task begins, or begins anew."""
        task.begin()
        self._fibers = None
        task.greenlet = greenlet.greenlet(lambda: self._run(task), self.main.greenlet)
        self._note(task, "starts" if task.starts == 1 else "starts again")
        if task.starts > self.max_steps:
            self.interrupt(Livelock(f"{task.name} fails and is started again and again, {self.max_steps} times by now"))

    def start_thread(self, process: Task, thread: Any, run: Callable[[], Exception | None]) -> TaskThread:
        """A thread of a task begins, at the next opportunity. `run` returns what it has raised."""
        self._refuse_the_dead(self.current)
        fiber = TaskThread(process, thread, next(self._identities))
        fiber.greenlet = greenlet.greenlet(lambda: self._run_thread(fiber, run), self.main.greenlet)
        process.threads.append(fiber)
        self.threads.append(fiber)
        self._fibers = None
        self._note(process, f"starts {thread.name}")
        return fiber

    def adopt(self, stream: Stream) -> None:
        """Whoever runs has made a connection."""
        if self.current.process is not None:
            stream.owner = self.current.process.name

    def streams_of(self, task: Task) -> list[Stream]:
        """A task's connections, oldest first."""
        return [stream for stream in self.network.open_streams() if stream.owner == task.name]

    # -- lives and ends -----------------------------------------------------------------------------------------

    def _run(self, task: Task) -> None:
        """From the program's beginning to its end. Of one that was killed it does not matter how it ends.

        Then control goes to the greenlet's parent: the test's, which chooses who goes next, or whoever has killed it.
        """
        here = greenlet.getcurrent()
        result = None
        try:
            result = self._run_program(task)
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

    def _run_program(self, task: Task) -> Any:
        """The program; then its process waits for its threads. A failure that ends the test is told before that."""
        try:
            result = task.program.function(*task.program.args, **task.program.kwargs)
        except (Exception, SystemExit):
            if task.restart_us is not None:
                self._await_threads(task)
            raise
        self._await_threads(task)
        return result

    def _await_threads(self, task: Task) -> None:
        """What Python does at the end of a program."""
        with _idle_threads_end(tuple(task.executors)):
            while awaited := [fiber for fiber in task.threads if not fiber.thread.daemon]:
                self.give_way(JoinWaiter(self.clock, awaited))

    def _run_thread(self, fiber: TaskThread, run: Callable[[], Exception | None]) -> None:
        """From a thread's beginning to its end."""
        try:
            exception = run()
            if fiber.is_alive and exception is not None:
                words = f"{type(exception).__name__}: {exception}"
                self._note(fiber.process, f"goes on without {fiber.thread.name}, which fails with {words}")
        except greenlet.GreenletExit:
            pass
        except BaseException as interrupt:
            self.interrupt(interrupt)
        if fiber.is_alive:
            self._forget(fiber)

    def _forget(self, fiber: TaskThread) -> None:
        fiber.is_alive = False
        fiber.waiter = None
        fiber.process.threads.remove(fiber)
        self.threads.remove(fiber)
        self._fibers = None

    @staticmethod
    def _is_life_of(fiber: Fiber, here: Any) -> bool:
        return fiber.is_alive and fiber.greenlet is here

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

        self.world.later(after_us / 1e6, start)

    def _end(self, task: Task) -> None:
        """A process is over: its sockets close, its threads die, and its code comes to its end."""
        task.is_alive = False
        task.waiter = None
        self._fibers = None
        for stream in self.streams_of(task):
            stream.close()
            stream.break_off()
        threads = tuple(task.threads)
        for fiber in threads:
            self._forget(fiber)
        here = greenlet.getcurrent()
        for each in (task, *threads):
            if each.greenlet and each.greenlet is not here:  # it has begun and is not over
                self._unwind(each)

    def _unwind(self, fiber: Fiber) -> None:
        """Unwind a killed task; its broker calls raise TaskKilled."""
        ending = fiber.greenlet
        ending.parent = greenlet.getcurrent()
        before, self.current = self.current, fiber
        try:
            ending.throw(TaskKilled)
        finally:
            self.current = before

    # -- deaths -------------------------------------------------------------------------------------------------

    def kill(self, task: Task) -> None:
        """See `Task.kill`."""
        self._refuse_the_dead(self.current)
        if not task.is_alive:
            return
        self._note(task, "dies")
        self._end(task)
        if self.current.process is task:
            raise TaskKilled

    def restart(self, task: Task) -> None:
        """See `Task.restart`."""
        if task is self.current.process:
            self._start_later(task, 0)
        self.kill(task)
        self.start(task)

    def fall(self, task: Task) -> None:
        """A task is killed by a fault; its supervisor, if it has one, starts it again."""
        if task.restart_us is not None and task.is_alive:
            self._start_later(task, task.restart_us)
        self.kill(task)

    def interrupt(self, error: BaseException) -> None:
        """Raise `error` in the test at the next switch; the first wins."""
        self.main.error = self.main.error or error

    def close(self) -> None:
        """Kill all that is alive, and forget all tasks."""
        for task in self.tasks:
            self.kill(task)
        self.tasks.clear()
        self._fibers = None
        self.main.error = None

    def _refuse_the_dead(self, fiber: Fiber) -> None:
        here: Any = greenlet.getcurrent()
        if (fiber.is_alive and fiber.greenlet is here) or fiber is self.main:
            return
        here.refusals = getattr(here, "refusals", 0) + 1
        if here.refusals > PATIENCE:
            _abandoned.append(here)
            here.parent.switch()  # for ever
        raise TaskKilled

    def _note(self, task: Task, what: str, **details: Any) -> None:
        self.world.trace.note(self.clock.now_us, TASK, f"{task.name} {what}", task=task.name, **details)


@contextlib.contextmanager
def _idle_threads_end(executors: Iterable[Any]) -> Iterator[None]:
    """In here the threads of thread pools end when they have nothing to do; the pools can be used again afterwards."""
    kept = [executor for executor in executors if not executor._shutdown]
    for executor in kept:
        executor.shutdown(wait=False)
    try:
        yield
    finally:
        for executor in kept:
            executor._shutdown = False
            while executor._work_queue.qsize():
                executor._work_queue.get_nowait()  # what has told its threads to end
