"""The default exchange, whose name is empty."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._routing import bound_queue, is_routed

NOT_PERMITTED = "ACCESS_REFUSED - operation not permitted on the default exchange"


@pytest.mark.parametrize("name", ["q", "a.b", "é☃", "q" * 255, "*", "#"])
def test_it_routes_by_queue_name(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare("other")
    channel.queue_declare(name)
    channel.basic_publish("", name, b"m")
    method, _, body = channel.basic_get(name)
    assert method is not None
    assert (method.exchange, method.routing_key, body) == ("", name, b"m")
    assert get_all(channel, "other") == []


def test_it_routes_to_a_server_named_queue(channel: BlockingChannel) -> None:
    name = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", name, b"m")
    assert get_all(channel, name) == [b"m"]


@pytest.mark.parametrize("key", ["nope", "", "Q", "q ", "q\n", "#", "*", "amq.direct"])
def test_it_routes_nothing_for_a_key_that_names_no_queue(channel: BlockingChannel, key: str) -> None:
    channel.queue_declare("q")
    assert not is_routed(channel, "", key)
    assert get_all(channel, "q") == []


def test_the_empty_key_does_not_mean_the_queue_declared_last(channel: BlockingChannel) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "", b"m")
    assert get_all(channel, "q") == []


def test_it_forgets_a_deleted_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("q")
    assert is_routed(channel, "", "q")
    channel.queue_delete("q")
    assert not is_routed(channel, "", "q")


def test_it_does_not_route_to_exchanges(channel: BlockingChannel) -> None:
    channel.exchange_declare("x", "fanout")
    bound_queue(channel, "q", "x")
    assert not is_routed(channel, "", "x")


@pytest.mark.parametrize(
    "settings",
    [{}, {"passive": True}, {"durable": True}, {"exchange_type": "fanout"}, {"arguments": {"alternate-exchange": 1}}],
)
@pytest.mark.parametrize("name", ["", "\r\n"])
def test_it_can_be_declared_in_no_way(channel: BlockingChannel, name: str, settings: dict[str, Any]) -> None:
    with channel_closed(403, NOT_PERMITTED):
        channel.exchange_declare(name, **settings)


@pytest.mark.parametrize("method", ["queue_bind", "queue_unbind"])
@pytest.mark.parametrize("queue", ["q", "nope", ""])
@pytest.mark.parametrize("key", ["q", "k", ""])
def test_queues_can_be_neither_bound_to_it_nor_unbound(
    channel: BlockingChannel, method: str, queue: str, key: str
) -> None:
    channel.queue_declare("q")
    with channel_closed(403, NOT_PERMITTED):
        getattr(channel, method)(queue, "", key)


def test_it_has_no_other_name(channel: BlockingChannel, vhost: str) -> None:
    channel.confirm_delivery()
    channel.queue_declare("q")
    with channel_closed(404, f"NOT_FOUND - no exchange 'amq.default' in vhost '{vhost}'"):
        channel.basic_publish("amq.default", "q", b"")


def test_publishing_does_not_find_it_by_line_ends(channel: BlockingChannel, vhost: str) -> None:
    channel.confirm_delivery()
    channel.queue_declare("q")
    with channel_closed(404, f"NOT_FOUND - no exchange '\n' in vhost '{vhost}'"):
        channel.basic_publish("\n", "q", b"")
