"""What a test does with tasks: spawn programs, and let them run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fakeamqp.simulation.record.events import THE_TEST
from fakeamqp.simulation.tasks.program_code import Program
from fakeamqp.simulation.tasks.waiting import Waiting
from fakeamqp.simulation.world.network import Network, Stream
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.simulation.tasks.scheduler import Scheduler, StepFaults
    from fakeamqp.simulation.tasks.tasks import Task


class TaskCommands:
    """The tasks of a broker; without greenlets there are none."""

    faults: StepFaults
    """Set by whoever lets things go wrong."""

    def __init__(self, network: Network, waiting: Waiting, max_steps: int, *, patches_time: bool) -> None:
        self._network = network
        self._waiting = waiting
        self._max_steps = max_steps
        self.patches_time = patches_time
        """Whether the clocks that tasks read are virtual."""
        self.scheduler: Scheduler | None = None
        """Who goes when, once there are tasks."""
        self._is_active = False
        """Whether pika is redirected to the broker."""

    def spawn(
        self,
        function: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        restart: bool | float = False,
        **kwargs: Any,
    ) -> Task:
        """Run a program, unchanged blocking code, as a task: `function(*args, **kwargs)` in a greenlet.

        It begins when the test next waits for something, or calls `run`. Tasks take turns where they talk to the
        broker or wait; who goes next is drawn from the seed. `name` is the function's by default. With `restart` a
        supervisor starts the program again a virtual second, or so many seconds, after it failed. Needs
        `fakeamqp[simulation]`; raises Misuse without, for a name that is taken, and in another thread than the first
        task's.
        """
        scheduler = self.needed_scheduler()
        program = Program(function, args, kwargs)
        if self._is_active:
            from fakeamqp.simulation.replacements.adoption import adopt  # here, as it imports much of Python's library

            program = adopt(program)
        return scheduler.spawn(program, name, restart)

    def run(self, *, until: Callable[[], Any] | None = None, seconds: float | None = None) -> None:
        """Let the tasks run: until nothing can happen any more, `until()` is true, or so many virtual seconds passed.

        Raises what a task has failed with, unless it is restarted; Livelock after more than `max_steps` steps;
        Deadlock if `until` never comes true.
        """
        self.needed_scheduler().run(until, seconds)

    def interrupt(self, error: BaseException) -> None:
        """Raise something in the test, out of the call in which that waits for the tasks."""
        self.needed_scheduler().interrupt(error)

    @property
    def steps(self) -> int:
        """How often tasks have come to a point where another might have gone first."""
        return 0 if self.scheduler is None else self.scheduler.steps

    def watch_steps(self, look: Callable[[int, Task, Stream | None], None]) -> None:
        """Have something called at each step of the tasks: with its number, the task, and what that is about to use."""
        self.needed_scheduler().on_step = look

    def choose(self, stream: str, count: int, among: Sequence[str] = ()) -> int:
        """Draw an int below `count` from `stream`; `among` names the first possibilities."""
        return self._network.world.draw(stream, count, among, asked_by=self._runner())

    def _runner(self) -> str:
        """The name of the task that runs here, or the test's."""
        scheduler = self.scheduler
        process = scheduler.current.process if scheduler is not None and scheduler.is_here() else None
        return THE_TEST if process is None else process.name

    def named(self, name: str) -> Task:
        """The task of a name. Raises Misuse where there is none."""
        for task in () if self.scheduler is None else self.scheduler.tasks:
            if task.name == name:
                return task
        raise Misuse(f"there is no task {name!r}; give a task that was spawned")

    def never_ran(self) -> list[str]:
        """The names of the tasks that were spawned, where nobody has let them run."""
        if self.scheduler is None or self.scheduler.was_run:
            return []
        return [task.name for task in self.scheduler.tasks if task.never_ran]

    def needed_scheduler(self) -> Scheduler:
        """The scheduler, made where there is none yet. Raises Misuse without greenlets, and in another thread."""
        if self.scheduler is None:
            try:
                from fakeamqp.simulation.tasks.scheduler import Scheduler
            except ImportError:
                raise Misuse("tasks need greenlets: pip install 'fakeamqp[simulation]'") from None
            self.scheduler = Scheduler(
                self._network, self._waiting, self.faults, self._max_steps, patches_time=self.patches_time
            )
            self._network.turns = self.scheduler
            if self._is_active:
                self.activate()
        elif not self.scheduler.is_here():
            raise Misuse("a broker's tasks live in the thread where the first was spawned; this is another one")
        return self.scheduler

    def activate(self) -> None:
        """pika is redirected from now on: what tasks call of Python's clocks, locks and threads is replaced."""
        self._is_active = True
        if self.scheduler is not None:
            self._replacements().install(self.scheduler)

    def end(self) -> None:
        """Kill and forget all tasks; time is not virtual any more."""
        self._is_active = False
        if self.scheduler is not None:
            if self.scheduler.is_here():
                self.scheduler.close()
            self._replacements().uninstall(self.scheduler)

    @staticmethod
    def _replacements() -> Any:
        from fakeamqp.simulation.replacements import replacing  # here, as it imports much of Python's library

        return replacing
