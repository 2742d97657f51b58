"""Locks that a program made before there were tasks: where a task can reach them, ours take their place.

They are looked for from what is spawned: in the variables that a function closes over, in its arguments and its
object, in the modules of its package and of others that are not installed, and in instances of their classes. A lock
that nothing but C code or another library knows is not found; neither is a subclass of `threading.local`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import sys
import sysconfig
import threading
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from fakeamqp.simulation.replacements.locks import FUNCTIONS, Lock, RLock
from fakeamqp.simulation.tasks.program_code import Program

LIMIT = 10_000
"""How many objects are looked at per function that is spawned: behind more there is data rather than a program."""
_REAL = {name: real for name, real, _ in FUNCTIONS}
_LOCK: type = type(_REAL["Lock"]())
_RLOCK: type = type(_REAL["RLock"]())
_LOCAL, _SIMPLE_QUEUE = _REAL["local"], _REAL["SimpleQueue"]
_SYNCHRONISERS = (threading.Condition, threading.Event, threading.Semaphore, threading.Barrier, queue.Queue)
"""What is made of locks."""
_PLAIN = (str, bytes, bytearray, int, float, complex, types.NoneType)
_INSTALLED = tuple(
    os.path.join(path, "") for key, path in sysconfig.get_paths().items() if key in ("stdlib", "platstdlib", "purelib")
)

_undo = contextlib.ExitStack()
_ours: dict[int, tuple[Any, Any]] = {}
"""By the identity of a lock: it, which keeps that its own, and ours."""
_seen_code: set[types.CodeType] = set()


def give_back() -> None:
    """Put the real locks back where ours have taken their places."""
    _undo.close()
    _ours.clear()
    _seen_code.clear()


def adopt(program: Program) -> Program:
    """Have ours take the place of the locks that a program can reach. Returns it with what is handed to it."""
    code = getattr(_function(program.function), "__code__", None)
    if code not in _seen_code:  # in each run of a search it is the same, and what is made anew is ours
        if code is not None:
            _seen_code.add(code)
        _Walk(program.function).over([program])
    args = tuple(_ours_of(each) for each in program.args)
    kwargs = {name: _ours_of(each) for name, each in program.kwargs.items()}
    return Program(_ours_method(program.function), args, kwargs)


def _ours_of(value: Any) -> Any:
    ours = _replacement(value)
    return value if ours is None else ours


def _ours_method(function: Any) -> Any:
    """A method of a lock is one of ours."""
    ours = _replacement(getattr(function, "__self__", None))
    return function if ours is None else getattr(ours, function.__name__)


def _function(function: Any) -> Any:
    while isinstance(function, (functools.partial, types.MethodType)):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    return function


class _Walk:
    """From object to object."""

    def __init__(self, function: Any) -> None:
        package = _top(getattr(_function(function), "__module__", None))
        self._package = None if package in sys.stdlib_module_names else package
        self._seen: dict[int, Any] = {}
        self._left: deque[Any] = deque()

    def over(self, things: list[Any]) -> None:
        """Look at all that can be reached."""
        self._left.extend(things)
        while self._left and len(self._seen) < LIMIT:
            thing = self._left.popleft()
            if id(thing) not in self._seen:
                self._seen[id(thing)] = thing
                for value, put in self._places(thing):
                    self._look_at(value, put)

    def _look_at(self, value: Any, put: Callable[[Any], None] | None) -> None:
        if isinstance(value, _PLAIN):
            return
        ours = _replacement(value) if put is not None else None
        if ours is None:
            self._left.append(value)
        else:
            assert put is not None
            _undo.callback(put, value)
            put(ours)

    def _places(self, thing: Any) -> Iterator[tuple[Any, Callable[[Any], None] | None]]:
        """What an object refers to, and how to have it refer to something else."""
        if isinstance(thing, types.FunctionType):
            for cell in thing.__closure__ or ():
                with contextlib.suppress(ValueError):  # empty
                    yield cell.cell_contents, functools.partial(setattr, cell, "cell_contents")
            for each in (thing.__defaults__, thing.__kwdefaults__, sys.modules.get(thing.__module__)):
                yield each, None
        elif isinstance(thing, types.MethodType):
            yield from ((thing.__self__, None), (thing.__func__, None))
        elif isinstance(thing, functools.partial):
            yield from ((each, None) for each in (thing.func, thing.args, thing.keywords))
        elif isinstance(thing, (tuple, set, frozenset, deque)):
            yield from ((each, None) for each in tuple(thing))
        elif isinstance(thing, list):
            yield from ((each, functools.partial(thing.__setitem__, at)) for at, each in enumerate(thing))
        elif isinstance(thing, dict):
            yield from ((each, functools.partial(thing.__setitem__, key)) for key, each in tuple(thing.items()))
        elif isinstance(thing, (types.ModuleType, type, *_SYNCHRONISERS)):
            yield from self._attributes(thing, isinstance(thing, _SYNCHRONISERS) or self._is_program(thing))
        else:
            yield from self._attributes(thing, self._is_program(type(thing)))

    def _attributes(self, thing: Any, is_looked_at: bool) -> Iterator[tuple[Any, Callable[[Any], None] | None]]:
        if not is_looked_at:
            return
        for name, value in tuple(getattr(thing, "__dict__", {}).items()):
            if not name.startswith("__"):
                yield value, functools.partial(setattr, thing, name)
        if not isinstance(thing, (type, types.ModuleType)):
            yield type(thing), None
            for name in getattr(type(thing), "__slots__", ()):
                if hasattr(thing, name):
                    yield getattr(thing, name), functools.partial(setattr, thing, name)

    def _is_program(self, owner: Any) -> bool:
        """Whether a module, or a class by its module, is of the program."""
        name = owner.__name__ if isinstance(owner, types.ModuleType) else owner.__module__
        if _top(name) in (self._package, "__main__"):
            return True
        if _top(name) in OTHERS:
            return False
        path = getattr(sys.modules.get(name), "__file__", None)
        return path is not None and not path.startswith(_INSTALLED)


OTHERS = ("fakeamqp", "pika", "greenlet")
"""What runs programs is none."""


def _top(module: Any) -> str:
    return str(module).partition(".")[0]


def _replacement(value: Any) -> Any:
    """What takes the place of a value; None where that stays."""
    make = _MAKERS.get(type(value))
    if make is None:
        return None
    if id(value) not in _ours:
        _ours[id(value)] = (value, make(value))
    return _ours[id(value)][1]


def _condition(real: threading.Condition) -> threading.Condition | None:
    """A condition of our lock; it keeps methods of its lock, so that one is not just exchanged."""
    lock = _replacement(real._lock)  # type: ignore[attr-defined]
    return None if lock is None else threading.Condition(lock)


def _local(real: Any) -> Any:
    ours = threading.local()
    vars(ours).update(vars(real))
    return ours


def _queue(real: Any) -> Any:
    ours: Any = queue.SimpleQueue()
    while not real.empty():
        ours.put(real.get())
    return ours


_MAKERS: dict[type, Callable[[Any], Any]] = {
    _LOCK: Lock,
    _RLOCK: lambda _: RLock(),
    threading.Condition: _condition,
    _LOCAL: _local,
    _SIMPLE_QUEUE: _queue,
}
