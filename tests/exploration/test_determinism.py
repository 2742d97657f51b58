"""check_determinism: what fakeamqp does not control is found, and named."""

from __future__ import annotations

import os
import random
import re
import secrets
import time
import uuid
from collections.abc import Callable

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


UNREPEATABLE: dict[str, Callable[[], bytes]] = {
    "uuid.uuid4": lambda: uuid.uuid4().bytes,
    "random.random": lambda: b"%f" % random.random(),
    "random.choice": lambda: b"%d" % random.choice(range(10**9)),
    "os.urandom": lambda: os.urandom(8),
    "secrets.token_bytes": lambda: secrets.token_bytes(8),
    "time.clock_gettime_ns": lambda: b"%d" % time.clock_gettime_ns(time.CLOCK_MONOTONIC),
}


@pytest.mark.parametrize("kind", UNREPEATABLE)
def test_the_first_difference_is_named(kind: str) -> None:
    with pytest.raises(NotRepeatable) as caught:
        explore(publishes(UNREPEATABLE[kind]), runs=5, check_determinism=True, progress=False)
    found = re.search(r"from event (\d+) on:\n  first:  (.*)\n  second: (.*)\n(.*)", str(caught.value))
    assert found
    assert "-> basic.publish routing_key='jobs'" in found[2]
    assert "-> basic.publish routing_key='jobs'" in found[3]
    assert found[2] != found[3]
    assert f"asked for what differs from run to run: {kind} ({__file__}:" in found[4]


def test_what_is_asked_for_later_is_not_named() -> None:
    def body() -> bytes:
        return b"%d" % next(calls)

    def scenario(broker: fakeamqp.Broker) -> None:
        publishes(body)(broker)
        broker.spawn(lambda: (time.sleep(1), uuid.uuid4()), name="later")

    calls = iter(range(100))
    with pytest.raises(NotRepeatable, match=r"what another run has left behind") as caught:
        explore(scenario, runs=5, check_determinism=True, progress=False)
    assert "uuid" not in str(caught.value)


def sends_uuid4(broker: fakeamqp.Broker) -> None:
    """A scenario that can be sent to other interpreters."""
    publishes(UNREPEATABLE["uuid.uuid4"])(broker)


def test_it_is_named_also_where_the_scenario_can_be_sent_elsewhere() -> None:
    with pytest.raises(NotRepeatable, match=r"uuid\.uuid4 \("):
        explore(sends_uuid4, runs=1, check_determinism=True, progress=False)


def declares_a_set(broker: fakeamqp.Broker) -> None:
    """Declares queues in the order in which a set of strings gives them."""
    broker.spawn(lambda: prepare(*{"one", "two"}))


def test_the_order_of_a_set_is_found_by_interpreters_with_other_hashes() -> None:
    with pytest.raises(NotRepeatable, match=r"PYTHONHASHSEED.*the order of a set") as caught:
        explore(declares_a_set, runs=1, check_determinism=True, progress=False)
    assert "-> queue.declare" in str(caught.value)


def test_so_is_it_where_functions_are_nested() -> None:
    names = {"one", "two"}
    with pytest.raises(NotRepeatable, match=r"PYTHONHASHSEED.*the order of a set"):
        explore(lambda broker: declare(broker, names), runs=1, check_determinism=True, progress=False)


def declare(broker: fakeamqp.Broker, names: set[str]) -> None:
    """Spawn what declares some queues."""
    broker.spawn(prepare, *names)


def test_a_scenario_that_cannot_be_sent_anywhere_is_not_and_that_is_said() -> None:
    names, lock = {"one", "two"}, (each for each in ())  # nobody can pickle a generator
    with pytest.warns(UserWarning, match=r"cannot be sent.*the order of a set of strings is not checked"):
        explore(lambda broker: declare(broker, names | set(lock)), runs=1, check_determinism=True, progress=False)


NUMBER_AT_IMPORT = uuid.uuid4().bytes


def sends_what_was_drawn_at_import(broker: fakeamqp.Broker) -> None:
    """Publishes what differs from process to process."""
    publishes(lambda: NUMBER_AT_IMPORT)(broker)


def test_what_is_read_at_import_is_no_matter_of_hashes() -> None:
    with pytest.raises(NotRepeatable, match=r"made by another process.*when a module is imported"):
        explore(sends_what_was_drawn_at_import, runs=1, check_determinism=True, progress=False)


left_behind: list[int] = []


def sends_what_was_left_behind(broker: fakeamqp.Broker) -> None:
    """Publishes how much a variable of this module has grown."""
    publishes(lambda: b"%d" % len(left_behind))(broker)


def test_what_was_left_behind_is_no_matter_of_hashes() -> None:
    left_behind.append(1)
    with pytest.raises(NotRepeatable, match=r"made by a new interpreter.*have left behind"):
        explore(sends_what_was_left_behind, runs=1, check_determinism=True, progress=False)


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
