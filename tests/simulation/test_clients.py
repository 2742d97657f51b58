"""What unchanged programs do around their connections: other hosts, attempts, signals, forks."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pika
import pika.exceptions
import pytest

from fakeamqp import Broker, Deadlock, Misuse


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


# -- hosts -----------------------------------------------------------------------------------------------------------


def parameters(host: str, **settings: Any) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(host, **settings)


def test_every_host_answers(broker: Broker) -> None:
    assert broker.hosts is None
    assert pika.BlockingConnection(parameters("rabbit.example")).is_open


@pytest.mark.parametrize("hosts", [["rabbit-2"], ("rabbit-2:5672",)])
def test_a_program_with_a_list_of_hosts_reaches_the_one_that_answers(hosts: Any) -> None:
    with Broker(hosts=hosts):
        connection = pika.BlockingConnection([parameters("rabbit-1"), parameters("rabbit-2")])
        assert connection._impl.params.host == "rabbit-2"
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            pika.BlockingConnection(parameters("rabbit-1"))


def test_a_port_that_does_not_answer(broker: Broker) -> None:
    broker.hosts = ["rabbit:5673"]
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters("rabbit"))
    assert pika.BlockingConnection(parameters("rabbit", port=5673)).is_open


def test_attempts_meet_a_host_that_comes_back(broker: Broker) -> None:
    broker.hosts = []

    def come_back() -> None:
        time.sleep(12)
        broker.hosts = None

    def program() -> None:
        assert pika.BlockingConnection(parameters("rabbit", connection_attempts=5, retry_delay=5)).is_open

    broker.spawn(come_back)
    broker.spawn(program)
    broker.run()
    assert broker.now == 15


@pytest.mark.parametrize("hosts", ["rabbit-1", 5, [5]])
def test_hosts_are_names(hosts: Any) -> None:
    with pytest.raises(Misuse, match="host"):
        Broker(hosts=hosts)


# -- attempts that fail in the program's own class --------------------------------------------------------------------


class Fussy(pika.SelectConnection):
    """Refuses to be made for some hosts."""

    def __init__(self, parameters: Any = None, *args: Any, **kwargs: Any) -> None:
        if parameters.host == "bad":
            raise ValueError("not this host")
        super().__init__(parameters, *args, **kwargs)


def outcome(configs: list[pika.ConnectionParameters]) -> Any:
    done: list[Any] = []
    loop = pika.adapters.select_connection.IOLoop()

    def on_done(result: Any) -> None:
        done.append(result)
        loop.stop()

    Fussy.create_connection(configs, on_done, custom_ioloop=loop)
    loop.start()
    return done[0]


def test_a_class_whose_constructor_raises_fails_that_attempt_alone(broker: Broker) -> None:
    connection = outcome([parameters("bad"), parameters("good")])
    assert isinstance(connection, Fussy)
    assert connection.params.host == "good"
    assert [stream.is_open_for_use for stream in broker.simulation.network.open_streams()] == [True]


def test_a_class_whose_constructor_always_raises_fails_the_workflow(broker: Broker) -> None:
    failure = outcome([parameters("bad", connection_attempts=3, retry_delay=1)])
    assert isinstance(failure, pika.adapters.utils.connection_workflow.AMQPConnectionWorkflowFailed)
    assert len(failure.exceptions) == 3
    assert broker.simulation.network.open_streams() == []


def test_a_failed_login_fails_that_attempt_alone(broker: Broker) -> None:
    wrong = parameters("rabbit", credentials=pika.PlainCredentials("nobody", "nothing"))
    connection = pika.BlockingConnection([wrong, parameters("rabbit")])
    assert connection.is_open


# -- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no alarms")
def test_an_alarm_whose_handler_stops_consuming_ends_a_consumer_that_waits(broker: Broker) -> None:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("q")
    channel.basic_consume("q", lambda *_: None)
    before = signal.signal(signal.SIGALRM, lambda *_: channel.stop_consuming())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        channel.start_consuming()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert channel.consumer_tags == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no alarms")
def test_an_alarm_that_watches_over_the_test_keeps_no_program_waiting() -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with Broker():
            channel = pika.BlockingConnection().channel()
            channel.queue_declare("q")
            channel.basic_consume("q", lambda *_: None)
            with pytest.raises(Deadlock):
                channel.start_consuming()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# -- forks -----------------------------------------------------------------------------------------------------------


def refusal(use: Callable[[], Any]) -> str:
    try:
        use()
    except Misuse as error:
        return str(error)
    return "nothing was raised"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_cannot_use_its_parents_broker(broker: Broker) -> None:
    connection = pika.BlockingConnection()
    channel = connection.channel()
    channel.queue_declare("q")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()

    def in_child() -> None:
        answers.put(refusal(lambda: channel.basic_publish("", "q", b"lost")))
        answers.put(refusal(lambda: channel.queue_declare("q")))
        answers.put(refusal(pika.BlockingConnection))
        answers.put(refusal(broker.vhost))
        answers.put(refusal(lambda: broker.spawn(print)))

    child = context.Process(target=in_child)
    child.start()
    said = [answers.get(timeout=30) for _ in range(5)]
    child.join(timeout=30)
    assert all("lives in the process that made it" in each for each in said), said
    channel.basic_publish("", "q", b"kept")
    assert [each.body for each in broker.vhost().queue("q").messages] == [b"kept"]


# -- programs that are spawned and forgotten -------------------------------------------------------------------------


def test_a_program_that_never_ran_is_warned_of() -> None:
    broker = Broker()
    broker.spawn(print, name="first")
    broker.spawn(print, name="second")
    broker.__enter__()
    with pytest.warns(UserWarning, match=r"spawned, but never ran: first, second; call broker.run\(\)"):
        broker.__exit__(None, None, None)


def test_a_failing_test_is_not_told_of_programs_that_never_ran() -> None:
    broker = Broker()
    broker.spawn(print)
    broker.__enter__()
    broker.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
