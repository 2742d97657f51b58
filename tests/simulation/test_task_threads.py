"""Threads that tasks start: they take turns, die with their process, and are what threads are to the program."""

from __future__ import annotations

import asyncio
import functools
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Broker, Faults, Misuse, explore, replay

EXECUTOR_OF_MODULE = ThreadPoolExecutor(2)
LOCAL_OF_MODULE = threading.local()
OF_THE_WORKER = Faults(kill=1, tasks={"work_in_a_thread"})


class Rest(threading.Thread):
    """A thread class of the program's."""

    def __init__(self, seconds: float, ended: list[float]) -> None:
        super().__init__(name="rest")
        self.seconds = seconds
        self.ended = ended

    def run(self) -> None:
        time.sleep(self.seconds)
        self.ended.append(time.monotonic())


def publish(*bodies: bytes) -> None:
    """Publish messages to "jobs"."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.queue_declare("jobs")
        for body in bodies:
            channel.basic_publish("", "jobs", body)


def work_in_a_thread(done: list[bytes], seconds: float = 0.2) -> None:
    """The documented pattern: the work is done in a thread, and acknowledged from the connection's own."""
    connection = pika.BlockingConnection()
    channel = connection.channel()
    channel.queue_declare("jobs")

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        def work() -> None:
            time.sleep(seconds)
            done.append(body)
            connection.add_callback_threadsafe(functools.partial(channel.basic_ack, method.delivery_tag))

        threading.Thread(target=work).start()

    channel.basic_consume("jobs", on_message)
    channel.start_consuming()


def test_work_in_a_thread(broker: Broker) -> None:
    done: list[bytes] = []
    broker.spawn(publish, b"one", b"two")
    broker.spawn(work_in_a_thread, done)
    broker.run()
    assert sorted(done) == [b"one", b"two"]
    queue = broker.vhost().queue("jobs")
    assert len(queue.messages) == 0
    assert len(queue.unacked) == 0
    assert broker.now == pytest.approx(0.2)


def jobs(broker: Broker) -> list[bytes]:
    """A scenario: two messages, and a worker that works in threads."""
    done: list[bytes] = []
    broker.spawn(publish, b"one", b"two")
    broker.spawn(work_in_a_thread, done, restart=True)
    return done


def all_done(broker: Broker, done: list[bytes]) -> None:
    assert set(done) == {b"one", b"two"}
    queue = broker.vhost().queue("jobs")
    assert len(queue.messages) == 0
    assert len(queue.unacked) == 0


def test_it_explores() -> None:
    found = explore(jobs, all_done, runs=100, faults=OF_THE_WORKER, progress=False)
    assert found.runs == 100
    explore(jobs, all_done, runs=5, faults=OF_THE_WORKER, check_determinism=True, progress=False)


def once(broker: Broker, done: list[bytes]) -> None:
    assert len(done) == 2


def test_what_it_finds_names_the_thread_and_replays() -> None:
    with pytest.raises(fakeamqp.Counterexample) as caught:
        explore(jobs, once, runs=200, faults=OF_THE_WORKER, progress=False)
    story = "\n".join(caught.value.story)
    assert "starts Thread-1 (work)" in story
    assert "kill(at=" in str(caught.value)
    assert "task='work_in_a_thread'" in str(caught.value)
    with pytest.raises(fakeamqp.Counterexample):
        replay(jobs, once, caught.value.token)


def test_the_order_of_threads_is_drawn() -> None:
    orders = set()
    for seed in range(20):
        with Broker(seed=seed) as broker:
            seen: list[str] = []

            def program(seen: list[str] = seen) -> None:
                threads = [threading.Thread(target=seen.append, args=(name,)) for name in "abc"]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert sorted(seen) == ["a", "b", "c"]

            broker.spawn(program)
            broker.run()
            orders.add("".join(seen))
    assert len(orders) > 3


def test_a_thread_may_be_first_even_before_start_returns() -> None:
    orders = set()
    for seed in range(20):
        with Broker(seed=seed) as broker:
            seen: list[str] = []

            def program(seen: list[str] = seen) -> None:
                threading.Thread(target=seen.append, args=("thread",)).start()
                seen.append("program")

            broker.spawn(program)
            broker.run()
            orders.add(tuple(seen))
    assert orders == {("thread", "program"), ("program", "thread")}


