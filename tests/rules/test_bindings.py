"""queue.bind and queue.unbind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed

Connect = Callable[..., pika.BlockingConnection]


def locked(vhost: str) -> str:
    return (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '{vhost}'. It could be "
        "originally declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )


def test_a_bound_queue_gets_messages_and_an_unbound_one_none(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    channel.queue_declare("q")
    channel.basic_publish("x", "k", b"before")
    assert channel.queue_bind("q", "x", "k").method.NAME == "Queue.BindOk"
    channel.basic_publish("x", "k", b"during")
    assert channel.queue_unbind("q", "x", "k").method.NAME == "Queue.UnbindOk"
    channel.basic_publish("x", "k", b"after")
    assert get_all(channel, "q") == [b"during"]


def test_every_bound_queue_gets_a_copy(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    names = [bound_queue(channel, f"q{number}", "x", "k") for number in range(5)]
    channel.basic_publish("x", "k", b"m")
    assert [get_all(channel, name) for name in names] == [[b"m"]] * 5


def test_the_same_binding_made_twice_is_one(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    for _ in range(2):
        bound_queue(channel, "q", "x", "k")
    channel.basic_publish("x", "k", b"once")
    assert get_all(channel, "q") == [b"once"]
    channel.queue_unbind("q", "x", "k")
    assert not is_routed(channel, "x", "k")


@pytest.mark.parametrize("exchange_type", ["fanout", "topic"])
def test_a_queue_with_two_bindings_that_match_gets_one_copy(channel: BlockingChannel, exchange_type: str) -> None:
    channel.exchange_declare("x", exchange_type)
    for key in ("a.*", "a.#", "a.b", "#"):
        bound_queue(channel, "q", "x", key)
    channel.basic_publish("x", "a.b", b"once")
    assert get_all(channel, "q") == [b"once"]


def test_unbinding_one_key_keeps_the_others(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    for key in ("a", "b", "c"):
        bound_queue(channel, "q", "x", key)
    channel.queue_unbind("q", "x", "b")
    assert [is_routed(channel, "x", key) for key in ("a", "b", "c")] == [True, False, True]


def test_unbinding_one_queue_keeps_the_others(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    for name in ("q1", "q2"):
        bound_queue(channel, name, "x", "k")
    channel.queue_unbind("q1", "x", "k")
    channel.basic_publish("x", "k", b"m")
    assert get_all(channel, "q1") == []
    assert get_all(channel, "q2") == [b"m"]


@pytest.mark.parametrize("exchange_type", ["direct", "fanout", "topic"])
def test_bindings_with_other_arguments_are_others(channel: BlockingChannel, exchange_type: str) -> None:
    channel.exchange_declare("x", exchange_type)
    several: list[dict[str, Any]] = [
        {},
        {"a": 1},
        {"a": 2},
        {"a": long(1)},
        {"a": "1"},
        {"a": b"1"},
        {"b": 1},
        {"a": True},
    ]
    for arguments in several:
        bound_queue(channel, "q", "x", "k", arguments)
    channel.basic_publish("x", "k", b"once")
    assert get_all(channel, "q") == [b"once"]
    for arguments in several:
        assert is_routed(channel, "x", "k")
        channel.queue_unbind("q", "x", "k", arguments)
    assert not is_routed(channel, "x", "k")


def test_the_order_of_a_binding_s_arguments_does_not_matter(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k", {"a": 1, "b": 2})
    channel.queue_unbind("q", "x", "k", {"b": 2, "a": 1})
    assert not is_routed(channel, "x", "k")


@pytest.mark.parametrize(
    ("bound", "unbound"),
    [
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ({"a": 1}, {"a": long(1)}),
        ({"a": "v"}, {"a": b"v"}),
        ({"a": 1}, {"a": 1, "b": 2}),
    ],
)
def test_unbinding_with_other_arguments_keeps_the_binding(
    channel: BlockingChannel, bound: dict[str, Any], unbound: dict[str, Any]
) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k", bound)
    channel.queue_unbind("q", "x", "k", unbound)
    assert is_routed(channel, "x", "k")


def test_the_routing_key_distinguishes_bindings_of_a_fanout_exchange(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x", "a")
    channel.queue_bind("q", "x", "b")
    channel.queue_unbind("q", "x", "a")
    assert is_routed(channel, "x", "")
    channel.queue_unbind("q", "x", "b")
    assert not is_routed(channel, "x", "")


@pytest.mark.parametrize(
    ("queue", "exchange", "missing"),
    [
        ("nope", "amq.direct", "queue 'nope'"),
        ("q", "nope", "exchange 'nope'"),
        ("nope", "nope-x", "exchange 'nope-x'"),
    ],
)
def test_binding_what_is_missing_names_the_exchange_first(
    channel: BlockingChannel, vhost: str, queue: str, exchange: str, missing: str
) -> None:
    channel.queue_declare("q")
    with channel_closed(404, f"NOT_FOUND - no {missing} in vhost '{vhost}'"):
        channel.queue_bind(queue, exchange, "k")


@pytest.mark.parametrize(
    ("queue", "exchange", "key"),
    [
        ("nope", "amq.direct", "k"),
        ("q", "nope", "k"),
        ("nope", "nope", "k"),
        ("q", "amq.direct", "other"),
        ("q", "amq.topic", "k"),
    ],
)
def test_unbinding_what_is_missing_succeeds(channel: BlockingChannel, queue: str, exchange: str, key: str) -> None:
    bound_queue(channel, "q", "amq.direct", "k")
    assert channel.queue_unbind(queue, exchange, key).method.NAME == "Queue.UnbindOk"
    assert is_routed(channel, "amq.direct", "k")


def test_the_bindings_of_a_deleted_queue_do_not_come_back_with_it(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k")
    channel.queue_delete("q")
    channel.queue_declare("q")
    assert not is_routed(channel, "x", "k")


def test_purging_and_redeclaring_a_queue_keep_its_bindings(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k")
    channel.queue_purge("q")
    channel.queue_declare("q")
    assert is_routed(channel, "x", "k")


def test_the_empty_queue_name_means_the_queue_declared_last_on_the_channel(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    channel.queue_declare("q1")
    channel.queue_declare("q2")
    channel.queue_bind("", "x", "k")
    channel.basic_publish("x", "k", b"m")
    assert get_all(channel, "q1") == []
    assert get_all(channel, "q2") == [b"m"]
    channel.queue_unbind("", "x", "k")
    assert not is_routed(channel, "x", "k")


def test_an_empty_routing_key_with_an_empty_queue_name_means_that_queue_s_name(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    channel.queue_declare("q")
    channel.queue_bind("", "x", "")
    assert [is_routed(channel, "x", key) for key in ("q", "")] == [True, False]
    channel.queue_unbind("", "x", "")
    assert not is_routed(channel, "x", "q")


def test_an_empty_routing_key_with_a_queue_name_is_empty(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "")
    assert [is_routed(channel, "x", key) for key in ("q", "")] == [False, True]


def test_pika_takes_the_queue_name_for_a_missing_routing_key(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    channel.queue_declare("q")
    channel.queue_bind("q", "x")
    assert [is_routed(channel, "x", key) for key in ("q", "")] == [True, False]
    channel.queue_unbind("q", "x")
    assert not is_routed(channel, "x", "q")


def test_the_empty_queue_name_finds_a_server_named_queue(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    name = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind("", "x")
    channel.basic_publish("x", name, b"m")
    assert get_all(channel, name) == [b"m"]


def test_a_passive_declare_counts_as_the_last_declared_queue(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    for name in ("q1", "q2"):
        channel.queue_declare(name)
    channel.queue_declare("q1", passive=True)
    channel.queue_bind("", "x", "k")
    channel.basic_publish("x", "k", b"m")
    assert get_all(channel, "q1") == [b"m"]


@pytest.mark.parametrize("method", ["queue_bind", "queue_unbind"])
@pytest.mark.parametrize(("exchange", "key"), [("amq.direct", "k"), ("amq.direct", ""), ("nope", "k"), ("", "k")])
def test_the_empty_queue_name_needs_a_queue_declared_on_the_same_channel(
    channel: BlockingChannel, connection: pika.BlockingConnection, method: str, exchange: str, key: str
) -> None:
    connection.channel().queue_declare("q")
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        getattr(channel, method)("", exchange, key)


def test_a_deleted_queue_remains_the_one_declared_last(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("q")
    channel.queue_delete("q")
    with channel_closed(404, f"NOT_FOUND - no queue 'q' in vhost '{vhost}'"):
        channel.queue_bind("", "amq.direct", "k")


def test_another_connection_cannot_bind_an_exclusive_queue(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("q", exclusive=True)
    with channel_closed(405, locked(vhost)):
        connect().channel().queue_bind("q", "amq.direct", "k")
    assert not is_routed(channel, "amq.direct", "k")


def test_another_connection_cannot_unbind_an_exclusive_queue(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("q", exclusive=True)
    channel.queue_bind("q", "amq.direct", "k")
    with channel_closed(405, locked(vhost)):
        connect().channel().queue_unbind("q", "amq.direct", "k")
    assert is_routed(channel, "amq.direct", "k")


def test_binding_an_exclusive_queue_again_is_locked_too(channel: BlockingChannel, connect: Connect, vhost: str) -> None:
    channel.queue_declare("q", exclusive=True)
    channel.queue_bind("q", "amq.direct", "k")
    with channel_closed(405, locked(vhost)):
        connect().channel().queue_bind("q", "amq.direct", "k")


def test_the_exclusive_lock_does_not_matter_where_there_is_no_binding_to_remove(
    channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q", exclusive=True)
    other = connect().channel()
    assert other.queue_unbind("q", "amq.direct", "k").method.NAME == "Queue.UnbindOk"


def test_a_missing_exchange_is_told_before_the_exclusive_lock(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("q", exclusive=True)
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        connect().channel().queue_bind("q", "nope", "k")


def test_an_invalid_binding_is_told_before_the_exclusive_lock(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("q", exclusive=True)
    text = 'Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x'
    with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
        connect().channel().queue_bind("q", "amq.headers", "k", {"x-match": "some"})


def test_another_connection_s_exclusive_queue_gets_what_is_published_to_its_binding(
    channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q", exclusive=True)
    channel.queue_bind("q", "amq.direct", "k")
    assert is_routed(connect().channel(), "amq.direct", "k")
    assert get_all(channel, "q") == [b""]


@pytest.mark.parametrize("durable_exchange", [False, True])
@pytest.mark.parametrize("durable_queue", [False, True])
def test_durable_and_transient_may_be_bound_to_each_other(
    channel: BlockingChannel, durable_exchange: bool, durable_queue: bool
) -> None:
    channel.exchange_declare("x", "fanout", durable=durable_exchange)
    channel.queue_declare("q", durable=durable_queue)
    channel.queue_bind("q", "x", "")
    assert is_routed(channel, "x", "")
    channel.queue_unbind("q", "x", "")
    assert not is_routed(channel, "x", "")


def test_line_ends_are_removed_from_both_names_but_not_from_the_key(channel: BlockingChannel) -> None:
    channel.exchange_declare("x")
    channel.queue_declare("q")
    channel.queue_bind("q\n", "\r\nx", "k\n")
    assert [is_routed(channel, "x", key) for key in ("k", "k\n")] == [False, True]


@pytest.mark.parametrize("key", ["", "k" * 255, "é☃", "\x00", "a.b.c", " "])
def test_any_string_is_a_routing_key(channel: BlockingChannel, key: str) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", key)
    channel.basic_publish("x", key, b"m")
    method, _, _ = channel.basic_get("q")
    assert method is not None
    assert method.routing_key == key
    assert not is_routed(channel, "x", f"{key[:-1]}?")
