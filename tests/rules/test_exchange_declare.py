"""exchange.declare."""

from __future__ import annotations

import contextlib
import decimal
from datetime import datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, exchange_exists

PREDECLARED = [
    ("amq.direct", "direct", False),
    ("amq.fanout", "fanout", False),
    ("amq.topic", "topic", False),
    ("amq.headers", "headers", False),
    ("amq.match", "headers", False),
    ("amq.rabbitmq.trace", "topic", True),
]

AE_LITERALS = [
    (1, "signedint", "1"),
    (long(1), "long", "1"),
    (2**40, "long", "1099511627776"),
    (True, "bool", "true"),
    (None, "void", "undefined"),
    (b"b", "binary", "b"),
    (["b"], "array", '[{longstr,<<"b">>}]'),
    ({"b": 1}, "table", '[{<<"b">>,signedint,1}]'),
    (decimal.Decimal("1.5"), "decimal", "{1,15}"),
    (datetime(2020, 1, 1), "timestamp", "1577836800"),
]


def bad_type(version: str, text: str) -> contextlib.AbstractContextManager[None]:
    """A type that does not exist: an error of the connection before 4.0, of the channel since."""
    if version == "3.10":
        return connection_closed(503, f"COMMAND_INVALID - {text}")
    return channel_closed(406, f"PRECONDITION_FAILED - {text}")


def inequivalent(vhost: str, argument: str, rest: str) -> contextlib.AbstractContextManager[None]:
    """The exchange 'x' was declared otherwise."""
    subject = f"inequivalent arg '{argument}' for exchange 'x' in vhost '{vhost}'"
    return channel_closed(406, f"PRECONDITION_FAILED - {subject}: {rest}")


@pytest.mark.parametrize("exchange_type", ["direct", "fanout", "topic", "headers"])
def test_declare_makes_an_exchange_of_each_type(
    channel: BlockingChannel, connection: pika.BlockingConnection, vhost: str, exchange_type: str
) -> None:
    assert not exchange_exists(connection, "x")
    assert channel.exchange_declare("x", exchange_type).method.NAME == "Exchange.DeclareOk"
    assert exchange_exists(connection, "x")
    other = "fanout" if exchange_type == "direct" else "direct"
    with inequivalent(vhost, "type", f"received '{other}' but current is '{exchange_type}'"):
        channel.exchange_declare("x", other)


def test_an_exchange_belongs_to_no_connection(connect: Any) -> None:
    first = connect()
    first.channel().exchange_declare("x")
    first.close()
    assert exchange_exists(connect(), "x")


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("auto_delete", [False, True])
@pytest.mark.parametrize("internal", [False, True])
def test_declaring_again_with_the_same_properties_changes_nothing(
    channel: BlockingChannel, durable: bool, auto_delete: bool, internal: bool
) -> None:
    arguments = {"alternate-exchange": "ae"}
    channel.exchange_declare("outer", "fanout")
    for _ in range(2):
        channel.exchange_declare("x", "topic", False, durable, auto_delete, internal, arguments)
        channel.exchange_bind("x", "outer")
        bound_queue(channel, "q", "x", "#")
    channel.exchange_declare("x", "topic", False, durable, auto_delete, internal, arguments)
    channel.basic_publish("outer", "k", b"kept")
    assert get_all(channel, "q") == [b"kept"]


@pytest.mark.parametrize("field", ["durable", "auto_delete", "internal"])
@pytest.mark.parametrize("current", [False, True])
def test_declaring_again_with_another_property_closes_the_channel(
    channel: BlockingChannel, vhost: str, field: str, current: bool
) -> None:
    channel.exchange_declare("x", **{field: current})
    received = str(not current).lower()
    with inequivalent(vhost, field, f"received '{received}' but current is '{str(current).lower()}'"):
        channel.exchange_declare("x", **{field: not current})


