"""Alternate exchanges: where messages go that match no binding."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all, wait_for
from tests.rules._routing import bound_queue, exchange_exists, is_routed


def declare(
    channel: BlockingChannel, name: str, alternate: str, exchange_type: str = "direct", **settings: Any
) -> None:
    channel.exchange_declare(name, exchange_type, arguments={"alternate-exchange": alternate}, **settings)


@pytest.mark.parametrize(
    ("exchange_type", "key"), [("direct", "k"), ("topic", "k.*"), ("headers", "k"), ("fanout", "k")]
)
def test_a_message_that_matches_no_binding_goes_to_the_alternate_exchange(
    channel: BlockingChannel, exchange_type: str, key: str
) -> None:
    declare(channel, "x", "ae", exchange_type)
    channel.exchange_declare("ae", "fanout")
    bound_queue(channel, "unrouted", "ae")
    if exchange_type != "fanout":
        bound_queue(channel, "q", "x", key, {"a": 1})
    channel.basic_publish("x", "other", b"m")
    method, _, body = channel.basic_get("unrouted")
    assert method is not None
    assert (method.exchange, method.routing_key, body) == ("x", "other", b"m")


def test_a_message_that_matches_a_binding_does_not_go_to_the_alternate_exchange(channel: BlockingChannel) -> None:
    declare(channel, "x", "ae")
    channel.exchange_declare("ae", "fanout")
    bound_queue(channel, "unrouted", "ae")
    bound_queue(channel, "q", "x", "k")
    for key in ("k", "other"):
        channel.basic_publish("x", key, key.encode())
    assert get_all(channel, "q") == [b"k"]
    assert get_all(channel, "unrouted") == [b"other"]


def test_the_alternate_exchange_routes_by_the_same_key_and_headers(channel: BlockingChannel) -> None:
    declare(channel, "to direct", "amq.direct", "fanout")
    declare(channel, "to headers", "amq.headers", "fanout")
    bound_queue(channel, "q", "amq.direct", "k")
    channel.queue_bind("q", "amq.headers", "", {"a": 1})
    assert is_routed(channel, "to direct", "k")
    assert not is_routed(channel, "to direct", "other")
    assert is_routed(channel, "to headers", "", {"a": 1})
    assert not is_routed(channel, "to headers", "", {"a": 2})


def test_alternate_exchanges_follow_each_other(channel: BlockingChannel) -> None:
    declare(channel, "first", "second")
    declare(channel, "second", "third")
    declare(channel, "third", "fourth")
    channel.exchange_declare("fourth", "fanout")
    bound_queue(channel, "q2", "second", "k")
    bound_queue(channel, "q4", "fourth")
    for key in ("k", "other"):
        channel.basic_publish("first", key, key.encode())
    assert get_all(channel, "q2") == [b"k"]
    assert get_all(channel, "q4") == [b"other"]


def test_alternate_exchanges_may_form_a_cycle(channel: BlockingChannel) -> None:
    for name, alternate in [("a", "b"), ("b", "c"), ("c", "a")]:
        declare(channel, name, alternate)
    bound_queue(channel, "q", "c", "k")
    assert [is_routed(channel, name, "k") for name in "abc"] == [True] * 3
    assert get_all(channel, "q") == [b""] * 3
    assert [is_routed(channel, name, "other") for name in "abc"] == [False] * 3


def test_an_exchange_may_be_its_own_alternate(channel: BlockingChannel) -> None:
    declare(channel, "x", "x")
    bound_queue(channel, "q", "x", "k")
    assert [is_routed(channel, "x", key) for key in ("k", "other")] == [True, False]


def test_a_missing_alternate_exchange_drops_the_message(channel: BlockingChannel) -> None:
    declare(channel, "x", "missing")
    channel.queue_declare("q")
    channel.basic_publish("x", "q", b"m")
    assert get_all(channel, "q") == []
    assert not is_routed(channel, "x", "q")


def test_the_alternate_exchange_is_looked_up_at_each_publish(channel: BlockingChannel) -> None:
    declare(channel, "x", "ae")
    assert not is_routed(channel, "x", "k")
    channel.exchange_declare("ae", "fanout")
    bound_queue(channel, "q", "ae")
    assert is_routed(channel, "x", "k")
    channel.exchange_delete("ae")
    assert not is_routed(channel, "x", "k")


def test_the_default_exchange_as_alternate_never_routes(channel: BlockingChannel) -> None:
    declare(channel, "x", "")
    channel.queue_declare("q")
    assert not is_routed(channel, "x", "q")
    assert get_all(channel, "q") == []


def test_a_message_that_the_alternate_exchange_routes_is_not_returned(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    returned: list[tuple[str, str, bytes]] = []
    channel.add_on_return_callback(
        lambda _, method, __, body: returned.append((method.exchange, method.routing_key, body))
    )
    declare(channel, "x", "ae", "fanout")
    channel.exchange_declare("ae", "direct")
    bound_queue(channel, "q", "ae", "k")
    for key in ("k", "other"):
        channel.basic_publish("x", key, key.encode(), mandatory=True)
    wait_for(connection, lambda: bool(returned))
    assert returned == [("x", "other", b"other")]
    assert get_all(channel, "q") == [b"k"]


def test_the_alternate_exchange_may_be_internal(channel: BlockingChannel) -> None:
    declare(channel, "x", "ae")
    channel.exchange_declare("ae", "fanout", internal=True)
    bound_queue(channel, "q", "ae")
    assert is_routed(channel, "x", "k")


def test_an_internal_exchange_has_an_alternate_too(channel: BlockingChannel) -> None:
    declare(channel, "inner", "ae", internal=True)
    channel.exchange_declare("ae", "fanout")
    channel.exchange_bind("inner", "amq.fanout")
    bound_queue(channel, "q", "ae")
    assert is_routed(channel, "amq.fanout", "k")


def test_a_binding_that_leads_nowhere_keeps_the_message_from_the_alternate_exchange(channel: BlockingChannel) -> None:
    declare(channel, "x", "ae", "fanout")
    channel.exchange_declare("ae", "fanout")
    channel.exchange_declare("dead end", "fanout")
    channel.exchange_bind("dead end", "x")
    bound_queue(channel, "q", "ae")
    assert not is_routed(channel, "x", "k")
    channel.exchange_unbind("dead end", "x")
    assert is_routed(channel, "x", "k")


def test_each_exchange_on_the_way_has_an_alternate_of_its_own(channel: BlockingChannel) -> None:
    declare(channel, "outer", "outer ae", "fanout")
    declare(channel, "inner", "inner ae")
    for name in ("outer ae", "inner ae"):
        channel.exchange_declare(name, "fanout")
        bound_queue(channel, f"q of {name}", name)
    channel.exchange_bind("inner", "outer")
    channel.basic_publish("outer", "k", b"m")
    assert get_all(channel, "q of outer ae") == []
    assert get_all(channel, "q of inner ae") == [b"m"]


def test_a_queue_reached_through_a_binding_and_an_alternate_exchange_gets_one_copy(channel: BlockingChannel) -> None:
    declare(channel, "inner", "ae")
    channel.exchange_declare("ae", "fanout")
    channel.exchange_declare("outer", "fanout")
    channel.exchange_bind("inner", "outer")
    bound_queue(channel, "q", "outer")
    channel.queue_bind("q", "ae", "")
    channel.basic_publish("outer", "k", b"once")
    assert get_all(channel, "q") == [b"once"]


def test_an_alternate_exchange_may_be_bound_to_the_exchange_it_serves(channel: BlockingChannel) -> None:
    declare(channel, "x", "ae")
    channel.exchange_declare("ae", "fanout")
    channel.exchange_bind("ae", "x", "k")
    bound_queue(channel, "q", "ae")
    for key in ("k", "other"):
        channel.basic_publish("x", key, key.encode())
    assert get_all(channel, "q") == [b"k", b"other"]


def test_being_an_alternate_does_not_keep_an_auto_delete_exchange(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    declare(channel, "x", "ae")
    channel.exchange_declare("ae", "fanout", auto_delete=True)
    bound_queue(channel, "q", "ae")
    channel.queue_delete("q")
    assert not exchange_exists(connection, "ae")
    assert exchange_exists(connection, "x")


def test_line_ends_stay_in_the_name_of_the_alternate_exchange(channel: BlockingChannel) -> None:
    declare(channel, "x", "a\ne")
    channel.exchange_declare("a\ne", "fanout")
    bound_queue(channel, "q", "ae")
    assert not is_routed(channel, "x", "k")
