"""Programs that die while they talk, and programs whose connection goes silent."""

from __future__ import annotations

import gc
import weakref

import pika
import pytest

import fakeamqp


class Unhappy:
    """Cannot be left in peace: what it holds fails when it is given back."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        raise AttributeError("the world is not as it was")


def consume_unhappily() -> None:
    connection = pika.BlockingConnection()
    with Unhappy():
        for _ in connection.channel().consume("orders"):
            pass


def test_what_a_killed_program_raises_while_it_is_unwound_is_nobodys_failure(broker: fakeamqp.Broker) -> None:
    pika.BlockingConnection().channel().queue_declare("orders")
    task = broker.spawn(consume_unhappily)
    broker.run()
    task.kill()
    broker.run()
    assert task.exception is None


def test_what_a_program_raises_that_is_killed_by_a_fault_is_nobodys_failure(broker: fakeamqp.Broker) -> None:
    pika.BlockingConnection().channel().queue_declare("orders")
    broker.faults.kill(before="basic.consume")
    task = broker.spawn(consume_unhappily)
    broker.run()
    assert task.exception is None
    assert not task.is_alive


def wait_for_orders() -> None:
    for _ in pika.BlockingConnection().channel().consume("orders"):
        pass


def test_run_goes_on_until_a_silent_connection_is_missed(broker: fakeamqp.Broker) -> None:
    pika.BlockingConnection().channel().queue_declare("orders")
    task = broker.spawn(wait_for_orders)
    broker.run()
    broker.faults.partition(task="wait_for_orders")
    with pytest.raises(pika.exceptions.AMQPHeartbeatTimeout):
        broker.run()
    assert not task.is_alive
    assert 60 < broker.now < 180


def test_run_ends_though_a_silent_connection_sends_no_heartbeats(broker: fakeamqp.Broker) -> None:
    def wait_without_heartbeats() -> None:
        for _ in pika.BlockingConnection(pika.ConnectionParameters(heartbeat=0)).channel().consume("orders"):
            pass

    pika.BlockingConnection().channel().queue_declare("orders")
    task = broker.spawn(wait_without_heartbeats)
    broker.run()
    broker.faults.partition(task="wait_without_heartbeats")
    broker.run()
    assert task.is_alive


def test_a_broker_is_forgotten_with_all_its_tasks() -> None:
    with fakeamqp.Broker() as broker:
        pika.BlockingConnection().channel().queue_declare("orders")
        broker.spawn(wait_for_orders)
        broker.run()
    memory = weakref.ref(broker)
    del broker
    gc.collect()
    assert memory() is None
