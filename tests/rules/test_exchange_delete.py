"""exchange.delete and auto-delete exchanges."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, exchange_exists, is_routed

DEFAULT_EXCHANGE = "ACCESS_REFUSED - operation not permitted on the default exchange"


def test_delete_removes_the_exchange(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x", durable=True)
    assert channel.exchange_delete("x").method.NAME == "Exchange.DeleteOk"
    with channel_closed(404, f"NOT_FOUND - no exchange 'x' in vhost '{vhost}'"):
        channel.exchange_declare("x", passive=True)


@pytest.mark.parametrize("if_unused", [False, True])
def test_deleting_a_missing_exchange_succeeds(channel: BlockingChannel, if_unused: bool) -> None:
    assert channel.exchange_delete("nope", if_unused).method.NAME == "Exchange.DeleteOk"


@pytest.mark.parametrize("if_unused", [False, True])
@pytest.mark.parametrize("exchange", ["amq.direct", "amq.rabbitmq.trace", "amq.nope", "amq."])
def test_no_exchange_with_the_reserved_prefix_can_be_deleted(
    channel: BlockingChannel, vhost: str, exchange: str, if_unused: bool
) -> None:
    text = f"deletion of system exchange '{exchange}' in vhost '{vhost}' not allowed"
    with channel_closed(403, f"ACCESS_REFUSED - {text}"):
        channel.exchange_delete(exchange, if_unused)


@pytest.mark.parametrize("if_unused", [False, True])
def test_the_default_exchange_cannot_be_deleted(channel: BlockingChannel, if_unused: bool) -> None:
    with channel_closed(403, DEFAULT_EXCHANGE):
        channel.exchange_delete("", if_unused)


def test_publishing_to_a_deleted_exchange_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x")
    channel.exchange_delete("x")
    channel.confirm_delivery()
    with channel_closed(404, f"NOT_FOUND - no exchange 'x' in vhost '{vhost}'"):
        channel.basic_publish("x", "", b"")


def test_the_bindings_of_a_deleted_exchange_do_not_come_back_with_it(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x")
    channel.exchange_delete("x")
    channel.exchange_declare("x", "fanout")
    assert not is_routed(channel, "x", "")


def test_the_bindings_to_a_deleted_exchange_do_not_come_back_with_it(channel: BlockingChannel) -> None:
    channel.exchange_declare("outer", "fanout")
    for _ in range(2):
        channel.exchange_declare("inner", "fanout")
        bound_queue(channel, "q", "inner")
        channel.exchange_bind("inner", "outer")
        channel.exchange_delete("inner")
    channel.exchange_declare("inner", "fanout")
    channel.queue_bind("q", "inner")
    assert not is_routed(channel, "outer", "")
    assert is_routed(channel, "inner", "")


def test_a_deleted_exchange_can_be_declared_with_another_type(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "direct")
    bound_queue(channel, "q", "x", "a")
    channel.exchange_delete("x")
    channel.exchange_declare("x", "fanout", durable=True)
    channel.queue_bind("q", "x", "a")
    channel.basic_publish("x", "b", b"to all")
    assert get_all(channel, "q") == [b"to all"]


def test_if_unused_deletes_an_exchange_without_bindings(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x")
    channel.exchange_delete("x", if_unused=True)
    assert not exchange_exists(connection, "x")


def test_if_unused_refuses_an_exchange_with_a_bound_queue(
    channel: BlockingChannel, connection: pika.BlockingConnection, vhost: str
) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x")
    with channel_closed(406, f"PRECONDITION_FAILED - exchange 'x' in vhost '{vhost}' in use"):
        channel.exchange_delete("x", if_unused=True)
    assert exchange_exists(connection, "x")


def test_if_unused_refuses_an_exchange_with_a_bound_exchange(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x")
    channel.exchange_bind("amq.fanout", "x")
    with channel_closed(406, f"PRECONDITION_FAILED - exchange 'x' in vhost '{vhost}' in use"):
        channel.exchange_delete("x", if_unused=True)


def test_if_unused_refuses_an_exchange_bound_to_itself(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("x")
    channel.exchange_bind("x", "x")
    with channel_closed(406, f"PRECONDITION_FAILED - exchange 'x' in vhost '{vhost}' in use"):
        channel.exchange_delete("x", if_unused=True)


def test_if_unused_deletes_an_exchange_that_is_only_bound_to_others(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x")
    channel.exchange_bind("x", "amq.fanout")
    channel.exchange_delete("x", if_unused=True)
    assert not exchange_exists(connection, "x")


def test_if_unused_deletes_an_exchange_that_is_only_an_alternate(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("ae")
    channel.exchange_declare("x", arguments={"alternate-exchange": "ae"})
    channel.exchange_delete("ae", if_unused=True)
    assert not exchange_exists(connection, "ae")


def test_an_exchange_is_unused_after_its_last_unbind(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k")
    channel.queue_unbind("q", "x", "k")
    channel.exchange_delete("x", if_unused=True)
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_that_was_never_bound_stays(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.queue_declare("q")
    channel.queue_unbind("q", "x", "k")
    channel.queue_delete("q")
    assert exchange_exists(connection, "x")


@pytest.mark.parametrize("durable", [False, True])
def test_an_auto_delete_exchange_goes_with_its_last_binding(
    channel: BlockingChannel, connection: pika.BlockingConnection, durable: bool
) -> None:
    channel.exchange_declare("x", auto_delete=True, durable=durable)
    bound_queue(channel, "q", "x", "a")
    channel.queue_bind("q", "x", "b")
    channel.queue_unbind("q", "x", "a")
    assert exchange_exists(connection, "x")
    channel.queue_unbind("q", "x", "b")
    assert not exchange_exists(connection, "x")


def test_unbinding_what_is_not_bound_deletes_no_auto_delete_exchange(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    bound_queue(channel, "q", "x", "a")
    channel.queue_unbind("q", "x", "b")
    channel.queue_unbind("q", "x", "a", {"foo": 1})
    assert exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_its_last_queue(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    bound_queue(channel, "q1", "x", "a")
    channel.queue_bind("q1", "x", "b")
    bound_queue(channel, "q2", "x", "a")
    channel.queue_delete("q1")
    assert exchange_exists(connection, "x")
    channel.queue_delete("q2")
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_its_last_auto_delete_queue(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.queue_declare("q", auto_delete=True)
    channel.queue_bind("q", "x")
    channel.basic_cancel(channel.basic_consume("q", lambda *_: None))
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_the_connection_of_its_last_exclusive_queue(
    connect: Any, connection: pika.BlockingConnection
) -> None:
    owner = connect()
    channel = owner.channel()
    channel.exchange_declare("x", auto_delete=True)
    channel.queue_declare("q", exclusive=True)
    channel.queue_bind("q", "x")
    owner.close()
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_its_last_unbound_exchange(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.exchange_bind("amq.fanout", "x", "k")
    channel.exchange_unbind("amq.fanout", "x", "k")
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_its_last_destination_exchange(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.exchange_declare("destination")
    channel.exchange_bind("destination", "x")
    channel.exchange_delete("destination")
    assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_outlives_the_bindings_that_lead_to_it(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.exchange_bind("x", "amq.fanout")
    channel.exchange_unbind("x", "amq.fanout")
    assert exchange_exists(connection, "x")


def test_an_auto_delete_exchange_that_goes_takes_along_the_one_that_only_leads_to_it(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    names = ["first", "second", "third"]
    for name in names:
        channel.exchange_declare(name, auto_delete=True)
    channel.exchange_bind("second", "first")
    channel.exchange_bind("third", "second")
    bound_queue(channel, "q", "third")
    assert [exchange_exists(connection, name) for name in names] == [True, True, True]
    channel.queue_delete("q")
    assert [exchange_exists(connection, name) for name in names] == [False, False, False]


def test_an_auto_delete_exchange_in_a_chain_stays_while_it_leads_elsewhere(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("first", "fanout", auto_delete=True)
    channel.exchange_declare("second", "fanout", auto_delete=True)
    channel.exchange_bind("second", "first")
    bound_queue(channel, "q1", "second")
    bound_queue(channel, "q2", "first")
    channel.queue_unbind("q1", "second", "")
    assert [exchange_exists(connection, name) for name in ("first", "second")] == [True, False]
    channel.basic_publish("first", "", b"still")
    assert get_all(channel, "q2") == [b"still"]


def test_an_auto_delete_exchange_bound_to_itself_goes_when_that_binding_does(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    channel.exchange_bind("x", "x", "loop")
    bound_queue(channel, "q", "x")
    channel.queue_delete("q")
    assert exchange_exists(connection, "x")
    channel.exchange_unbind("x", "x", "loop")
    assert not exchange_exists(connection, "x")


def test_two_auto_delete_exchanges_bound_to_each_other_go_together(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    for name in ("a", "b"):
        channel.exchange_declare(name, auto_delete=True)
    channel.exchange_bind("a", "b")
    channel.exchange_bind("b", "a")
    channel.exchange_unbind("b", "a")
    assert [exchange_exists(connection, name) for name in ("a", "b")] == [False, False]


def test_an_auto_delete_exchange_can_be_declared_and_bound_anew(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    for _ in range(2):
        channel.exchange_declare("x", auto_delete=True)
        bound_queue(channel, "q", "x", "k")
        assert exchange_exists(connection, "x")
        channel.queue_unbind("q", "x", "k")
        assert not exchange_exists(connection, "x")


def test_an_auto_delete_exchange_goes_with_the_bindings_that_lead_to_it(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("source", "fanout")
    channel.exchange_declare("x", "fanout", auto_delete=True)
    channel.exchange_bind("x", "source")
    bound_queue(channel, "q", "x")
    channel.queue_delete("q")
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x")
    assert not is_routed(channel, "source", "")
    channel.exchange_delete("source", if_unused=True)
    assert not exchange_exists(connection, "source")


def test_binding_anew_before_the_last_unbind_keeps_an_auto_delete_exchange(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x", auto_delete=True)
    for key in ("a", "b", "c"):
        bound_queue(channel, "q", "x", key)
        channel.exchange_bind("amq.fanout", "x", key)
        channel.queue_unbind("q", "x", key)
    for key in ("a", "b"):
        channel.exchange_unbind("amq.fanout", "x", key)
    assert exchange_exists(connection, "x")
    channel.exchange_unbind("amq.fanout", "x", "c")
    assert not exchange_exists(connection, "x")


def test_an_exchange_that_is_not_auto_delete_outlives_its_last_binding(
    channel: BlockingChannel, connection: pika.BlockingConnection
) -> None:
    channel.exchange_declare("x")
    bound_queue(channel, "q", "x", "k")
    channel.queue_unbind("q", "x", "k")
    assert exchange_exists(connection, "x")
