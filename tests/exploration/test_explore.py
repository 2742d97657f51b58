"""explore: each search finds planted bugs, makes them small and tells them; what is mended passes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pika
import pytest

import fakeamqp
from fakeamqp import Counterexample, Faults, Misuse, explore, replay
from fakeamqp.exploration.parallel import outcomes
from fakeamqp.exploration.runs import Case
from fakeamqp.exploration.searches import search_named
from tests.exploration.scenarios import Shop, lonely, one_job, prepare, race

SEARCHES = ["random", "pct", "exhaustive"]
HASTY = Shop(1, hasty_worker=True)
HASTY_PUBLISHER = Shop(1, hasty_publisher=True)
CAREFUL = Shop(1)


def found_in(*arguments: Any, **settings: Any) -> Counterexample:
    """The counterexample that an exploration raises."""
    with pytest.raises(Counterexample) as caught:
        explore(*arguments, progress=False, **settings)
    return caught.value


# -- finding, shrinking, telling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("search", SEARCHES)
def test_a_race_is_found_made_small_and_told(search: str) -> None:
    found = found_in(race, one_job, search=search)
    assert found.failure.text == "there are 2 jobs"
    assert len(re.findall("=", found.token)) == 1  # one choice that is not the quiet one
    assert [re.sub(r"\s*\n\s*", " ", line).split("s  ", 1)[-1] for line in found.story] == [
        "the test: connects, declares queue 'jobs', closes the channel, closes the connection",
        "first: connects, looks for queue 'jobs'",
        "second: connects, looks for queue 'jobs', publishes b'two' to 'jobs', closes the channel, "
        "closes the connection, is through",
        "first: publishes b'one' to 'jobs', closes the channel, closes the connection, is through",
        "  => AssertionError: there are 2 jobs",
    ]


@pytest.mark.parametrize("search", [*SEARCHES, "crash points"])
def test_an_order_that_dies_with_its_worker_is_found_with_this_fault_alone(search: str) -> None:
    found = found_in(HASTY, HASTY.every_order_is_shipped, search=search, faults=Faults(crash=1, kill=1, disconnect=1))
    assert [(fault.kind, fault.task) for fault in found.plan] == [("kill", "worker")]
    assert "acks b'1'" in found.story[2]
    assert found.story[3].endswith("worker: dies")
    assert found.story[3][4] == "!"


def test_a_message_that_was_not_safe_is_found_by_crash_points() -> None:
    found = found_in(
        HASTY_PUBLISHER, HASTY_PUBLISHER.every_order_is_shipped, search="crash points", bound=3, faults=Faults(crash=1)
    )
    assert [fault.kind for fault in found.plan] == ["crash"]


@pytest.mark.parametrize("search", [*SEARCHES, "crash points"])
def test_what_is_right_passes(search: str) -> None:
    found = explore(CAREFUL, CAREFUL.every_order_is_shipped, search=search, runs=60, faults=Faults(crash=1, kill=1))
    assert found.runs == 60
    assert 0 < found.last_new_state <= 60
    assert found.states > 5
    assert "60 runs of " in str(found)


def test_faults_that_a_failure_does_not_need_are_left_out() -> None:
    found = found_in(race, one_job, faults=Faults(slow=3, stall=3, alarm=2), seed=3)
    assert found.plan == ()


def test_the_diagram_is_well_formed() -> None:
    found = found_in(HASTY, HASTY.every_order_is_shipped, faults=Faults(kill=1))
    first, *lines = found.mermaid.splitlines()
    assert first == "sequenceDiagram"
    actors = {match[1] for line in lines if (match := re.fullmatch(r"    participant (\w+) as [^;#]+", line))}
    statements = [line for line in lines if not line.startswith("    participant")]
    assert len(statements) > 10
    for line in statements:
        match = re.fullmatch(r"    (?:(\w+)->>(\w+)|Note over (\w+)): [^;#]+", line)
        assert match, line
        assert {name for name in match.groups() if name} <= actors


def test_the_same_seed_finds_the_same() -> None:
    one, other = (found_in(race, one_job, seed=11, shrink=False) for _ in range(2))
    assert (one.token, one.runs, one.story) == (other.token, other.runs, other.story)


def test_hashes_of_strings_do_not_matter() -> None:
    program = (
        "from fakeamqp import *\nfrom tests.exploration.scenarios import *\n"
        "shop = Shop(1, hasty_worker=True)\n"
        "try:\n    explore(shop, shop.every_order_is_shipped, faults=Faults(crash=1, kill=1), progress=False)\n"
        "except Counterexample as found:\n    print(found.runs, found.token, *found.story, sep='\\n')\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert "worker: dies" in said[0]


def test_a_token_replays_and_passes_once_the_program_is_mended() -> None:
    found = found_in(race, one_job)
    with pytest.raises(Counterexample) as again:
        replay(race, one_job, found.token)
    assert again.value.story == found.story
    assert "in the run that was replayed" in str(again.value)
    quiet = replay(race, None, found.token)
    assert quiet.runs == 1
    with pytest.raises(
        Misuse, match=r"does not fit: outcome 1 of choice \d+ is wanted, but the run has only 0 choices"
    ):
        replay(lonely, one_job, found.token)
    with pytest.raises(Misuse, match=r"does not fit: outcome 99 of choice 0 is wanted, but that one has \d outcomes"):
        replay(race, None, "0:0=99")


def test_a_token_holds_faults_and_settings() -> None:
    settings: dict[str, Any] = {"version": "3.10", "vhosts": ["a+b"], "users": {"alice": "+secret+"}, "horizon": 30}
    faults = Faults(crash=1, kill=1, tasks={"publisher", "worker"})
    found = found_in(HASTY, HASTY.every_order_is_shipped, faults=faults, seed=3, **settings)
    assert "+kill=1" in found.token
    assert found.replay.endswith(f"--amqp-replay={found.token}") or found.token in found.replay
    with pytest.raises(Counterexample) as again:
        replay(HASTY, HASTY.every_order_is_shipped, found.token)
    assert again.value.story == found.story
    assert again.value.token == found.token
    assert again.value.plan == found.plan


def test_settings_that_no_word_can_hold_are_given_again() -> None:
    types = {"x-mine": lambda bindings, routing_key, properties: bindings}
    found = found_in(race, one_job, exchange_types=types)
    assert "exchange_types" not in found.token
    with pytest.raises(Counterexample):
        replay(race, one_job, found.token, exchange_types=types)


# -- what is complete ------------------------------------------------------------------------------------------------


def two_sleepless(broker: fakeamqp.Broker) -> None:
    """Two tasks of which each connects once: they take turns at five points."""
    for name in ("one", "two"):
        broker.spawn(lambda: pika.BlockingConnection().close(), name=name)


def choices_of(
    scenario: Callable[[fakeamqp.Broker], Any], bound: int, faults: Faults, search: str
) -> list[tuple[int, ...]]:
    """The runs that a bounded search makes, each as all of its choices."""
    case = Case(scenario, None, 0, faults, 2000, None, {})
    made = outcomes(case, search_named(search, 0, bound), 10_000, None, False)
    return [tuple(choice.chosen for choice in outcome.choices) for _, outcome in made]


@pytest.mark.parametrize("bound", [0, 1, 2, 9])
def test_an_exhaustive_search_makes_each_run_within_its_bound_once(bound: int) -> None:
    made = choices_of(two_sleepless, bound, Faults(), "exhaustive")
    assert len(set(made)) == len(made)
    everything = choices_of(two_sleepless, 99, Faults(), "exhaustive")
    assert set(made) == {each for each in everything if sum(map(bool, each)) <= bound}
    assert (len(made) == 1) == (bound == 0)


def flips(broker: fakeamqp.Broker) -> None:
    """Three choices: two of two, and one of three if the first was 1."""
    choose = broker.simulation.world.chooser.choose
    first = choose("coin", 2)
    choose("coin", 2)
    if first:
        choose("die", 3)


@pytest.mark.parametrize(("bound", "runs"), [(0, 1), (1, 3), (2, 6), (3, 8), (4, 8)])
def test_the_runs_within_a_bound_can_be_counted_by_hand(bound: int, runs: int) -> None:
    # 00, 10, 01 | 11, 10+1, 10+2 | 11+1, 11+2
    found = explore(flips, search="exhaustive", bound=bound, progress=False)
    assert (found.runs, found.is_complete) == (runs, True)


def test_crash_points_are_every_step_every_loss_and_every_length() -> None:
    struck: list[tuple[int, float]] = []
    steps: list[int] = []

    def scenario(broker: fakeamqp.Broker) -> fakeamqp.Broker:
        prepare("orders")
        broker.spawn(publish, restart=True)
        return broker

    def publish() -> None:
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            for number in range(2):
                channel.basic_publish("", "orders", b"%d" % number, pika.BasicProperties(delivery_mode=2))

    losses: dict[int, set[int]] = {}
    case = Case(scenario, None, 0, Faults(crash=1), 2000, None, {})
    for _, outcome in outcomes(case, search_named("crash points", 0, 3), 10_000, None, False):
        steps.append(outcome.steps)
        for fault in outcome.plan:
            assert fault.at is not None
            assert fault.seconds is not None
            struck.append((fault.at, fault.seconds))
            crash = [choice for choice in outcome.choices if choice.stream == "crash"]
            losses.setdefault(fault.at, set()).update(choice.chosen for choice in crash)
            assert all(choice.of in (2, 3) for choice in crash)
    quiet_steps = steps[0]
    assert {at for at, _ in struck} == set(range(1, quiet_steps + 1))
    assert {seconds for _, seconds in struck} == {0.5, 3.0}
    assert {0, 1, 2} in losses.values()  # with both messages on their way to the disk: none, one or both are lost


# -- failures of every kind ------------------------------------------------------------------------------------------


def test_an_invariant_may_return_false() -> None:
    found = found_in(lonely, lambda broker: False)
    assert "does not hold" in found.failure.text


def test_what_a_scenario_raises_before_tasks_start_is_a_failure() -> None:
    def broken(broker: fakeamqp.Broker) -> None:
        raise KeyError("no stage")

    found = found_in(broken)
    assert (found.failure.kind, found.runs) == ("KeyError", 1)


def test_what_a_task_raises_is_a_failure() -> None:
    def fails() -> None:
        raise ValueError("out of order")

    found = found_in(lambda broker: broker.spawn(fails) and None)
    assert (found.failure.kind, found.failure.text) == ("ValueError", "out of order")
    assert "fails with ValueError: out of order" in "\n".join(found.story)


def test_programs_that_go_on_and_on_are_a_failure_told_once() -> None:
    def ping(here: str, there: str) -> None:
        channel = pika.BlockingConnection().channel()
        for _, _, body in channel.consume(here, auto_ack=True):
            channel.basic_publish("", there, body)

    def scenario(broker: fakeamqp.Broker) -> None:
        prepare("ping", "pong")
        broker.spawn(ping, "ping", "pong", name="left")
        broker.spawn(ping, "pong", "ping", name="right")
        with pika.BlockingConnection() as connection:
            connection.channel().basic_publish("", "ping", b"ball")

    found = found_in(scenario, max_steps=300)
    assert found.failure.kind == "Livelock"
    assert any("... and so on, " in line for line in found.story)
    assert len(found.story) < 40


def test_wrong_use_of_fakeamqp_comes_out() -> None:
    def scenario(broker: fakeamqp.Broker) -> None:
        broker.restart()

    with pytest.raises(Misuse, match="the broker is running"):
        explore(scenario, progress=False)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"runs": 0}, "runs= is how many runs to make, at least 1, not 0"),
        ({"search": "clever"}, "there is no search 'clever'"),
        ({"bound": -1}, "bound= is how many choices"),
        ({"max_steps": 0}, "max_steps= is how many steps"),
        ({"faults": {"crash": 1}}, "faults= takes a Faults"),
        ({"invariant": 7}, "take functions of a broker, not 7"),
        ({"always": 7}, "take functions of a broker, not 7"),
        ({"version": "2.0"}, "2.0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(Misuse, match=re.escape(text)):
        explore(lonely, progress=False, **settings)


def test_a_scenario_is_a_function() -> None:
    with pytest.raises(Misuse, match="explore takes a scenario"):
        explore("race")  # type: ignore[arg-type]


@pytest.mark.parametrize("token", ["", "7", "x:1=1", "7:1=1,", "7:1=1;2=2", "2/7:1=1", "7:1=1+crash=", "7:+crash"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Misuse, match="is no run to replay"):
        replay(race, one_job, token)


# -- progress --------------------------------------------------------------------------------------------------------


def test_progress_is_shown_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    explore(lonely, runs=5, progress=True)
    assert re.search(r"exploring.*5/5", capsys.readouterr().err)


@pytest.mark.parametrize("progress", [False, None])
def test_progress_is_not_shown_elsewhere(capsys: pytest.CaptureFixture[str], progress: bool | None) -> None:
    explore(lonely, runs=5, progress=progress)
    assert capsys.readouterr() == ("", "")
