"""What a channel hears first: the answer to its method, or what the method brings about."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import publish, round_trip
from tests.rules._helpers import wait_for

KINDS = ["classic", "quorum"]


class Log:
    """The names of the methods that arrive on a channel, in their order."""

    def __init__(self, channel: BlockingChannel) -> None:
        self.names: list[str] = []
        connection: Any = channel.connection._impl
        self._pass_on = connection._process_frame
        connection._process_frame = self._on_frame

    def _on_frame(self, frame: Any) -> None:
        if hasattr(frame, "method"):
            self.names.append(frame.method.NAME)
        self._pass_on(frame)


@pytest.fixture(params=KINDS)
def queue(request: pytest.FixtureRequest, channel: BlockingChannel) -> str:
    """A durable queue with two messages, and a consumer on the channel that has got them."""
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": request.param})
    publish(channel.connection, "orders", b"1", b"2")
    received: list[Any] = []
    channel.basic_consume("orders", lambda *message: received.append(message))
    wait_for(channel.connection, lambda: len(received) == 2)
    return "orders"


@pytest.mark.usefixtures("queue")
def test_recover_ok_comes_before_what_is_recovered(channel: BlockingChannel) -> None:
    log = Log(channel)
    channel.basic_recover(requeue=True)
    wait_for(channel.connection, lambda: len(log.names) == 3)
    assert log.names == ["Basic.RecoverOk", "Basic.Deliver", "Basic.Deliver"]


def test_commit_ok_comes_before_what_the_transaction_returns(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    publish(channel.connection, "orders", b"1", b"2")
    received: list[Any] = []
    channel.tx_select()
    channel.basic_consume("orders", lambda *message: received.append(message))
    wait_for(channel.connection, lambda: len(received) == 2)
    channel.basic_nack(received[-1][1].delivery_tag, multiple=True, requeue=True)
    log = Log(channel)
    channel.tx_commit()
    wait_for(channel.connection, lambda: len(log.names) == 3)
    assert log.names == ["Tx.CommitOk", "Basic.Deliver", "Basic.Deliver"]


def test_delete_ok_comes_before_the_cancelling_of_consumers_of_the_channel(
    channel: BlockingChannel, queue: str
) -> None:
    log = Log(channel)
    channel.queue_delete(queue)
    wait_for(channel.connection, lambda: len(log.names) == 2)
    assert log.names == ["Queue.DeleteOk", "Basic.Cancel"]
    round_trip(channel)