# -- lives and ends --------------------------------------------------------------------------------------------------


def test_a_process_lasts_as_long_as_its_threads(broker: Broker) -> None:
    ended: list[float] = []
    connections: list[pika.BlockingConnection] = []

    def program() -> None:
        connections.append(pika.BlockingConnection())
        Rest(5, ended).start()

    task = broker.spawn(program)
    broker.run(seconds=4)
    assert task.is_alive
    assert len(broker.simulation.network.open_streams()) == 1
    broker.run()
    assert (ended, task.is_alive, broker.now) == ([5], False, 5)
    assert not broker.simulation.network.open_streams()


def test_daemons_die_with_it(broker: Broker) -> None:
    unwound: list[str] = []

    def tick() -> None:
        try:
            while True:
                time.sleep(1)
        finally:
            unwound.append("daemon")

    def program() -> None:
        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        time.sleep(3)
        assert thread.is_alive()

    broker.spawn(program)
    broker.run()
    assert unwound == ["daemon"]
    assert broker.now == 3


@pytest.mark.parametrize("by", ["the test", "another task", "itself", "its thread", "a fault"])
def test_threads_die_with_a_killed_process(broker: Broker, by: str) -> None:
    ended: list[float] = []
    unwound: list[str] = []

    def in_thread() -> None:
        try:
            with pika.BlockingConnection() as connection:
                time.sleep(2)
                if by == "its thread":
                    task.kill()
                    ended.append(-1)
                connection.sleep(10)
            ended.append(-2)
        finally:
            unwound.append("thread")

    def program() -> None:
        threading.Thread(target=in_thread).start()
        Rest(100, ended).start()
        time.sleep(2)
        if by == "itself":
            task.kill()
        time.sleep(50)

    task = broker.spawn(program)
    if by == "another task":
        broker.spawn(lambda: (time.sleep(2), task.kill()), name="killer")
    broker.run(seconds=3)
    if by == "the test":
        task.kill()
    elif by == "a fault":
        broker.faults.kill(task="program")
    assert not task.is_alive
    assert unwound == ["thread"]
    assert ended == []
    assert not broker.simulation.network.open_streams()
    broker.run()
    assert ended == []


def test_a_new_life_begins_without_threads(broker: Broker) -> None:
    names: list[str] = []

    def program() -> None:
        thread = threading.Thread(target=time.sleep, args=(100,))
        thread.start()
        names.append(f"{thread.name} {threading.active_count()} {getattr(LOCAL_OF_MODULE, 'life', 0)}")
        LOCAL_OF_MODULE.life = len(names)
        time.sleep(1)
        if len(names) < 3:
            task.restart()

    task = broker.spawn(program)
    broker.run(seconds=10)
    assert names == ["Thread-1 (sleep) 2 0"] * 3


def test_a_stalled_process_is_stalled_as_a_whole(broker: Broker) -> None:
    ended: list[float] = []
    task = broker.spawn(lambda: Rest(1, ended).start(), name="program")
    broker.run(seconds=0.5)
    task.stall(10)
    broker.run()
    assert ended == [10.5]


