"""What stands in for clocks, locks, threads and databases while a broker has tasks.

Functions and classes of Python's library are replaced in their module and wherever a module has imported them by
their names; methods are replaced in their class. Elsewhere than in a broker's tasks and in the test that spawned them
the replacements do what the real ones do.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from fakeamqp.simulation.replacements import (
    adoption,
    databases,
    last_words,
    locks,
    presence,
    task_threads,
    virtual_time,
)
from fakeamqp.simulation.tasks.scheduler import Scheduler

INFRASTRUCTURE = frozenset(
    ("_thread", "_pytest", "pytest", "pluggy", "hypothesis", "xdist", "execnet", "coverage", "rich", "fakeamqp")
)
"""Packages that measure and lock for themselves, and run no programs."""


class _Modules:
    """The namespaces of all modules that may be of programs, looked for again when there are others, or more names."""

    def __init__(self) -> None:
        self.namespaces: list[dict[str, Any]] = []
        self.version = 0
        """Changes with them."""
        self._modules: list[Any] = []
        self._size = 0

    def look(self) -> int:
        """See which there are; their version."""
        modules = list(sys.modules.values())
        if modules != self._modules or sum(map(len, self.namespaces)) != self._size:
            self.namespaces = [
                module.__dict__
                for name, module in tuple(sys.modules.items())
                if hasattr(module, "__dict__") and name.partition(".")[0] not in INFRASTRUCTURE
            ]
            self._modules = modules
            self._size = sum(map(len, self.namespaces))
            self.version += 1
        return self.version


class Group:
    """Replacements that come and go together."""

    _modules = _Modules()

    def __init__(self, functions: Iterable[tuple[str, Any, Any]], methods: Iterable[tuple[Any, str, Any]]) -> None:
        self._functions: dict[str, list[tuple[Any, Any]]] = {}
        """Functions and classes by name: the real one, and ours."""
        for name, real, ours in functions:
            self._functions.setdefault(name, []).append((real, ours))
        self._methods = tuple(methods)
        """The class, the name, and ours."""
        self._version = 0
        self._candidates: list[tuple[dict[str, Any], str]] = []
        """Where one of the names stands, in this version of the modules, whatever it stands for."""
        self._replaced: list[tuple[dict[str, Any], str, Any]] = []
        """Where ours stand, and in the place of what."""
        self._replaced_methods: list[tuple[Any, str, Any]] = []
        self._users = 0
        """For how many brokers and searches they are in place."""

    def put_in_place(self) -> None:
        """Replace, unless that is done."""
        self._users += 1
        if self._users > 1:
            return
        for namespace, name in self._places():
            found = namespace.get(name)
            for real, ours in self._functions[name]:
                if found is real:
                    namespace[name] = ours
                    self._replaced.append((namespace, name, real))
        for owner, name, method in self._methods:
            self._replaced_methods.append((owner, name, vars(owner)[name]))
            _set_method(owner, name, method)

    def _places(self) -> list[tuple[dict[str, Any], str]]:
        version = self._modules.look()
        if version != self._version:
            self._version = version
            names = self._functions.keys()
            self._candidates = [
                (namespace, name) for namespace in self._modules.namespaces for name in names & namespace.keys()
            ]
        return self._candidates

    def put_back(self) -> None:
        """Once for each time that they were put in place; the last counts."""
        self._users -= 1
        if self._users:
            return
        while self._replaced_methods:
            _set_method(*self._replaced_methods.pop())
        while self._replaced:
            namespace, name, real = self._replaced.pop()
            namespace[name] = real

    @property
    def is_in_place(self) -> bool:
        """Whether they are."""
        return bool(self._users)


_clocks = Group(virtual_time.FUNCTIONS, virtual_time.METHODS)
_threads = Group(
    (*locks.FUNCTIONS, *task_threads.FUNCTIONS, *databases.FUNCTIONS), (*task_threads.METHODS, *last_words.METHODS)
)


@contextlib.contextmanager
def hold(*, patch_time: bool) -> Iterator[None]:
    """Keep the replacements in place, whoever comes and goes: a search makes many brokers."""
    groups = (_threads, _clocks) if patch_time else (_threads,)
    for group in groups:
        group.put_in_place()
    try:
        with presence.searching():
            yield
    finally:
        for group in groups:
            group.put_back()
        _give_back_locks()


def _give_back_locks() -> None:
    if not _threads.is_in_place:
        adoption.give_back()


def install(scheduler: Scheduler) -> None:
    """From now on the programs here are this scheduler's."""
    _threads.put_in_place()
    if scheduler.patches_time:
        _clocks.put_in_place()
    presence.enter(scheduler)


def uninstall(scheduler: Scheduler) -> None:
    """They are no longer; does nothing if they never were."""
    if presence.leave(scheduler):
        _threads.put_back()
        _give_back_locks()
        if scheduler.patches_time:
            _clocks.put_back()


def _set_method(owner: type, name: str, method: Any) -> None:
    try:
        setattr(owner, name, method)
    except TypeError:  # datetime is written in C: its dictionary is behind a proxy, and its cache is to be told
        (namespace,) = gc.get_referents(owner.__dict__)
        namespace[name] = method
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
