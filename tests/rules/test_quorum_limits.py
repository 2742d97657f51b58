"""Quorum queues with limits: x-delivery-limit, x-max-length, x-max-length-bytes, x-overflow."""

from __future__ import annotations

from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import wait_for
from tests.rules._kinds import declare, drain, publish, x_death
from tests.rules._queues import Connect, consumers, ready, wait_until_ready

GRAVE = {"dead_letter_exchange": "", "dead_letter_routing_key": "grave"}


@pytest.fixture(autouse=True)
def grave(channel: BlockingChannel) -> None:
    """A queue for dead letters."""
    channel.queue_declare("grave")


def deliveries(channel: BlockingChannel, queue: str, at_most: int = 30) -> int:
    """Get and requeue the queue's only message until it is gone: how often it was delivered."""
    for count in range(at_most):
        method, _, _ = channel.basic_get(queue)
        if method is None:
            return count
        channel.basic_nack(method.delivery_tag, requeue=True)
        channel.queue_declare(queue, passive=True)
    channel.queue_purge(queue)
    return at_most


def accepted(channel: BlockingChannel, queue: str) -> bool:
    """Whether the queue confirms one more message."""
    try:
        publish(channel, queue, "more")
    except pika.exceptions.NackError:
        return False
    return True


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_a_message_is_delivered_once_more_than_its_limit(channel: BlockingChannel, limit: int) -> None:
    declare(channel, "orders", "quorum", delivery_limit=limit)
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == limit + 1


def test_the_limit_is_20_in_4_0_unless_told(channel: BlockingChannel, version: str) -> None:
    declare(channel, "orders", "quorum")
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == {"3.10": 30, "4.0": 21}[version]


@pytest.mark.parametrize("limit", ["2", True, b"2"])
def test_a_limit_that_is_no_integer_is_accepted_and_means_none(channel: BlockingChannel, limit: object) -> None:
    declare(channel, "orders", "quorum", delivery_limit=limit)
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == 30


def test_a_void_limit_is_the_default(channel: BlockingChannel, version: str) -> None:
    declare(channel, "orders", "quorum", delivery_limit=None)
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == {"3.10": 30, "4.0": 21}[version]


def test_a_negative_limit_is_zero_in_3_10_and_none_in_4_0(channel: BlockingChannel, version: str) -> None:
    declare(channel, "orders", "quorum", delivery_limit=-1)
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == {"3.10": 1, "4.0": 30}[version]


@pytest.mark.parametrize("way", ["nack", "reject", "recover", "close channel", "close connection"])
@pytest.mark.parametrize("use", ["get", "consume"])
def test_every_way_of_returning_counts(
    channel: BlockingChannel, connect: Connect, version: str, way: str, use: str
) -> None:
    declare(channel, "orders", "quorum", delivery_limit=2, **GRAVE)
    publish(channel, "orders", "order")
    found: list[tuple[bool, Any]] = []
    for _ in range(3):
        wait_until_ready(channel, "orders", 1)
        theirs = connect().channel()
        if use == "get":
            method, properties, _ = theirs.basic_get("orders")
        else:
            received: list[Any] = []
            tag = theirs.basic_consume("orders", lambda *message, to=received: to.extend(message[1:3]))
            while not received:
                theirs.connection.process_data_events(time_limit=1)
            theirs.basic_cancel(tag)
            method, properties = received
        found.append((method.redelivered, (properties.headers or {}).get("x-delivery-count")))
        if way == "nack":
            theirs.basic_nack(method.delivery_tag, requeue=True)
        elif way == "reject":
            theirs.basic_reject(method.delivery_tag, requeue=True)
        elif way == "recover":
            theirs.basic_recover(requeue=True)
        elif way == "close channel":
            theirs.close()
        theirs.connection.close()
    first = {("get", "3.10"): 0}.get((use, version))
    assert found == [(False, first), (True, 1), (True, 2)]
    assert drain(channel, "grave", 1) == ["order"]
    assert ready(channel, "orders") == 0


