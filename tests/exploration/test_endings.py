"""How explored runs end: quietly, at a horizon, with programs that poll for ever, or with one that hangs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Broker, Counterexample, Deadlock, Faults, Livelock, Misuse, explore


def publish_safely() -> None:
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True)
        channel.confirm_delivery()
        channel.basic_publish("", "q", b"x", pika.BasicProperties(delivery_mode=2))


def wait_for_an_answer() -> None:
    connection = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=0))
    channel = connection.channel()
    time.sleep(1)
    channel.queue_declare("q")


def consume_for_ever() -> None:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("q", durable=True)
    channel.basic_consume("q", lambda channel, method, *_: channel.basic_ack(method.delivery_tag))
    channel.start_consuming()


def publish_when_called() -> None:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("q", durable=True)
    channel.confirm_delivery()
    channel.basic_consume("q", lambda channel, *_: channel.basic_publish("", "done", b"x"))
    channel.start_consuming()


# -- programs that hang ----------------------------------------------------------------------------------------------


def test_a_publisher_that_waits_for_ever_for_its_confirm_is_a_counterexample() -> None:
    with pytest.raises(Counterexample) as caught:
        explore(lambda broker: broker.spawn(publish_safely) and None, runs=100, faults=Faults(lose_confirm=1))
    assert caught.value.failure.kind == "Deadlock"
    assert caught.value.failure.text.startswith("publish_safely waits for ever for its confirm (")
    assert caught.value.failure.text.endswith(f"test_endings.py:{line_of(publish_safely, 5)})")
    assert any("loses the basic.ack" in line for line in caught.value.story)


def line_of(function: Callable[..., Any], offset: int) -> int:
    return function.__code__.co_firstlineno + offset


def test_a_confirm_that_is_awaited_in_a_callback_counts() -> None:
    def stage(broker: Broker) -> None:
        with pika.BlockingConnection() as connection:
            connection.channel().queue_declare("q", durable=True)
            connection.channel().basic_publish("", "q", b"x")
        broker.spawn(publish_when_called)

    with pytest.raises(Counterexample, match="publish_when_called waits for ever for its confirm"):
        explore(stage, runs=100, faults=Faults(lose_confirm=1))


def test_an_answer_that_never_comes_is_a_counterexample() -> None:
    def stage(broker: Broker) -> None:
        broker.spawn(wait_for_an_answer)
        broker.run(seconds=0.5)
        broker.faults.partition()

    with pytest.raises(Counterexample, match="waits for ever for the answer to queue_declare"):
        explore(stage, runs=1)


def test_waiting_for_deliveries_is_no_failure() -> None:
    assert explore(lambda broker: broker.spawn(consume_for_ever) and None, runs=20).runs == 20


def test_hanging_may_be_allowed() -> None:
    stage = lambda broker: broker.spawn(publish_safely) and None  # noqa: E731
    assert explore(stage, runs=100, faults=Faults(lose_confirm=1), may_hang=True).runs == 100


def test_the_invariant_is_asked_first() -> None:
    def never(broker: Broker) -> bool:
        return False

    stage = lambda broker: broker.spawn(publish_safely) and None  # noqa: E731
    with pytest.raises(Counterexample, match="never does not hold"):
        explore(stage, never, runs=1)


def test_a_deadlock_in_the_test_itself_names_the_confirm() -> None:
    with Broker() as broker:
        broker.faults.lose_confirm()
        with pytest.raises(Deadlock, match=r"its program waits for ever for its confirm \(.*test_endings.py:\d+\)"):
            publish_safely()


def test_a_deadlock_beside_tasks_names_what_each_waits_for() -> None:
    with Broker() as broker:
        broker.faults.lose_confirm()
        broker.spawn(publish_safely)
        with pytest.raises(Deadlock, match=r"publish_safely: .* waits for ever for its confirm"):
            broker.run(until=lambda: False)


# -- programs that poll ----------------------------------------------------------------------------------------------


def poll(got: list[bytes]) -> None:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("q", durable=True)
    for method, _, body in channel.consume("q", inactivity_timeout=1):
        if method is not None:
            channel.basic_ack(method.delivery_tag)
            got.append(body)


def look_now_and_then(got: list[bytes]) -> None:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("q", durable=True)
    while True:
        method, _, body = channel.basic_get("q", auto_ack=True)
        if method is not None:
            got.append(body)
        time.sleep(1)


class Stage:
    """A publisher and a program that polls; remembers when runs ended."""

    def __init__(self, program: Callable[[list[bytes]], None]) -> None:
        self.program = program
        self.ends: list[float] = []

    def __call__(self, broker: Broker) -> list[bytes]:
        got: list[bytes] = []
        broker.spawn(publish_safely, restart=True)
        broker.spawn(self.program, got, restart=True)
        return got

    def delivered(self, broker: Broker, got: list[bytes]) -> None:
        self.ends.append(broker.now)
        assert b"x" in got


@pytest.mark.parametrize("program", [poll, look_now_and_then])
def test_programs_that_poll_are_no_livelock(program: Callable[[list[bytes]], None]) -> None:
    stage = Stage(program)
    explore(stage, stage.delivered, runs=3, max_steps=400)
    assert min(stage.ends) > 60


@pytest.mark.parametrize("program", [poll, look_now_and_then])
def test_a_horizon_ends_their_runs(program: Callable[[list[bytes]], None]) -> None:
    stage = Stage(program)
    explore(stage, stage.delivered, runs=20, horizon=30)
    assert set(stage.ends) == {30}


def test_what_polling_programs_lose_is_found() -> None:
    stage = Stage(poll)
    with pytest.raises(Counterexample, match="AssertionError"):
        explore(stage, stage.delivered, runs=300, horizon=30, faults=Faults(kill=1))


def test_a_run_that_goes_on_and_on_at_one_moment_is_a_livelock() -> None:
    def requeue_for_ever() -> None:
        channel = pika.BlockingConnection().channel()
        channel.queue_declare("q", durable=True)
        for method, _, _ in channel.consume("q"):
            channel.basic_nack(method.delivery_tag)

    def stage(broker: Broker) -> None:
        broker.spawn(publish_safely)
        broker.spawn(requeue_for_ever)

    with pytest.raises(Counterexample, match=Livelock.__name__):
        explore(stage, runs=3, max_steps=300)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_a_time_limit_ends_a_search() -> None:
    found = explore(lambda broker: broker.spawn(consume_for_ever) and None, runs=10**9, time_limit=0.2)
    assert 0 < found.runs < 10**9


@pytest.mark.parametrize("name", ["horizon", "time_limit"])
@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_limits_are_spans_of_time(name: str, seconds: float) -> None:
    with pytest.raises(Misuse, match=f"{name}= is a number of seconds above 0"):
        explore(lambda broker: None, **{name: seconds})


def test_a_scenario_that_spawns_nothing() -> None:
    with pytest.raises(Misuse, match="has spawned no program"):
        explore(lambda broker: None)


def test_an_invariant_that_reads_the_trace_is_told_how_to_have_one() -> None:
    def nothing_is_purged(broker: Broker) -> None:
        assert not broker.trace.filter(kind="effect", outcome="purged")

    def purge() -> None:
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            channel.queue_declare("q")
            channel.basic_publish("", "q", b"x")
            channel.queue_purge("q")

    stage = lambda broker: broker.spawn(purge) and None  # noqa: E731
    with pytest.raises(Misuse, match=r"explore\(..., trace_limit=None\)"):
        explore(stage, nothing_is_purged)
    with pytest.raises(Counterexample):
        explore(stage, nothing_is_purged, trace_limit=None)


# -- searches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", ["random", "pct", "exhaustive", "crash points", "crash points + schedules"])
def test_the_first_run_of_every_search_is_the_quiet_one(search: str) -> None:
    def wrong(broker: Broker) -> bool:
        return False

    with pytest.raises(Counterexample) as caught:
        explore(lambda broker: broker.spawn(publish_safely) and None, wrong, search=search, shrink=False)
    assert (caught.value.runs, caught.value.token) == (1, "0:")


def test_crash_points_and_schedules_find_what_needs_one_of_each() -> None:
    seen: set[tuple[bool, bool]] = set()

    def note(broker: Broker) -> None:
        crashes = [event for event in broker.trace if event.kind == "broker"]
        schedules = [
            event for event in broker.trace if event.kind == "choice" and "schedule" in event.text and event.details
        ]
        turned = sum(1 for event in schedules if event.details and event.details["chosen"])
        assert turned <= 1
        seen.add((bool(crashes), bool(turned)))

    def stage(broker: Broker) -> None:
        broker.spawn(publish_safely, name="one", restart=True)
        broker.spawn(publish_safely, name="two", restart=True)

    explore(stage, note, search="crash points + schedules", faults=Faults(crash=1), bound=2, runs=400, trace_limit=None)
    assert (True, True) in seen
    seen.clear()
    explore(stage, note, search="crash points", faults=Faults(crash=1), bound=2, runs=400, trace_limit=None)
    assert seen == {(False, False), (True, False)}


# -- faults that are aimed -------------------------------------------------------------------------------------------


def test_faults_strike_the_tasks_they_are_aimed_at() -> None:
    struck: set[str] = set()

    def note(broker: Broker) -> None:
        struck.update(event.task for event in broker.trace if event.kind == "fault")

    def stage(broker: Broker) -> None:
        for name in ("one", "two"):
            broker.spawn(publish_safely, name=name, restart=True)

    explore(stage, note, runs=100, faults=Faults(kill=2, tasks={"two"}), trace_limit=None)
    assert struck == {"two"}


@pytest.mark.parametrize("tasks", ["worker", [1]])
def test_faults_are_aimed_by_names(tasks: Any) -> None:
    with pytest.raises(Misuse, match="tasks= takes names of tasks"):
        Faults(kill=1, tasks=tasks)


def test_aimed_faults_have_no_order_that_a_hash_decides() -> None:
    assert repr(Faults(kill=2, tasks={"b", "a"})) == "Faults(kill=2, tasks=('a', 'b'))"


LIMIT = {"x-queue-type": "quorum", "x-delivery-limit": 2}


def ship(shipped: set[bytes]) -> None:
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True, arguments=LIMIT)
        channel.basic_qos(prefetch_count=1)
        for method, _, body in channel.consume("orders"):
            connection.sleep(2)
            shipped.add(body)
            channel.basic_ack(method.delivery_tag)


def order() -> None:
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True, arguments=LIMIT)
        channel.confirm_delivery()
        channel.basic_publish("", "orders", b"order", pika.BasicProperties(delivery_mode=2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_worker_that_dies_three_times_with_the_same_message_is_found(seed: int) -> None:
    def stage(broker: Broker) -> set[bytes]:
        shipped: set[bytes] = set()
        broker.spawn(order, restart=True)
        broker.spawn(ship, shipped, restart=True)
        return shipped

    def is_shipped(broker: Broker, shipped: set[bytes]) -> None:
        assert shipped == {b"order"}

    with pytest.raises(fakeamqp.Counterexample):
        explore(stage, is_shipped, runs=2000, seed=seed, faults=Faults(kill=3), shrink=False)


def test_what_repeats_within_a_step_is_told_once() -> None:
    def publish() -> None:
        channel = pika.BlockingConnection().channel()
        for _ in range(20):
            channel.basic_publish("", "nowhere", b"x")

    with pytest.raises(Counterexample) as caught:
        explore(lambda broker: broker.spawn(publish) and None, lambda broker: False, runs=1)
    assert any("publishes b'x' to 'nowhere', ... the same 19 times more" in line for line in caught.value.story)


def test_what_is_settled_together_is_told() -> None:
    def settle() -> None:
        channel = pika.BlockingConnection().channel()
        channel.queue_declare("q")
        for body in (b"1", b"2", b"3", b"4"):
            channel.basic_publish("", "q", body)
        tags = [channel.basic_get("q")[0].delivery_tag for _ in range(4)]
        channel.basic_ack(tags[1], multiple=True)
        channel.basic_nack(tags[3], multiple=True)

    with pytest.raises(Counterexample) as caught:
        explore(lambda broker: broker.spawn(settle) and None, lambda broker: False, runs=1)
    told = " ".join(" ".join(caught.value.story).split())
    assert "acks b'2' and what came before, rejects b'4' and what came before and requeues them" in told


# -- what else the story tells ---------------------------------------------------------------------------------------


def story_of(scenario: Callable[[Broker], Any], **settings: Any) -> list[str]:
    """The story of a quiet run, each line from its actor on."""
    with pytest.raises(Counterexample) as caught:
        explore(scenario, lambda broker, *_: False, runs=1, progress=False, **settings)
    return [" ".join(line.split()).split(" s ", 1)[-1] for line in caught.value.story[:-1]]


def test_missed_heartbeats_what_the_node_closed_and_what_nobody_receives_are_told() -> None:
    def consume() -> None:
        channel = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=30)).channel()
        channel.queue_declare("films")
        channel.basic_publish("", "films", b"film")
        for method, _, _ in channel.consume("films"):
            time.sleep(300)
            channel.basic_ack(method.delivery_tag)
            with pytest.raises(pika.exceptions.AMQPConnectionError):
                channel.queue_declare("films")
            break

    def scenario(broker: Broker) -> None:
        broker.spawn(consume)

    assert story_of(scenario) == [
        "consume: connects, declares queue 'films', publishes b'film' to 'films', consumes from 'films', gets b'film'",
        "the node: closes the connection of consume: missed heartbeats from client, timeout: 30s",
        "consume: acks b'film' (nobody receives it), declares queue 'films' (nobody receives it), is through",
    ]


def test_what_the_node_closes_is_told_once_and_at_its_time() -> None:
    def program(seconds: float) -> None:
        channel = pika.BlockingConnection().channel()
        channel.basic_publish("nowhere", "key", b"order")
        time.sleep(seconds)
        with pytest.raises(pika.exceptions.ChannelClosedByBroker):
            channel.queue_declare("orders")

    def scenario(broker: Broker) -> None:
        broker.spawn(program, 0, name="fast")
        broker.spawn(program, 5, name="slow")

    why = "404 NOT_FOUND - no exchange 'nowhere' in vhost '/'"
    assert story_of(scenario) == [
        "fast: connects, publishes b'order' to 'nowhere' with key 'key'",
        f"the node: closes a channel of fast: {why}",
        f"fast: declares queue 'orders', is told: {why}, is through",
        "slow: connects, publishes b'order' to 'nowhere' with key 'key'",
        f"the node: closes a channel of slow: {why}",
        f"slow: declares queue 'orders', is told: {why}, is through",
    ]


def test_what_is_said_into_silence_arrives_late() -> None:
    def publish(broker: Broker) -> None:
        channel = pika.BlockingConnection().channel()
        channel.queue_declare("orders")
        broker.faults.partition(task="publish", seconds=5)
        channel.basic_publish("", "orders", b"one")
        time.sleep(10)

    told = story_of(lambda broker: broker.spawn(publish, broker) and None)
    assert "publish: publishes b'one' to 'orders' (nobody receives it)" in told
    assert "the network: what publish has said arrives: publishes b'one' to 'orders'" in told


def test_a_crash_makes_deaf() -> None:
    def publish(broker: Broker) -> None:
        channel = pika.BlockingConnection().channel()
        broker.crash()
        channel.basic_publish("", "orders", b"one")

    told = story_of(lambda broker: broker.spawn(publish, broker) and None)
    assert told[-1] == "publish: publishes b'one' to 'orders' (nobody receives it), is through"


def test_what_a_program_draws_and_the_time_that_passes_are_told() -> None:
    def program(broker: Broker) -> None:
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            for _ in range(4):
                channel.basic_publish("", "orders", b"%d" % broker.choose("dice", 6))
                time.sleep(1.5)

    assert story_of(lambda broker: broker.spawn(program, broker) and None) == [
        "program: connects, draws dice: 0 of 6, publishes b'0' to 'orders', 1.5 s later draws dice: 0 of 6, "
        "... these 2 2 times more, publishes b'0' to 'orders', 1.5 s later closes the channel, closes the connection, "
        "is through"
    ]


def test_many_declarations_are_told_as_a_sum() -> None:
    def declare(count: int) -> None:
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            channel.exchange_declare("shop", "topic")
            channel.exchange_declare("shop", passive=True)
            for number in range(count):
                channel.queue_declare(f"q{number}")
                channel.queue_bind(f"q{number}", "shop", "#")
            channel.basic_publish("shop", "key", b"order")

    def scenario(broker: Broker) -> None:
        broker.spawn(declare, 5)
        broker.spawn(declare, 1, name="few")

    assert story_of(scenario) == [
        "declare: connects, declares topic exchange 'shop', looks for exchange 'shop', "
        "declares 5 queues and 5 bindings, publishes b'order' to 'shop' with key 'key', closes the channel, "
        "closes the connection, is through",
        "few: connects, declares topic exchange 'shop', looks for exchange 'shop', declares queue 'q0', "
        "binds 'q0' to 'shop' with '#', publishes b'order' to 'shop' with key 'key', closes the channel, "
        "closes the connection, is through",
    ]


def test_long_lines_are_wrapped() -> None:
    def publish() -> None:
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            for number in range(20):
                channel.basic_publish("", "orders", b"order number %d" % number)

    with pytest.raises(Counterexample) as caught:
        explore(lambda broker: broker.spawn(publish) and None, lambda broker: False, runs=1, progress=False)
    lines = caught.value.story[0].splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 120
    assert all(line.startswith(" " * 18) and line[18] != " " for line in lines[1:])


# -- what is logged --------------------------------------------------------------------------------------------------


def chatter(broker: Broker, count: int) -> None:
    """A program that logs, and fails."""

    def program() -> None:
        for number in range(count):
            logging.getLogger("shop").warning("order %d", number)
        raise ValueError("no")

    broker.spawn(program)


@pytest.mark.parametrize(("count", "left_out"), [(50, 0), (5000, 4900)])
def test_of_a_long_log_the_last_lines_are_kept(caplog: pytest.LogCaptureFixture, count: int, left_out: int) -> None:
    with pytest.raises(Counterexample):
        explore(lambda broker: chatter(broker, count), runs=1, progress=False)
    told = [record.getMessage() for record in caplog.records]
    notice = [f"{left_out} lines of this run's log are left out"] if left_out else []
    assert told == [*notice, *(f"order {number}" for number in range(left_out, count))]
