"""Locks inside tasks: whoever waits for one gives way, and who waits for ever is told who has it."""

from __future__ import annotations

import _thread
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Broker, Deadlock, explore

LOCK_OF_MODULE = threading.Lock()


class Shop:
    """What programs share: made before there are any tasks."""

    counter = threading.RLock()

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.condition = threading.Condition()
        self.event = threading.Event()
        self.semaphore = threading.Semaphore(1)
        self.orders: queue.Queue[str] = queue.Queue()
        self.simple: queue.SimpleQueue[str] = queue.SimpleQueue()


class Slotted:
    """An object without a dictionary."""

    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()


def ask() -> None:
    """Talk to the broker: here another task may come in between."""
    with pika.BlockingConnection() as connection:
        connection.channel().queue_declare("orders")


def take_turns(broker: Broker, hold: Callable[[], Any]) -> None:
    """Two programs hold something, and ask the broker meanwhile: never both at once."""
    inside: list[str] = []

    def program(name: str) -> None:
        for _ in range(3):
            with hold():
                inside.append(name)
                ask()
                assert inside == [name]
                inside.clear()

    broker.spawn(program, "a", name="a")
    broker.spawn(program, "b", name="b")
    broker.run()
    assert all(not task.is_alive for task in broker.simulation.tasks.scheduler.tasks)  # type: ignore[union-attr]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, threading.Semaphore, threading.Condition])
def test_what_is_held_over_a_call_gives_way(make: Callable[[], Any], seed: int) -> None:
    with Broker(seed=seed) as broker:
        held = make()
        take_turns(broker, lambda: held)


def of_module() -> Any:
    return LOCK_OF_MODULE


def test_a_lock_of_a_module_gives_way(broker: Broker) -> None:
    take_turns(broker, of_module)


@pytest.mark.parametrize("attribute", ["lock", "condition", "semaphore", "counter"])
def test_a_lock_of_an_object_gives_way(broker: Broker, attribute: str) -> None:
    shop = Shop()
    take_turns(broker, lambda: getattr(shop, attribute))


class Place:
    """Where a lock is, and how to get it from there."""

    def __init__(self, place: Any, get: Callable[[Any], Any]) -> None:
        self.place = place
        self.get = get


PLACES: dict[str, Callable[[], Place]] = {
    "slots": lambda: Place(Slotted(), lambda slotted: slotted.lock),
    "list": lambda: Place([threading.Lock()], lambda listed: listed[0]),
    "dictionary": lambda: Place({"lock": threading.Lock()}, lambda named: named["lock"]),
    "tuple of lists": lambda: Place(([threading.Lock()],), lambda nested: nested[0][0]),
    "argument": lambda: Place(threading.Lock(), lambda lock: lock),
}


@pytest.mark.parametrize("kind", PLACES)
def test_locks_are_found_wherever_they_are(broker: Broker, kind: str) -> None:
    found = PLACES[kind]()
    steps: list[str] = []

    def program(name: str, place: Any) -> None:
        with found.get(place):
            steps.append(f"{name} is in")
            ask()
            steps.append(f"{name} is out")

    for name in ("a", "b"):
        broker.spawn(program, name, found.place, name=name)
    broker.run()
    assert [step.split()[2] for step in steps] == ["in", "out", "in", "out"]


def test_what_was_made_before_is_real_again_afterwards() -> None:
    shop = Shop()
    real, real_lock = vars(shop).copy(), threading.Lock
    with Broker() as broker:
        take_turns(broker, lambda: shop.lock)
        assert type(shop.lock) is not _thread.LockType
        assert threading.Lock is not real_lock
    assert vars(shop) == real
    assert threading.Lock is real_lock
    assert type(LOCK_OF_MODULE) is _thread.LockType


def test_a_real_lock_and_ours_are_the_same_one(broker: Broker) -> None:
    before = LOCK_OF_MODULE

    def hold() -> None:
        with LOCK_OF_MODULE:
            assert before.locked()

    broker.spawn(hold)
    broker.run()
    assert not before.locked()


def test_a_lock_is_taken_without_waiting_or_for_some_virtual_time(broker: Broker) -> None:
    lock = threading.Lock()
    seen: list[Any] = []

    def keep() -> None:
        with lock:
            time.sleep(10)

    def look() -> None:
        time.sleep(1)
        seen.append(lock.acquire(blocking=False))
        seen.append(lock.acquire(timeout=2))
        seen.append(time.monotonic())
        seen.append(lock.acquire(timeout=60))
        seen.append(time.monotonic())
        lock.release()

    broker.spawn(keep)
    broker.spawn(look)
    broker.run()
    assert seen == [False, False, 3.0, True, 10.0]


