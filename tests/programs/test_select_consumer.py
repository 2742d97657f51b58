"""select_consumer: messages that wait, messages that come later, and a broker that does not let it in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.programs import hello_world
from tests.programs.select_consumer import Consumer
from tests.target import Target


def test_waiting_messages_are_handled_in_order(target: Target, messages_in: Callable[[str], int]) -> None:
    for text in ["one", "two", "three"]:
        hello_world.send(target.parameters(), text)
    handled: list[str] = []
    Consumer(target.parameters(), handled.append, limit=3).run()
    assert handled == ["one", "two", "three"]
    assert messages_in("hello") == 0


def test_messages_beyond_the_limit_stay(target: Target) -> None:
    for text in ["one", "two", "three"]:
        hello_world.send(target.parameters(), text)
    handled: list[str] = []
    Consumer(target.parameters(), handled.append, limit=1).run()
    assert handled == ["one"]
    assert hello_world.receive(target.parameters(), patience=10) == "two"
    assert hello_world.receive(target.parameters(), patience=10) == "three"


def test_a_handler_may_bring_about_the_next_message(target: Target, messages_in: Callable[[str], int]) -> None:
    handled: list[str] = []

    def answer(text: str) -> None:
        handled.append(text)
        if text == "question":
            hello_world.send(target.parameters(), "answer")

    hello_world.send(target.parameters(), "question")
    Consumer(target.parameters(), answer, limit=2).run()
    assert handled == ["question", "answer"]
    assert messages_in("hello") == 0


def test_a_consumer_in_a_thread_handles_what_the_main_thread_sends(
    target: Target, in_thread: Callable[..., Future[None]]
) -> None:
    handled: list[str] = []
    finished = in_thread(Consumer(target.parameters(), handled.append, limit=2).run)
    hello_world.send(target.parameters(), "one")
    hello_world.send(target.parameters(), "two")
    finished.result(timeout=30)
    assert handled == ["one", "two"]


def test_the_consumer_raises_what_keeps_it_from_connecting(target: Target) -> None:
    consumer = Consumer(target.parameters(virtual_host="no such vhost"), print, limit=1)
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="vhost no such vhost not found"):
        consumer.run()


def test_the_consumer_raises_what_closes_its_channel(target: Target, channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("hello", durable=True)
    text = (
        f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'hello' in vhost '{vhost}': "
        "received 'false' but current is 'true'"
    )
    with channel_closed(406, text):
        Consumer(target.parameters(), print, limit=1).run()