def test_differences_are_told_in_the_order_type_durable_auto_delete_internal_arguments(
    connection: pika.BlockingConnection, vhost: str
) -> None:
    connection.channel().exchange_declare("x")
    different: dict[str, Any] = {
        "exchange_type": "topic",
        "durable": True,
        "auto_delete": True,
        "internal": True,
        "arguments": {"alternate-exchange": "ae"},
    }
    told = [
        ("type", "received 'topic' but current is 'direct'"),
        ("durable", "received 'true' but current is 'false'"),
        ("auto_delete", "received 'true' but current is 'false'"),
        ("internal", "received 'true' but current is 'false'"),
        ("alternate-exchange", "received the value 'ae' of type 'longstr' but current is none"),
    ]
    for (field, text), setting in zip(told, list(different), strict=True):
        with inequivalent(vhost, field, text):
            connection.channel().exchange_declare("x", **different)
        del different[setting]
    connection.channel().exchange_declare("x", **different)


@pytest.mark.parametrize(
    ("received", "text"),
    [
        ({}, "received none but current is the value 'ae' of type 'longstr'"),
        ({"alternate-exchange": "other"}, "received 'other' but current is 'ae'"),
        ({"alternate-exchange": ""}, "received '' but current is 'ae'"),
        ({"alternate-exchange": b"other"}, "received 'other' but current is 'ae'"),
        ({"alternate-exchange": 1}, "received '1' but current is 'ae'"),
        ({"alternate-exchange": True}, "received 'true' but current is 'ae'"),
        ({"alternate-exchange": ["ae"]}, "received '[{longstr,<<\"ae\">>}]' but current is 'ae'"),
        ({"alternate-exchange": {"ae": 1}}, "received '[{<<\"ae\">>,signedint,1}]' but current is 'ae'"),
        ({"alternate-exchange": None}, "received none but current is 'ae'"),
    ],
)
def test_declaring_again_with_another_alternate_exchange_closes_the_channel(
    channel: BlockingChannel, vhost: str, received: dict[str, Any], text: str
) -> None:
    channel.exchange_declare("x", arguments={"alternate-exchange": "ae"})
    with inequivalent(vhost, "alternate-exchange", text):
        channel.exchange_declare("x", arguments=received)


@pytest.mark.parametrize(
    ("value", "wire_type", "literal"), [("ae", "longstr", "ae"), ("", "longstr", ""), *AE_LITERALS]
)
def test_declaring_again_with_an_alternate_exchange_where_there_was_none_closes_the_channel(
    channel: BlockingChannel, vhost: str, value: object, wire_type: str, literal: str
) -> None:
    channel.exchange_declare("x")
    text = f"received the value '{literal}' of type '{wire_type}' but current is none"
    with inequivalent(vhost, "alternate-exchange", text):
        channel.exchange_declare("x", arguments={"alternate-exchange": value})


def test_the_alternate_exchange_may_be_repeated_as_binary(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", arguments={"alternate-exchange": "ae"})
    again = channel.exchange_declare("x", arguments={"alternate-exchange": b"ae"})
    assert again.method.NAME == "Exchange.DeclareOk"


@pytest.mark.parametrize(("value", "wire_type", "literal"), AE_LITERALS)
def test_the_alternate_exchange_of_a_new_exchange_must_be_a_string(
    channel: BlockingChannel, connection: pika.BlockingConnection, vhost: str, value: Any, wire_type: str, literal: str
) -> None:
    text = f"invalid type '{wire_type}' for arg 'alternate-exchange' in exchange 'x' in vhost '{vhost}'"
    with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
        channel.exchange_declare("x", arguments={"alternate-exchange": value})
    assert not exchange_exists(connection, "x")


@pytest.mark.parametrize("alternate", ["missing", "x", "", "amq.missing"])
def test_the_alternate_exchange_need_not_exist(
    channel: BlockingChannel, connection: pika.BlockingConnection, alternate: str
) -> None:
    channel.exchange_declare("x", arguments={"alternate-exchange": alternate})
    assert exchange_exists(connection, "x")


@pytest.mark.parametrize("again", [{}, {"foo": 2}, {"bar": [1]}])
def test_unknown_arguments_are_neither_checked_nor_compared(channel: BlockingChannel, again: dict[str, Any]) -> None:
    channel.exchange_declare("x", arguments={"foo": 1})
    assert channel.exchange_declare("x", arguments=again).method.NAME == "Exchange.DeclareOk"


@pytest.mark.parametrize("name", ["nonsense", "direct ", "x-no-such-plugin"])
def test_an_unknown_type_is_refused(channel: BlockingChannel, version: str, name: str) -> None:
    with bad_type(version, f"unknown exchange type '{name}'"):
        channel.exchange_declare("x", name)


@pytest.mark.parametrize("name", ["", "queue", "exchange", "true", "undefined", "classic"])
def test_a_type_whose_name_means_something_else_to_rabbitmq_is_invalid_instead_of_unknown(
    channel: BlockingChannel, version: str, name: str
) -> None:
    with bad_type(version, f"invalid exchange type '{name}'"):
        channel.exchange_declare("x", name)


@pytest.mark.parametrize("exchange", ["x", "", "amq.new", "amq.direct"])
def test_the_type_is_checked_before_the_name_and_the_existing_exchange(
    channel: BlockingChannel, version: str, exchange: str
) -> None:
    channel.exchange_declare("x")
    with bad_type(version, "unknown exchange type 'nonsense'"):
        channel.exchange_declare(exchange, "nonsense", durable=True)


def test_passive_declare_of_a_missing_exchange_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.exchange_declare("nope", passive=True)


@pytest.mark.parametrize("name", ["nonsense", "", "fanout"])
def test_passive_declare_of_a_missing_exchange_ignores_the_type(
    channel: BlockingChannel, vhost: str, name: str
) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.exchange_declare("nope", name, passive=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"exchange_type": "topic"},
        {"exchange_type": "nonsense"},
        {"exchange_type": ""},
        {"durable": True, "auto_delete": True, "internal": True},
        {"arguments": {"alternate-exchange": "ae"}},
        {"arguments": {"alternate-exchange": 1}},
    ],
)
def test_passive_declare_of_an_existing_exchange_compares_nothing(
    channel: BlockingChannel, settings: dict[str, Any]
) -> None:
    channel.exchange_declare("x")
    assert channel.exchange_declare("x", passive=True, **settings).method.NAME == "Exchange.DeclareOk"