def test_wrong_use_is_refused_as_by_real_locks(broker: Broker) -> None:
    def misuse() -> None:
        lock, again = threading.Lock(), threading.RLock()
        with pytest.raises(RuntimeError, match="release unlocked lock"):
            lock.release()
        with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
            again.release()
        with pytest.raises(ValueError, match="can't specify a timeout for a non-blocking call"):
            lock.acquire(False, 1)
        with lock, pytest.raises(ValueError, match="timeout value must be a non-negative number"):
            lock.acquire(timeout=-2)
        assert repr(lock).startswith("<unlocked Lock at 0x")
        with again, again:
            assert repr(again).startswith("<locked RLock, count=2 at 0x")

    broker.spawn(misuse)
    broker.run()


def test_conditions_events_and_queues_pass_things_on(broker: Broker) -> None:
    shop, got = Shop(), []

    def give() -> None:
        time.sleep(1)
        shop.event.set()
        with shop.condition:
            shop.condition.notify_all()
        for each in (shop.orders, shop.simple):
            time.sleep(1)
            each.put("order")
        shop.orders.join()
        got.append(("joined", time.monotonic()))

    def take() -> None:
        assert not shop.event.wait(0.5)
        got.append(("waited", time.monotonic()))
        assert shop.event.wait()
        got.append(("event", time.monotonic()))
        got.append((shop.orders.get(), time.monotonic()))
        got.append((shop.simple.get(), time.monotonic()))
        with pytest.raises(queue.Empty):
            shop.orders.get(timeout=5)
        got.append(("empty", time.monotonic()))
        shop.orders.task_done()

    def wait_for_condition() -> None:
        with shop.condition:
            shop.condition.wait()
        got.append(("condition", time.monotonic()))

    for program in (give, take, wait_for_condition):
        broker.spawn(program)
    broker.run()
    assert sorted(got) == [
        ("condition", 1),
        ("empty", 8),
        ("event", 1),
        ("joined", 8),
        ("order", 2),
        ("order", 3),
        ("waited", 0.5),
    ]


def test_a_barrier_opens_when_all_are_there(broker: Broker) -> None:
    barrier, through = threading.Barrier(2), []

    def arrive(seconds: float) -> None:
        time.sleep(seconds)
        barrier.wait()
        through.append(time.monotonic())

    broker.spawn(arrive, 1, name="early")
    broker.spawn(arrive, 5, name="late")
    broker.run()
    assert through == [5, 5]


def test_an_event_that_the_test_waits_for_is_set_by_a_task(broker: Broker) -> None:
    event = threading.Event()

    def work() -> None:
        time.sleep(3)
        event.set()

    broker.spawn(work)
    made_later = threading.Event()
    broker.spawn(lambda: (time.sleep(4), made_later.set()), name="later")
    assert made_later.wait(10)
    assert broker.now == 4
    assert event.is_set()


# -- who waits for ever ----------------------------------------------------------------------------------------------


def crossed(broker: Broker) -> None:
    """Two programs take two locks, each in its own order."""
    first, second = threading.Lock(), threading.Lock()

    def program(one: Any, other: Any) -> None:
        with one:
            ask()
            with other:
                ask()

    broker.spawn(program, first, second, name="a")
    broker.spawn(program, second, first, name="b")


def test_a_circle_of_locks_is_a_deadlock_that_names_who_has_what() -> None:
    found = 0
    for seed in range(20):
        with Broker(seed=seed) as broker:
            crossed(broker)
            try:
                broker.run()
            except Deadlock as deadlock:
                found += 1
                text = str(deadlock)
                assert f"a: waits for a lock that b holds ({__file__}:" in text
                assert f"b: waits for a lock that a holds ({__file__}:" in text
                assert "take locks in the same order everywhere" in text
    assert found


def test_explore_finds_it() -> None:
    with pytest.raises(fakeamqp.Counterexample, match=r"Deadlock: nothing can happen any more, as programs wait"):
        explore(crossed, runs=100, progress=False)


def test_a_lock_that_is_taken_twice(broker: Broker) -> None:
    def program() -> None:
        lock = threading.Lock()
        with lock, lock:
            pass

    broker.spawn(program)
    with pytest.raises(Deadlock, match="program: waits for a lock that program holds"):
        broker.run()


def test_a_lock_of_a_program_that_is_over(broker: Broker) -> None:
    lock = threading.Lock()
    broker.spawn(lock.acquire, name="first")
    broker.run()
    broker.spawn(lock.acquire, name="second")
    with pytest.raises(Deadlock, match="second: waits for a lock that first holds, which is over"):
        broker.run()


def test_who_waits_for_the_lock_of_one_who_waits_for_messages_hangs() -> None:
    def scenario(broker: Broker) -> None:
        lock = threading.Lock()

        def consume() -> None:
            with lock:
                channel = pika.BlockingConnection().channel()
                channel.queue_declare("orders")
                channel.basic_consume("orders", lambda *_: None)
                channel.start_consuming()

        broker.spawn(consume, name="first")
        broker.spawn(consume, name="second")

    with pytest.raises(fakeamqp.Counterexample, match=r"second waits for ever for a lock that first holds"):
        explore(scenario, runs=1, progress=False)


