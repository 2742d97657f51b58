"""What the tests of whole programs need besides the broker: real threads, and an end to every wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

LONGEST_WAIT_SECONDS = 30


@pytest.fixture(autouse=True)
def _no_wait_is_endless() -> Iterator[None]:
    """Fail a test that hangs, where the system has alarms; the traceback shows who waits for what."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def fail(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"a program was still waiting after {2 * LONGEST_WAIT_SECONDS} seconds")

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(2 * LONGEST_WAIT_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Future[Any]]]:
    """in_thread(function, *arguments): its future result, from a real thread that must end before the test does."""
    threads: list[threading.Thread] = []

    def start(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return future

    yield start
    for thread in threads:
        thread.join(timeout=LONGEST_WAIT_SECONDS)
    assert not [thread for thread in threads if thread.is_alive()]


@pytest.fixture
def messages_in(channel: BlockingChannel) -> Callable[[str], int]:
    """messages_in(queue): how many messages wait there."""
    return lambda queue: channel.queue_declare(queue, passive=True).method.message_count
