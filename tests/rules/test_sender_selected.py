"""Sender-selected distribution: routing keys in the headers CC and BCC."""

from __future__ import annotations

import decimal
from datetime import datetime
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import channel_closed
from tests.rules._helpers import get_all, wait_for
from tests.rules._routing import bound_queue, is_routed

QUEUES = ["a", "b", "c"]

NO_LISTS = [
    ("a", "longstr"),
    (b"a", "binary"),
    (1, "signedint"),
    (long(1), "long"),
    (True, "bool"),
    (None, "void"),
    ({"a": "a"}, "table"),
    (decimal.Decimal("1.5"), "decimal"),
    (datetime(2020, 1, 1), "timestamp"),
]


@pytest.fixture
def queues(channel: BlockingChannel) -> list[str]:
    """The queues a, b and c."""
    return [channel.queue_declare(name).method.queue for name in QUEUES]


def publish(channel: BlockingChannel, exchange: str, key: str, headers: dict[str, Any]) -> None:
    channel.basic_publish(exchange, key, b"m", pika.BasicProperties(headers=headers))


def reached(channel: BlockingChannel) -> list[str]:
    """The queues that hold one copy; none holds more."""
    counts = {name: len(get_all(channel, name)) for name in QUEUES}
    assert set(counts.values()) <= {0, 1}
    return [name for name in QUEUES if counts[name]]


@pytest.mark.parametrize("header", ["CC", "BCC"])
@pytest.mark.parametrize(
    ("key", "more", "expected"),
    [
        ("a", ["b"], ["a", "b"]),
        ("a", ["b", "c"], ["a", "b", "c"]),
        ("nope", ["b"], ["b"]),
        ("", ["b"], ["b"]),
        ("a", ["nope"], ["a"]),
        ("a", [], ["a"]),
        ("nope", [], []),
        ("a", ["a"], ["a"]),
        ("nope", ["b", "b"], ["b"]),
        ("nope", [""], []),
        ("nope", ["B", "b "], []),
        ("nope", ["a,b"], []),
    ],
)
def test_a_message_is_routed_by_its_key_and_the_keys_listed(
    channel: BlockingChannel, queues: list[str], header: str, key: str, more: list[str], expected: list[str]
) -> None:
    publish(channel, "", key, {header: more})
    assert reached(channel) == expected


@pytest.mark.parametrize("header", ["CC", "BCC"])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([1, "a"], ["a"]),
        ([b"a", "b"], ["b"]),
        ([None, ["a"], {"a": "a"}, True, "c"], ["c"]),
        ([b"a"], []),
        ([["a", "b"]], []),
    ],
)
def test_elements_that_are_no_strings_are_skipped(
    channel: BlockingChannel, queues: list[str], header: str, more: list[Any], expected: list[str]
) -> None:
    publish(channel, "", "nope", {header: more})
    assert reached(channel) == expected


def test_cc_and_bcc_add_up(channel: BlockingChannel, queues: list[str]) -> None:
    publish(channel, "", "a", {"CC": ["a", "b"], "BCC": ["b", "c"]})
    assert reached(channel) == ["a", "b", "c"]


@pytest.mark.parametrize("header", ["cc", "Cc", "bcc", "Bcc", "x-cc", "To"])
def test_headers_with_similar_names_do_not_route(channel: BlockingChannel, queues: list[str], header: str) -> None:
    publish(channel, "", "a", {header: ["b"]})
    assert reached(channel) == ["a"]


@pytest.mark.parametrize(
    ("published", "delivered"),
    [
        ({"CC": ["b"]}, {"CC": ["b"]}),
        ({"CC": ["a", "nope", 1]}, {"CC": ["a", "nope", 1]}),
        ({"CC": []}, {"CC": []}),
        ({"BCC": ["b"]}, {}),
        ({"BCC": []}, {}),
        ({"BCC": ["b"], "CC": ["c"]}, {"CC": ["c"]}),
        ({"BCC": ["b"], "other": 1}, {"other": 1}),
        ({"bcc": ["b"]}, {"bcc": ["b"]}),
    ],
)
def test_bcc_is_removed_before_delivery_and_cc_is_kept(
    channel: BlockingChannel, queues: list[str], published: dict[str, Any], delivered: dict[str, Any]
) -> None:
    publish(channel, "", "a", published)
    method, properties, _ = channel.basic_get("a")
    assert method is not None
    assert properties is not None
    assert (method.routing_key, properties.headers) == ("a", delivered)


