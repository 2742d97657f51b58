"""Assertions hold where they should, and tell what there was instead where they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

import fakeamqp
from fakeamqp.testing.assertions import (
    assert_acked,
    assert_dead_lettered,
    assert_delivered,
    assert_eventually,
    assert_nothing_left,
    assert_published,
    assert_routed,
)


@pytest.fixture
def broker() -> Iterator[fakeamqp.Broker]:
    with fakeamqp.Broker() as broker:
        yield broker


@pytest.fixture
def channel(broker: fakeamqp.Broker) -> BlockingChannel:
    channel = pika.BlockingConnection().channel()
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.topic", "orders.*")
    return channel


def failing(lines: str) -> AbstractContextManager[object]:
    """Lines that the text of a failure must have, in that order, among others."""
    return pytest.raises(AssertionError, match="(?s)" + ".*".join(map(re.escape, lines.strip().splitlines())))


def test_published_says_how_the_nearest_differs(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("amq.topic", "orders.eu", b"one", pika.BasicProperties(headers={"a": 1}, message_id="1"))
    channel.basic_publish("", "orders", b"two")
    assert len(assert_published(broker, exchange="amq.topic", body="one", headers={"a": 1}, times=1)) == 1
    assert len(assert_published(broker)) == 2
    assert_published(broker, message_id="1")
    assert_published(broker, body=b"three", times=0)
    with failing(
        """\
no message was published with exchange='amq.topic', routing_key='orders.us', headers={'a': 2, 'b': 3}
nearest of what was published:
routing_key='orders.eu'
    routing_key is 'orders.eu', not 'orders.us'
    header 'b' is missing; header 'a' is 1, not 2
body=b'two'
    exchange is '', not 'amq.topic'
"""
    ):
        assert_published(broker, exchange="amq.topic", routing_key="orders.us", headers={"a": 2, "b": 3})
    with failing("2 messages were published, not 1:\nbody=b'one'\nbody=b'two'"):
        assert_published(broker, times=1)


def test_only_the_nearest_are_shown(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    for number in range(7):
        channel.basic_publish("", "orders", str(number).encode())
    with failing("body is b'6'\n  ... and 2 more that are farther off"):
        assert_published(broker, body="7")


def test_where_nothing_was_published_it_says_so(broker: fakeamqp.Broker) -> None:
    for check in (assert_published, assert_delivered):
        with failing("nothing else was published"):
            check(broker, body="one")


def test_routed_says_of_every_binding_why_not(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("other")
    channel.basic_publish("amq.topic", "orders.eu.new", b"one")
    channel.basic_publish("amq.topic", "orders.eu", b"two")
    assert_routed(broker, body="two", to="orders", times=1)
    assert_routed(broker, body="one", to=None)
    with failing(
        """\
no message was routed with body=b'one', to='orders'
    it went to no queue, not to 'orders'
- queue 'orders' by key 'orders.*': 'orders.eu.new' has 3 words, 'orders.*' asks for 2
"""
    ):
        assert_routed(broker, body="one", to="orders")
    with failing("it went to 'orders', not to 'other'\nno binding on its way leads to 'other'"):
        assert_routed(broker, body="two", to="other")
    with failing("it went to 'orders', not to no queue"):
        assert_routed(broker, body="two", to=None)


def test_delivered_and_acked(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    with failing("no message was delivered with queue='orders'\nnothing else was delivered; the last\nis routed to"):
        assert_delivered(broker, queue="orders")
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag)
    method, _, _ = channel.basic_get("orders")
    assert_delivered(broker, queue="orders", body="one", redelivered=True, times=1)
    assert_delivered(broker, queue="orders", body="one", times=2)
    with failing("no message was acked with queue='orders'"):
        assert_acked(broker, queue="orders")
    channel.basic_ack(method.delivery_tag)
    assert_acked(broker, queue="orders", body="one", times=1)
    with failing("queue is 'orders', not 'others'"):
        assert_acked(broker, queue="others")


def test_dead_lettered_says_for_which_reason_instead(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    to_orders = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}
    channel.queue_declare("short", arguments={"x-max-length": 0, **to_orders})
    channel.basic_publish("", "short", b"one")
    assert_dead_lettered(broker, queue="short", reason="maxlen", to="orders", body="one", times=1)
    with failing(
        "no message was dead-lettered with queue='short', reason='expired'\nreason is 'maxlen', not 'expired'"
    ):
        assert_dead_lettered(broker, queue="short", reason="expired")
    with failing("it went to 'orders', not to 'short'"):
        assert_dead_lettered(broker, to="short")


def test_nothing_left_says_what_is_left(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("log", durable=True, arguments={"x-queue-type": "stream"})
    channel.basic_publish("", "log", b"stays")
    assert_nothing_left(broker)
    for number in range(8):
        channel.basic_publish("", "orders", str(number).encode())
    channel.basic_get("orders")
    assert_nothing_left(broker, but=("orders",))
    lines = "there are messages left:\n  'orders': 7 ready, 1 unacked\n    b'1', ready\n    ... and 3 more"
    for vhost in (None, "/"):
        with failing(lines):
            assert_nothing_left(broker, vhost=vhost)


class TestEventually:
    def test_time_passes_until_it_is_true_and_no_further(
        self, broker: fakeamqp.Broker, channel: BlockingChannel
    ) -> None:
        channel.basic_publish("", "orders", b"one", pika.BasicProperties(expiration="2000"))
        assert_eventually(broker, lambda: not broker.vhost().queue("orders").messages, within=10)
        assert broker.now == 2

    def test_it_fails_after_its_time(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        def never() -> bool:
            return False

        with failing("never() was not true within 3 virtual seconds\n'orders': 0 ready"):
            assert_eventually(broker, never, within=3)
        assert broker.now == 3

    def test_tasks_run_meanwhile(self, broker: fakeamqp.Broker) -> None:
        pytest.importorskip("greenlet")

        def program() -> None:
            pika.BlockingConnection().channel().queue_declare("made")

        broker.spawn(program)
        assert_eventually(broker, lambda: "made" in broker.vhost().queues, within=10)
        with failing("the predicate was not true within 10 virtual seconds"):
            assert_eventually(broker, lambda: "other" in broker.vhost().queues, within=10)


def test_a_task_that_published_can_be_told_from_others(broker: fakeamqp.Broker) -> None:
    pytest.importorskip("greenlet")

    def program() -> None:
        pika.BlockingConnection().channel().basic_publish("", "orders", b"one")

    broker.spawn(program, name="shop")
    broker.run()
    assert_published(broker, task="shop", times=1)
    with failing("task is 'shop', not 'other'"):
        assert_published(broker, task="other")


@pytest.mark.parametrize(("limit", "text"), [(0, "this broker has none"), (2, "before the last 2 events")])
def test_without_the_whole_trace_there_is_no_answer(limit: int, text: str) -> None:
    broker = fakeamqp.Broker(trace_limit=limit)
    broker.connect().channel().basic_publish("", "orders", b"one")
    for check in (assert_published, assert_delivered, assert_acked, assert_dead_lettered):
        with pytest.raises(fakeamqp.Misuse, match=text):
            check(broker, body="one", times=0)
    with pytest.raises(fakeamqp.Misuse, match=text):
        assert_routed(broker, to=None)
