"""check_determinism: what fakeamqp does not control is found, and named."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Faults, NotRepeatable, explore
from tests.exploration.scenarios import Shop, lonely, one_job, prepare


def publishes(body: Callable[[], bytes]) -> Callable[[fakeamqp.Broker], None]:
    """A scenario with a task that publishes what a function gives."""

    def publish() -> None:
        with pika.BlockingConnection() as connection:
            connection.channel().basic_publish("", "jobs", body())

    def scenario(broker: fakeamqp.Broker) -> None:
        prepare("jobs")
        broker.spawn(publish)

    return scenario


UNREPEATABLE: dict[str, Callable[[fakeamqp.Broker], Any]] = {
    "uuid4": publishes(lambda: uuid.uuid4().bytes),
    "random": publishes(lambda: b"%f" % random.random()),
    "clock_gettime": publishes(lambda: b"%d" % time.clock_gettime_ns(time.CLOCK_MONOTONIC)),
}


@pytest.mark.parametrize("kind", UNREPEATABLE)
def test_the_first_difference_is_named(kind: str) -> None:
    with pytest.raises(NotRepeatable) as caught:
        explore(UNREPEATABLE[kind], runs=5, check_determinism=True, progress=False)
    found = re.search(r"from event (\d+) on:\n  first:  (.*)\n  second: (.*)\n", str(caught.value))
    assert found
    assert "-> basic.publish routing_key='jobs'" in found[2]
    assert "-> basic.publish routing_key='jobs'" in found[3]
    assert found[2] != found[3]


def declares_a_set(broker: fakeamqp.Broker) -> None:
    """Declares queues in the order in which a set of strings gives them."""
    broker.spawn(lambda: prepare(*{"one", "two", "three", "four", "five"}))


def test_the_order_of_a_set_is_found_by_interpreters_with_other_hashes() -> None:
    with pytest.raises(NotRepeatable, match=r"PYTHONHASHSEED.*the order of a set") as caught:
        explore(declares_a_set, runs=1, check_determinism=True, progress=False)
    assert "-> queue.declare" in str(caught.value)


def test_a_run_that_fails_in_another_way_is_found() -> None:
    def scenario(broker: fakeamqp.Broker) -> None:
        raise ValueError(uuid.uuid4())

    with pytest.raises(NotRepeatable, match=r"first:  ValueError: (.*)\n  second: ValueError: "):
        explore(scenario, runs=1, check_determinism=True, progress=False)


@pytest.mark.parametrize("search", ["random", "pct", "exhaustive"])
def test_what_is_repeatable_passes(search: str) -> None:
    shop = Shop(1)
    found = explore(
        shop,
        shop.every_order_is_shipped,
        runs=10,
        search=search,
        faults=Faults(crash=1, kill=1),
        check_determinism=True,
        progress=False,
    )
    assert found.runs == 10


def test_what_cannot_be_sent_to_other_interpreters_is_compared_here() -> None:
    def nested(broker: fakeamqp.Broker) -> None:
        lonely(broker)

    assert explore(nested, one_job, runs=3, check_determinism=True, progress=False).runs == 3


def test_a_failure_that_cannot_be_made_again_is_no_counterexample() -> None:
    runs: list[int] = []

    def scenario(broker: fakeamqp.Broker) -> None:
        broker.spawn(pika.BlockingConnection)
        runs.append(1)
        assert len(runs) != 3, "the third run"

    with pytest.raises(NotRepeatable, match=r"check_determinism=True(.|\n)*the third run"):
        explore(scenario, progress=False)
