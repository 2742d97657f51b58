"""Exchanges of type x-modulus-hash, of the plugin rabbitmq_sharding."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._plugin_exchanges import bound, owners, receivers, spread
from tests.rules._routing import is_routed

KEYS = [f"key-{number}" for number in range(30)]
OWNERS_OF_KEYS = "bacbcbcacaccbcacacaaccbcccabbb"


def declare(channel: BlockingChannel) -> str:
    channel.exchange_declare("modulus", "x-modulus-hash")
    return "modulus"


def test_without_bindings_it_routes_nowhere(channel: BlockingChannel) -> None:
    declare(channel)
    assert not is_routed(channel, "modulus", "anything")


@pytest.mark.parametrize("binding_key", ["", "orders", "#"])
def test_binding_keys_do_not_matter(channel: BlockingChannel, binding_key: str) -> None:
    bound(channel, declare(channel), {"a": binding_key})
    assert receivers(channel, "modulus", "orders", ["a"]) == ["a"]


def test_each_routing_key_has_its_queue(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": "", "c": ""})
    assert owners(channel, "modulus", KEYS, queues) == OWNERS_OF_KEYS
    assert owners(channel, "modulus", KEYS, queues) == OWNERS_OF_KEYS


def test_the_order_of_binding_does_not_matter(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"c": "", "a": "", "b": ""})
    assert owners(channel, "modulus", KEYS, queues) == OWNERS_OF_KEYS


def test_bindings_are_ordered_by_key_and_then_by_queue(channel: BlockingChannel) -> None:
    declare(channel)
    queues = bound(channel, "modulus", {"c": "1", "a": "2", "b": "2"})
    renamed = OWNERS_OF_KEYS.translate(str.maketrans("abc", "cab"))
    assert owners(channel, "modulus", KEYS, queues) == renamed


def test_a_message_goes_to_exactly_one_queue(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": "", "c": ""})
    got = spread(channel, "modulus", KEYS, queues)
    assert sorted([*got["a"], *got["b"], *got["c"]]) == sorted(KEYS)


def test_a_queue_bound_twice_has_two_places(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "1", "b": "1"})
    channel.queue_bind("a", "modulus", "2")
    renamed = OWNERS_OF_KEYS.translate(str.maketrans("abc", "aba"))
    assert owners(channel, "modulus", KEYS, queues) == renamed


@pytest.mark.parametrize(
    ("headers", "queue"),
    [
        (None, "q15"),
        ({"CC": ["key-7"]}, "q0"),
        ({"BCC": ["z"]}, "q2"),
        ({"CC": ["a", "b"], "BCC": ["z"]}, "q11"),
    ],
)
def test_cc_and_bcc_take_part_in_the_choice(
    channel: BlockingChannel, headers: dict[str, list[str]] | None, queue: str
) -> None:
    queues = bound(channel, declare(channel), {f"q{number}": "" for number in range(20)})
    assert receivers(channel, "modulus", "rk", queues, headers=headers) == [queue]