@pytest.mark.parametrize(("exchange", "exchange_type", "internal"), PREDECLARED)
def test_the_predeclared_exchanges_are_durable(
    channel: BlockingChannel, vhost: str, exchange: str, exchange_type: str, internal: bool
) -> None:
    channel.exchange_declare(exchange, passive=True)
    channel.exchange_declare(exchange, exchange_type, durable=True, internal=internal)
    text = f"inequivalent arg 'durable' for exchange '{exchange}' in vhost '{vhost}'"
    with channel_closed(406, f"PRECONDITION_FAILED - {text}: received 'false' but current is 'true'"):
        channel.exchange_declare(exchange, exchange_type, internal=internal)


@pytest.mark.parametrize(("exchange", "exchange_type", "internal"), PREDECLARED)
def test_of_the_predeclared_exchanges_only_the_trace_is_internal(
    channel: BlockingChannel, vhost: str, exchange: str, exchange_type: str, internal: bool
) -> None:
    received, current = str(not internal).lower(), str(internal).lower()
    text = f"inequivalent arg 'internal' for exchange '{exchange}' in vhost '{vhost}'"
    with channel_closed(406, f"PRECONDITION_FAILED - {text}: received '{received}' but current is '{current}'"):
        channel.exchange_declare(exchange, exchange_type, durable=True, internal=not internal)


