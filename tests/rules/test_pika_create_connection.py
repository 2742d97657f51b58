"""pika's SelectConnection.create_connection."""

from __future__ import annotations

from typing import Any

import pika

from tests.target import Target


def created(parameters: list[pika.ConnectionParameters]) -> Any:
    """What SelectConnection.create_connection calls back with: an open connection, or why there is none."""
    loop = pika.adapters.select_connection.IOLoop()
    results: list[Any] = []

    def on_done(result: Any) -> None:
        results.append(result)
        loop.stop()

    pika.SelectConnection.create_connection(parameters, on_done, custom_ioloop=loop)
    loop.call_later(30, loop.stop)
    loop.start()
    (result,) = results
    if isinstance(result, pika.SelectConnection):
        assert result.is_open
        result.add_on_close_callback(lambda *_: loop.stop())
        result.close()
        loop.start()
        assert result.is_closed
    loop.close()
    return result


def test_create_connection_gives_an_open_connection(target: Target) -> None:
    assert isinstance(created([target.parameters()]), pika.SelectConnection)


def test_create_connection_tries_all_parameters(target: Target) -> None:
    parameters = [target.parameters(virtual_host="nope"), target.parameters()]
    assert isinstance(created(parameters), pika.SelectConnection)


def test_create_connection_says_that_all_failed(target: Target) -> None:
    result = created([target.parameters(virtual_host="nope"), target.parameters(virtual_host="neither")])
    assert isinstance(result, pika.adapters.utils.connection_workflow.AMQPConnectionWorkflowFailed)
    assert len(result.exceptions) == 2
