"""Direct and fanout exchanges."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed


@pytest.mark.parametrize("exchange", ["x", "amq.direct"])
def test_a_direct_exchange_routes_the_exact_key(channel: BlockingChannel, exchange: str) -> None:
    if exchange == "x":
        channel.exchange_declare(exchange, "direct")
    for key in ("red", "blue"):
        bound_queue(channel, key, exchange, key)
    for key in ("red", "blue", "green", "red"):
        channel.basic_publish(exchange, key, key.encode())
    assert get_all(channel, "red") == [b"red", b"red"]
    assert get_all(channel, "blue") == [b"blue"]


@pytest.mark.parametrize(
    ("bound", "published"),
    [
        ("key", "Key"),
        ("key", "key "),
        ("key", "ke"),
        ("key", "keys"),
        ("key", ""),
        ("", "key"),
        ("*", "key"),
        ("#", "key"),
        ("a.*", "a.b"),
        ("é", "e\u0301"),
        ("é", "É"),
    ],
)
def test_a_direct_exchange_takes_no_key_for_another(channel: BlockingChannel, bound: str, published: str) -> None:
    channel.exchange_declare("x", "direct")
    bound_queue(channel, "q", "x", bound)
    assert is_routed(channel, "x", bound)
    assert not is_routed(channel, "x", published)


def test_a_direct_exchange_routes_one_key_to_several_queues(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "direct")
    for name in ("q1", "q2"):
        bound_queue(channel, name, "x", "k")
    bound_queue(channel, "q3", "x", "other")
    channel.basic_publish("x", "k", b"m")
    assert [get_all(channel, name) for name in ("q1", "q2", "q3")] == [[b"m"], [b"m"], []]


def test_a_direct_exchange_ignores_the_queue_s_name_and_the_binding_s_arguments(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "direct")
    bound_queue(channel, "q", "x", "k", {"x-match": "all", "a": 1})
    assert not is_routed(channel, "x", "q")
    assert is_routed(channel, "x", "k", {"a": 2})


@pytest.mark.parametrize("exchange", ["x", "amq.fanout"])
def test_a_fanout_exchange_ignores_keys_and_headers(channel: BlockingChannel, exchange: str) -> None:
    if exchange == "x":
        channel.exchange_declare(exchange, "fanout")
    bound_queue(channel, "q1", exchange, "a")
    bound_queue(channel, "q2", exchange, "", {"x-match": "all", "a": 1})
    for key in ("a", "b", ""):
        channel.basic_publish(exchange, key, key.encode(), pika.BasicProperties(headers={"a": 2}))
    assert get_all(channel, "q1") == get_all(channel, "q2") == [b"a", b"b", b""]


@pytest.mark.parametrize("exchange_type", ["direct", "fanout", "topic", "headers"])
def test_an_exchange_without_bindings_drops_messages(channel: BlockingChannel, exchange_type: str) -> None:
    channel.exchange_declare("x", exchange_type)
    channel.queue_declare("q")
    assert not is_routed(channel, "x", "q")
    assert get_all(channel, "q") == []


def test_messages_through_one_exchange_keep_their_order(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x")
    bodies = [b"%d" % number for number in range(100)]
    for body in bodies:
        channel.basic_publish("x", "", body)
    assert get_all(channel, "q") == bodies


def test_messages_through_different_exchanges_keep_their_order(channel: BlockingChannel) -> None:
    channel.queue_declare("q")
    for name in ("amq.fanout", "amq.direct", "amq.topic"):
        channel.queue_bind("q", name, "q")
    bodies = []
    for number in range(40):
        bodies.append(b"%d" % number)
        channel.basic_publish(("amq.fanout", "amq.direct", "amq.topic", "")[number % 4], "q", bodies[-1])
    assert get_all(channel, "q") == bodies
