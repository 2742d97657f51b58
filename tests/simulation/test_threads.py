"""Real threads, each with connections of its own or of another's: nothing hangs, gets lost or runs in circles."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker

InThread = Callable[..., Future[Any]]
TIMEOUT_SECONDS = 30


class Worker:
    """A consumer in a thread of its own, which others may stop."""

    def __init__(self, in_thread: InThread, prefetch_count: int = 0) -> None:
        self.handled: list[bytes] = []
        self._prefetch_count = prefetch_count
        self._is_ready = threading.Event()
        self._result = in_thread(self._run)
        assert self._is_ready.wait(TIMEOUT_SECONDS)

    def _run(self) -> None:
        self._connection = pika.BlockingConnection()
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=self._prefetch_count)
        self._channel.basic_consume("orders", self._handle)
        self._is_ready.set()
        self._channel.start_consuming()
        self._connection.close()

    def _handle(self, channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        self.handled.append(body)
        channel.basic_ack(method.delivery_tag)

    def stop(self) -> None:
        """Ask it to stop, if it has not, and wait until it has."""
        if not self._result.done():
            self._connection.add_callback_threadsafe(self._channel.stop_consuming)
        self._result.result(timeout=TIMEOUT_SECONDS)


@pytest.fixture
def worker(in_thread: InThread, channel: BlockingChannel) -> Iterator[Worker]:
    """A consumer of "orders"."""
    worker = Worker(in_thread)
    yield worker
    worker.stop()


def publish(count: int, name: str = "order") -> None:
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        for number in range(count):
            channel.basic_publish("", "orders", f"{name} {number:04}".encode())


def wait_until_empty(broker: Broker, channel: BlockingChannel) -> None:
    queue = broker.vhost().queue("orders")
    while queue.messages or queue.unacked:
        channel.connection.process_data_events(time_limit=0.005)
        queue = broker.vhost().queue("orders")


def test_a_consumer_gets_what_other_threads_publish(
    broker: Broker, channel: BlockingChannel, in_thread: InThread, worker: Worker
) -> None:
    publishing = [in_thread(publish, 100, name) for name in ("a", "b", "c")]
    for each in publishing:
        each.result(timeout=TIMEOUT_SECONDS)
    wait_until_empty(broker, channel)
    worker.stop()
    assert sorted(worker.handled) == sorted(f"{name} {number:04}".encode() for name in "abc" for number in range(100))
    for name in ("a", "b", "c"):
        of_one = [body for body in worker.handled if body.startswith(name.encode())]
        assert of_one == sorted(of_one)


@pytest.mark.parametrize("run", range(5))
def test_several_workers_handle_everything_once(
    broker: Broker, channel: BlockingChannel, in_thread: InThread, run: int
) -> None:
    workers = [Worker(in_thread, prefetch_count=1) for _ in range(4)]
    publish(200)
    wait_until_empty(broker, channel)
    for each in workers:
        each.stop()
    assert sorted(body for each in workers for body in each.handled) == [f"order {n:04}".encode() for n in range(200)]
    broker.simulation.world.check()


def test_a_waiting_thread_sleeps(
    broker: Broker, channel: BlockingChannel, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, naps = Worker(in_thread), 0
    sleep = broker.simulation.world.sleep

    def count(seconds: float | None) -> None:
        nonlocal naps
        naps += 1
        sleep(seconds)

    monkeypatch.setattr(broker.simulation.world, "sleep", count)
    for _ in range(5):
        channel.connection.process_data_events(time_limit=0.1)
    monkeypatch.undo()
    worker.stop()
    assert naps < 100  # by the worker, and by this thread, which wakes it when it goes on


def test_beside_another_thread_time_passes_as_fast_as_it_does(
    broker: Broker, channel: BlockingChannel, in_thread: InThread
) -> None:
    workers = [Worker(in_thread) for _ in range(3)]
    began, began_virtual = time.monotonic(), broker.now
    for _ in range(20):
        channel.basic_publish("", "orders", b"one")
        channel.connection.sleep(0.02)
    passed, passed_virtual = time.monotonic() - began, broker.now - began_virtual
    for each in workers:
        each.stop()
    assert 0.4 <= passed_virtual <= passed + 0.01


def test_a_thread_waits_as_long_as_it_wants(broker: Broker, in_thread: InThread, worker: Worker) -> None:
    def wait() -> float:
        with pika.BlockingConnection() as connection:
            began = broker.now
            connection.process_data_events(time_limit=0.2)
            return broker.now - began

    assert in_thread(wait).result(timeout=TIMEOUT_SECONDS) >= 0.2


def test_a_connection_may_be_used_by_another_thread_than_made_it(broker: Broker, in_thread: InThread) -> None:
    connection = in_thread(pika.BlockingConnection).result(timeout=TIMEOUT_SECONDS)
    channel = connection.channel()
    channel.queue_declare("orders")
    connection.sleep(3600)
    assert broker.now == 3600  # who made it has ended, so time jumps
    in_thread(connection.close).result(timeout=TIMEOUT_SECONDS)
    assert connection.is_closed


def test_messages_are_acknowledged_from_a_pool_of_threads(
    broker: Broker, channel: BlockingChannel, in_thread: InThread
) -> None:
    publish(50)

    def consume() -> None:
        def work(tag: int) -> None:
            connection.add_callback_threadsafe(functools.partial(acknowledge, tag))

        def acknowledge(tag: int) -> None:
            consumer.basic_ack(tag)
            acknowledged.append(tag)
            if len(acknowledged) == 50:
                consumer.stop_consuming()

        acknowledged: list[int] = []
        with ThreadPoolExecutor(4) as pool, pika.BlockingConnection() as connection:
            consumer = connection.channel()
            consumer.basic_qos(prefetch_count=10)
            consumer.basic_consume("orders", lambda channel, method, *_: pool.submit(work, method.delivery_tag))
            consumer.start_consuming()

    in_thread(consume).result(timeout=TIMEOUT_SECONDS)
    queue = broker.vhost().queue("orders")
    assert (queue.messages, queue.unacked) == ((), ())


def test_in_the_main_thread_too(broker: Broker, channel: BlockingChannel) -> None:
    publish(20)

    def work(tag: int) -> None:
        channel.connection.add_callback_threadsafe(functools.partial(finish, tag))

    def finish(tag: int) -> None:
        channel.basic_ack(tag)
        if tag == 20:
            channel.stop_consuming()

    with ThreadPoolExecutor(1) as pool:
        channel.basic_consume("orders", lambda channel, method, *_: pool.submit(work, method.delivery_tag))
        channel.connection.call_later(0, lambda: None)
        while channel.consumer_tags:
            channel.connection.process_data_events(time_limit=0.01)
    assert broker.vhost().queue("orders").unacked == ()


def test_an_exception_in_a_thread_reaches_that_thread_alone(
    broker: Broker, channel: BlockingChannel, in_thread: InThread
) -> None:
    channel.basic_publish("", "orders", b"one")

    def fail() -> None:
        with pika.BlockingConnection() as connection:
            consumer = connection.channel()
            consumer.basic_consume("orders", lambda *args: 1 / 0)
            consumer.start_consuming()

    with pytest.raises(ZeroDivisionError):
        in_thread(fail).result(timeout=TIMEOUT_SECONDS)
    assert [message.redelivered for message in broker.vhost().queue("orders").messages] == [True]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_every_waiting_thread_learns_of_the_brokers_end(
    broker: Broker, channel: BlockingChannel, in_thread: InThread, end: str
) -> None:
    ready = threading.Barrier(4)

    def consume() -> None:
        consumer = pika.BlockingConnection().channel()
        consumer.basic_consume("orders", lambda *args: None)
        ready.wait(TIMEOUT_SECONDS)
        consumer.start_consuming()

    waiting = [in_thread(consume) for _ in range(3)]
    ready.wait(TIMEOUT_SECONDS)
    getattr(broker, end)()
    for each in waiting:
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            each.result(timeout=TIMEOUT_SECONDS)


def test_a_loop_can_be_stopped_by_another_thread(broker: Broker, in_thread: InThread) -> None:
    opened = threading.Event()
    connections: list[pika.SelectConnection] = []

    def run() -> None:
        connection = pika.SelectConnection(on_open_callback=lambda _: opened.set())
        connections.append(connection)
        connection.ioloop.start()

    running = in_thread(run)
    assert opened.wait(TIMEOUT_SECONDS)
    connections[0].ioloop.stop()
    running.result(timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("run", range(5))
def test_connections_come_and_go_beside_one_another(broker: Broker, in_thread: InThread, run: int) -> None:
    def come_and_go(name: str) -> None:
        for number in range(20):
            with pika.BlockingConnection() as connection:
                channel = connection.channel()
                channel.queue_declare(name)
                channel.basic_publish("", name, b"%d" % number)
                assert channel.basic_get(name, auto_ack=True)[2] == b"%d" % number
                channel.queue_delete(name)

    for each in [in_thread(come_and_go, f"queue {number}") for number in range(4)]:
        each.result(timeout=TIMEOUT_SECONDS)
    assert broker.list_queues() == []
    broker.simulation.world.check()


def test_a_thread_that_has_just_been_started_may_yet_act(
    broker: Broker, channel: BlockingChannel, in_thread: InThread
) -> None:
    go_on = threading.Event()

    def publish_late() -> None:
        assert go_on.wait(TIMEOUT_SECONDS)
        publish(1)

    publishing = in_thread(publish_late)
    channel.connection.call_later(0.1, go_on.set)
    message = next(channel.consume("orders", auto_ack=True, inactivity_timeout=TIMEOUT_SECONDS))
    publishing.result(timeout=TIMEOUT_SECONDS)
    assert message[2] == b"order 0000"
    assert broker.now < TIMEOUT_SECONDS


def test_a_thread_of_others_holds_nothing_up() -> None:
    end = threading.Event()
    bystander = threading.Thread(target=end.wait)
    bystander.start()
    broker = Broker()
    broker.connect().sleep(3600)
    end.set()
    bystander.join(TIMEOUT_SECONDS)
    assert broker.now == 3600
