"""Threads that a task starts: they take turns like tasks, and belong to its process, with which they die.

When the program of a task ends, its process waits for its threads as Python does, all but daemons, and lets idle
executors go. What a thread raises goes to
`threading.excepthook`, and in explored runs to the story alone; its process goes on. What the test starts is real.
"""

from __future__ import annotations

import _threading_local
import concurrent.futures.thread
import functools
import multiprocessing.process
import queue
import re
import sys
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from fakeamqp.simulation.replacements.locks import Lock
from fakeamqp.simulation.replacements.presence import is_searching, real_threads, scheduler_here
from fakeamqp.simulation.tasks.task_waiters import JoinWaiter
from fakeamqp.simulation.tasks.tasks import Task, TaskThread
from fakeamqp.spec.errors import Misuse

COUNTED = re.compile(r"^(Thread-|ThreadPoolExecutor-)(\d+)")
"""Names that threading counts up in this interpreter, which a real process would count from its beginning."""

_REAL_START = threading.Thread.start
_REAL_SUBMIT = ThreadPoolExecutor.submit
_REAL_PROCESS_START = multiprocessing.process.BaseProcess.start
_REAL_CURRENT_THREAD = threading.current_thread
_REAL_GET_IDENT = threading.get_ident
_REAL_ENUMERATE = threading.enumerate
_REAL_SIMPLE_QUEUE = queue.SimpleQueue


class _InTask(threading.Thread):
    """A thread that a task has started; such are made of threads of any class."""

    _fiber: TaskThread

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most so many virtual seconds."""
        scheduler = scheduler_here()
        if scheduler is None or not self._fiber.is_alive:
            return
        if scheduler.current is self._fiber:
            raise RuntimeError("cannot join current thread")
        scheduler.give_way(JoinWaiter(scheduler.clock, [self._fiber], timeout))

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._fiber.is_alive

    @property
    def native_id(self) -> int | None:
        """Its number."""
        return self._fiber.identity


@functools.cache
def _in_task_class(cls: Any) -> type[Any]:
    return type(cls.__name__, (_InTask, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def _start(thread: Any) -> None:
    """`threading.Thread.start`."""
    scheduler = scheduler_here()
    process = _process_here()
    if scheduler is None or process is None:
        with real_threads():
            _REAL_START(thread)
        return
    if not thread._initialized:
        raise RuntimeError("thread.__init__() not called")
    if thread._started.is_set():
        raise RuntimeError("threads can only be started once")
    thread.name = COUNTED.sub(lambda found: _counted(process, *found.groups()), thread.name)
    thread.__class__ = _in_task_class(cast("Hashable", type(thread)))
    thread._fiber = scheduler.start_thread(process, thread, functools.partial(_run, thread))
    thread._ident = thread._fiber.identity
    thread._started.set()
    scheduler.give_way(None)


def _process_here() -> Task | None:
    """The task whose thread would be started here, unless asyncio's event loop runs: that waits for real threads."""
    scheduler = scheduler_here()
    asyncio = sys.modules.get("asyncio")
    if scheduler is None or (asyncio is not None and asyncio._get_running_loop() is not None):
        return None
    return scheduler.current.process


def _counted(process: Task, kind: str, number: str) -> str:
    """The beginning of a thread's name, as if Python had begun to count with this life of a process."""
    return f"{kind}{process.counted(kind, number) + (kind == 'Thread-')}"


def _run(thread: threading.Thread) -> Exception | None:
    """A thread's life; what it has raised."""
    try:
        thread.run()
    except SystemExit:
        pass
    except Exception as exception:
        if not is_searching():
            told = (type(exception), exception, exception.__traceback__, thread)
            threading.excepthook(threading.ExceptHookArgs(told))
        return exception
    return None


def _thread_here() -> Any:
    """The thread of a task that runs here, if one does."""
    scheduler = scheduler_here()
    return None if scheduler is None else scheduler.current.thread


def _current_thread() -> threading.Thread:
    thread: threading.Thread = _thread_here() or _REAL_CURRENT_THREAD()
    return thread


def _get_ident() -> int:
    thread = _thread_here()
    return _REAL_GET_IDENT() if thread is None else thread._ident


def _enumerate() -> list[threading.Thread]:
    scheduler = scheduler_here()
    process = None if scheduler is None else scheduler.current.process
    if process is None:
        return _REAL_ENUMERATE()
    return [threading.main_thread(), *(fiber.thread for fiber in process.threads)]


def _active_count() -> int:
    return len(_enumerate())


def _whose_locals() -> Any:
    """Whose the values of a `threading.local` are: each life of a task has its own, and each of its threads."""
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current.process is None:
        return _REAL_CURRENT_THREAD()
    return scheduler.current.greenlet


def _submit(executor: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """`ThreadPoolExecutor.submit`."""
    process = _process_here()
    if process is not None:
        _prepare(executor)
        process.executors[executor] = None
    return _REAL_SUBMIT(executor, function, *args, **kwargs)


def _prepare(executor: Any) -> None:
    """An executor may have been made before there were tasks, or have lost its threads with another process."""
    if any(not isinstance(thread, _InTask) for thread in executor._threads):
        raise Misuse(
            "a task uses a ThreadPoolExecutor whose threads were started outside of tasks; make it inside the task, "
            "so that its threads are the task's"
        )
    if isinstance(executor._work_queue, _REAL_SIMPLE_QUEUE):
        executor._work_queue = queue.SimpleQueue()
        executor._shutdown_lock = threading.Lock()
    executor._threads = _Threads.fromkeys(thread for thread in executor._threads if thread.is_alive())
    if not executor._threads:
        executor._idle_semaphore = threading.Semaphore(0)


class _Threads(dict[Any, None]):
    """A set of threads in an order that no address decides."""

    def add(self, thread: Any) -> None:
        """One more."""
        self[thread] = None


def _refuse_process(process: Any) -> None:
    """`multiprocessing.Process.start`."""
    if _process_here() is not None:
        raise Misuse(
            "a task cannot start another process (multiprocessing): it would not reach this broker. Run what it is to "
            "do as a task of its own (broker.spawn) or in a thread"
        )
    _REAL_PROCESS_START(process)


FUNCTIONS = (
    ("current_thread", _REAL_CURRENT_THREAD, _current_thread),
    ("currentThread", threading.currentThread, _current_thread),
    ("get_ident", _REAL_GET_IDENT, _get_ident),
    ("enumerate", _REAL_ENUMERATE, _enumerate),
    ("active_count", threading.active_count, _active_count),
)
"""The name, the real function, and ours."""

METHODS = (
    (threading.Thread, "start", _start),
    (ThreadPoolExecutor, "submit", _submit),
    (multiprocessing.process.BaseProcess, "start", _refuse_process),
    (_threading_local, "current_thread", _whose_locals),
    (concurrent.futures.thread, "_global_shutdown_lock", Lock(concurrent.futures.thread._global_shutdown_lock)),
)
"""The class or module, the name, and ours."""
