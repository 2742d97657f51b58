"""exchange.bind and exchange.unbind: exchanges as destinations."""

from __future__ import annotations

import itertools
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed

DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


def declare(channel: BlockingChannel, *names: str, exchange_type: str = "fanout") -> None:
    for name in names:
        channel.exchange_declare(name, exchange_type)


def test_a_message_goes_on_through_a_bound_exchange(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "q", "destination")
    assert channel.exchange_bind("destination", "source").method.NAME == "Exchange.BindOk"
    channel.basic_publish("source", "key", b"through")
    method, _, body = channel.basic_get("q")
    assert method is not None
    assert (method.exchange, method.routing_key, body) == ("source", "key", b"through")


def test_a_binding_leads_from_source_to_destination_only(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "before", "source")
    bound_queue(channel, "behind", "destination")
    channel.exchange_bind("destination", "source")
    channel.basic_publish("destination", "", b"m")
    assert get_all(channel, "before") == []
    assert get_all(channel, "behind") == [b"m"]


def test_the_source_decides_by_its_type_what_goes_through(channel: BlockingChannel) -> None:
    declare(channel, "topic", exchange_type="topic")
    declare(channel, "direct", exchange_type="direct")
    declare(channel, "headers", exchange_type="headers")
    declare(channel, "all")
    bound_queue(channel, "q", "all")
    channel.exchange_bind("all", "topic", "a.*")
    channel.exchange_bind("all", "direct", "a")
    channel.exchange_bind("all", "headers", "", {"a": 1})
    for exchange, key, headers in [
        ("topic", "a.b", {}),
        ("topic", "b.a", {}),
        ("direct", "a", {}),
        ("direct", "b", {}),
        ("headers", "h1", {"a": 1}),
        ("headers", "h2", {"a": 2}),
    ]:
        channel.basic_publish(exchange, key, key.encode(), pika.BasicProperties(headers=headers))
    assert get_all(channel, "q") == [b"a.b", b"a", b"h1"]


def test_each_exchange_on_the_way_applies_its_own_bindings_to_the_same_routing_key(channel: BlockingChannel) -> None:
    declare(channel, "first", "second", exchange_type="topic")
    channel.exchange_bind("second", "first", "*.red")
    bound_queue(channel, "q", "second", "big.*")
    for key in ("big.red", "small.red", "big.blue"):
        channel.basic_publish("first", key, key.encode())
    assert get_all(channel, "q") == [b"big.red"]


def test_a_message_goes_through_a_long_chain(channel: BlockingChannel) -> None:
    names = [f"x{number}" for number in range(20)]
    declare(channel, *names)
    for source, destination in itertools.pairwise(names):
        channel.exchange_bind(destination, source)
    bound_queue(channel, "q", names[-1])
    channel.basic_publish(names[0], "", b"through")
    assert get_all(channel, "q") == [b"through"]


def test_a_queue_reached_on_several_ways_gets_one_copy(channel: BlockingChannel) -> None:
    declare(channel, "source", "left", "right")
    bound_queue(channel, "q", "source")
    for name in ("left", "right"):
        channel.exchange_bind(name, "source")
        channel.queue_bind("q", name, "1")
        channel.queue_bind("q", name, "2")
    channel.basic_publish("source", "", b"once")
    assert get_all(channel, "q") == [b"once"]


@pytest.mark.parametrize("entry", ["a", "b", "c"])
def test_a_message_in_a_cycle_reaches_each_queue_once(channel: BlockingChannel, entry: str) -> None:
    names = ["a", "b", "c"]
    declare(channel, *names)
    for source, destination in [("a", "b"), ("b", "c"), ("c", "a")]:
        channel.exchange_bind(destination, source)
    for name in names:
        bound_queue(channel, f"q-{name}", name)
    channel.basic_publish(entry, "", b"round")
    assert [get_all(channel, f"q-{name}") for name in names] == [[b"round"]] * 3


def test_an_exchange_may_be_bound_to_itself(channel: BlockingChannel) -> None:
    declare(channel, "x")
    channel.exchange_bind("x", "x")
    bound_queue(channel, "q", "x")
    channel.basic_publish("x", "", b"once")
    assert get_all(channel, "q") == [b"once"]


def test_a_cycle_without_a_queue_routes_nowhere(channel: BlockingChannel) -> None:
    declare(channel, "a", "b")
    channel.exchange_bind("a", "b")
    channel.exchange_bind("b", "a")
    assert not is_routed(channel, "a", "")


