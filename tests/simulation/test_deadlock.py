"""Deadlock: where a real program would hang for ever, and only there."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

import fakeamqp
from fakeamqp import Broker, Deadlock

InThread = Callable[..., Future[Any]]


def ignore(channel: Any, method: Any, properties: Any, body: bytes) -> None:
    """Keep a message without acknowledging it."""


def test_a_consumer_of_an_empty_queue_waits_for_nothing(channel: BlockingChannel) -> None:
    channel.basic_consume("orders", ignore, consumer_tag="worker")
    with pytest.raises(Deadlock) as caught:
        channel.start_consuming()
    lines = str(caught.value).splitlines()
    assert lines[0] == "nothing can happen any more, but a client waits:"
    assert lines[1].endswith("channel 1 waits for deliveries to worker")
    assert lines[2:4] == ["  queues:", "    'orders': 0 ready, 0 unacked, 1 consumers"]
    assert re.fullmatch(r"      consumer 'worker' on 127\.0\.0\.1:\d+ -> 127\.0\.0\.1:5672 channel 1 holds 0", lines[4])
    assert "process_data_events(time_limit=...) or consume(inactivity_timeout=...)" in lines[5]


def test_a_consumer_that_forgets_to_acknowledge_is_stuck_at_its_prefetch_limit(channel: BlockingChannel) -> None:
    for number in range(5):
        channel.basic_publish("", "orders", b"%d" % number)
    channel.basic_qos(prefetch_count=2)
    channel.basic_consume("orders", ignore, consumer_tag="worker")
    with pytest.raises(Deadlock) as caught:
        channel.start_consuming()
    assert "'orders': 3 ready, 2 unacked, 1 consumers" in str(caught.value)
    assert "channel 1 holds 2 of at most 2" in str(caught.value)


def test_consume_without_a_timeout_waits_for_nothing(channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    messages = channel.consume("orders", auto_ack=True)
    assert next(messages)[2] == b"one"
    with pytest.raises(Deadlock, match="waits for deliveries to"):
        next(messages)


def test_a_request_that_nobody_answers(channel: BlockingChannel) -> None:
    answers = channel.queue_declare("", exclusive=True).method.queue
    found: list[bytes] = []
    channel.basic_consume(answers, lambda *args: found.append(args[3]), auto_ack=True)
    channel.basic_publish("", "orders", b"2 + 2", pika.BasicProperties(reply_to=answers))
    with pytest.raises(Deadlock) as caught:
        channel.connection.process_data_events(time_limit=None)
    assert found == []
    assert "'orders': 1 ready, 0 unacked, 0 consumers" in str(caught.value)
    assert f"{answers!r}: 0 ready, 0 unacked, 1 consumers" in str(caught.value)


def test_a_select_connection_that_waits_for_nothing(broker: Broker) -> None:
    connection = pika.SelectConnection(pika.ConnectionParameters(heartbeat=0))
    with pytest.raises(Deadlock, match="waits for nothing in particular"):
        connection.ioloop.start()
    assert connection.is_open


def test_a_loop_without_connections(broker: Broker) -> None:
    with pytest.raises(Deadlock, match="an event loop without connections"):
        pika.adapters.select_connection.IOLoop().start()


def test_while_the_broker_is_down_the_story_says_so(broker: Broker, connection: pika.BlockingConnection) -> None:
    other = pika.SelectConnection(pika.ConnectionParameters(), on_open_callback=lambda each: each.ioloop.stop())
    other.ioloop.start()
    connection.close()
    broker.stop()
    with pytest.raises(Deadlock, match="the broker is down"):
        other.ioloop.start()


def test_the_other_clients_are_named(broker: Broker, channel: BlockingChannel) -> None:
    other = pika.BlockingConnection().channel()
    other.queue_declare("answers")
    other.basic_consume("answers", ignore, consumer_tag="asker")
    channel.basic_consume("orders", ignore, consumer_tag="worker")
    with pytest.raises(Deadlock) as caught:
        channel.start_consuming()
    assert re.search(r"besides: connection .* channel 1 waits for deliveries to asker", str(caught.value))


def test_heartbeats_bring_no_program_further(broker: Broker) -> None:
    channel = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=1)).channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", ignore)
    with pytest.raises(Deadlock):
        channel.start_consuming()


def test_a_deadlock_leaves_the_client_usable(channel: BlockingChannel) -> None:
    found: list[bytes] = []
    channel.basic_consume("orders", lambda *args: found.append(args[3]), auto_ack=True)
    with pytest.raises(Deadlock):
        channel.start_consuming()
    channel.basic_publish("", "orders", b"one")
    channel.connection.process_data_events()
    assert found == [b"one"]
    channel.connection.close()


def test_a_deadlock_is_no_error_of_pikas(channel: BlockingChannel) -> None:
    assert issubclass(Deadlock, fakeamqp.FakeamqpError)
    assert not issubclass(Deadlock, pika.exceptions.AMQPError)


# -- what may still happen -------------------------------------------------------------------------------------------


def test_a_timer_may_still_act(broker: Broker, channel: BlockingChannel) -> None:
    channel.connection.call_later(60, channel.stop_consuming)
    channel.basic_consume("orders", ignore)
    channel.start_consuming()
    assert broker.now == 60


def test_after_the_last_timer_it_is_a_deadlock(broker: Broker, channel: BlockingChannel) -> None:
    channel.connection.call_later(60, lambda: None)
    channel.basic_consume("orders", ignore)
    with pytest.raises(Deadlock):
        channel.start_consuming()
    assert broker.now == 60


def test_an_expiring_message_is_waited_for(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("brief")
    channel.basic_publish("", "brief", b"one", pika.BasicProperties(expiration="60000"))
    channel.basic_consume("orders", ignore)
    with pytest.raises(Deadlock):
        channel.start_consuming()
    assert broker.now == 60
    assert broker.vhost().queue("brief").messages == ()


def test_a_sync_may_still_bring_a_confirm() -> None:
    broker = Broker(sync_interval=0.5)
    channel = broker.connect(pika.ConnectionParameters(heartbeat=0)).channel()
    channel.queue_declare("orders", durable=True)
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"one", pika.BasicProperties(delivery_mode=2))
    assert broker.now == 0.5


def test_another_thread_may_still_act(in_thread: InThread, channel: BlockingChannel, broker: Broker) -> None:
    found: list[bytes] = []

    def publish() -> None:
        with pika.BlockingConnection() as connection:
            publisher = connection.channel()
            while not broker.list_consumers():
                connection.sleep(0.01)
            publisher.basic_publish("", "orders", b"one")

    def take(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        found.append(body)
        channel.stop_consuming()

    publishing = in_thread(publish)
    channel.basic_consume("orders", take, auto_ack=True)
    while not publishing.done() and not found:
        channel.connection.process_data_events(time_limit=0.01)
    publishing.result(timeout=30)
    channel.connection.process_data_events()
    assert found == [b"one"]


def test_when_the_last_other_thread_has_ended_it_is_a_deadlock(
    in_thread: InThread, channel: BlockingChannel, broker: Broker
) -> None:
    def publish_later() -> None:
        with pika.BlockingConnection() as connection:
            connection.sleep(0.2)
            connection.channel().basic_publish("", "orders", b"one")

    publishing = in_thread(publish_later)
    while len(broker.simulation.waiting.loops) < 2 and not publishing.done():
        channel.connection.process_data_events(time_limit=0.01)
    channel.basic_consume("orders", ignore)
    with pytest.raises(Deadlock, match="'orders': 0 ready, 1 unacked, 1 consumers"):
        channel.start_consuming()
