"""Policies: what their definitions do to queues and exchanges, also to those that live."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._operator import FIVE, Pass, declare_quorum, publish
from tests.rules._publishing import get_one
from tests.rules._queues import missing, ready
from tests.rules._routing import is_routed


def test_max_length_drops_what_is_too_much_at_once(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    assert ready(channel, "orders") == 2
    assert get_all(channel, "orders") == [b"4", b"5"]


def test_max_length_dead_letters_what_is_too_much(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("dead")
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    definition = {"max-length": 3, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}
    operator.set_policy("p", "^orders$", definition, vhost)
    while ready(channel, "dead") < 2:
        channel.connection.process_data_events(time_limit=0.01)
    _, properties, body = get_one(channel, "dead")
    assert (body, properties.headers["x-death"][0]["reason"]) == (b"1", "maxlen")


def test_max_length_keeps_what_is_there_if_the_queue_rejects(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    channel.queue_declare("orders", arguments={"x-overflow": "reject-publish"})
    publish(channel, "orders", *FIVE)
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    publish(channel, "orders", b"6")
    assert get_all(channel, "orders") == FIVE


def test_max_length_is_looked_at_before_the_overflow_of_the_same_policy(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    operator.set_policy("p", ".*", {"max-length": 2, "overflow": "reject-publish"}, vhost)
    publish(channel, "orders", b"6")
    assert get_all(channel, "orders") == [b"4", b"5"]


@pytest.mark.parametrize("by", ["drop-head", "clearing"])
def test_a_queue_that_rejects_no_more_drops_what_is_too_much_at_once(
    channel: BlockingChannel, operator: Any, vhost: str, by: str
) -> None:
    operator.set_policy("p", ".*", {"overflow": "reject-publish"}, vhost)
    channel.queue_declare("orders", arguments={"x-max-length": 10})
    publish(channel, "orders", *FIVE)
    operator.set_policy("p", ".*", {"overflow": "reject-publish", "max-length": 2}, vhost)
    assert ready(channel, "orders") == 5
    if by == "drop-head":
        operator.set_policy("p", ".*", {"overflow": "drop-head", "max-length": 2}, vhost)
    else:
        operator.set_policy("q", ".*", {"max-length": 2}, vhost, priority=1)
    assert get_all(channel, "orders") == [b"4", b"5"]


def test_max_length_bytes_drops_at_once(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    publish(channel, "orders", b"x" * 60, b"y" * 60)
    operator.set_policy("p", ".*", {"max-length-bytes": 100}, vhost)
    assert get_all(channel, "orders") == [b"y" * 60]


def test_message_ttl(channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass) -> None:
    operator.set_policy("p", ".*", {"message-ttl": 200}, vhost)
    channel.queue_declare("orders")
    publish(channel, "orders", b"order")
    assert ready(channel, "orders") == 1
    let_time_pass(0.6)
    assert ready(channel, "orders") == 0


def test_message_ttl_does_not_apply_to_messages_that_are_there(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass
) -> None:
    channel.queue_declare("orders")
    publish(channel, "orders", b"before")
    operator.set_policy("p", ".*", {"message-ttl": 100}, vhost)
    let_time_pass(0.5)
    assert get_all(channel, "orders") == [b"before"]
    publish(channel, "orders", b"after")
    let_time_pass(0.5)
    assert ready(channel, "orders") == 0


def test_messages_keep_the_ttl_they_came_with_when_the_policy_is_cleared(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass
) -> None:
    operator.set_policy("p", ".*", {"message-ttl": 300}, vhost)
    channel.queue_declare("orders")
    publish(channel, "orders", b"with")
    operator.clear_policy("p", vhost)
    publish(channel, "orders", b"without")
    let_time_pass(0.9)
    assert get_all(channel, "orders") == [b"without"]


def test_expires_starts_when_the_policy_is_set(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass
) -> None:
    channel.queue_declare("orders")
    let_time_pass(0.4)
    operator.set_policy("p", ".*", {"expires": 400}, vhost)
    let_time_pass(0.1)
    assert ready(channel, "orders") == 0
    let_time_pass(0.9)
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_a_cleared_expires_does_not_delete_the_queue(
    channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass
) -> None:
    operator.set_policy("p", ".*", {"expires": 400}, vhost)
    channel.queue_declare("orders")
    operator.clear_policy("p", vhost)
    let_time_pass(0.9)
    assert ready(channel, "orders") == 0


def test_overflow_by_policy(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 2, "overflow": "reject-publish"}, vhost)
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    assert get_all(channel, "orders") == FIVE[:2]


def test_a_dead_letter_exchange_applies_to_messages_that_are_there(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    channel.queue_declare("orders")
    channel.queue_declare("dead")
    channel.queue_bind("dead", "amq.fanout")
    publish(channel, "orders", b"order")
    operator.set_policy("p", "^orders$", {"dead-letter-exchange": "amq.fanout"}, vhost)
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    while not ready(channel, "dead"):
        channel.connection.process_data_events(time_limit=0.01)
    method, _, body = get_one(channel, "dead")
    assert (method.exchange, method.routing_key, body) == ("amq.fanout", "orders", b"order")


def test_a_dead_letter_routing_key_alone_does_nothing(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("dead")
    channel.queue_declare("orders")
    operator.set_policy("p", "^orders$", {"dead-letter-routing-key": "dead", "max-length": 1}, vhost)
    publish(channel, "orders", *FIVE)
    assert ready(channel, "orders") == 1
    assert ready(channel, "dead") == 0


@pytest.mark.parametrize("by_argument", [True, False])
def test_an_alternate_exchange_can_be_given_and_taken(
    channel: BlockingChannel, operator: Any, vhost: str, by_argument: bool
) -> None:
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.fanout")
    channel.exchange_declare("x", arguments={"alternate-exchange": "amq.fanout"} if by_argument else None)
    operator.set_policy("p", "^x$", {"alternate-exchange": "amq.topic" if by_argument else "amq.fanout"}, vhost)
    assert is_routed(channel, "x", "nowhere")
    operator.clear_policy("p", vhost)
    assert is_routed(channel, "x", "nowhere") is by_argument


def test_delivery_limit_of_a_quorum_queue(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"delivery-limit": 1}, vhost)
    declare_quorum(channel, "orders")
    publish(channel, "orders", b"order")
    for _ in range(2):
        method, _, _ = channel.basic_get("orders")
        channel.basic_nack(method.delivery_tag, requeue=True)
    assert channel.basic_get("orders") == (None, None, None)


def test_max_length_of_a_quorum_queue_is_kept_from_the_next_message_on(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    declare_quorum(channel, "orders")
    publish(channel, "orders", *FIVE)
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    publish(channel, "orders", b"6")
    assert get_all(channel, "orders") == [b"5", b"6"]