def test_a_message_beyond_its_limit_dies_of_delivery_limit(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", delivery_limit=1, **GRAVE)
    publish(channel, "orders", "order", headers={"own": "header"})
    assert deliveries(channel, "orders") == 2
    wait_until_ready(channel, "grave", 1)
    method, properties, _ = channel.basic_get("grave")
    assert not method.redelivered
    assert properties.headers["own"] == "header"
    assert properties.headers["x-first-death-reason"] == "delivery_limit"
    assert "x-delivery-count" not in properties.headers
    assert x_death(properties) == {
        "count": 1,
        "reason": "delivery_limit",
        "queue": "orders",
        "exchange": "",
        "routing-keys": ["orders"],
    }


def test_without_a_dead_letter_exchange_a_message_beyond_its_limit_is_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", delivery_limit=0)
    publish(channel, "orders", "1", "2")
    channel.basic_nack(channel.basic_get("orders")[0].delivery_tag, requeue=True)
    assert drain(channel, "orders", 1) == ["2"]


@pytest.mark.parametrize("multiple", [True, False])
def test_messages_die_in_the_order_in_which_they_return(channel: BlockingChannel, multiple: bool) -> None:
    declare(channel, "orders", "quorum", delivery_limit=0, **GRAVE)
    publish(channel, "orders", "1", "2", "3")
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(3)]
    if multiple:
        channel.basic_nack(tags[2], multiple=True, requeue=True)
    else:
        for tag in reversed(tags):
            channel.basic_nack(tag, requeue=True)
    assert drain(channel, "grave", 3) == (["1", "2", "3"] if multiple else ["3", "2", "1"])


def test_a_dead_letter_counts_anew_in_the_next_quorum_queue(channel: BlockingChannel, version: str) -> None:
    declare(channel, "next", "quorum")
    declare(channel, "orders", "quorum", delivery_limit=0, dead_letter_exchange="", dead_letter_routing_key="next")
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == 1
    wait_until_ready(channel, "next", 1)
    method, properties, _ = channel.basic_get("next")
    assert not method.redelivered
    assert properties.headers.get("x-delivery-count") == {"3.10": 0, "4.0": None}[version]


def test_a_message_that_would_die_into_its_own_queue_is_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", delivery_limit=1, dead_letter_exchange="", dead_letter_routing_key="orders")
    publish(channel, "orders", "order")
    assert deliveries(channel, "orders") == 2