def test_unbinding_an_exchange_stops_the_flow(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "q", "destination")
    channel.exchange_bind("destination", "source", "k")
    assert is_routed(channel, "source", "")
    assert channel.exchange_unbind("destination", "source", "k").method.NAME == "Exchange.UnbindOk"
    assert not is_routed(channel, "source", "")


def test_an_exchange_bound_twice_is_unbound_once(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "q", "destination")
    for _ in range(2):
        channel.exchange_bind("destination", "source", "k")
    channel.exchange_unbind("destination", "source", "k")
    assert not is_routed(channel, "source", "")


def test_exchanges_with_other_keys_or_arguments_are_bound_separately(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "q", "destination")
    bindings: list[tuple[str, dict[str, Any]]] = [("a", {}), ("b", {}), ("a", {"foo": 1}), ("a", {"foo": 2})]
    for key, arguments in bindings:
        channel.exchange_bind("destination", "source", key, arguments)
    for key, arguments in bindings:
        assert is_routed(channel, "source", "")
        channel.exchange_unbind("destination", "source", key, arguments)
    assert not is_routed(channel, "source", "")


def test_a_queue_and_an_exchange_of_the_same_name_are_bound_separately(channel: BlockingChannel) -> None:
    declare(channel, "source", "same")
    bound_queue(channel, "same", "source", "k")
    bound_queue(channel, "behind", "same")
    channel.exchange_bind("same", "source", "k")
    channel.basic_publish("source", "", b"both")
    channel.queue_unbind("same", "source", "k")
    channel.basic_publish("source", "", b"exchange")
    assert get_all(channel, "same") == [b"both"]
    assert get_all(channel, "behind") == [b"both", b"exchange"]


@pytest.mark.parametrize(
    ("destination", "source", "missing"),
    [("nope", "amq.fanout", "nope"), ("amq.fanout", "nope", "nope"), ("nope-to", "nope-from", "nope-from")],
)
def test_binding_a_missing_exchange_names_the_source_first(
    channel: BlockingChannel, vhost: str, destination: str, source: str, missing: str
) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange '{missing}' in vhost '{vhost}'"):
        channel.exchange_bind(destination, source)


@pytest.mark.parametrize("bind", ["exchange_bind", "exchange_unbind"])
@pytest.mark.parametrize(
    ("destination", "source"),
    [("", "amq.fanout"), ("amq.fanout", ""), ("", ""), ("nope", ""), ("", "nope"), ("\n", "x")],
)
def test_the_default_exchange_can_be_neither_end_of_a_binding(
    channel: BlockingChannel, bind: str, destination: str, source: str
) -> None:
    with channel_closed(403, DEFAULT_EXCHANGE):
        getattr(channel, bind)(destination, source)


@pytest.mark.parametrize(
    ("destination", "source"),
    [("nope", "amq.fanout"), ("amq.fanout", "nope"), ("nope", "nope"), ("amq.topic", "amq.fanout")],
)
def test_unbinding_what_is_missing_succeeds(channel: BlockingChannel, destination: str, source: str) -> None:
    assert channel.exchange_unbind(destination, source, "k", {"foo": 1}).method.NAME == "Exchange.UnbindOk"


def test_internal_and_predeclared_exchanges_can_be_bound(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "fanout", internal=True)
    channel.exchange_bind("x", "amq.fanout")
    channel.exchange_bind("amq.topic", "x")
    bound_queue(channel, "q", "amq.topic", "#")
    channel.basic_publish("amq.fanout", "k", b"through")
    assert get_all(channel, "q") == [b"through"]


def test_the_trace_exchange_can_be_a_source(channel: BlockingChannel) -> None:
    assert channel.exchange_bind("amq.fanout", "amq.rabbitmq.trace", "#").method.NAME == "Exchange.BindOk"


def test_line_ends_are_removed_from_the_names_of_both_ends(channel: BlockingChannel) -> None:
    declare(channel, "source", "destination")
    bound_queue(channel, "q", "destination")
    channel.exchange_bind("desti\nnation", "sou\r\nrce")
    assert is_routed(channel, "source", "")
    channel.exchange_unbind("destination\n", "\nsource")
    assert not is_routed(channel, "source", "")


def test_durable_and_transient_exchanges_can_be_bound_to_each_other(channel: BlockingChannel) -> None:
    channel.exchange_declare("durable", "fanout", durable=True)
    channel.exchange_declare("transient", "fanout")
    channel.exchange_bind("transient", "durable")
    channel.exchange_bind("durable", "transient")
    bound_queue(channel, "q1", "durable")
    bound_queue(channel, "q2", "transient")
    for name in ("durable", "transient"):
        channel.basic_publish(name, "", name.encode())
    assert get_all(channel, "q1") == get_all(channel, "q2") == [b"durable", b"transient"]
