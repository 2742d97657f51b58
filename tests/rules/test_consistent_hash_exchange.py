"""Exchanges of type x-consistent-hash, of the plugin rabbitmq_consistent_hash_exchange."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all
from tests.rules._plugin_exchanges import bound, owners, publish, receivers, spread
from tests.rules._queues import Connect
from tests.rules._routing import is_routed

KEYS = [f"key-{number}" for number in range(30)]
WEIGHTS = {"a": "1", "b": "2", "c": "3"}
OWNERS_OF_KEYS = "cbcbcbcccaacabbbcaccbcccaccccb"
MANY = {f"q{number}": "1" for number in range(97)}


def declare(channel: BlockingChannel, arguments: dict[str, Any] | None = None, name: str = "hash") -> str:
    channel.exchange_declare(name, "x-consistent-hash", arguments=arguments)
    return name


@pytest.mark.parametrize("key", ["1", "2", "01", "+3", "1000"])
def test_a_positive_integer_is_a_weight(channel: BlockingChannel, key: str) -> None:
    bound(channel, declare(channel), {"a": key})
    assert is_routed(channel, "hash", "anything")


@pytest.mark.parametrize("key", ["0", "-1", "-0"])
def test_a_weight_below_one_is_refused(channel: BlockingChannel, key: str) -> None:
    channel.queue_declare("a")
    with channel_closed(406, "PRECONDITION_FAILED - The binding key must be greater than 0"):
        channel.queue_bind("a", declare(channel), key)


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("", "<<>>"),
        ("abc", '<<"abc">>'),
        ("1.5", '<<"1.5">>'),
        (" 1", '<<" 1">>'),
        ("1_0", '<<"1_0">>'),
        ("#", '<<"#">>'),
    ],
)
def test_a_binding_key_that_is_no_integer_is_refused(channel: BlockingChannel, key: str, printed: str) -> None:
    channel.queue_declare("a")
    with channel_closed(406, f"PRECONDITION_FAILED - The binding key must be an integer: {printed}"):
        channel.queue_bind("a", declare(channel), key)


def test_a_missing_queue_is_noticed_before_the_weight(channel: BlockingChannel, vhost: str) -> None:
    declare(channel)
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_bind("nope", "hash", "abc")


def test_a_refused_binding_does_not_exist(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("a")
    declare(channel)
    with channel_closed(406, "PRECONDITION_FAILED - The binding key must be greater than 0"):
        channel.queue_bind("a", "hash", "0")
    assert not is_routed(connect().channel(), "hash", "anything")


def test_an_exchange_without_bindings_routes_nowhere(channel: BlockingChannel) -> None:
    declare(channel)
    assert not is_routed(channel, "hash", "anything")


def test_a_single_queue_gets_every_message(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": "5"})
    assert owners(channel, "hash", KEYS, ["a"]) == "a" * len(KEYS)


def test_each_message_goes_to_one_queue_chosen_by_its_routing_key(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), WEIGHTS)
    assert owners(channel, "hash", KEYS, queues) == OWNERS_OF_KEYS
    assert owners(channel, "hash", KEYS, queues) == OWNERS_OF_KEYS


def test_the_choice_does_not_depend_on_any_name(channel: BlockingChannel) -> None:
    names = {"a": "orders", "b": "invoices", "c": "parcels"}
    queues = bound(channel, declare(channel, name="another"), {names[name]: key for name, key in WEIGHTS.items()})
    got = spread(channel, "another", KEYS, queues)
    expected: dict[str, list[str]] = {queue: [] for queue in queues}
    for key, owner in zip(KEYS, OWNERS_OF_KEYS, strict=True):
        expected[names[owner]].append(key)
    assert got == expected


def test_queues_own_buckets_in_the_order_of_their_bindings(channel: BlockingChannel) -> None:
    declare(channel)
    queues = bound(channel, "hash", {"c": "3", "b": "2", "a": "1"})
    assert owners(channel, "hash", KEYS, queues) == "bcacacbabccbccccbcabcbbbcaaaac"


def test_messages_are_spread_in_proportion_to_the_weights(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), WEIGHTS)
    got = spread(channel, "hash", [f"order.{number}" for number in range(600)], queues)
    assert [len(keys) for keys in got.values()] == [120, 186, 294]


def test_a_second_binding_of_a_queue_counts_for_nothing(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), WEIGHTS)
    channel.queue_bind("a", "hash", "50")
    assert owners(channel, "hash", KEYS, queues) == OWNERS_OF_KEYS


def test_unbinding_either_of_two_bindings_takes_the_queue_off_the_ring(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": "1"})
    channel.queue_bind("a", "hash", "50")
    channel.queue_unbind("a", "hash", "50")
    assert not is_routed(channel, "hash", "anything")


def test_buckets_behind_a_removed_queue_move_down(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), WEIGHTS)
    channel.queue_unbind("a", "hash", "1")
    without_a = owners(channel, "hash", KEYS, queues)
    channel.queue_unbind("b", "hash", "2")
    channel.queue_unbind("c", "hash", "3")
    bound(channel, "hash", {"b": "2", "c": "3"})
    assert owners(channel, "hash", KEYS, queues) == without_a


def test_a_queue_bound_again_comes_last(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), WEIGHTS)
    channel.queue_unbind("a", "hash", "1")
    channel.queue_bind("a", "hash", "1")
    in_this_order = owners(channel, "hash", KEYS, queues)
    bound(channel, declare(channel, name="fresh"), {"b": "2", "c": "3", "a": "1"})
    assert owners(channel, "fresh", KEYS, queues) == in_this_order


def test_a_deleted_queue_leaves_the_ring(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "1", "b": "1"})
    channel.queue_delete("a")
    assert owners(channel, "hash", KEYS, queues[1:]) == "b" * len(KEYS)


def test_an_exchange_can_be_a_destination(channel: BlockingChannel) -> None:
    channel.queue_declare("a")
    channel.queue_bind("a", "amq.fanout")
    channel.exchange_bind("amq.fanout", declare(channel), "1")
    assert receivers(channel, "hash", "anything", ["a"]) == ["a"]


def test_a_queue_and_an_exchange_of_one_name_are_two_destinations(channel: BlockingChannel) -> None:
    declare(channel)
    channel.exchange_declare("a", "fanout")
    bound(channel, "a", {"behind": ""})
    bound(channel, "hash", {"a": "1"})
    channel.exchange_bind("a", "hash", "1")
    got = spread(channel, "hash", KEYS, ["a", "behind"])
    assert (len(got["a"]), len(got["behind"])) == (13, 17)


def test_cc_does_not_take_part_in_the_choice(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), MANY)
    assert receivers(channel, "hash", "rk", queues, headers={"CC": ["key-7"], "BCC": ["zz"]}) == ["q38"]


@pytest.mark.parametrize(("key", "queue"), [("", "q45"), ("rk", "q38"), ("λ", "q91"), ("key-1", "q64")])
def test_any_routing_key_has_its_queue(channel: BlockingChannel, key: str, queue: str) -> None:
    assert receivers(channel, declare(channel), key, bound(channel, "hash", MANY)) == [queue]


HEADER_VALUES = [
    ("v", "q95", "q59"),
    (b"v", "q30", "q59"),
    (5, "q7", "q65"),
    (-7, "q32", "q45"),
    (1 << 40, "q47", "q47"),
    (True, "q4", "q34"),
    (False, "q27", "q44"),
    (None, "q41", "q39"),
    (datetime.datetime(2020, 1, 1), "q25", "q1"),
    (decimal.Decimal("1.5"), "q14", "q79"),
    ({"a": 1}, "q3", "q85"),
    (["a", "b"], "q91", "q48"),
    ([5], "q62", "q7"),
]


@pytest.mark.parametrize(("value", "on_3_10", "on_4_0"), HEADER_VALUES, ids=[repr(row[0]) for row in HEADER_VALUES])
def test_hash_header_names_the_header_that_chooses(
    channel: BlockingChannel, version: str, value: Any, on_3_10: str, on_4_0: str
) -> None:
    queues = bound(channel, declare(channel, {"hash-header": "h"}), MANY)
    expected = {"3.10": on_3_10, "4.0": on_4_0}[version]
    assert receivers(channel, "hash", "rk", queues, headers={"h": value}) == [expected]


@pytest.mark.parametrize("headers", [None, {}, {"other": "v"}])
def test_all_messages_without_the_header_go_to_one_queue(channel: BlockingChannel, headers: Any) -> None:
    queues = bound(channel, declare(channel, {"hash-header": "h"}), MANY)
    assert receivers(channel, "hash", "rk", queues, headers=headers) == ["q39"]
    assert receivers(channel, "hash", "another", queues, headers=headers) == ["q39"]


def test_a_message_with_an_empty_array_in_its_hash_header_ends_the_connection_on_4_0(
    channel: BlockingChannel, version: str
) -> None:
    queues = bound(channel, declare(channel, {"hash-header": "h"}), MANY)
    if version == "3.10":
        assert receivers(channel, "hash", "rk", queues, headers={"h": []}) == ["q28"]
    else:
        with connection_closed(541, "INTERNAL_ERROR"):
            publish(channel, "hash", "rk", headers={"h": []})


@pytest.mark.parametrize(
    ("name", "value", "queue"),
    [
        ("message_id", None, "q39"),
        ("message_id", "m", "q3"),
        ("message_id", "", "q45"),
        ("correlation_id", None, "q39"),
        ("correlation_id", "c", "q11"),
        ("timestamp", None, "q39"),
        ("timestamp", 1577836800, "q4"),
    ],
)
def test_hash_property_names_the_property_that_chooses(
    channel: BlockingChannel, name: str, value: Any, queue: str
) -> None:
    queues = bound(channel, declare(channel, {"hash-property": name}), MANY)
    assert receivers(channel, "hash", "rk", queues, **{name: value}) == [queue]


@pytest.mark.parametrize("name", ["user_id", "foo", ""])
def test_other_properties_cannot_choose(channel: BlockingChannel, name: str) -> None:
    with channel_closed(406, f"PRECONDITION_FAILED - Unsupported property: {name}"):
        declare(channel, {"hash-property": name})


@pytest.mark.parametrize("name", ["message_id", "foo"])
def test_a_header_and_a_property_cannot_both_choose(channel: BlockingChannel, name: str) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive"):
        declare(channel, {"hash-header": "h", "hash-property": name})


@pytest.mark.parametrize("argument", ["hash-header", "hash-property"])
@pytest.mark.parametrize("value", [5, None, b"h", True])
def test_an_argument_that_is_no_string_ends_the_connection(channel: BlockingChannel, argument: str, value: Any) -> None:
    with connection_closed(541, "INTERNAL_ERROR"):
        declare(channel, {argument: value})


@pytest.mark.parametrize("arguments", [{"hash-header": "h"}, {"hash-header": 5}, {"hash-property": "foo"}])
def test_the_arguments_are_neither_compared_nor_checked_in_a_redeclaration(
    channel: BlockingChannel, arguments: dict[str, Any]
) -> None:
    queues = bound(channel, declare(channel), MANY)
    declare(channel, arguments)
    assert receivers(channel, "hash", "rk", queues, headers={"h": "v"}) == ["q38"]


def test_the_types_in_an_inequivalent_redeclaration_are_quoted_twice(channel: BlockingChannel, vhost: str) -> None:
    declare(channel)
    with channel_closed(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'hash' in vhost '{vhost}': "
        "received 'direct' but current is ''x-consistent-hash''",
    ):
        channel.exchange_declare("hash", "direct")


def test_an_unroutable_message_goes_to_the_alternate_exchange(channel: BlockingChannel) -> None:
    bound(channel, "amq.fanout", {"a": ""})
    declare(channel, {"alternate-exchange": "amq.fanout"})
    publish(channel, "hash", "rk", b"message")
    assert get_all(channel, "a") == [b"message"]
