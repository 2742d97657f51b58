"""What a test suite pays before its first message: the import, and a fixture's set-up and tear-down."""

from __future__ import annotations

from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, bare_append, in_new_interpreter, interleaved, seconds_each, shown, within

IMPORT_S = 60e-3
FIXTURE_S = 0.5e-3
FIXTURES = 100
ROUNDS = 15


def _start(statement: str) -> float:
    return in_new_interpreter(f"{statement}\nimport time\nprint(time.process_time())")


def fixture() -> float:
    """Enter and leave a Broker, as the fixture amqp_broker does."""

    def enter_and_leave() -> None:
        for _ in range(FIXTURES):
            with fakeamqp.Broker():
                pass

    return seconds_each(FIXTURES, enter_and_leave)


def figures() -> Iterator[Figure]:
    """The import without what an interpreter takes anyway, and the fixture, in bare appends."""
    importing_s, empty_s, fixture_s, append_s = interleaved(
        ROUNDS, lambda: _start("import fakeamqp; fakeamqp.Broker"), lambda: _start(""), fixture, bare_append
    )
    name = f"startup: import beyond an interpreter's {shown(empty_s)}"
    yield within(IMPORT_S, name, importing_s - empty_s, append_s)
    yield within(FIXTURE_S, "startup: fixture, set up and torn down", fixture_s, append_s)
