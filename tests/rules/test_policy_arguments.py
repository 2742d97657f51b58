"""Policies and the arguments of queues and exchanges: which of two values holds."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._operator import FIVE, Pass, declare_quorum, kept, publish
from tests.rules._queues import missing, ready


@pytest.mark.parametrize(("argument", "policy", "length"), [(2, 3, 2), (3, 2, 2), (0, 2, 0)])
def test_the_smaller_max_length_of_policy_and_argument_holds(
    channel: BlockingChannel, operator: Any, vhost: str, argument: int, policy: int, length: int
) -> None:
    operator.set_policy("p", ".*", {"max-length": policy}, vhost)
    channel.queue_declare("orders", arguments={"x-max-length": argument})
    assert kept(channel, "orders") == length
    declare_quorum(channel, "quorum", max_length=argument)
    assert kept(channel, "quorum") == length


@pytest.mark.parametrize(("argument", "policy"), [(60, 200), (200, 60)])
def test_the_smaller_max_length_bytes_holds(
    channel: BlockingChannel, operator: Any, vhost: str, argument: int, policy: int
) -> None:
    operator.set_policy("p", ".*", {"max-length-bytes": policy}, vhost)
    channel.queue_declare("orders", arguments={"x-max-length-bytes": argument})
    publish(channel, "orders", b"x" * 50, b"y" * 50)
    assert get_all(channel, "orders") == [b"y" * 50]


@pytest.mark.parametrize(("argument", "policy"), [(100, 60_000), (60_000, 100)])
def test_the_smaller_message_ttl_holds(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass, argument: int, policy: int
) -> None:
    operator.set_policy("p", ".*", {"message-ttl": policy}, vhost)
    channel.queue_declare("orders", arguments={"x-message-ttl": argument})
    publish(channel, "orders", b"order")
    let_time_pass(0.5)
    assert ready(channel, "orders") == 0


@pytest.mark.parametrize(("argument", "policy"), [(100, 60_000), (60_000, 100)])
def test_the_smaller_expires_holds(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass, argument: int, policy: int
) -> None:
    operator.set_policy("p", ".*", {"expires": policy}, vhost)
    channel.queue_declare("orders", arguments={"x-expires": argument})
    let_time_pass(0.6)
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_the_smaller_delivery_limit_holds(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"delivery-limit": 0}, vhost)
    declare_quorum(channel, "orders", delivery_limit=5)
    publish(channel, "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert channel.basic_get("orders") == (None, None, None)


def test_the_overflow_argument_wins(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 2, "overflow": "reject-publish"}, vhost)
    channel.queue_declare("orders", arguments={"x-overflow": "drop-head"})
    publish(channel, "orders", *FIVE)
    assert get_all(channel, "orders") == FIVE[3:]


def test_the_dead_letter_arguments_win(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    for queue in ("argument", "policy"):
        channel.queue_declare(queue)
    definition = {"max-length": 1, "dead-letter-exchange": "amq.fanout", "dead-letter-routing-key": "policy"}
    operator.set_policy("p", "^orders", definition, vhost)
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "argument"}
    channel.queue_declare("orders", arguments=arguments)
    channel.queue_declare("orders2", arguments={"x-dead-letter-exchange": ""})
    publish(channel, "orders", b"1", b"2")
    publish(channel, "orders2", b"1", b"2")
    while not (ready(channel, "argument") and ready(channel, "policy")):
        channel.connection.process_data_events(time_limit=0.01)
    assert (ready(channel, "argument"), ready(channel, "policy")) == (1, 1)


def test_the_alternate_exchange_argument_wins(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    for queue, exchange in (("argument", "amq.fanout"), ("policy", "amq.topic")):
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange, "#")
    operator.set_policy("p", "^x$", {"alternate-exchange": "amq.topic"}, vhost)
    channel.exchange_declare("x", arguments={"alternate-exchange": "amq.fanout"})
    channel.confirm_delivery()
    channel.basic_publish("x", "k", b"", pika.BasicProperties())
    assert (ready(channel, "argument"), ready(channel, "policy")) == (1, 0)
