"""What the strategies make is what RabbitMQ takes, and meets other things that they make."""

from __future__ import annotations

from typing import Any

import pika
from hypothesis import find, given, settings
from hypothesis import strategies as st

import fakeamqp
from fakeamqp.testing import strategies
from fakeamqp.testing.strategies import Message, Topology

SIZE = settings(max_examples=50, deadline=None)
QUICKLY = settings(max_examples=2000, deadline=None, derandomize=True)


@SIZE
@given(topology=strategies.topologies(), messages=st.lists(strategies.messages(keys=st.just("queue-a")), max_size=3))
def test_topologies_are_declared_twice_and_messages_published(topology: Topology, messages: list[Message]) -> None:
    broker = fakeamqp.Broker()
    channel = broker.connect().channel()
    topology.declare(channel)
    topology.declare(channel)
    for message in messages:
        message.publish(channel)
    there = broker.vhost()
    assert set(there.queues) == {queue.name for queue in topology.queues}
    assert all(exchange.name in there.exchanges for exchange in topology.exchanges)


@SIZE
@given(arguments=strategies.queue_arguments(dead_letter_exchanges=["dead"]), version=st.sampled_from(("3.10", "4.0")))
def test_queue_arguments_are_accepted(arguments: dict[str, Any], version: str) -> None:
    fakeamqp.Broker(version=version).connect().channel().queue_declare("orders", durable=True, arguments=arguments)


@SIZE
@given(properties=strategies.properties(persistent=True), headers=strategies.headers())
def test_what_is_published_arrives(properties: pika.BasicProperties, headers: dict[str, Any]) -> None:
    channel = fakeamqp.Broker(version="3.10").connect().channel()
    channel.queue_declare("orders")
    properties.headers = headers
    channel.basic_publish("", "orders", b"", properties)
    found = channel.basic_get("orders")[1]
    assert found == properties
    assert found.delivery_mode == 2


def test_things_meet() -> None:
    pairs = st.tuples(strategies.binding_keys(), strategies.routing_keys())
    find(pairs, lambda pair: "*" in pair[0] and "." in pair[1] and fakeamqp.topic_matches(*pair), settings=QUICKLY)


def test_what_shrinks_is_simple() -> None:
    assert find(strategies.names(), lambda _: True) == "a"
    assert find(strategies.routing_keys(), lambda _: True) == ""
    assert find(strategies.queue_arguments(), lambda _: True) == {}
    assert find(strategies.topologies(), lambda _: True) == Topology()
    assert find(strategies.messages(), lambda _: True) == Message("", "", b"", pika.BasicProperties())
    assert find(strategies.topologies(), lambda topology: bool(topology.bindings), settings=QUICKLY) == Topology(
        (strategies.Exchange("exchange-a"),),
        (strategies.Queue("queue-a"),),
        (strategies.Binding("exchange-a", "queue-a"),),
    )
