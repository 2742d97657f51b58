"""hello_world: sent, waiting, received."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from tests.programs import hello_world
from tests.target import Target


def test_a_message_is_received(target: Target, messages_in: Callable[[str], int]) -> None:
    hello_world.send(target.parameters(), "Hello World!")
    assert hello_world.receive(target.parameters(), patience=10) == "Hello World!"
    assert messages_in("hello") == 0


def test_messages_are_received_in_the_order_they_were_sent(target: Target) -> None:
    texts = ["one", "two", "three"]
    for text in texts:
        hello_world.send(target.parameters(), text)
    assert [hello_world.receive(target.parameters(), patience=10) for _ in texts] == texts


def test_the_receiver_gives_up_when_nobody_sends(target: Target) -> None:
    assert hello_world.receive(target.parameters(), patience=0.2) is None


def test_a_receiver_in_a_thread_gets_what_the_main_thread_sends(
    target: Target, in_thread: Callable[..., Future[str | None]]
) -> None:
    received = in_thread(hello_world.receive, target.parameters(), 20)
    hello_world.send(target.parameters(), "Hello, thread!")
    assert received.result(timeout=30) == "Hello, thread!"