def test_a_thread_that_fails_is_told_of_and_its_process_goes_on(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def fail() -> None:
        raise ValueError("no")

    def program() -> None:
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
        assert not thread.is_alive()
        time.sleep(1)

    broker.spawn(program)
    broker.run()
    assert broker.now == 1
    assert [(each.exc_type, str(each.exc_value), each.thread.name) for each in told if each.thread] == [
        (ValueError, "no", "worker")
    ]
    assert "program goes on without worker, which fails with ValueError: no" in [event.text for event in broker.trace]


def test_the_exit_of_a_thread_is_its_own(broker: Broker) -> None:
    def program() -> None:
        thread = threading.Thread(target=exit, args=(3,))
        thread.start()
        thread.join()

    broker.spawn(program)
    broker.run()


def test_a_supervised_process_is_not_over_before_its_threads(broker: Broker) -> None:
    starts: list[float] = []

    def program() -> None:
        starts.append(time.monotonic())
        threading.Thread(target=time.sleep, args=(5,)).start()
        if len(starts) < 2:
            raise ValueError("no")

    broker.spawn(program, restart=True)
    broker.run()
    assert starts == [0, 6]


# -- what threads are to the program ---------------------------------------------------------------------------------


def test_who_am_i(broker: Broker) -> None:
    seen: list[Any] = []

    def work() -> None:
        thread = threading.current_thread()
        seen.append(thread)
        assert thread.is_alive()
        assert thread.ident == threading.get_ident() == thread.native_id
        assert threading.enumerate() == [threading.main_thread(), thread]
        with pytest.raises(RuntimeError, match="cannot join current thread"):
            thread.join()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            thread.start()

    def program() -> None:
        assert threading.current_thread() is threading.main_thread()
        thread = threading.Thread(target=work)
        assert not thread.is_alive()
        thread.start()
        thread.join()
        assert seen == [thread]
        assert not thread.is_alive()
        assert isinstance(thread, threading.Thread)

    broker.spawn(program)
    broker.run()
    assert seen[0].name == "Thread-1 (work)"
    seen[0].join()
    assert threading.current_thread() is threading.main_thread()


def test_a_thread_that_was_never_made_cannot_start(broker: Broker) -> None:
    class Unmade(threading.Thread):
        def __init__(self) -> None:
            pass

    def program() -> None:
        with pytest.raises(RuntimeError, match="not called"):
            Unmade().start()

    broker.spawn(program)
    broker.run()


def test_join_waits_for_some_virtual_time(broker: Broker) -> None:
    seen: list[Any] = []

    def program() -> None:
        thread = Rest(10, [])
        thread.start()
        thread.join(timeout=3)
        seen.append((time.monotonic(), thread.is_alive()))
        thread.join()
        seen.append((time.monotonic(), thread.is_alive()))

    broker.spawn(program)
    broker.run()
    assert seen == [(3, True), (10, False)]


def test_a_timer_rings_in_virtual_time(broker: Broker) -> None:
    rung: list[float] = []

    def program() -> None:
        for name in ("rings", "is cancelled"):
            timer = threading.Timer(60, lambda: rung.append(time.monotonic()))
            timer.start()
            if name == "is cancelled":
                timer.cancel()

    broker.spawn(program)
    broker.run()
    assert rung == [60]


def test_locals_are_those_of_a_thread(broker: Broker) -> None:
    made = threading.local()
    seen: list[str] = []

    def look(name: str) -> None:
        for local in (made, LOCAL_OF_MODULE):
            assert not hasattr(local, "name")
            local.name = name
        time.sleep(1)
        seen.append(f"{made.name} {LOCAL_OF_MODULE.name}")

    def program(name: str) -> None:
        threading.Thread(target=look, args=(f"{name}'s",)).start()
        look(name)

    broker.spawn(program, "a", name="a")
    broker.spawn(program, "b", name="b")
    broker.run()
    assert sorted(seen) == ["a a", "a's a's", "b b", "b's b's"]


def test_a_thread_of_the_test_is_a_real_one(broker: Broker) -> None:
    broker.spawn(time.sleep, 1)
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(threading.get_ident()))
    thread.start()
    thread.join()
    broker.run()
    assert seen != [threading.get_ident()]


def test_an_event_loop_in_a_task_has_real_threads(broker: Broker) -> None:
    async def work() -> int:
        return await asyncio.to_thread(threading.get_ident)

    task = broker.spawn(lambda: asyncio.run(work()), name="program")
    broker.run()
    assert task.result != threading.get_ident()


# -- executors -------------------------------------------------------------------------------------------------------


def rest(seconds: float) -> float:
    time.sleep(seconds)
    return time.monotonic()


def with_statement() -> list[float]:
    with ThreadPoolExecutor(2) as executor:
        return [future.result() for future in [executor.submit(rest, seconds) for seconds in (3, 1, 2)]]


def in_order() -> list[float]:
    with ThreadPoolExecutor(2) as executor:
        return list(executor.map(rest, (3, 1, 2)))


def of_module() -> list[float]:
    return [future.result() for future in [EXECUTOR_OF_MODULE.submit(rest, seconds) for seconds in (3, 1, 2)]]


