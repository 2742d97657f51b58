"""Locks that give way: while a task waits for one, the others go on.

`threading.Condition`, `Event`, `Semaphore`, `Barrier`, `queue.Queue` and futures are made of locks, and so give way
as well. Outside of tasks a lock is what a real one is: it has one inside.
"""

from __future__ import annotations

import _thread
import _threading_local
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from fakeamqp.simulation.replacements.presence import scheduler_here
from fakeamqp.simulation.tasks.scheduler import Scheduler
from fakeamqp.simulation.tasks.task_waiters import LOCK, NOTIFICATION, LockWaiter

FOR_EVER = -1


def _runner() -> Any:
    """Who runs here: a task or one of its threads; or the identity of a real thread, which is also the test's."""
    scheduler = scheduler_here()
    if scheduler is None or scheduler.current is scheduler.main:
        return _thread.get_ident()
    return scheduler.current


class _Lock:
    """What is held in a `with` block."""

    __slots__ = ()
    acquire: Callable[[], bool]
    release: Callable[[], None]

    def __enter__(self) -> bool:
        __tracebackhide__ = True
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Lock(_Lock):
    """`threading.Lock`."""

    __slots__ = ("__weakref__", "_real", "holder")

    def __init__(self, real: Any = None) -> None:
        self._real = _thread.allocate_lock() if real is None else real
        self.holder: Any = None
        """Who has acquired it."""

    def acquire(self, blocking: bool = True, timeout: float = FOR_EVER) -> bool:
        """Take the lock; whether that succeeded. `timeout` is in virtual seconds inside tasks."""
        __tracebackhide__ = True
        if (blocking and timeout == FOR_EVER and self._real.acquire(False)) or self._wait(blocking, timeout):
            self.holder = _runner()
            return True
        return False

    def _wait(self, blocking: bool, timeout: float) -> bool:
        scheduler = scheduler_here()
        if scheduler is None or not blocking or self._is_for_real_threads(scheduler):
            return bool(self._real.acquire(blocking, timeout))
        if timeout < 0 and timeout != FOR_EVER:
            raise ValueError("timeout value must be a non-negative number")
        is_notified = _is_called_by(threading.Condition.wait)
        seconds = None if timeout == FOR_EVER else timeout
        waiter = LockWaiter(self, scheduler.main, scheduler.clock, seconds, NOTIFICATION if is_notified else LOCK)
        while not self._real.acquire(False):
            if waiter.is_too_late():
                return False
            scheduler.give_way(waiter)
        return True

    def _is_for_real_threads(self, scheduler: Scheduler) -> bool:
        """Whether it is a real thread that has it, or may give it back to the test."""
        if isinstance(self.holder, int) and self.holder != _thread.get_ident():
            return True
        return scheduler.current is scheduler.main and scheduler.waiting.others_may_act()

    def release(self) -> None:
        """Give the lock back. Raises RuntimeError where nobody holds it."""
        runner = _runner()
        if self.holder is not runner and not getattr(runner, "is_alive", True):
            return  # it died while it waited for this lock, and was never given it
        self._real.release()
        self.holder = None

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return bool(self._real.locked())

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} {type(self).__name__} at {id(self):#x}>"

    def _at_fork_reinit(self) -> None:
        self._real = _thread.allocate_lock()
        self.holder = None


def _is_called_by(function: Any) -> bool:
    """Whether it is this function that calls the method of a lock."""
    return sys._getframe(3).f_code is function.__code__


class RLock(_Lock):
    """`threading.RLock`."""

    __slots__ = ("__weakref__", "_block", "_count", "_owner")

    def __init__(self) -> None:
        self._block = Lock()
        self._owner: Any = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = FOR_EVER) -> bool:
        """Take the lock, again if one has it already; whether that succeeded."""
        __tracebackhide__ = True
        if not self._is_owned():
            if not self._block.acquire(blocking, timeout):
                return False
            self._owner = _runner()
        self._count += 1
        return True

    def release(self) -> None:
        """Give the lock back once. Raises RuntimeError for whoever does not hold it."""
        if not self._is_owned():
            if not getattr(_runner(), "is_alive", True):
                return  # see Lock.release
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._block.release()

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._block.locked()

    def __repr__(self) -> str:
        state = f"{'locked' if self.locked() else 'unlocked'} {type(self).__name__}, count={self._count}"
        return f"<{state} at {id(self):#x}>"

    # What threading.Condition asks of its lock:

    def _is_owned(self) -> bool:
        return self._owner is not None and self._owner == _runner()

    def _recursion_count(self) -> int:
        return self._count if self._is_owned() else 0

    def _release_save(self) -> tuple[int, Any]:
        if not self._is_owned():
            raise RuntimeError("cannot release un-acquired lock")
        saved = (self._count, self._owner)
        self._count, self._owner = 0, None
        self._block.release()
        return saved

    def _acquire_restore(self, saved: tuple[int, Any]) -> None:
        self._block.acquire()
        self._count, self._owner = saved

    def _at_fork_reinit(self) -> None:
        self._block._at_fork_reinit()
        self._count, self._owner = 0, None


FUNCTIONS = (
    ("Lock", threading.Lock, Lock),
    ("_allocate_lock", threading._allocate_lock, Lock),  # type: ignore[attr-defined]
    ("RLock", threading.RLock, RLock),
    ("local", threading.local, _threading_local.local),
    ("SimpleQueue", queue.SimpleQueue, queue._PySimpleQueue),  # type: ignore[attr-defined]
)
"""The name, the real function or class, and ours."""
