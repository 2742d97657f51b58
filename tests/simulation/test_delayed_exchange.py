"""Exchanges of type x-delayed-message on virtual time, through pika. No real broker has confirmed these tests."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker


def declare(channel: BlockingChannel) -> None:
    channel.exchange_declare("later", "x-delayed-message", durable=True, arguments={"x-delayed-type": "direct"})
    channel.queue_declare("durable", durable=True)
    channel.queue_bind("durable", "later", "key")


def publish(channel: BlockingChannel, body: bytes, delay_ms: int) -> None:
    channel.basic_publish("later", "key", body, pika.BasicProperties(headers={"x-delay": delay_ms}))


def test_a_consumer_waits_for_a_day_in_no_time(broker: Broker, channel: BlockingChannel) -> None:
    declare(channel)
    publish(channel, b"tomorrow", 24 * 3600 * 1000)
    for method, properties, body in channel.consume("durable", inactivity_timeout=7 * 24 * 3600):
        assert (body, properties.headers) == (b"tomorrow", {"x-delay": -24 * 3600 * 1000})
        assert method.delivery_tag == 1
        break
    assert broker.now == 24 * 3600


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_what_is_delayed_outlives_the_node(broker: Broker, channel: BlockingChannel, end: str) -> None:
    declare(channel)
    publish(channel, b"transient", 60_000)
    getattr(broker, end)()
    broker.advance(30)
    broker.restart()
    broker.advance(29.999)
    assert not broker.vhost().queue("durable").messages
    broker.advance(0.001)
    (message,) = broker.vhost().queue("durable").messages
    assert message.body == b"transient"


def test_what_was_due_meanwhile_is_there_after_the_restart(broker: Broker, channel: BlockingChannel) -> None:
    declare(channel)
    publish(channel, b"overdue", 1_000)
    broker.crash()
    broker.advance(60)
    broker.restart()
    assert [message.body for message in broker.vhost().queue("durable").messages] == [b"overdue"]