def one_by_one() -> list[float]:
    executor = ThreadPoolExecutor(2)
    waiting: set[Future[float]] = {executor.submit(rest, seconds) for seconds in (3, 1, 2)}
    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    assert [future.result() for future in done] == [1]
    return [*(future.result() for future in done), *sorted(future.result() for future in as_completed(waiting))][::-1]


@pytest.mark.parametrize("program", [with_statement, in_order, of_module, one_by_one])
@pytest.mark.parametrize("times", [1, 2])
def test_executors_work_in_virtual_time(program: Callable[[], list[float]], times: int) -> None:
    for _ in range(times):
        with Broker() as broker:
            task = broker.spawn(program)
            broker.run()
            assert sorted(task.result) == [1, 3, 3]
            assert not task.is_alive
            assert broker.now == 3


def test_the_threads_of_an_executor_are_named_as_in_a_process_of_its_own(broker: Broker) -> None:
    def program() -> list[str]:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
            return [each.submit(lambda: threading.current_thread().name).result() for each in (one, other, one)]

    task = broker.spawn(program)
    broker.run()
    assert task.result == ["ThreadPoolExecutor-0_0", "ThreadPoolExecutor-1_0", "ThreadPoolExecutor-0_0"]


def test_an_executor_of_the_module_outlives_a_killed_process(broker: Broker) -> None:
    results: list[float] = []

    def program() -> None:
        results.append(EXECUTOR_OF_MODULE.submit(rest, 2).result())

    task = broker.spawn(program)
    broker.run(seconds=1)
    task.restart()
    broker.run()
    assert results == [3]


@pytest.mark.parametrize("by", ["the test", "its thread"])
def test_what_dies_logs_nothing(broker: Broker, caplog: pytest.LogCaptureFixture, by: str) -> None:
    def program() -> None:
        logging.getLogger("program").warning("alive")
        try:
            EXECUTOR_OF_MODULE.submit(rest, 100)
            EXECUTOR_OF_MODULE.submit(lambda: (time.sleep(1), by == "the test" or task.kill())).result()
            time.sleep(100)
        finally:
            logging.getLogger("program").warning("a killed process says nothing")

    task = broker.spawn(program)
    broker.run(seconds=2)
    task.kill()
    assert [record.getMessage() for record in caplog.records] == ["alive"]


def test_an_executor_with_real_threads_is_refused(broker: Broker) -> None:
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        broker.spawn(lambda: executor.submit(int), name="program")
        with pytest.raises(Misuse, match="make it inside the task"):
            broker.run()


def test_a_result_that_nobody_will_give_hangs() -> None:
    def scenario(broker: Broker) -> None:
        broker.spawn(lambda: Future[int]().result(), name="program")

    with pytest.raises(fakeamqp.Counterexample, match="program waits for ever for the result of a future"):
        explore(scenario, runs=1, progress=False)


def test_one_that_a_consumer_may_give_does_not() -> None:
    def consume() -> None:
        channel = pika.BlockingConnection().channel()
        channel.queue_declare("jobs")
        channel.basic_consume("jobs", lambda *_: None)
        channel.start_consuming()

    def program() -> None:
        with ThreadPoolExecutor(1) as executor:
            executor.submit(consume).result()

    explore(lambda broker: broker.spawn(program) and None, runs=3, progress=False)


def test_joins_in_a_circle_are_a_deadlock(broker: Broker) -> None:
    def program() -> None:
        threads: list[threading.Thread] = []

        def join(at: int) -> None:
            time.sleep(1)
            threads[at].join()

        threads += [threading.Thread(target=join, args=(at,), name=f"joins {at}") for at in (1, 0)]
        for thread in threads:
            thread.start()

    broker.spawn(program)
    with pytest.raises(fakeamqp.Deadlock, match="program's joins 1: waits for the end of program's joins 0"):
        broker.run()


# -- processes -------------------------------------------------------------------------------------------------------


def test_other_processes_are_refused(broker: Broker) -> None:
    broker.spawn(lambda: multiprocessing.Process(target=int).start(), name="program")
    with pytest.raises(Misuse, match="a task cannot start another process"):
        broker.run()
