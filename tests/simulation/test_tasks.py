"""Tasks: unchanged blocking programs that take turns, and what becomes of them."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
import traceback
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from time import sleep
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker, Deadlock, Livelock, Misuse

InThread = Callable[..., Future[Any]]
NO_HEARTBEAT = pika.ConnectionParameters(heartbeat=0)
REAL_SLEEP = time.sleep


def channel_of_own() -> BlockingChannel:
    """A program's first lines."""
    channel = pika.BlockingConnection(NO_HEARTBEAT).channel()
    channel.queue_declare("orders")
    return channel


def rest(seconds: float) -> None:
    """A program that sleeps."""
    time.sleep(seconds)


def produce(*bodies: bytes) -> None:
    """A program that publishes."""
    channel = channel_of_own()
    for body in bodies:
        channel.basic_publish("", "orders", body)
    channel.connection.close()


def consume(found: list[bytes]) -> None:
    """A program that consumes for ever."""
    channel = channel_of_own()

    def take(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        found.append(body)
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume("orders", take)
    channel.start_consuming()


# -- running ---------------------------------------------------------------------------------------------------------


def test_programs_run_until_nothing_can_happen_any_more(broker: Broker) -> None:
    found: list[bytes] = []
    producer = broker.spawn(produce, b"one", b"two")
    consumer = broker.spawn(consume, found)
    assert (producer.is_alive, found) == (True, [])
    broker.run()
    assert found == [b"one", b"two"]
    assert (producer.is_alive, consumer.is_alive) == (False, True)
    assert broker.list_queues()[0].messages == ()


def test_what_a_program_returns_is_kept(broker: Broker) -> None:
    task = broker.spawn(lambda first, second: first + second, 1, second=2)
    assert (task.result, task.is_alive) == (None, True)
    broker.run()
    assert (task.result, task.is_alive, task.exception) == (3, False, None)


def test_run_until_a_predicate_is_true(broker: Broker) -> None:
    found: list[bytes] = []
    broker.spawn(produce, b"one", b"two", b"three")
    broker.spawn(consume, found)
    broker.run(until=lambda: len(found) == 2)
    assert found == [b"one", b"two"]


def test_a_predicate_may_ask_the_broker_as_a_client(broker: Broker, channel: BlockingChannel) -> None:
    broker.spawn(produce, b"one", b"two")
    broker.run(until=lambda: channel.queue_declare("orders", passive=True).method.message_count == 1)
    assert len(broker.vhost().queue("orders").messages) == 1


def test_a_predicate_must_not_wait(broker: Broker) -> None:
    broker.spawn(produce, b"one")
    with pytest.raises(Misuse, match="may look at things, but not wait"):
        broker.run(until=lambda: sleep(1))


def test_what_a_predicate_raises_comes_out_of_run(broker: Broker) -> None:
    task = broker.spawn(produce, b"one")
    with pytest.raises(ZeroDivisionError):
        broker.run(until=lambda: 1 / 0)
    broker.run()
    assert (task.is_alive, task.exception) == (False, None)


def test_run_for_so_many_seconds(broker: Broker) -> None:
    moments: list[float] = []

    def tick() -> None:
        while True:
            moments.append(broker.now)
            time.sleep(10)

    broker.spawn(tick)
    broker.run(seconds=25)
    assert (moments, broker.now) == ([0, 10, 20], 25)


def test_a_predicate_that_stays_false_for_so_long_is_a_deadlock(broker: Broker) -> None:
    broker.spawn(rest, 100)
    with pytest.raises(Deadlock, match=r"after 5 virtual seconds, what run\(\) was to wait for was still not true"):
        broker.run(until=lambda: False, seconds=5)
    assert broker.now == 5


def test_a_predicate_that_never_comes_true_is_a_deadlock_that_names_who_waits(broker: Broker) -> None:
    broker.spawn(consume, [], name="worker")

    def never() -> bool:
        return False

    with pytest.raises(Deadlock) as caught:
        broker.run(until=never)
    text = str(caught.value)
    assert "the test: run() waits until" in text
    assert "never" in text
    assert "worker: connection" in text
    assert "channel 1 waits for deliveries to" in text


def test_the_test_itself_takes_part(broker: Broker, channel: BlockingChannel) -> None:
    def serve() -> None:
        server = channel_of_own()

        def answer(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
            channel.basic_publish("", properties.reply_to, b"%d" % (int(body) ** 2))
            channel.basic_ack(method.delivery_tag)

        server.basic_consume("orders", answer)
        server.start_consuming()

    broker.spawn(serve)
    answers: list[bytes] = []
    channel.basic_consume("amq.rabbitmq.reply-to", lambda *args: answers.append(args[3]), auto_ack=True)
    channel.basic_publish("", "orders", b"12", pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
    while not answers:
        channel.connection.process_data_events(time_limit=None)
    assert answers == [b"144"]


def test_where_the_test_waits_for_nothing_the_story_names_the_tasks(broker: Broker, channel: BlockingChannel) -> None:
    broker.spawn(consume, [], name="worker")
    channel.basic_consume("orders", lambda *args: None, consumer_tag="mine")
    with pytest.raises(Deadlock, match=r"(?s)the test: .* waits for deliveries to mine\n  worker: "):
        channel.start_consuming()


def test_programs_that_go_on_for_ever_are_a_livelock() -> None:
    def poll() -> None:
        channel = channel_of_own()
        while True:
            channel.basic_get("orders")

    with Broker(max_steps=50) as broker:
        broker.spawn(poll)
        with pytest.raises(Livelock, match="no end is in sight after 50 steps"):
            broker.run()


def test_steps_are_counted_anew_for_each_wait() -> None:
    with Broker(max_steps=50) as broker:
        for _ in range(10):
            broker.spawn(produce, b"one", b"two", b"three", b"four")
            broker.run()
        assert broker.steps > 50


def test_a_program_that_fails_at_once_and_is_always_started_again_is_a_livelock() -> None:
    def fail() -> None:
        raise RuntimeError("no configuration")

    with Broker(max_steps=50) as broker:
        broker.spawn(fail, restart=True)
        with pytest.raises(Livelock, match="fail fails and is started again and again, 50 times"):
            broker.run()


def test_tasks_may_spawn_tasks(broker: Broker) -> None:
    found: list[bytes] = []

    def parent() -> None:
        broker.spawn(consume, found)
        child = broker.spawn(produce, b"one")
        while child.is_alive:
            time.sleep(1)

    parent_task = broker.spawn(parent)
    broker.run()
    assert (found, parent_task.is_alive) == ([b"one"], False)


# -- failure and death -----------------------------------------------------------------------------------------------


def test_what_a_program_raises_is_raised_in_the_test_with_its_own_traceback(broker: Broker) -> None:
    def divide() -> float:
        channel_of_own()
        return 1 / 0

    task = broker.spawn(divide)
    with pytest.raises(ZeroDivisionError) as caught:
        broker.run()
    assert "return 1 / 0" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert task.exception is caught.value
    broker.run()  # once is enough


def test_it_comes_out_of_whatever_the_test_waits_in(broker: Broker, connection: pika.BlockingConnection) -> None:
    def fail() -> None:
        raise RuntimeError("out of paper")

    broker.spawn(fail)
    with pytest.raises(RuntimeError, match="out of paper"):
        connection.sleep(1)


def test_an_interrupt_is_not_a_matter_of_supervisors(broker: Broker) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    broker.spawn(interrupt, restart=True)
    with pytest.raises(KeyboardInterrupt):
        broker.run()


def test_a_killed_program_gives_back_what_is_its_own_and_reaches_the_broker_no_more(broker: Broker) -> None:
    seen: list[str] = []

    def work() -> None:
        channel = channel_of_own()
        channel.basic_publish("", "orders", b"before")
        try:
            time.sleep(1000)
        finally:
            seen.append("finally")
            for attempt in (
                lambda: channel.basic_publish("", "orders", b"after"),
                lambda: channel.queue_declare("other"),
                channel.connection.close,
                pika.BlockingConnection,
                lambda: time.sleep(1),
                broker.run,
            ):
                with pytest.raises(BaseException) as caught:  # noqa: PT011
                    attempt()
                seen.append(caught.typename)

    task = broker.spawn(work)
    broker.run(until=lambda: broker.vhost().queues and broker.vhost().queue("orders").messages)
    assert broker.simulation.world.node is not None
    assert len(broker.simulation.world.node.state.connections) == 1
    task.kill()
    assert seen[0] == "finally"
    assert seen[1:6] == ["TaskKilled"] * 5
    assert (task.is_alive, task.result, task.exception) == (False, None, None)
    assert len(broker.simulation.world.node.state.connections) == 0
    assert [message.body for message in broker.vhost().queue("orders").messages] == [b"before"]
    assert list(broker.vhost().queues) == ["orders"]
    before = broker.now
    broker.run()
    assert broker.now == before


def test_what_a_dying_program_raises_is_nobodys_business(broker: Broker) -> None:
    def work() -> None:
        try:
            time.sleep(1000)
        finally:
            raise RuntimeError("while dying")

    task = broker.spawn(work)
    broker.run(seconds=1)
    task.kill()
    broker.run()
    assert task.exception is None


def test_what_a_killed_program_held_is_delivered_again(broker: Broker) -> None:
    found: list[bytes] = []

    def hold() -> None:
        channel = channel_of_own()
        channel.basic_consume("orders", lambda *args: time.sleep(1000))
        channel.start_consuming()

    holder = broker.spawn(hold)
    broker.spawn(produce, b"one")
    broker.run(seconds=1)
    assert [message.body for message in broker.vhost().queue("orders").unacked] == [b"one"]
    holder.kill()
    broker.spawn(consume, found)
    broker.run()
    assert found == [b"one"]


def test_a_program_may_kill_itself_and_others(broker: Broker) -> None:
    seen: list[str] = []

    def wait() -> None:
        try:
            time.sleep(1000)
        finally:
            seen.append("victim")

    def kill() -> None:
        time.sleep(1)
        victim.kill()
        seen.append("killer goes on")
        time.sleep(1)
        me.kill()
        seen.append("never")

    victim = broker.spawn(wait)
    me = broker.spawn(kill)
    other = broker.spawn(rest, 5)
    broker.run()
    assert seen == ["victim", "killer goes on"]
    assert [task.is_alive for task in (victim, me, other)] == [False] * 3
    assert broker.now == 5


def test_two_programs_that_kill_one_another(broker: Broker) -> None:
    def wait() -> None:
        try:
            time.sleep(1000)
        finally:
            killer.kill()

    def kill() -> None:
        victim.kill()
        time.sleep(3)

    victim = broker.spawn(wait)
    broker.run(seconds=1)
    killer = broker.spawn(kill)
    broker.run()
    assert (victim.is_alive, killer.is_alive, broker.now) == (False, False, 4)


def test_a_program_may_be_killed_before_it_has_begun(broker: Broker) -> None:
    task = broker.spawn(produce, b"one")
    task.kill()
    task.kill()
    broker.run()
    assert (task.is_alive, broker.vhost().queues) == (False, {})


@pytest.mark.parametrize("by_itself", [False, True], ids=["killed by the test", "killed by itself"])
def test_a_program_that_catches_everything_is_left_behind(broker: Broker, by_itself: bool) -> None:
    def stubborn() -> None:
        channel = channel_of_own()
        while True:
            with contextlib.suppress(BaseException):
                if by_itself:
                    task.kill()
                channel.basic_get("orders")
            with contextlib.suppress(BaseException):
                time.sleep(1)

    task = broker.spawn(stubborn)
    other = broker.spawn(rest, 10)
    broker.run(seconds=3)
    task.kill()
    broker.run()
    assert (task.is_alive, other.is_alive, broker.now) == (False, False, 10)


def test_restart_begins_anew(broker: Broker) -> None:
    starts: list[float] = []

    def work() -> str:
        starts.append(broker.now)
        time.sleep(10)
        return "done"

    task = broker.spawn(work)
    broker.run(seconds=5)
    task.restart()
    broker.run()
    assert (starts, task.starts, task.result) == ([0, 5], 2, "done")
    task.restart()
    assert task.result is None
    broker.run()
    assert (starts, task.result) == ([0, 5, 15], "done")


def test_a_program_may_restart_itself(broker: Broker) -> None:
    starts: list[float] = []

    def work() -> None:
        starts.append(broker.now)
        time.sleep(10)
        if len(starts) < 3:
            task.restart()
        starts.append(-1)

    task = broker.spawn(work)
    broker.run()
    assert starts == [0, 10, 20, -1]


@pytest.mark.parametrize(("restart", "after"), [(True, 1), (5, 5), (0, 0), (0.25, 0.25)])
def test_a_supervisor_starts_again_what_has_failed(broker: Broker, restart: bool | float, after: float) -> None:
    starts: list[float] = []

    def work() -> str:
        starts.append(broker.now)
        if len(starts) < 3:
            raise RuntimeError("not yet")
        return "done"

    task = broker.spawn(work, restart=restart)
    broker.run()
    assert starts == [0, after, 2 * after]
    assert (task.result, task.starts, str(task.exception)) == ("done", 3, "not yet")


def test_a_supervised_program_that_its_owner_kills_stays_dead(broker: Broker) -> None:
    task = broker.spawn(consume, [], restart=True)
    broker.run()
    task.kill()
    broker.run()
    assert (task.is_alive, task.starts) == (False, 1)


# -- names and wrong use ---------------------------------------------------------------------------------------------


def test_names_are_the_functions_unless_given(broker: Broker) -> None:
    tasks = [broker.spawn(produce), broker.spawn(produce), broker.spawn(produce, name="mine"), broker.spawn(produce)]
    assert [task.name for task in tasks] == ["produce", "produce 2", "mine", "produce 3"]
    assert repr(tasks[2]) == "<Task 'mine', alive>"
    broker.run()
    assert repr(tasks[2]) == "<Task 'mine', over>"


def test_the_trace_tells_whose_methods_are_whose(broker: Broker) -> None:
    broker.spawn(produce, b"one", name="publisher")
    broker.run()
    published = [event for event in broker.trace if event.method is not None and event.method.NAME == "basic.publish"]
    assert [event.task for event in published] == ["publisher"]


@pytest.mark.parametrize("name", ["mine", "the test"])
def test_a_name_that_is_taken(broker: Broker, name: str) -> None:
    broker.spawn(produce, name="mine")
    with pytest.raises(Misuse, match=f"there is a task '{name}' already"):
        broker.spawn(produce, name=name)
    broker.run(seconds=0)


def test_a_call_instead_of_a_function(broker: Broker) -> None:
    with pytest.raises(Misuse, match="do not call it yourself"):
        broker.spawn(produce())  # type: ignore[func-returns-value]


def test_until_takes_a_function(broker: Broker) -> None:
    with pytest.raises(Misuse, match="until= takes a function"):
        broker.run(until=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_no_span_of_time(broker: Broker, seconds: float) -> None:
    with pytest.raises(Misuse, match="no span of time"):
        broker.run(seconds=seconds)
    with pytest.raises(Misuse, match="no span of time"):
        broker.spawn(produce, restart=seconds)


def test_run_is_for_the_test(broker: Broker) -> None:
    broker.spawn(broker.run)
    with pytest.raises(Misuse, match=r"run\(\) is for the test"):
        broker.run()


def test_tasks_live_in_one_thread(broker: Broker, in_thread: InThread) -> None:
    broker.spawn(produce, b"one")
    for call in (lambda: broker.spawn(produce), broker.run):
        with pytest.raises(Misuse, match="live in the thread where the first was spawned"):
            in_thread(call).result(timeout=30)
    broker.run()


def test_without_greenlets(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greenlet", None)
    monkeypatch.delitem(sys.modules, "fakeamqp.simulation.tasks.processes", raising=False)
    monkeypatch.delitem(sys.modules, "fakeamqp.simulation.tasks.scheduler", raising=False)
    with pytest.raises(Misuse, match=r"pip install 'fakeamqp\[simulation\]'"):
        broker.spawn(produce)


# -- time ------------------------------------------------------------------------------------------------------------


def test_time_is_virtual_for_tasks_and_the_test(broker: Broker) -> None:
    seen: list[float] = []

    def work() -> None:
        start, monotonic, nanoseconds = time.time(), time.monotonic(), time.monotonic_ns()
        sleep(3600)
        seen.extend([time.time() - start, time.monotonic() - monotonic, (time.monotonic_ns() - nanoseconds) / 1e9])

    broker.spawn(work)
    time.sleep(3600)
    time.sleep(0)
    broker.run()
    assert (seen, broker.now) == ([3600, 3600, 3600], 3600)
    assert time.time_ns() == round(time.time() * 1e9)
    with pytest.raises(ValueError, match="must be non-negative"):
        time.sleep(-1)


def test_real_time_comes_back() -> None:
    with Broker() as broker:
        assert time.sleep is REAL_SLEEP
        broker.spawn(rest, 10)
        assert time.sleep is not REAL_SLEEP
        assert sleep is not REAL_SLEEP
        broker.run()
        assert broker.now == 10
    assert time.sleep is REAL_SLEEP
    assert sleep is REAL_SLEEP


def test_time_stays_real_in_other_threads(broker: Broker, in_thread: InThread) -> None:
    broker.spawn(rest, 10)
    broker.run()
    in_thread(rest, 0.001).result(timeout=30)
    assert broker.now == 10
    assert in_thread(time.time).result(timeout=30) != time.time()


def test_time_may_stay_real() -> None:
    with Broker(patch_time=False) as broker:
        broker.spawn(lambda: time.sleep(0.001))
        broker.run()
        assert time.sleep is REAL_SLEEP
        assert sleep is REAL_SLEEP
        assert broker.now == 0


# -- schedules -------------------------------------------------------------------------------------------------------


def order_of_two_producers(seed: int) -> tuple[list[bytes], list[str]]:
    """In which order messages of two programs arrive, and the whole trace."""
    with Broker(seed=seed) as broker:
        for name in (b"a", b"b"):
            broker.spawn(produce, *(name + b"%d" % number for number in range(5)))
        broker.run()
        return [message.body for message in broker.vhost().queue("orders").messages], list(map(str, broker.trace))


def test_the_seed_decides_who_goes_first() -> None:
    orders = [order_of_two_producers(seed) for seed in range(8)]
    assert [order_of_two_producers(seed) for seed in range(8)] == orders
    assert len({tuple(bodies) for bodies, _ in orders}) > 4
    for bodies, _ in orders:
        assert [body for body in bodies if body.startswith(b"a")] == [b"a%d" % number for number in range(5)]


# -- the end ---------------------------------------------------------------------------------------------------------


def test_the_brokers_end_is_the_tasks_end(broker: Broker) -> None:
    seen: list[str] = []

    def wait() -> None:
        try:
            consume([])
        finally:
            seen.append("finally")

    with contextlib.ExitStack() as stack:
        stack.callback(lambda: seen.append("after"))
        task = broker.spawn(wait, restart=True)
        broker.run()
        broker.__exit__(None, None, None)
        broker.__enter__()
    assert (seen, task.is_alive) == (["finally", "after"], False)


def test_a_broker_may_be_entered_again() -> None:
    broker = Broker()
    for _ in range(3):
        found: list[bytes] = []
        with broker:
            broker.spawn(produce, b"one", name="producer")
            broker.spawn(consume, found, name="consumer")
            time.sleep(10)
        assert found == [b"one"]
    assert broker.now == 30


def test_a_program_that_was_to_be_started_again_is_not_after_the_end() -> None:
    def fail() -> None:
        starts.append(broker.now)
        raise RuntimeError

    starts: list[float] = []
    broker = Broker()
    with broker:
        broker.spawn(fail, restart=5)
        broker.run(seconds=1)
    with broker:
        broker.spawn(rest, 10)
        broker.run()
    assert starts == [0]


def test_nothing_is_left_of_a_broker_whose_tasks_were_waiting() -> None:
    gone: list[weakref.ref[Broker]] = []
    for _ in range(5):
        with Broker() as broker:
            broker.spawn(consume, [])
            broker.spawn(produce, b"one")
            broker.spawn(rest, 1)
            broker.run()
            gone.append(weakref.ref(broker))
    del broker
    gc.collect()
    assert [ref() for ref in gone] == [None] * 5
