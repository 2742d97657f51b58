"""Explorations on other processors: the same result, whoever makes the runs; what cannot be sent is told."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import pika
import pytest

import fakeamqp
from fakeamqp import Counterexample, Exploration, Faults, Misuse, explore
from tests.exploration.scenarios import PERSISTENT, Shop, lonely, one_job, race

HASTY = Shop(1, hasty_worker=True)
CAREFUL = Shop(1)
FAULTS = Faults(crash=1, kill=1)
WHO_AND_HOW = [
    *(("pool", search) for search in ("random", "pct", "exhaustive", "crash points")),
    ("dask", "random"),
    ("dask", "exhaustive"),
]


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Two processes, made afresh, as on every platform but some."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    """Dask's distributed scheduler with two workers on loopback, of two threads each."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")  # Dask's own, of ports and event loops
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=2, processes=True, host="127.0.0.1", dashboard_address=None
            )
        )
        client = stack.enter_context(distributed.Client(cluster))
        yield client.get_executor()


def counterexample(executor: Executor | None, search: str) -> Counterexample:
    """What is found in the hasty shop."""
    with pytest.raises(Counterexample) as caught:
        explore(HASTY, HASTY.every_order_is_shipped, faults=FAULTS, search=search, executor=executor, progress=False)
    return caught.value


def passing(executor: Executor | None, search: str, runs: int) -> Exploration:
    """What the careful shop shows, but for how long it took."""
    found = explore(
        CAREFUL,
        CAREFUL.every_order_is_shipped,
        faults=FAULTS,
        search=search,
        runs=runs,
        executor=executor,
        progress=False,
    )
    found.seconds = 0
    return found


@pytest.mark.parametrize(("kind", "search"), WHO_AND_HOW)
def test_what_is_found_does_not_depend_on_who_makes_the_runs(
    request: pytest.FixtureRequest, kind: str, search: str
) -> None:
    executor = request.getfixturevalue(kind)
    here, there = counterexample(None, search), counterexample(executor, search)
    assert (there.token, there.runs, there.story) == (here.token, here.runs, here.story)


@pytest.mark.parametrize(("kind", "search"), WHO_AND_HOW)
def test_what_is_not_found_does_not_either(request: pytest.FixtureRequest, kind: str, search: str) -> None:
    executor = request.getfixturevalue(kind)
    here = passing(None, search, 57)
    assert passing(executor, search, 57) == here
    assert here.runs == 57


def test_a_search_that_ends_by_itself_ends_in_a_pool(pool: Executor) -> None:
    found = explore(lonely, one_job, search="exhaustive", executor=pool, progress=False)
    assert found.is_complete
    assert found.runs == 1


def test_runs_are_made_by_the_executor_and_the_rest_is_cancelled(pool: Executor) -> None:
    with pytest.raises(Counterexample) as caught:
        explore(race, one_job, runs=10**9, executor=pool, progress=False)
    assert caught.value.runs < 100
    assert pool.submit(int, "7").result(timeout=60) == 7  # nothing is left of a thousand million runs


def fails_elsewhere(broker: fakeamqp.Broker) -> None:
    """Fails in a process that another has made."""
    broker.spawn(pika.BlockingConnection)
    if multiprocessing.parent_process() is not None:
        raise RuntimeError("made elsewhere")


def test_runs_are_made_in_another_process_and_the_counterexample_here(pool: Executor) -> None:
    with pytest.raises(fakeamqp.NotRepeatable, match=r"passed when it was made again(.|\n)*made elsewhere"):
        explore(fails_elsewhere, executor=pool, progress=False)


def wrong(broker: fakeamqp.Broker) -> None:
    """Misuses fakeamqp."""
    broker.faults.kill(task="nobody")


def test_wrong_use_in_another_process_comes_out_as_it_does_here(pool: Executor) -> None:
    for executor in (None, pool):
        with pytest.raises(Misuse, match="there is no task 'nobody'"):
            explore(wrong, executor=executor, progress=False)


def test_what_cannot_be_sent_is_told(pool: Executor) -> None:
    def scenario(broker: fakeamqp.Broker) -> None:
        lonely(broker)

    for arguments in ((scenario, None), (lonely, lambda broker: True)):
        with pytest.raises(Misuse, match=r"cannot be sent to another process .* at the top level of a module"):
            explore(*arguments, executor=pool, progress=False)


def test_threads_are_refused() -> None:
    with (
        ThreadPoolExecutor(2) as threads,
        pytest.raises(Misuse, match=r"runs in the process that explores.*ProcessPoolExecutor"),
    ):
        explore(lonely, executor=threads, progress=False)


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(Misuse, match=r"executor= takes a concurrent.futures.Executor.*not 2"):
        explore(lonely, executor=2)  # type: ignore[arg-type]


def unrepeatable(broker: fakeamqp.Broker) -> None:
    """Publishes something new each time."""
    broker.spawn(publish_something_new)


def publish_something_new() -> None:
    """Publish what no other run does."""
    with pika.BlockingConnection() as connection:
        connection.channel().basic_publish("", "jobs", os.urandom(4).hex(), PERSISTENT)


def test_repeatability_is_checked_where_the_runs_are_made(pool: Executor) -> None:
    with pytest.raises(fakeamqp.NotRepeatable, match=r"differ from event \d+ on"):
        explore(unrepeatable, executor=pool, check_determinism=True, progress=False)
