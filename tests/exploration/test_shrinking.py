"""Shrinking: what a search has found ends as few choices, whichever search it was."""

from __future__ import annotations

from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Broker, Counterexample, Faults, explore
from fakeamqp.exploration.moments import AtMoments, Moment, Reader
from fakeamqp.exploration.searches import RandomWalk
from fakeamqp.simulation.world.chance import RecordingChooser, ReplayingChooser
from tests.exploration.scenarios import PERSISTENT

PAYMENTS = ("payment 1", "payment 2")


def declare(channel: Any) -> None:
    for queue in ("payments", "invoices"):
        channel.queue_declare(queue, durable=True)


def till(paid: set[str]) -> None:
    """Take payments, and remember which ones RabbitMQ has confirmed."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        declare(channel)
        channel.confirm_delivery()
        for payment in PAYMENTS:
            if payment not in paid:
                channel.basic_publish("", "payments", payment.encode(), PERSISTENT)
                paid.add(payment)


def relay() -> None:
    """Forward without confirms, then acknowledge: a crash may lose what was forwarded, and keep the acknowledgement."""
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        declare(channel)
        channel.basic_qos(prefetch_count=1)
        for method, _, body in channel.consume("payments"):
            channel.basic_publish("", "invoices", b"invoice of " + body, PERSISTENT)
            channel.basic_ack(method.delivery_tag)


def accountant(booked: set[str]) -> None:
    with pika.BlockingConnection() as connection:
        channel = connection.channel()
        declare(channel)
        for method, _, body in channel.consume("invoices"):
            booked.add(body.decode())
            channel.basic_ack(method.delivery_tag)


def payments(broker: Broker) -> tuple[set[str], set[str]]:
    """A scenario with a bug that takes a crash, and of what was on its way to the disk a part."""
    paid: set[str] = set()
    booked: set[str] = set()
    broker.spawn(till, paid, restart=True)
    broker.spawn(relay, restart=True)
    broker.spawn(accountant, booked, restart=True)
    return paid, booked


def all_are_booked(broker: Broker, state: tuple[set[str], set[str]]) -> None:
    paid, booked = state
    missing = {f"invoice of {payment}" for payment in paid} - booked
    assert not missing, f"never booked: {missing}"


def test_a_bug_of_two_conditions_ends_as_three_choices() -> None:
    with pytest.raises(Counterexample) as caught:
        explore(payments, all_are_booked, runs=2000, seed=0, faults=Faults(crash=1), progress=False)
    assert sum(1 for choice in caught.value.token.partition(":")[2].partition("+")[0].split(",") if choice) == 3
    with pytest.raises(Counterexample) as again:
        fakeamqp.replay(payments, all_are_booked, caught.value.token)
    assert again.value.story == caught.value.story


class Draws:
    """Asks a chooser in the same way as a run does."""

    def __init__(self, chooser: Any) -> None:
        self.made = [
            chooser.choose(stream, count, among)
            for stream, count, among in [
                ("schedule", 2, ("a", "b")),
                ("fault", 2, ("a holds 0",)),
                ("schedule", 3, ("b", "a")),
                ("schedule", 2, ("a", "b")),
                ("crash", 4, ()),
                ("schedule", 2, ("a", "b")),
                ("crash", 4, ()),
            ]
        ]


def test_choices_are_read_by_their_moments() -> None:
    reader = Reader(ReplayingChooser([0, 1, 2, 1, 3]))
    assert Draws(reader).made == [0, 1, 2, 1, 3, 0, 0]
    assert reader.chosen == {
        Moment("fault", "a", 0): 1,
        Moment("schedule", "b", 0): "the disk",
        Moment("schedule", "a", 1): "b",
        Moment("crash", "", 0): 3,
    }
    assert reader.possible[Moment("schedule", "b", 0)] == ["a", "the disk"]
    assert reader.possible[Moment("crash", "", 1)] == [1, 2, 3]


def test_and_made_again_by_them() -> None:
    chosen: dict[Moment, Any] = {
        Moment("schedule", "a", 2): "b",
        Moment("schedule", "a", 0): "nobody",
        Moment("crash", "", 1): 9,
    }
    assert Draws(AtMoments(chosen)).made == [0, 0, 0, 0, 0, 1, 3]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_is_the_same_by_its_moments(seed: int) -> None:
    made: list[list[str]] = []

    def run(chooser: Any) -> None:
        with Broker(chooser=RecordingChooser(chooser, seed), sync_interval=0.1) as broker:
            payments(broker)
            broker.run(seconds=5)
            made.append([str(event) for event in broker.trace])

    reader = Reader(RandomWalk(seed))
    for chooser in (reader, AtMoments(reader.chosen)):
        run(chooser)
    assert made[0] == made[1]