def test_a_rejection_dies_of_rejected_whatever_the_limit(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", delivery_limit=0, **GRAVE)
    publish(channel, "orders", "order")
    channel.basic_reject(channel.basic_get("orders")[0].delivery_tag, requeue=False)
    wait_until_ready(channel, "grave", 1)
    assert x_death(channel.basic_get("grave")[1])["reason"] == "rejected"


def test_the_consumer_of_the_queue_is_given_a_message_until_its_limit(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", delivery_limit=2, **GRAVE)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", "order")
    for _ in range(3):
        assert consumer.take(1) == [b"order"]
        consumer.requeue()
    assert drain(channel, "grave", 1) == ["order"]
    assert [method.delivery_tag for method in consumer.methods] == [1, 2, 3]


@pytest.mark.parametrize("returned", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_with_a_limit_given_returned_messages_come_first_in_the_order_of_returning(
    channel: BlockingChannel, returned: tuple[int, ...]
) -> None:
    declare(channel, "orders", "quorum", delivery_limit=9)
    publish(channel, "orders", "0", "1", "2", "3")
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(3)]
    for index in returned:
        channel.basic_nack(tags[index], requeue=True)
    assert drain(channel, "orders", 4) == [*map(str, returned), "3"]


@pytest.mark.parametrize(("limit", "kept"), [(0, []), (1, ["5"]), (3, ["3", "4", "5"])])
def test_max_length_drops_the_oldest(channel: BlockingChannel, limit: int, kept: list[str]) -> None:
    declare(channel, "orders", "quorum", max_length=limit, **GRAVE)
    publish(channel, "orders", "1", "2", "3", "4", "5")
    dropped = 5 - len(kept)
    wait_until_ready(channel, "grave", dropped)
    assert x_death(channel.basic_get("grave", auto_ack=True)[1])["reason"] == "maxlen"
    assert drain(channel, "grave") == ["1", "2", "3", "4", "5"][1:dropped]
    assert drain(channel, "orders", len(kept)) == kept


@pytest.mark.parametrize(("limit", "kept"), [(0, 0), (9, 0), (10, 1), (25, 2)])
def test_max_length_bytes_counts_bodies(channel: BlockingChannel, limit: int, kept: int) -> None:
    declare(channel, "orders", "quorum", max_length_bytes=limit)
    publish(channel, "orders", *["ten bytes!"] * 4)
    assert drain(channel, "orders", kept) == ["ten bytes!"] * kept


def test_a_message_that_returns_into_a_full_queue_is_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", max_length=2, delivery_limit=9, **GRAVE)
    publish(channel, "orders", "1", "2")
    method, _, _ = channel.basic_get("orders")
    publish(channel, "orders", "3")
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert drain(channel, "grave", 1) == ["1"]
    assert drain(channel, "orders", 2) == ["2", "3"]


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_reject_publish_accepts_one_more_than_its_limit(channel: BlockingChannel, limit: int) -> None:
    declare(channel, "orders", "quorum", max_length=limit, overflow="reject-publish")
    channel.confirm_delivery()
    for number in range(limit + 1):
        channel.basic_publish("", "orders", str(number).encode())
    for _ in range(2):
        with pytest.raises(pika.exceptions.NackError):
            channel.basic_publish("", "orders", b"more")
    assert ready(channel, "orders") == limit + 1


def test_reject_publish_refuses_publishers_that_come_later_too(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", max_length=1, overflow="reject-publish")
    publish(channel, "orders", "1", "2")
    assert [accepted(channel, "orders") for _ in range(2)] == [False, False]


@pytest.mark.parametrize(("limit", "accepts_at"), [(1, 0), (2, 1), (3, 2), (5, 4), (10, 8)])
def test_a_full_publisher_may_go_on_when_the_queue_is_down_to_80_percent(
    channel: BlockingChannel, limit: int, accepts_at: int
) -> None:
    declare(channel, "orders", "quorum", max_length=limit, overflow="reject-publish")
    publisher = channel.connection.channel()
    publisher.confirm_delivery()
    for _ in range(limit + 1):
        publisher.basic_publish("", "orders", b"order")
    for remaining in range(limit, accepts_at, -1):
        assert channel.basic_get("orders", auto_ack=True)[0].message_count == remaining
        with pytest.raises(pika.exceptions.NackError):
            publisher.basic_publish("", "orders", b"refused")
    assert channel.basic_get("orders", auto_ack=True)[0].message_count == accepts_at
    publisher.basic_publish("", "orders", b"accepted")
    assert ready(channel, "orders") == accepts_at + 1


def test_unacknowledged_messages_do_not_count_for_max_length(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", max_length=2)
    publish(channel, "orders", "1", "2")
    channel.basic_get("orders")
    publish(channel, "orders", "3")
    assert drain(channel, "orders", 2) == ["2", "3"]


def test_a_fetched_message_counts_as_a_consumer_until_it_is_settled(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum")
    publish(channel, "orders", "1", "2")
    channel.basic_get("orders", auto_ack=True)
    assert consumers(channel, "orders") == 0
    method, _, _ = channel.basic_get("orders")
    assert consumers(channel, "orders") == 1
    channel.basic_ack(method.delivery_tag)
    wait_for(channel.connection, lambda: consumers(channel, "orders") == 0)