@pytest.mark.parametrize("exchange", ["amq.rabbitmq.log", "amq.default", "amq.match "])
def test_no_other_exchange_is_predeclared(channel: BlockingChannel, vhost: str, exchange: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange '{exchange}' in vhost '{vhost}'"):
        channel.exchange_declare(exchange, passive=True)


@pytest.mark.parametrize("exchange", ["amq.mine", "amq."])
def test_a_new_name_must_not_have_the_reserved_prefix(channel: BlockingChannel, exchange: str) -> None:
    with channel_closed(403, f"ACCESS_REFUSED - exchange name '{exchange}' contains reserved prefix 'amq.*'"):
        channel.exchange_declare(exchange)


def test_a_missing_exchange_with_the_reserved_prefix_can_be_asked_for(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'amq.mine' in vhost '{vhost}'"):
        channel.exchange_declare("amq.mine", passive=True)


def test_the_reserved_prefix_is_checked_before_the_alternate_exchange(channel: BlockingChannel) -> None:
    with channel_closed(403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"):
        channel.exchange_declare("amq.mine", arguments={"alternate-exchange": 1})


@pytest.mark.parametrize("exchange", ["amq", "AMQ.mine", "amqp.mine", "amq_mine", " amq.mine"])
def test_a_name_that_only_resembles_the_reserved_prefix_is_allowed(
    channel: BlockingChannel, connection: pika.BlockingConnection, exchange: str
) -> None:
    channel.exchange_declare(exchange)
    assert exchange_exists(connection, exchange)


@pytest.mark.parametrize("exchange", ["x" * 255, "é☃𝄞", " ", "a b\tc", "\x00", "a/b?c#d'e\"f%g", "."])
def test_any_string_up_to_255_bytes_is_a_name(channel: BlockingChannel, exchange: str) -> None:
    channel.exchange_declare(exchange, "fanout")
    bound_queue(channel, "q", exchange)
    channel.basic_publish(exchange, "", b"through")
    method, _, body = channel.basic_get("q")
    assert method is not None
    assert (method.exchange, body) == (exchange, b"through")


def test_names_are_case_sensitive(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x")
    with channel_closed(404, f"NOT_FOUND - no exchange 'X' in vhost '{vhost}'"):
        channel.exchange_declare("X", passive=True)


def test_line_ends_are_removed_from_a_declared_name(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("a\r\nb\n", "fanout")
    bound_queue(channel, "q", "a\nb")
    channel.basic_publish("ab", "", b"through")
    assert get_all(channel, "q") == [b"through"]
    channel.exchange_delete("\nab")
    with channel_closed(404, f"NOT_FOUND - no exchange 'ab' in vhost '{vhost}'"):
        channel.exchange_declare("a\nb", passive=True)


def test_line_ends_are_removed_before_the_name_is_checked(channel: BlockingChannel) -> None:
    with channel_closed(403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"):
        channel.exchange_declare("am\nq.mine")


def test_publishing_does_not_remove_line_ends_from_the_name(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x")
    channel.confirm_delivery()
    with channel_closed(404, f"NOT_FOUND - no exchange 'x\n' in vhost '{vhost}'"):
        channel.basic_publish("x\n", "k", b"")


def test_an_exchange_and_a_queue_may_share_a_name(channel: BlockingChannel) -> None:
    channel.exchange_declare("same", "fanout")
    bound_queue(channel, "same", "same")
    channel.basic_publish("same", "", b"by exchange")
    channel.basic_publish("", "same", b"by queue")
    assert get_all(channel, "same") == [b"by exchange", b"by queue"]


def test_each_virtual_host_has_exchanges_of_its_own(
    channel: BlockingChannel, connect: Any, operator: Any, vhost: str
) -> None:
    operator.add_vhost(f"{vhost}-2")
    channel.exchange_declare("x", "fanout")
    elsewhere = connect(virtual_host=f"{vhost}-2")
    assert not exchange_exists(elsewhere, "x")
    assert exchange_exists(elsewhere, "amq.topic")
    elsewhere.channel().exchange_declare("x", "topic", durable=True)


def test_publishing_to_an_internal_exchange_is_refused(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x", "fanout", internal=True)
    channel.confirm_delivery()
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '{vhost}'"):
        channel.basic_publish("x", "", b"")


def test_an_internal_exchange_routes_what_another_exchange_sends_it(channel: BlockingChannel) -> None:
    channel.exchange_declare("outer", "fanout")
    channel.exchange_declare("inner", "fanout", internal=True)
    channel.exchange_bind("inner", "outer")
    bound_queue(channel, "q", "inner")
    channel.basic_publish("outer", "", b"through")
    assert get_all(channel, "q") == [b"through"]


def test_publishing_to_a_missing_exchange_closes_the_channel_by_the_next_call(
    channel: BlockingChannel, vhost: str
) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "k", b"")
        channel.queue_declare("q")


def test_what_was_published_before_the_missing_exchange_arrives_and_what_came_after_does_not(
    channel: BlockingChannel, connection: pika.BlockingConnection, vhost: str
) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"before")
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "q", b"wrong")
        channel.basic_publish("", "q", b"after")
        channel.queue_declare("q")
    assert get_all(connection.channel(), "q") == [b"before"]


@pytest.mark.parametrize("mandatory", [False, True])
def test_publishing_to_a_missing_exchange_closes_a_confirming_channel_at_once(
    channel: BlockingChannel, vhost: str, mandatory: bool
) -> None:
    channel.confirm_delivery()
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "k", b"", mandatory=mandatory)
