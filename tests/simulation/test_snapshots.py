"""Snapshots: what a broker shows of itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker, Misuse

Connect = Callable[..., pika.BlockingConnection]


def test_messages_are_listed_oldest_first_with_all_that_was_published(broker: Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("news", "topic")
    channel.queue_bind("orders", "news", "#")
    channel.basic_publish("news", "sport.tennis", b"one", pika.BasicProperties(headers={"a": [1]}, message_id="7"))
    channel.basic_publish("", "orders", b"two")
    first, second = broker.vhost().queue("orders").messages
    assert (first.body, first.exchange, first.routing_key, first.redelivered) == (b"one", "news", "sport.tennis", False)
    assert (first.properties.headers, first.properties.message_id) == ({"a": [1]}, "7")
    assert (second.body, second.exchange, second.routing_key) == (b"two", "", "orders")


def test_what_somebody_holds_is_unacked(broker: Broker, channel: BlockingChannel) -> None:
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("", "orders", body)
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(2)]
    queue = broker.vhost().queue("orders")
    assert [message.body for message in queue.unacked] == [b"one", b"two"]
    assert [message.body for message in queue.messages] == [b"three"]
    channel.basic_nack(tags[0])
    channel.basic_ack(tags[1])
    queue = broker.vhost().queue("orders")
    assert [(message.body, message.redelivered) for message in queue.messages] == [(b"one", True), (b"three", False)]
    assert queue.unacked == ()


def test_a_queue_shows_its_settings(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.queue_declare("plain")
    channel.queue_declare("lasting", durable=True, arguments={"x-note": "kept"})
    channel.queue_declare("mine", exclusive=True, auto_delete=True)
    settings = {
        each.name: (each.durable, each.exclusive, each.auto_delete, dict(each.arguments))
        for each in broker.list_queues()
    }
    assert settings == {
        "plain": (False, False, False, {}),
        "lasting": (True, False, False, {"x-note": "kept"}),
        "mine": (False, True, True, {}),
    }


def test_a_queue_shows_its_consumers(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume("orders", lambda *args: None, consumer_tag="worker")
    channel.queue_declare("news")
    channel.basic_consume("news", lambda *args: None, consumer_tag="reader", exclusive=True, auto_ack=True)
    for _ in range(3):
        channel.basic_publish("", "orders", b"one")
    worker, reader = broker.list_consumers()
    assert (worker.tag, worker.queue, worker.channel, worker.prefetch_count, worker.unacked) == (
        "worker",
        "orders",
        1,
        2,
        2,
    )
    assert (worker.exclusive, worker.no_ack) == (False, False)
    assert (reader.tag, reader.queue, reader.exclusive, reader.no_ack) == ("reader", "news", True, True)
    assert re.fullmatch(r"127\.0\.0\.1:\d+ -> 127\.0\.0\.1:5672", worker.connection)
    assert broker.vhost().queue("orders").consumers == (worker,)


def test_an_exchange_shows_its_settings(broker: Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("news", "topic", durable=True, auto_delete=True, arguments={"x-note": 1})
    exchange = broker.vhost().exchange("news")
    assert (exchange.name, exchange.type, exchange.durable, exchange.auto_delete, exchange.internal) == (
        "news",
        "topic",
        True,
        True,
        False,
    )
    assert exchange.arguments == {"x-note": 1}


def test_the_predeclared_exchanges_are_there() -> None:
    types = {exchange.name: exchange.type for exchange in Broker().list_exchanges()}
    assert types == {
        "": "direct",
        "amq.direct": "direct",
        "amq.fanout": "fanout",
        "amq.headers": "headers",
        "amq.match": "headers",
        "amq.rabbitmq.event": "topic",
        "amq.rabbitmq.trace": "topic",
        "amq.topic": "topic",
    }


def test_bindings_are_listed_and_the_default_exchanges_are_understood(broker: Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("news", "topic")
    channel.queue_bind("orders", "news", "a.#", {"x-note": 1})
    channel.exchange_bind("amq.fanout", "news", "b")
    shown = [
        (each.source, each.destination_kind, each.destination, each.routing_key, dict(each.arguments))
        for each in broker.vhost().bindings
    ]
    assert sorted(shown) == [
        ("news", "exchange", "amq.fanout", "b", {}),
        ("news", "queue", "orders", "a.#", {"x-note": 1}),
    ]
    listed = broker.list_bindings()
    assert [(each.source, each.destination, each.routing_key) for each in listed[:1]] == [("", "orders", "orders")]
    assert listed[1:] == list(broker.vhost().bindings)


def test_every_vhost_shows_its_own(connect: Connect, broker: Broker, channel: BlockingChannel) -> None:
    broker.add_vhost("billing")
    connect(virtual_host="billing").channel().queue_declare("invoices")
    assert [queue.name for queue in broker.list_queues("billing")] == ["invoices"]
    assert {vhost.name: list(vhost.queues) for vhost in broker.vhosts()} == {"/": ["orders"], "billing": ["invoices"]}


# -- a snapshot stays what it is -------------------------------------------------------------------------------------


def test_a_snapshot_does_not_follow_the_broker(broker: Broker, channel: BlockingChannel) -> None:
    before = broker.vhost()
    channel.basic_publish("", "orders", b"one")
    channel.queue_declare("more")
    assert before.queue("orders").messages == ()
    assert list(before.queues) == ["orders"]


@pytest.mark.parametrize("name", ["messages", "durable", "name"])
def test_a_snapshot_cannot_be_assigned_to(broker: Broker, channel: BlockingChannel, name: str) -> None:
    with pytest.raises((AttributeError, TypeError)):
        setattr(broker.vhost().queue("orders"), name, None)


def test_nothing_done_to_a_snapshot_reaches_the_broker(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("lasting", arguments={"x-note": {"a": [1]}})
    channel.basic_publish("", "lasting", b"one", pika.BasicProperties(headers={"a": [1]}))
    queue = broker.vhost().queue("lasting")
    queue.arguments["x-note"]["a"].append(2)
    queue.messages[0].properties.headers["a"].append(2)
    again = broker.vhost().queue("lasting")
    assert again.arguments == {"x-note": {"a": [1]}}
    assert again.messages[0].properties.headers == {"a": [1]}


def test_equal_snapshots_are_equal(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    assert broker.vhost() == broker.vhost()
    assert broker.list_queues() == broker.list_queues()
    before = broker.vhost()
    channel.basic_publish("", "orders", b"one")
    assert broker.vhost() != before


# -- what is not there -----------------------------------------------------------------------------------------------


def test_an_unknown_queue_is_refused_with_those_that_are_there(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("news")
    with pytest.raises(Misuse, match=re.escape("no queue 'ordres' in virtual host '/'; there is 'orders', 'news'")):
        broker.vhost().queue("ordres")


def test_where_there_is_no_queue_at_all_it_says_so() -> None:
    with pytest.raises(Misuse, match=re.escape("no queue 'orders' in virtual host '/'; there is none")):
        Broker().vhost().queue("orders")


def test_an_unknown_exchange_is_refused_with_those_that_are_there(broker: Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("news")
    with pytest.raises(Misuse, match=re.escape("no exchange 'nwes' in virtual host '/'; there is '', 'news'")):
        broker.vhost().exchange("nwes")


@pytest.mark.parametrize("method", ["vhost", "list_queues", "list_exchanges", "list_bindings", "list_consumers"])
def test_an_unknown_vhost_is_refused_with_those_that_are_there(method: str) -> None:
    with pytest.raises(Misuse, match=re.escape("no virtual host 'biling'; there is '/', 'billing'")):
        getattr(Broker(vhosts=["billing"]), method)("biling")