def test_a_copy_bears_the_routing_key_of_the_message(channel: BlockingChannel, queues: list[str]) -> None:
    publish(channel, "", "nope", {"CC": ["b"], "BCC": ["c"]})
    for name in ("b", "c"):
        method, properties, _ = channel.basic_get(name)
        assert method is not None
        assert properties is not None
        assert (method.exchange, method.routing_key, properties.headers) == ("", "nope", {"CC": ["b"]})


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_direct_exchange_routes_by_each_key(channel: BlockingChannel, queues: list[str], header: str) -> None:
    for name in QUEUES:
        channel.queue_bind(name, "amq.direct", f"key of {name}")
    publish(channel, "amq.direct", "key of c", {header: ["key of a", "b", "nope"]})
    assert reached(channel) == ["a", "c"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_topic_exchange_matches_each_key(channel: BlockingChannel, queues: list[str], header: str) -> None:
    for name, pattern in [("a", "one.*"), ("b", "#.red"), ("c", "*")]:
        channel.queue_bind(name, "amq.topic", pattern)
    publish(channel, "amq.topic", "one.red", {header: ["one.blue", "two.red", "*.blue"]})
    assert reached(channel) == ["a", "b"]
    publish(channel, "amq.topic", "no.match", {header: ["*"]})
    assert reached(channel) == ["c"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_fanout_and_headers_exchanges_still_route_once(
    channel: BlockingChannel, queues: list[str], header: str
) -> None:
    channel.queue_bind("a", "amq.fanout", "")
    channel.queue_bind("b", "amq.headers", "", {"x": 1})
    publish(channel, "amq.fanout", "k", {header: ["b", "c"]})
    assert reached(channel) == ["a"]
    publish(channel, "amq.headers", "k", {header: ["a", "c"], "x": 1})
    assert reached(channel) == ["b"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_the_keys_listed_count_in_bound_exchanges_too(channel: BlockingChannel, queues: list[str], header: str) -> None:
    channel.exchange_bind("amq.direct", "amq.fanout")
    channel.queue_bind("a", "amq.direct", "k")
    publish(channel, "amq.fanout", "nope", {header: ["k"]})
    assert reached(channel) == ["a"]


def test_a_headers_exchange_sees_cc_but_not_bcc(channel: BlockingChannel, queues: list[str]) -> None:
    channel.queue_bind("a", "amq.headers", "", {"CC": ["k"]})
    channel.queue_bind("b", "amq.headers", "", {"BCC": None})
    publish(channel, "amq.headers", "", {"CC": ["k"], "BCC": ["k"]})
    assert reached(channel) == ["a"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_key_listed_that_matches_keeps_the_message_from_the_alternate_exchange(
    channel: BlockingChannel, queues: list[str], header: str
) -> None:
    channel.exchange_declare("x", arguments={"alternate-exchange": "amq.fanout"})
    channel.queue_bind("a", "x", "k")
    channel.queue_bind("b", "amq.fanout", "")
    publish(channel, "x", "nope", {header: ["k"]})
    assert reached(channel) == ["a"]
    publish(channel, "x", "nope", {header: ["nope"]})
    assert reached(channel) == ["b"]


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_a_mandatory_message_is_routed_when_a_key_listed_is(
    channel: BlockingChannel, queues: list[str], header: str
) -> None:
    assert is_routed(channel, "", "nope", {header: ["nope", "a"]})
    assert not is_routed(channel, "", "nope", {header: ["nope"]})


def test_a_returned_message_has_lost_its_bcc_too(channel: BlockingChannel, connection: pika.BlockingConnection) -> None:
    returned: list[tuple[str, Any]] = []
    channel.add_on_return_callback(
        lambda _, method, properties, __: returned.append((method.routing_key, properties.headers))
    )
    properties = pika.BasicProperties(headers={"CC": ["nope 2"], "BCC": ["nope 3"], "other": 1})
    channel.basic_publish("", "nope", b"m", properties, mandatory=True)
    wait_for(connection, lambda: bool(returned))
    assert returned == [("nope", {"CC": ["nope 2"], "other": 1})]


@pytest.mark.parametrize("header", ["CC", "BCC"])
@pytest.mark.parametrize(("value", "wire_type"), NO_LISTS)
def test_a_value_that_is_no_list_closes_the_channel(
    channel: BlockingChannel,
    connection: pika.BlockingConnection,
    queues: list[str],
    header: str,
    value: Any,
    wire_type: str,
) -> None:
    channel.confirm_delivery()
    text = f'invalid message: {{unacceptable_type_in_header,"{header}",{wire_type}}}'
    with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
        publish(channel, "", "a", {header: value})
    assert reached(connection.channel()) == []


def test_cc_is_checked_before_bcc(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    with channel_closed(406, 'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}'):
        publish(channel, "", "a", {"BCC": 1, "CC": "a"})


@pytest.mark.parametrize("exchange", ["amq.fanout", "amq.headers", "amq.direct"])
def test_cc_is_checked_even_where_no_queue_is_bound(channel: BlockingChannel, exchange: str) -> None:
    channel.confirm_delivery()
    with channel_closed(406, 'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",signedint}'):
        publish(channel, exchange, "a", {"CC": 1})


def test_the_exchange_is_checked_before_cc(
    channel: BlockingChannel, connection: pika.BlockingConnection, vhost: str
) -> None:
    channel.confirm_delivery()
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        publish(channel, "nope", "a", {"CC": 1})
    channel = connection.channel()
    channel.exchange_declare("x", internal=True)
    channel.confirm_delivery()
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '{vhost}'"):
        publish(channel, "x", "a", {"CC": 1})


def test_one_queue_bound_by_all_keys_gets_one_copy(channel: BlockingChannel, queues: list[str]) -> None:
    for key in ("k1", "k2", "k3"):
        bound_queue(channel, "a", "amq.direct", key)
    publish(channel, "amq.direct", "k1", {"CC": ["k2"], "BCC": ["k3"]})
    assert reached(channel) == ["a"]
