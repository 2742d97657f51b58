"""rpc: clients wait in the main thread, servers work in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.programs.rpc import FibonacciRpcClient, FibonacciServer
from tests.target import Target

StartServers = Callable[..., None]


@pytest.fixture
def start_servers(target: Target, in_thread: Callable[..., Future[None]]) -> Iterator[StartServers]:
    """start_servers(*names): servers that subscribe in this order; stopped after the test."""
    running: list[tuple[FibonacciServer, Future[None]]] = []

    def start(*names: str) -> None:
        for name in names:
            server = FibonacciServer(target.parameters(), name)
            running.append((server, in_thread(server.run)))

    yield start
    for server, finished in running:
        server.stop()
        finished.result(timeout=30)


def test_a_client_gets_the_answer_to_each_call(target: Target, start_servers: StartServers) -> None:
    start_servers("only")
    with closing(FibonacciRpcClient(target.parameters())) as client:
        assert [client.call(number, patience=20) for number in range(10)] == [0, 1, 1, 2, 3, 5, 8, 13, 21, 34]


def test_servers_take_turns(target: Target, start_servers: StartServers) -> None:
    start_servers("one", "two", "three")
    with closing(FibonacciRpcClient(target.parameters())) as client:
        assert [client.call(30, patience=20) for _ in range(6)] == [832040] * 6
        assert client.served_by == ["one", "two", "three", "one", "two", "three"]


def test_each_client_gets_its_own_answers(target: Target, start_servers: StartServers) -> None:
    start_servers("one", "two")
    with (
        closing(FibonacciRpcClient(target.parameters())) as small,
        closing(FibonacciRpcClient(target.parameters())) as large,
    ):
        assert small.callback_queue != large.callback_queue
        answers = [(small.call(number, patience=20), large.call(number + 20, patience=20)) for number in range(5)]
    assert answers == [(0, 6765), (1, 10946), (1, 17711), (2, 28657), (3, 46368)]


def test_clients_in_threads_get_their_own_answers(
    target: Target, start_servers: StartServers, in_thread: Callable[..., Future[list[int]]]
) -> None:
    start_servers("one", "two")

    def ask(first: int) -> list[int]:
        with closing(FibonacciRpcClient(target.parameters())) as client:
            return [client.call(number, patience=20) for number in range(first, first + 3)]

    answers = [in_thread(ask, first) for first in (0, 10, 20)]
    expected = [[0, 1, 1], [55, 89, 144], [6765, 10946, 17711]]
    assert [each.result(timeout=30) for each in answers] == expected


def test_a_client_ignores_an_answer_with_a_foreign_correlation_id(
    target: Target, channel: BlockingChannel, start_servers: StartServers
) -> None:
    with closing(FibonacciRpcClient(target.parameters())) as client:
        foreign = pika.BasicProperties(correlation_id="of somebody else")
        channel.confirm_delivery()
        channel.basic_publish("", client.callback_queue, b"666", foreign, mandatory=True)
        start_servers("only")
        assert client.call(10, patience=20) == 55
        assert client.served_by == ["only"]


def test_a_call_that_no_server_takes_times_out_and_waits_for_the_next_server(
    target: Target, channel: BlockingChannel, start_servers: StartServers
) -> None:
    channel.queue_declare("rpc_queue")
    with closing(FibonacciRpcClient(target.parameters())) as client:
        with pytest.raises(TimeoutError, match="no server answered"):
            client.call(6, patience=0.2)
        assert channel.queue_declare("rpc_queue", passive=True).method.message_count == 1
        start_servers("late")
        assert client.call(7, patience=20) == 13
        assert client.served_by == ["late"]
    assert channel.queue_declare("rpc_queue", passive=True).method.message_count == 0
