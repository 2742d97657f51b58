"""Faults that overlap: each ends at its own time, and what several do lasts as long as the longest of them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pika
import pika.exceptions
import pytest

from fakeamqp import Broker


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


def idle() -> None:
    pika.BlockingConnection()
    time.sleep(1000)


@pytest.mark.parametrize("end", ["crash", "stop"])
def test_the_end_of_an_earlier_outage_does_not_end_a_later_one(broker: Broker, end: str) -> None:
    getattr(broker.faults, end)(seconds=10)
    broker.restart()
    broker.advance(5)
    broker.crash()
    broker.advance(6)
    assert not broker.is_running
    broker.restart()
    broker.faults.crash(seconds=2)
    broker.advance(2)
    assert broker.is_running


@pytest.mark.parametrize("spans", [(10, 60), (60, 10)])
def test_an_alarm_lasts_until_the_last_fault_that_raised_it_ends(broker: Broker, spans: tuple[int, int]) -> None:
    for seconds in spans:
        broker.faults.alarm(seconds=seconds)
    broker.advance(59)
    assert broker.simulation.world.node is not None
    assert broker.simulation.world.node.state.alarms == ("memory",)
    broker.advance(1)
    assert broker.simulation.world.node.state.alarms == ()


def test_an_alarm_that_was_raised_by_hand_is_cleared_by_hand(broker: Broker) -> None:
    broker.alarm("memory")
    broker.faults.alarm(seconds=1)
    broker.advance(2)
    assert broker.simulation.world.node is not None
    assert broker.simulation.world.node.state.alarms == ("memory",)
    broker.clear_alarm("memory")
    assert broker.simulation.world.node.state.alarms == ()


def test_an_alarm_may_be_cleared_by_hand_before_its_time(broker: Broker) -> None:
    broker.faults.alarm(seconds=10)
    broker.clear_alarm("memory")
    broker.advance(1)
    broker.alarm("memory")
    broker.advance(20)
    assert broker.simulation.world.node is not None
    assert broker.simulation.world.node.state.alarms == ("memory",)


@pytest.mark.parametrize("spans", [(1, 60), (60, 1)])
def test_connections_are_refused_for_the_longest_time(broker: Broker, spans: tuple[int, int]) -> None:
    for seconds in spans:
        broker.faults.refuse(seconds=seconds)
    broker.advance(59)
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection()
    broker.advance(1)
    assert pika.BlockingConnection().is_open


@pytest.mark.parametrize("kind", ["stall", "slow", "partition"])
@pytest.mark.parametrize("spans", [(1, 60), (60, 1)])
def test_a_program_is_held_up_for_the_longest_time(broker: Broker, kind: str, spans: tuple[int, int]) -> None:
    done: list[float] = []

    def program() -> None:
        channel = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=0)).channel()
        time.sleep(1)
        channel.queue_declare("q")
        done.append(broker.now)

    broker.spawn(program)
    broker.run(seconds=0.5)
    for seconds in spans:
        getattr(broker.faults, kind)(task="program", seconds=seconds)
    broker.run()
    assert done == [60.5]


@pytest.mark.parametrize("kind", ["stall", "slow"])
@pytest.mark.parametrize("at", range(4, 8))
def test_a_program_goes_on_when_its_fault_ends_and_not_at_somebody_elses_time(kind: str, at: int) -> None:
    done: list[float] = []

    def server() -> None:
        pika.BlockingConnection().channel().queue_declare("q")
        done.append(broker.now)

    with Broker() as broker:
        getattr(broker.faults, kind)(at=at, task="server", seconds=1)
        broker.spawn(server)
        broker.spawn(idle)
        broker.run()
    assert done == [1.0]
