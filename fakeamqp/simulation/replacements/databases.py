"""SQLite's locks: a task that finds a database locked waits in virtual time, while whoever has locked it goes on.

A connection that was made before there were tasks waits in real time, with all tasks: give it a timeout of 0.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

DEFAULT_TIMEOUT_SECONDS = 5.0
"""How long sqlite3 waits for a lock if it is not told."""
PAUSE_SECONDS = 0.01
"""After how long it is looked again whether the database is still locked."""
POSITIONAL = ("detect_types", "isolation_level", "check_same_thread", "factory", "cached_statements", "uri")
"""What connect() takes by position, behind the timeout."""
FUNCTIONS: list[tuple[str, Any, Any]] = []
"""The name, the real function, and ours; none where Python was built without SQLite."""

try:
    import sqlite3
except ImportError:
    pass
else:
    _REAL_CONNECT = sqlite3.connect

    def _patiently(connection: Any, work: Callable[[], Any]) -> Any:
        """Do some work; while the database is locked, do it again, until the connection's timeout is over."""
        ends = time.monotonic() + connection.patience
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:  # noqa: PERF203
                left = ends - time.monotonic()
                if str(error) != "database is locked" or left <= 0:
                    raise
                time.sleep(min(left, PAUSE_SECONDS))

    class _Cursor(sqlite3.Cursor):
        def execute(self, *arguments: Any) -> Any:
            """Like all that follow: what sqlite3's does, but waiting gives way."""
            return _patiently(self.connection, lambda: super(_Cursor, self).execute(*arguments))

        def executemany(self, *arguments: Any) -> Any:
            return _patiently(self.connection, lambda: super(_Cursor, self).executemany(*arguments))

        def executescript(self, *arguments: Any) -> Any:
            return _patiently(self.connection, lambda: super(_Cursor, self).executescript(*arguments))

    class _Connection(sqlite3.Connection):
        patience = 0.0
        """How many seconds it waits for a lock."""

        def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
            return super().cursor(_waiting(_Cursor, factory))

        def execute(self, *arguments: Any) -> Any:
            """Like the two that follow: what sqlite3's does, but with our cursor."""
            return self.cursor().execute(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            return self.cursor().executemany(*arguments)

        def executescript(self, *arguments: Any) -> Any:
            return self.cursor().executescript(*arguments)

        def commit(self) -> None:
            _patiently(self, super().commit)

        def __exit__(self, *exc_info: Any) -> Any:
            return _patiently(self, lambda: super(_Connection, self).__exit__(*exc_info))

    @functools.cache
    def _waiting(ours: type, wanted: Any) -> Any:
        """A class that waits as ours does, and else is the one that is wanted."""
        return type(wanted.__name__, (ours, wanted), {}) if wanted not in ours.__mro__ else ours

    def _connect(database: Any, timeout: float = DEFAULT_TIMEOUT_SECONDS, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(POSITIONAL, args, strict=False)), **kwargs}
        wanted = given.pop("factory", sqlite3.Connection)
        if not isinstance(wanted, type):
            return _REAL_CONNECT(database, timeout=timeout, factory=wanted, **given)
        connection = _REAL_CONNECT(database, timeout=0.0, factory=_waiting(_Connection, wanted), **given)
        connection.patience = timeout
        return connection

    FUNCTIONS.append(("connect", _REAL_CONNECT, _connect))
