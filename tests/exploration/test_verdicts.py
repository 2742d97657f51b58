"""What programs, scenarios and invariants may raise: what fails the run, and what says something of the whole test."""

from __future__ import annotations

import sys
import unittest
from typing import Any, NoReturn

import pika
import pytest

import fakeamqp
from fakeamqp import Broker, Counterexample, TaskExited


def exits(status: Any) -> None:
    pika.BlockingConnection()
    sys.exit(status)


class Exits:
    """A program that exits, the first time."""

    def __init__(self, status: Any) -> None:
        self.status = status
        self.starts = 0

    def __call__(self) -> None:
        self.starts += 1
        if self.starts == 1:
            sys.exit(self.status)


@pytest.mark.parametrize("status", [1, "no broker", True])
def test_a_supervised_program_that_exits_is_started_again(status: Any) -> None:
    program = Exits(status)
    with Broker() as broker:
        broker.spawn(program, restart=True)
        broker.run()
    assert program.starts == 2


@pytest.mark.parametrize("status", [None, 0])
def test_a_program_that_exits_with_0_is_through(status: int | None) -> None:
    program = Exits(status)
    with Broker() as broker:
        task = broker.spawn(program, restart=True)
        broker.run()
    assert program.starts == 1
    assert not task.is_alive


@pytest.mark.parametrize(("status", "shown"), [(3, "3"), ("no broker", "'no broker'")])
def test_an_unsupervised_program_that_exits_has_failed(status: Any, shown: str) -> None:
    with Broker() as broker:
        broker.spawn(exits, status)
        with pytest.raises(TaskExited, match=f"^exits exits with {shown}$"):
            broker.run()


def test_an_exit_ends_the_connections_of_its_process() -> None:
    with Broker() as broker:
        broker.spawn(exits, 1, restart=True)
        broker.run(seconds=0.5)
        assert broker.simulation.network.open_streams() == []


def test_an_exit_is_a_counterexample_with_a_story() -> None:
    with pytest.raises(Counterexample, match="TaskExited: exits exits with 3") as caught:
        fakeamqp.explore(lambda broker: broker.spawn(exits, 3) and None, runs=3)
    assert any("exits: connects, exits with 3" in line for line in caught.value.story)


def declares() -> None:
    pika.BlockingConnection().channel().queue_declare("q")


def stage(broker: Broker) -> None:
    broker.spawn(declares)


def fail(*_: Any) -> NoReturn:
    pytest.fail("wrong")


def leave(*_: Any) -> NoReturn:
    sys.exit("wrong")


@pytest.mark.parametrize("wrong", [fail, leave])
@pytest.mark.parametrize("place", ["scenario", "invariant", "always", "task"])
def test_whatever_fails_a_test_fails_a_run(wrong: Any, place: str) -> None:
    arguments: dict[str, Any] = {"scenario": stage, "invariant": None, "always": None}
    if place == "task":
        arguments["scenario"] = lambda broker: broker.spawn(wrong) and None
    else:
        arguments[place] = wrong
    with pytest.raises(Counterexample, match="wrong"):
        fakeamqp.explore(**arguments, runs=3)


def skip(*_: Any) -> NoReturn:
    pytest.skip("not today")


def expect_failure(*_: Any) -> NoReturn:
    pytest.xfail("known")


def skip_unittest(*_: Any) -> NoReturn:
    raise unittest.SkipTest("not today")


def stop_pytest(*_: Any) -> NoReturn:
    pytest.exit("enough")


def interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (skip, pytest.skip.Exception),
        (expect_failure, pytest.xfail.Exception),
        (skip_unittest, unittest.SkipTest),
        (stop_pytest, pytest.exit.Exception),
        (interrupt, KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("place", ["scenario", "invariant", "always"])
def test_what_is_said_of_the_whole_test_comes_out(verdict: Any, kind: type[BaseException], place: str) -> None:
    arguments: dict[str, Any] = {"scenario": stage, "invariant": None, "always": None, place: verdict}
    with pytest.raises(kind):
        fakeamqp.explore(**arguments, runs=3)
    with Broker():
        """pika is redirected nowhere else."""
