"""connection.blocked: what a node that runs low on memory or disk does to those who publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, round_trip
from tests.rules._helpers import wait_for
from tests.rules._queues import Connect, ready, wait_until_ready
from tests.target import Target


class Alarms:
    """Raises alarms; all are over after the test."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._raised: list[str] = []

    def set(self, resource: str = "memory") -> None:
        self._raised.append(resource)
        self._target.alarm(resource)

    def clear(self, resource: str = "memory") -> None:
        self._raised.remove(resource)
        self._target.clear_alarm(resource)

    def clear_all(self) -> None:
        for resource in self._raised.copy():
            self.clear(resource)


@pytest.fixture
def alarms(target: Target) -> Iterator[Alarms]:
    alarms = Alarms(target)
    yield alarms
    alarms.clear_all()


class Publisher:
    """Publishes on a connection of its own, and hears when it is blocked."""

    def __init__(self, connect: Connect, **settings: Any) -> None:
        self.connection = connect(**settings)
        self.channel = self.connection.channel()
        self.heard: list[str] = []
        self.connection.add_on_connection_blocked_callback(
            lambda _, frame: self.heard.append(f"blocked: {frame.method.reason}")
        )
        self.connection.add_on_connection_unblocked_callback(lambda *_: self.heard.append("unblocked"))

    def publish(self, body: bytes) -> None:
        """Publish to "orders"; nobody confirms."""
        self.channel.basic_publish("", "orders", body)

    def hear(self, *expected: str) -> None:
        """Wait until it has heard just this."""
        wait_for(self.connection, lambda: len(self.heard) >= len(expected))
        assert self.heard == list(expected)


@pytest.fixture(autouse=True)
def orders(channel: BlockingChannel) -> None:
    """A queue."""
    channel.queue_declare("orders")


@pytest.fixture
def publisher(connect: Connect) -> Publisher:
    return Publisher(connect)


@pytest.mark.parametrize("resource", ["memory", "disk"])
def test_whoever_publishes_is_told_what_is_low(alarms: Alarms, publisher: Publisher, resource: str) -> None:
    alarms.set(resource)
    publisher.publish(b"order")
    publisher.hear(f"blocked: low on {resource}")


def test_whoever_does_not_publish_is_not_blocked(alarms: Alarms, publisher: Publisher) -> None:
    alarms.set()
    round_trip(publisher.channel)
    assert publisher.channel.queue_declare("more").method.queue == "more"
    assert publisher.heard == []


def test_a_connection_that_opens_during_an_alarm_is_blocked_when_it_publishes(alarms: Alarms, connect: Connect) -> None:
    alarms.set()
    publisher = Publisher(connect)
    publisher.publish(b"order")
    publisher.hear("blocked: low on memory")


def test_a_blocked_publish_waits(alarms: Alarms, publisher: Publisher, channel: BlockingChannel) -> None:
    publisher.publish(b"before")
    wait_until_ready(channel, "orders", 1)
    alarms.set()
    publisher.publish(b"held")
    publisher.hear("blocked: low on memory")
    assert ready(channel, "orders") == 1
    alarms.clear()
    publisher.hear("blocked: low on memory", "unblocked")
    wait_until_ready(channel, "orders", 2)


def test_whatever_a_blocked_connection_says_waits_in_its_order(
    alarms: Alarms, publisher: Publisher, channel: BlockingChannel
) -> None:
    alarms.set()
    for body in (b"1", b"2", b"3"):
        publisher.publish(body)
    publisher.hear("blocked: low on memory")
    assert ready(channel, "orders") == 0
    alarms.clear()
    round_trip(publisher.channel)
    assert [channel.basic_get("orders", auto_ack=True)[2] for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_blocked_connection_is_blocked_once(alarms: Alarms, publisher: Publisher) -> None:
    alarms.set()
    publisher.publish(b"1")
    publisher.hear("blocked: low on memory")
    publisher.publish(b"2")
    alarms.clear()
    publisher.hear("blocked: low on memory", "unblocked")
    round_trip(publisher.channel)
    assert publisher.heard == ["blocked: low on memory", "unblocked"]


def test_it_may_be_blocked_again(alarms: Alarms, publisher: Publisher) -> None:
    for _ in range(2):
        alarms.set()
        publisher.publish(b"order")
        wait_for(publisher.connection, lambda: publisher.heard[-1:] == ["blocked: low on memory"])
        alarms.clear()
        wait_for(publisher.connection, lambda: publisher.heard[-1:] == ["unblocked"])
    assert publisher.heard == ["blocked: low on memory", "unblocked"] * 2


def test_a_publisher_that_finds_the_alarm_over_was_never_blocked(
    alarms: Alarms, publisher: Publisher, channel: BlockingChannel
) -> None:
    alarms.set()
    alarms.clear()
    publisher.publish(b"order")
    wait_until_ready(channel, "orders", 1)
    round_trip(publisher.channel)
    assert publisher.heard == []


@pytest.mark.parametrize("order", [("memory", "disk"), ("disk", "memory")])
def test_it_is_over_when_nothing_is_low_any_more(
    alarms: Alarms, publisher: Publisher, channel: BlockingChannel, order: tuple[str, str]
) -> None:
    for resource in order:
        alarms.set(resource)
    publisher.publish(b"order")
    wait_for(publisher.connection, lambda: bool(publisher.heard))
    assert publisher.heard == ["blocked: low on disk & memory"]
    alarms.clear("memory")
    assert ready(channel, "orders") == 0
    assert len(publisher.heard) == 1
    alarms.clear("disk")
    wait_for(publisher.connection, lambda: "unblocked" in publisher.heard)
    wait_until_ready(channel, "orders", 1)
    assert publisher.heard == ["blocked: low on disk & memory", "unblocked"]


def test_consumers_go_on(alarms: Alarms, connect: Connect, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"1")
    channel.basic_publish("", "orders", b"2")
    wait_until_ready(channel, "orders", 2)
    alarms.set()
    other = connect().channel()
    other.basic_qos(prefetch_count=1)
    consumer = Consumer(other, "orders")
    assert consumer.take(1) == [b"1"]
    consumer.ack()
    assert consumer.take(1) == [b"2"]


def test_a_blocked_connection_still_gets_deliveries(
    alarms: Alarms, publisher: Publisher, channel: BlockingChannel
) -> None:
    channel.basic_publish("", "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    consumer = Consumer(publisher.channel, "orders", auto_ack=True)
    alarms.set()
    publisher.publish(b"held")
    publisher.hear("blocked: low on memory")
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_for(publisher.connection, lambda: consumer.bodies == [b"order"])
    alarms.clear()
    wait_for(publisher.connection, lambda: consumer.bodies == [b"order", b"held"])


def test_a_client_may_give_up_after_a_while(alarms: Alarms, connect: Connect) -> None:
    publisher = Publisher(connect, blocked_connection_timeout=0.3)
    alarms.set()
    publisher.publish(b"order")
    with pytest.raises(pika.exceptions.ConnectionBlockedTimeout):
        publisher.channel.queue_declare("orders", passive=True)


def test_what_a_client_sent_before_it_gave_up_arrives_after_the_alarm(
    alarms: Alarms, connect: Connect, channel: BlockingChannel
) -> None:
    publisher = Publisher(connect, blocked_connection_timeout=0.3)
    alarms.set()
    publisher.publish(b"order")
    with pytest.raises(pika.exceptions.ConnectionBlockedTimeout):
        publisher.channel.queue_declare("orders", passive=True)
    assert ready(channel, "orders") == 0
    alarms.clear()
    wait_until_ready(channel, "orders", 1)
