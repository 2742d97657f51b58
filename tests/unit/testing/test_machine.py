"""The state machine for users' programs: it does what it says, and its steps can be switched off."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pika
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import fakeamqp
from fakeamqp.testing.machine import ALL_STEPS, BrokerMachine, Delivery
from fakeamqp.testing.strategies import Message

SIZE = settings(max_examples=150, stateful_step_count=40, deadline=None, derandomize=True)


class Recording(BrokerMachine):
    """Counts what the hooks hear of."""

    heard: ClassVar[Counter[str]] = Counter()

    def prepare(self) -> None:
        self.heard["prepared"] += 1

    def on_published(self, message: Message) -> None:
        self.heard["published"] += 1

    def on_received(self, delivery: Delivery) -> None:
        self.heard["received"] += 1

    def on_settled(self, delivery: Delivery, requeue: bool) -> None:
        self.heard[f"settled {requeue}"] += 1

    def on_restarted(self, crashed: bool) -> None:
        self.heard[f"restarted {crashed}"] += 1


def test_a_machine_does_what_clients_do() -> None:
    run_state_machine_as_test(Recording, settings=SIZE)
    assert set(Recording.heard) == {
        "prepared", "published", "received", "settled False", "settled True", "restarted False", "restarted True",
    }  # fmt: skip


def test_steps_that_are_switched_off_are_not_made() -> None:
    class Still(BrokerMachine):
        steps = ALL_STEPS - {"stop", "crash", "advance"}

        def on_restarted(self, crashed: bool) -> None:
            raise AssertionError("nothing restarts")

        def teardown(self) -> None:
            assert self.broker.now == 0
            super().teardown()

    run_state_machine_as_test(Still, settings=settings(SIZE, max_examples=30))


def test_unknown_steps_are_a_misuse() -> None:
    class Wrong(BrokerMachine):
        steps = ("crash", "explode")

    with pytest.raises(
        fakeamqp.Misuse, match=r"steps = \['explode'\] are none of a BrokerMachine's: ack, advance, bind"
    ):
        Wrong()


def test_pika_reaches_the_machine_s_broker_until_it_is_torn_down() -> None:
    class OlderBroker(BrokerMachine):
        broker_settings: ClassVar[dict[str, Any]] = {"version": "3.10"}

    machine = OlderBroker()
    pika.BlockingConnection().channel().queue_declare("orders")
    assert machine.has_queue("orders")
    assert machine.broker.version == "3.10"
    machine.teardown()
    with fakeamqp.Broker() as broker:
        pika.BlockingConnection().channel().queue_declare("elsewhere")
        assert "elsewhere" in broker.vhost().queues


def test_a_prepare_that_fails_gives_pika_back() -> None:
    class Failing(BrokerMachine):
        def prepare(self) -> None:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        Failing()
    with fakeamqp.Broker():
        pass