@pytest.mark.parametrize(
    ("wait", "what"),
    [
        (lambda: threading.Semaphore(0).acquire(), "a semaphore"),
        (lambda: [full.put(1) for full in [queue.Queue(1)] for _ in range(2)], "room in a queue"),
        (lambda: [each.join() for each in [queue.Queue()] if not each.put(1)], "the end of what is in a queue"),
    ],
)
def test_what_must_be_answered_hangs(wait: Callable[[], Any], what: str) -> None:
    def scenario(broker: Broker) -> None:
        broker.spawn(wait, name="program")

    with pytest.raises(fakeamqp.Counterexample, match=f"program waits for ever for {what} "):
        explore(scenario, runs=1, progress=False)


@pytest.mark.parametrize("wait", [lambda: threading.Event().wait(), lambda: queue.Queue().get()])
def test_what_may_come_or_not_does_not(wait: Callable[[], Any]) -> None:
    def scenario(broker: Broker) -> None:
        broker.spawn(wait, name="program")

    explore(scenario, runs=1, progress=False)


# -- death -----------------------------------------------------------------------------------------------------------


def test_a_killed_program_gives_its_locks_back(broker: Broker) -> None:
    lock, again, got = threading.Lock(), threading.RLock(), []

    def keep() -> None:
        with lock, again:
            time.sleep(100)

    def want() -> None:
        with lock, again:
            got.append(time.monotonic())

    keeper = broker.spawn(keep)
    broker.run(seconds=1)
    broker.spawn(want)
    broker.run(seconds=1)
    keeper.kill()
    broker.run()
    assert got == [2]


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_one_that_dies_while_it_waits_does_not_give_back_what_it_never_had(
    broker: Broker, make: Callable[[], Any]
) -> None:
    condition, held = threading.Condition(make()), []

    def want() -> None:
        with condition:
            condition.wait()

    def keep() -> None:
        with condition:
            time.sleep(10)
            held.append(True)

    waiting = broker.spawn(want)
    broker.run(seconds=1)
    broker.spawn(keep)
    broker.run(seconds=1)
    waiting.kill()
    broker.run()
    assert held == [True]


# -- SQLite ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a table."""
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as database:
        database.execute("create table orders (name)")
    database.close()
    return path


def insert(path: Path, name: str, timeout: float, seconds: float, **settings: Any) -> None:
    """Insert a row in a transaction that lasts so long."""
    with contextlib.closing(sqlite3.connect(path, timeout, **settings)) as database, database:
        database.execute("insert into orders values (?)", (name,))
        time.sleep(seconds)


class MyConnection(sqlite3.Connection):
    """A class of the program's."""


@pytest.mark.parametrize("settings", [{}, {"factory": MyConnection}, {"isolation_level": "IMMEDIATE"}])
def test_a_locked_database_is_waited_for_in_virtual_time(broker: Broker, path: Path, settings: dict[str, Any]) -> None:
    broker.spawn(insert, path, "a", 5, 3, name="a", **settings)
    broker.spawn(insert, path, "b", 5, 3, name="b", **settings)
    broker.run()
    assert 6 <= broker.now < 6.1
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("select count(*) from orders").fetchall() == [(2,)]


def test_not_longer_than_its_timeout(broker: Broker, path: Path) -> None:
    broker.spawn(insert, path, "a", 2, 60, name="a")
    broker.spawn(insert, path, "b", 2, 60, name="b")
    began = time.monotonic()
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        broker.run()
    assert time.monotonic() - began == 2


def test_scripts_and_many_rows_wait_too(broker: Broker, path: Path) -> None:
    def write() -> None:
        database = sqlite3.connect(path, 5.0, 0, None, True, MyConnection)
        assert isinstance(database, MyConnection)
        database.executescript("insert into orders values ('script')")
        with database:
            database.executemany("insert into orders values (?)", [("one",), ("two",)])
        database.cursor().execute("insert into orders values ('cursor')")
        database.commit()
        database.close()

    broker.spawn(insert, path, "a", 2, 3, name="a")
    broker.spawn(write)
    broker.run()
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("select count(*) from orders").fetchall() == [(5,)]


def test_a_factory_that_is_a_function_waits_for_real(broker: Broker, path: Path) -> None:
    def make(*args: Any, **kwargs: Any) -> MyConnection:
        return MyConnection(*args, **kwargs)

    def write() -> None:
        database = sqlite3.connect(path, factory=make)
        assert type(database) is MyConnection
        database.close()

    broker.spawn(write)
    broker.run()


def test_names_that_were_imported_are_ours_as_well(broker: Broker) -> None:
    kinds: list[type] = []
    broker.spawn(lambda: kinds.append(type(RLock())))
    broker.run()
    assert kinds == [RLock]
