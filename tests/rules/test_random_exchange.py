"""Exchanges of type x-random, of the plugin rabbitmq_random_exchange."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._plugin_exchanges import bound, publish, receivers, spread
from tests.rules._routing import is_routed


def declare(channel: BlockingChannel, **settings: object) -> str:
    channel.exchange_declare("random", "x-random", **settings)
    return "random"


def test_without_bindings_it_routes_nowhere(channel: BlockingChannel) -> None:
    declare(channel)
    assert not is_routed(channel, "random", "anything")


@pytest.mark.parametrize("binding_key", ["", "orders", "#", "not this one"])
def test_keys_do_not_matter(channel: BlockingChannel, binding_key: str) -> None:
    bound(channel, declare(channel), {"a": binding_key})
    assert receivers(channel, "random", "orders", ["a"]) == ["a"]


def test_a_message_goes_to_exactly_one_queue(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": "", "c": ""})
    got = spread(channel, "random", [str(number) for number in range(30)], queues)
    assert sorted([*got["a"], *got["b"], *got["c"]], key=int) == [str(number) for number in range(30)]


def test_every_queue_gets_its_share(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": "", "c": ""})
    got = spread(channel, "random", [str(number) for number in range(300)], queues)
    assert all(50 <= len(keys) <= 150 for keys in got.values())


def test_one_routing_key_is_not_bound_to_one_queue(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": ""})
    for _ in range(60):
        publish(channel, "random", "same")
    assert all(get_all(channel, queue) for queue in queues)


def test_a_queue_bound_twice_is_drawn_twice_as_often(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "1", "b": "1"})
    channel.queue_bind("a", "random", "2")
    got = spread(channel, "random", [str(number) for number in range(300)], queues)
    assert 165 <= len(got["a"]) <= 235
    assert len(got["a"]) + len(got["b"]) == 300


def test_cc_does_not_make_copies(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": ""})
    assert len(receivers(channel, "random", "x", queues, headers={"CC": ["y", "z"]})) == 1


def test_an_exchange_can_be_a_destination(channel: BlockingChannel) -> None:
    bound(channel, "amq.fanout", {"a": "", "b": ""})
    channel.exchange_bind("amq.fanout", declare(channel), "x")
    assert receivers(channel, "random", "x", ["a", "b"]) == ["a", "b"]


def test_an_unbound_queue_is_not_drawn(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": "", "b": ""})
    channel.queue_unbind("a", "random", "")
    assert len(spread(channel, "random", [str(number) for number in range(20)], ["b"])["b"]) == 20


def test_its_type_is_quoted_twice_when_a_redeclaration_differs(channel: BlockingChannel, vhost: str) -> None:
    declare(channel)
    with channel_closed(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'random' in vhost '{vhost}': "
        "received ''x-consistent-hash'' but current is ''x-random''",
    ):
        channel.exchange_declare("random", "x-consistent-hash")
