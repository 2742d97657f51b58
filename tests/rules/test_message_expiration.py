"""A message's `expiration`: when it goes, and what keeps it. Documented: https://www.rabbitmq.com/docs/ttl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.target import Target

BRIEF_MS = "1500"
LATER_SECONDS = 2.0


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    """A new durable queue; publishing waits until a message is there, as a count may overtake it."""
    channel.queue_declare("orders", durable=True)
    channel.confirm_delivery()
    return "orders"


def publish(channel: BlockingChannel, body: bytes, expiration: str | None = None) -> None:
    channel.basic_publish("", "orders", body, pika.BasicProperties(delivery_mode=2, expiration=expiration))


def count(channel: BlockingChannel) -> int:
    return int(channel.queue_declare("orders", passive=True).method.message_count)


@pytest.mark.usefixtures("queue")
def test_a_message_expires(channel: BlockingChannel, let_time_pass: Callable[[float], None]) -> None:
    publish(channel, b"one", BRIEF_MS)
    assert count(channel) == 1
    let_time_pass(LATER_SECONDS)
    assert count(channel) == 0


@pytest.mark.usefixtures("queue")
def test_a_message_behind_one_that_lasts_expires_once_that_is_taken(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, b"lasting")
    publish(channel, b"brief", BRIEF_MS)
    publish(channel, b"also lasting")
    let_time_pass(LATER_SECONDS)
    assert count(channel) == 3
    method, _, body = channel.basic_get("orders", auto_ack=True)
    assert (body, method.message_count) == (b"lasting", 1)  # what had expired behind it is not counted
    assert count(channel) == 1
    assert channel.basic_get("orders", auto_ack=True)[2] == b"also lasting"


@pytest.mark.usefixtures("queue")
def test_an_unacked_message_expires_when_it_is_back(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, b"one", BRIEF_MS)
    method = channel.basic_get("orders")[0]
    let_time_pass(LATER_SECONDS)
    channel.basic_nack(method.delivery_tag)
    assert channel.basic_get("orders")[2] is None


@pytest.mark.usefixtures("queue")
def test_a_message_that_came_back_unexpired_expires_in_its_time(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, b"one", BRIEF_MS)
    for redelivered in (False, True):
        method = channel.basic_get("orders")[0]
        assert method.redelivered is redelivered
        channel.basic_nack(method.delivery_tag)
    let_time_pass(LATER_SECONDS)
    assert count(channel) == 0


@pytest.mark.usefixtures("queue")
def test_expiration_zero_is_gone_at_once(channel: BlockingChannel) -> None:
    publish(channel, b"one", "0")
    assert count(channel) == 0


@pytest.mark.usefixtures("queue")
def test_expiration_zero_reaches_a_consumer_that_is_free(channel: BlockingChannel) -> None:
    found: list[bytes] = []
    channel.basic_consume("orders", lambda *args: found.append(args[3]), auto_ack=True)
    publish(channel, b"one", "0")
    channel.connection.process_data_events(time_limit=0.5)
    assert found == [b"one"]


@pytest.mark.usefixtures("queue")
def test_a_purge_counts_what_is_ready(channel: BlockingChannel, let_time_pass: Callable[[float], None]) -> None:
    publish(channel, b"lasting")
    publish(channel, b"brief", BRIEF_MS)
    let_time_pass(LATER_SECONDS)
    assert channel.queue_purge("orders").method.message_count == 2


@pytest.mark.usefixtures("queue")
def test_a_message_behind_one_that_a_consumer_took_expires(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, b"lasting")
    publish(channel, b"brief", BRIEF_MS)
    publish(channel, b"also lasting")
    let_time_pass(LATER_SECONDS)
    found: list[bytes] = []
    channel.basic_consume("orders", lambda *args: found.append(args[3]), auto_ack=True)
    channel.connection.process_data_events(time_limit=0.5)
    assert found == [b"lasting", b"also lasting"]


@pytest.mark.parametrize(
    ("kind", "auto_ack", "left"),
    [("classic", False, 0), ("classic", True, 0), ("quorum", False, 1), ("quorum", True, 0)],
)
def test_whether_a_get_counts_what_has_expired_behind_its_message(
    channel: BlockingChannel, let_time_pass: Callable[[float], None], kind: str, auto_ack: bool, left: int
) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": kind})
    publish(channel, b"lasting")
    publish(channel, b"brief", BRIEF_MS)
    let_time_pass(LATER_SECONDS)
    assert channel.basic_get("orders", auto_ack=auto_ack)[0].message_count == left


@pytest.mark.fake_only
@pytest.mark.parametrize("end", ["stop", "crash"])
@pytest.mark.usefixtures("queue")
def test_a_message_expires_while_the_node_is_down(
    target: Target, channel: BlockingChannel, connect: Callable[..., Any], end: str
) -> None:
    publish(channel, b"one", BRIEF_MS)
    getattr(target, end)()
    target.let_time_pass(LATER_SECONDS)
    target.restart()
    assert count(connect().channel()) == 0
