"""work_queue: who performs what, and what becomes of the tasks of a worker that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

import pika
import pytest

from tests.programs import work_queue
from tests.target import Target


def test_a_worker_performs_the_tasks_in_order(target: Target, messages_in: Callable[[str], int]) -> None:
    tasks = ["one.", "two..", "three..."]
    work_queue.publish_tasks(target.parameters(), tasks)
    performed: list[str] = []
    work_queue.work(target.parameters(), performed.append, limit=3)
    assert performed == tasks
    assert messages_in("task_queue") == 0


def test_a_worker_leaves_the_tasks_beyond_its_limit(target: Target) -> None:
    work_queue.publish_tasks(target.parameters(), ["one", "two", "three"])
    first: list[str] = []
    second: list[str] = []
    work_queue.work(target.parameters(), first.append, limit=1)
    work_queue.work(target.parameters(), second.append, limit=2)
    assert first == ["one"]
    assert sorted(second) == ["three", "two"]


def test_a_busy_worker_gets_no_second_task_while_another_one_is_free(
    target: Target, messages_in: Callable[[str], int]
) -> None:
    work_queue.publish_tasks(target.parameters(), ["long", "short", "shorter", "shortest"])
    performed: list[tuple[str, str]] = []

    def perform_while_another_works(task: str) -> None:
        work_queue.work(target.parameters(), lambda other: performed.append(("another", other)), limit=3)
        performed.append(("busy", task))

    work_queue.work(target.parameters(), perform_while_another_works, limit=1)
    assert performed == [("another", "short"), ("another", "shorter"), ("another", "shortest"), ("busy", "long")]
    assert messages_in("task_queue") == 0


def test_the_task_of_a_failed_worker_is_performed_again(
    target: Target, messages_in: Callable[[str], int], caplog: pytest.LogCaptureFixture
) -> None:
    work_queue.publish_tasks(target.parameters(), ["fragile"])

    def fail(task: str) -> None:
        raise RuntimeError(f"{task} broke")

    with pytest.raises(RuntimeError, match="fragile broke"):
        work_queue.work(target.parameters(), fail, limit=1)
    performed: list[str] = []
    with caplog.at_level(logging.WARNING, logger=work_queue.__name__):
        work_queue.work(target.parameters(), performed.append, limit=1)
    assert performed == ["fragile"]
    assert caplog.messages == ["fragile has been begun before"]
    assert messages_in("task_queue") == 0


@pytest.fixture
def _task_queue(connection: pika.BlockingConnection) -> None:
    """The queue exists: real brokers fail (541, lost messages) when several clients create a quorum queue at once."""
    work_queue.open_channel(connection)


@pytest.mark.usefixtures("_task_queue")
def test_a_worker_in_a_thread_performs_what_the_main_thread_publishes(
    target: Target, in_thread: Callable[..., Future[None]], messages_in: Callable[[str], int]
) -> None:
    performed: list[str] = []
    worker = in_thread(work_queue.work, target.parameters(), performed.append, 20)
    tasks = [f"task {number}" for number in range(20)]
    for task in tasks:
        work_queue.publish_tasks(target.parameters(), [task])
    worker.result(timeout=30)
    assert performed == tasks
    assert messages_in("task_queue") == 0


@pytest.mark.usefixtures("_task_queue")
def test_workers_in_threads_perform_every_task_once(
    target: Target, in_thread: Callable[..., Future[None]], messages_in: Callable[[str], int]
) -> None:
    tasks = [f"task {number:02}" for number in range(30)]
    performed: list[str] = []
    workers = [in_thread(work_queue.work, target.parameters(), performed.append, 10) for _ in range(3)]
    work_queue.publish_tasks(target.parameters(), tasks)
    for worker in workers:
        worker.result(timeout=30)
    assert sorted(performed) == tasks
    assert messages_in("task_queue") == 0
