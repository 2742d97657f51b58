"""Dead letters that may not be lost: they wait, are tried again every three minutes, and outlive the node."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker

Connect = Callable[..., pika.BlockingConnection]
RETRY = 180.0
ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
}


@pytest.fixture(autouse=True)
def waiting(channel: BlockingChannel) -> None:
    """Messages "1" and "2" were rejected by a queue whose dead letters lead nowhere."""
    channel.queue_declare("source", durable=True, arguments=ARGUMENTS)
    for body in (b"1", b"2"):
        channel.basic_publish("", "source", body)
        method, _, _ = channel.basic_get("source")
        channel.basic_reject(method.delivery_tag, requeue=False)


def declare_dead(connect: Connect) -> None:
    """The queue that dead letters lead to."""
    connect().channel().queue_declare("dead", durable=True)


def dead(broker: Broker) -> list[bytes]:
    return [message.body for message in broker.vhost().queue("dead").messages]


def test_they_are_tried_again_every_three_minutes(broker: Broker, connect: Connect) -> None:
    broker.advance(RETRY)  # in vain
    declare_dead(connect)
    broker.advance(RETRY - 0.001)
    assert dead(broker) == []
    broker.advance(0.001)
    assert dead(broker) == [b"1", b"2"]
    broker.advance(10 * RETRY)
    assert dead(broker) == [b"1", b"2"]
    broker.simulation.world.check()


def test_they_tell_when_and_why_they_died(broker: Broker, connect: Connect) -> None:
    declare_dead(connect)
    broker.advance(RETRY)
    _, properties, _ = connect().channel().basic_get("dead")
    (death,) = properties.headers["x-death"]
    assert (death["queue"], death["reason"], death["count"]) == ("source", "rejected", 1)


def test_what_dies_meanwhile_waits_with_them(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.basic_publish("", "source", b"3")
    broker.advance(100)
    method, _, _ = channel.basic_get("source")
    channel.basic_reject(method.delivery_tag, requeue=False)
    declare_dead(connect)
    broker.advance(RETRY - 100)
    assert dead(broker) == [b"1", b"2", b"3"]


def test_a_queue_that_refuses_them_gets_them_later(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.queue_declare("dead", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    broker.advance(RETRY)
    assert dead(broker) == [b"1"]
    channel.queue_purge("dead")
    broker.advance(RETRY)
    assert dead(broker) == [b"2"]


def test_a_queue_that_has_one_does_not_get_it_again(broker: Broker, connect: Connect) -> None:
    # Observed on 3.10.8 and 4.0.5.
    channel = connect().channel()
    channel.queue_declare("fanned", durable=True, arguments={**ARGUMENTS, "x-dead-letter-exchange": "amq.fanout"})
    channel.queue_declare("dead")
    channel.queue_declare("full", arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    for queue in ("dead", "full"):
        channel.queue_bind(queue, "amq.fanout")
    channel.basic_publish("", "fanned", b"order")
    method, _, _ = channel.basic_get("fanned")
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.queue_declare("late")
    channel.queue_bind("late", "amq.fanout")
    channel.queue_purge("dead")
    assert channel.basic_get("late")[0] is None
    broker.advance(2 * RETRY)
    assert dead(broker) == [b"1", b"2"]  # by the default exchange
    assert channel.basic_get("late")[2] == b"order"
    for queue in ("dead", "full", "late"):
        channel.queue_unbind(queue, "amq.fanout")
    broker.advance(RETRY)
    channel.queue_bind("dead", "amq.fanout")
    broker.advance(RETRY)
    assert dead(broker) == [b"1", b"2"]


def test_a_deleted_queue_takes_them_along(broker: Broker, connect: Connect) -> None:
    connect().channel().queue_delete("source")
    declare_dead(connect)
    broker.advance(2 * RETRY)
    assert dead(broker) == []
    broker.simulation.world.check()


@pytest.mark.parametrize("end", [Broker.stop, Broker.crash])
def test_they_outlive_the_node(broker: Broker, connect: Connect, end: Callable[[Broker], None]) -> None:
    for _ in range(2):
        end(broker)
        broker.restart()
        assert broker.vhost().queue("source").messages == ()
    declare_dead(connect)
    broker.advance(RETRY)
    assert dead(broker) == [b"1", b"2"]
    end(broker)
    broker.restart()
    broker.advance(RETRY)
    assert dead(broker) == []  # they were transient, and the queue is classic
    broker.simulation.world.check()


@pytest.mark.parametrize("end", [Broker.stop, Broker.crash])
def test_a_node_that_starts_tries_at_once(broker: Broker, connect: Connect, end: Callable[[Broker], None]) -> None:
    declare_dead(connect)
    end(broker)
    broker.restart()
    assert dead(broker) == [b"1", b"2"]
    broker.advance(RETRY)
    assert dead(broker) == [b"1", b"2"]
