"""A queue finishes one message before it takes the next: it serves its consumers in between."""

from __future__ import annotations

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all
from tests.rules._kinds import declare as declare_of_kind
from tests.rules._limits import TO_DEAD, declare, publish, wait_until_ready

REFUSES_A_SECOND = {"max_length": 1, "overflow": "reject-publish"}


def test_a_commit_to_a_queue_that_holds_one_message_succeeds_where_a_consumer_takes_each(
    channel: BlockingChannel,
) -> None:
    consumer = Consumer(channel, declare(channel, "orders", **REFUSES_A_SECOND), auto_ack=True)
    with channel.connection.channel() as publisher:
        publisher.tx_select()
        for body in (b"1", b"2", b"3", b"4"):
            publisher.basic_publish("", "orders", body)
        publisher.tx_commit()
    assert consumer.take(4) == [b"1", b"2", b"3", b"4"]


def test_a_dead_letter_arrives_after_what_was_published_with_its_cause(channel: BlockingChannel) -> None:
    """A fanout reaches "short" first, which drops what it held into "orders"; that has room again by then."""
    consumer = Consumer(channel, declare(channel, "orders", **REFUSES_A_SECOND), auto_ack=True)
    to_orders = {"dead_letter_exchange": "", "dead_letter_routing_key": "orders"}
    declare(channel, "short", max_length=1, **to_orders)
    publish(channel, "short", b"old")
    for queue in ("short", "orders"):
        channel.queue_bind(queue, "amq.fanout")
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        publisher.basic_publish("amq.fanout", "", b"new")
    assert consumer.take(2) == [b"new", b"old"]


def test_what_an_exchange_remembers_comes_message_by_message(channel: BlockingChannel) -> None:
    consumer = Consumer(channel, declare(channel, "orders", max_priority=10))
    channel.exchange_declare("history", "x-recent-history")
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for body, priority in ((b"low", 0), (b"high", 9)):
            publisher.basic_publish("history", "", body, pika.BasicProperties(priority=priority))
    channel.queue_bind("orders", "history")
    assert consumer.take(2) == [b"low", b"high"]


def test_dead_letters_that_were_sent_together_arrive_where_only_the_first_had_room(channel: BlockingChannel) -> None:
    """A quorum queue tells its publishers to stop once it is too long, and takes what is on its way."""
    declare_of_kind(channel, "dead", "quorum", **REFUSES_A_SECOND)
    at_least_once = {**TO_DEAD, "dead_letter_strategy": "at-least-once", "overflow": "reject-publish"}
    declare_of_kind(channel, "orders", "quorum", **at_least_once)
    publish(channel, "orders", b"1", b"2", b"3", b"4", b"5")
    for _ in range(5):
        channel.basic_get("orders")
    channel.basic_nack(0, multiple=True, requeue=False)
    wait_until_ready(channel, "dead", 5)
    assert get_all(channel, "dead") == [b"1", b"2", b"3", b"4", b"5"]


def test_a_message_that_returns_too_often_frees_its_consumer_twice_in_3_10(
    channel: BlockingChannel, version: str
) -> None:
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": 0}
    channel.queue_declare("orders", durable=True, arguments=arguments)
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", b"1", b"2")
    assert consumer.take(1) == [b"1"]
    consumer.requeue()
    assert consumer.take(1) == [b"2"]
    publish(channel, "orders", b"3", b"4")
    assert consumer.take(0) == {"3.10": [b"3"], "4.0": []}[version]
    consumer.ack()
    assert consumer.take(1) == {"3.10": [b"4"], "4.0": [b"3"]}[version]
