"""What a test suite pays before its first message: the import, and a fixture's set-up and tear-down."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, bare_append, in_new_interpreter, interleaved, seconds_each, shown, within

IMPORT_S = 10e-3
FIRST_USE_S = 60e-3
BROKER_S = 80e-6
FIXTURE_S = 0.5e-3
FIXTURES = 100
ROUNDS = 15


def importing(statement: str, cache: str) -> float:
    """A new interpreter that runs one statement. Its bytecode is in `cache` from the second time on."""
    program = f"{statement}\nimport time\nprint(time.process_time())"
    return in_new_interpreter(program, PYTHONPYCACHEPREFIX=cache, PYTHONDONTWRITEBYTECODE="")


def fixture() -> float:
    """Enter and leave a Broker, as the fixture amqp_broker does."""

    def enter_and_leave() -> None:
        for _ in range(FIXTURES):
            with fakeamqp.Broker():
                pass

    return seconds_each(FIXTURES, enter_and_leave)


def make() -> float:
    """Make a Broker."""

    def make_all() -> None:
        for _ in range(FIXTURES):
            fakeamqp.Broker()

    return seconds_each(FIXTURES, make_all)


def figures() -> Iterator[Figure]:
    """The import without what an interpreter takes anyway, and brokers, in bare appends."""
    with tempfile.TemporaryDirectory() as cache:
        import_s, used_s, empty_s, broker_s, fixture_s, append_s = interleaved(
            ROUNDS,
            lambda: importing("import fakeamqp", cache),
            lambda: importing("import fakeamqp; fakeamqp.Broker", cache),
            lambda: importing("", cache),
            make,
            fixture,
            bare_append,
        )
    name = f"startup: import beyond an interpreter's {shown(empty_s)}"
    yield within(IMPORT_S, name, import_s - empty_s, append_s)
    yield within(FIRST_USE_S, "startup: import, and fakeamqp.Broker loaded", used_s - empty_s, append_s)
    yield within(BROKER_S, "startup: a Broker", broker_s, append_s)
    yield within(FIXTURE_S, "startup: fixture, set up and torn down", fixture_s, append_s)
