"""Exchanges of type x-recent-history, of the plugin rabbitmq_recent_history_exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all
from tests.rules._plugin_exchanges import bound, publish, receivers
from tests.rules._publishing import get_one
from tests.rules._queues import Connect, wait_until_ready
from tests.rules._routing import is_routed

NO_STORE = "x-recent-history-no-store"


def declare(channel: BlockingChannel, length: Any = ..., name: str = "history", **settings: Any) -> str:
    arguments = {} if length is ... else {"x-recent-history-length": length}
    channel.exchange_declare(name, "x-recent-history", arguments=arguments, **settings)
    return name


def publish_numbers(channel: BlockingChannel, last: int) -> None:
    for number in range(1, last + 1):
        publish(channel, "history", f"key-{number}", str(number).encode())


def history(channel: BlockingChannel, exchange: str = "history") -> list[int]:
    """What a queue that is bound now gets."""
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(queue, exchange)
    found = [int(body) for body in get_all(channel, queue)]
    channel.queue_delete(queue)
    return found


@pytest.mark.parametrize("binding_key", ["", "orders", "#", "not this one"])
def test_it_routes_to_all_bindings_whatever_the_keys(channel: BlockingChannel, binding_key: str) -> None:
    queues = bound(channel, declare(channel), {"a": binding_key, "b": "x"})
    assert receivers(channel, "history", "orders", queues) == ["a", "b"]


def test_without_bindings_a_message_is_unroutable_but_remembered(channel: BlockingChannel) -> None:
    declare(channel)
    assert not is_routed(channel, "history", "anything")
    bound(channel, "history", {"a": ""})
    assert get_all(channel, "a") == [b""]


def test_a_new_binding_gets_the_remembered_messages_in_order(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 5)
    assert history(channel) == [1, 2, 3, 4, 5]


def test_the_last_twenty_are_remembered_unless_told_otherwise(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 25)
    assert history(channel) == list(range(6, 26))


@pytest.mark.parametrize("length", [1, 3, 300])
def test_the_length_is_an_argument(channel: BlockingChannel, length: int) -> None:
    declare(channel, length)
    publish_numbers(channel, 5)
    assert history(channel) == [1, 2, 3, 4, 5][-length:]


@pytest.mark.parametrize(
    ("length", "printed"),
    [(0, "0"), (-1, "-1"), ("5", '<<"5">>'), (True, "true"), (None, "undefined"), ([1], "[{signedint,1}]")],
)
def test_a_length_that_is_no_positive_integer_is_refused(channel: BlockingChannel, length: Any, printed: str) -> None:
    with channel_closed(
        406,
        f"PRECONDITION_FAILED - Invalid argument {printed}, 'x-recent-history-length' must be a positive integer",
    ):
        declare(channel, length)


def test_the_length_of_an_existing_exchange_is_neither_compared_nor_checked(channel: BlockingChannel) -> None:
    declare(channel, 2)
    declare(channel, 5)
    declare(channel, 0)
    publish_numbers(channel, 3)
    assert history(channel) == [2, 3]


def test_every_new_binding_gets_the_history_again(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "history", {"a": "1"})
    channel.queue_bind("a", "history", "2")
    assert get_all(channel, "a") == [b"1", b"2", b"1", b"2"]


def test_a_binding_that_exists_brings_nothing_again(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "history", {"a": "1"})
    channel.queue_bind("a", "history", "1")
    assert get_all(channel, "a") == [b"1", b"2"]


def test_a_binding_that_comes_back_brings_the_history_again(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "history", {"a": ""})
    channel.queue_unbind("a", "history", "")
    channel.queue_bind("a", "history", "")
    assert get_all(channel, "a") == [b"1", b"2", b"1", b"2"]


def test_messages_that_were_routed_are_remembered_too(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": ""})
    publish_numbers(channel, 2)
    assert history(channel) == [1, 2]
    assert get_all(channel, "a") == [b"1", b"2"]


def test_later_messages_come_after_the_history(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "history", {"a": ""})
    publish(channel, "history", "", b"3")
    assert get_all(channel, "a") == [b"1", b"2", b"3"]


def test_a_remembered_message_is_delivered_as_it_was_published(channel: BlockingChannel) -> None:
    declare(channel)
    publish(channel, "history", "orders.new", b"body", message_id="m", priority=3, headers={"h": 1}, delivery_mode=2)
    bound(channel, "history", {"a": "other"})
    method, properties, body = get_one(channel, "a")
    assert (method.exchange, method.routing_key, method.redelivered) == ("history", "orders.new", False)
    assert (properties.message_id, properties.priority, properties.headers, properties.delivery_mode) == (
        "m",
        3,
        {"h": 1},
        2,
    )
    assert body == b"body"


def test_a_message_can_ask_not_to_be_remembered(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": ""})
    publish(channel, "history", "", b"1")
    publish(channel, "history", "", b"2", headers={NO_STORE: True})
    assert history(channel) == [1]
    assert get_all(channel, "a") == [b"1", b"2"]


@pytest.mark.parametrize("value", [False, "true", 1, None])
def test_only_true_keeps_a_message_out_of_the_history(channel: BlockingChannel, value: Any) -> None:
    declare(channel)
    publish(channel, "history", "", b"1", headers={NO_STORE: value})
    assert history(channel) == [1]


def test_acknowledging_does_not_forget(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 1)
    assert history(channel) == [1]
    assert history(channel) == [1]


def test_a_new_exchange_of_the_same_name_remembers_nothing(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 1)
    channel.exchange_delete("history")
    declare(channel)
    assert history(channel) == []


def test_a_bound_exchange_routes_the_history_by_its_own_rule(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "amq.direct", {"a": "key-1", "b": "key-2"})
    channel.exchange_bind("amq.direct", "history")
    assert get_all(channel, "a") == [b"1"]
    assert get_all(channel, "b") == [b"2"]


def test_a_bound_exchange_gets_the_history_newest_first(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 3)
    bound(channel, "amq.fanout", {"a": ""})
    channel.exchange_bind("amq.fanout", "history")
    assert get_all(channel, "a") == [b"3", b"2", b"1"]


def test_an_exchange_that_does_not_route_the_whole_history_cannot_be_bound(
    channel: BlockingChannel, version: str, connect: Connect
) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "amq.direct", {"a": "key-1"})
    text = {"3.10": "INTERNAL_ERROR", "4.0": "INTERNAL_ERROR - could not find queue/exchange ''"}[version]
    with connection_closed(541, text):
        channel.exchange_bind("amq.direct", "history")
    other = connect().channel()
    publish(other, "history", "key-1", b"new")
    the_binding_exists = version == "4.0"
    assert get_all(other, "a") == ([b"new"] if the_binding_exists else [])


def test_without_a_history_any_exchange_can_be_bound(channel: BlockingChannel) -> None:
    channel.exchange_bind("amq.fanout", declare(channel))
    publish_numbers(channel, 1)
    assert history(channel) == [1]


def test_a_message_from_another_exchange_is_remembered(channel: BlockingChannel) -> None:
    channel.exchange_bind(declare(channel), "amq.fanout")
    publish(channel, "amq.fanout", "", b"1")
    bound(channel, "history", {"a": ""})
    method, _, body = get_one(channel, "a")
    assert (method.exchange, body) == ("amq.fanout", b"1")


def test_what_was_delivered_before_a_bound_exchange_failed_stays(channel: BlockingChannel, connect: Connect) -> None:
    declare(channel)
    publish_numbers(channel, 2)
    bound(channel, "amq.direct", {"a": "key-2"})
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        channel.exchange_bind("amq.direct", "history")
    assert get_all(connect().channel(), "a") == [b"2"]


def test_a_bound_exchange_reads_cc_and_bcc_of_the_history(channel: BlockingChannel) -> None:
    declare(channel)
    publish(channel, "history", "a", b"1", headers={"CC": ["b"], "BCC": ["c"]})
    queues = bound(channel, "amq.direct", {"a": "a", "b": "b", "c": "c", "d": "d"})
    channel.exchange_bind("amq.direct", "history")
    assert [queue for queue in queues if get_all(channel, queue)] == ["a", "b", "c"]


def test_a_bound_exchange_may_pass_the_history_to_its_alternate(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 1)
    bound(channel, "amq.fanout", {"a": ""})
    channel.exchange_declare("picky", "direct", arguments={"alternate-exchange": "amq.fanout"})
    channel.exchange_bind("picky", "history")
    assert get_all(channel, "a") == [b"1"]


def test_an_exchange_bound_to_itself_remembers_its_history_twice(channel: BlockingChannel) -> None:
    bound(channel, declare(channel), {"a": ""})
    publish_numbers(channel, 2)
    channel.exchange_bind("history", "history")
    assert get_all(channel, "a") == [b"1", b"2", b"2", b"1"]
    assert history(channel) == [1, 2, 2, 1]


def test_what_a_transaction_took_back_is_remembered(channel: BlockingChannel) -> None:
    declare(channel)
    with channel.connection.channel() as transactional:
        transactional.tx_select()
        transactional.basic_publish("history", "", b"1")
        transactional.tx_rollback()
    assert history(channel) == [1]


def test_the_time_to_live_of_a_remembered_message_begins_in_the_queue(
    channel: BlockingChannel, let_time_pass: Callable[[float], None]
) -> None:
    declare(channel)
    publish(channel, "history", "", b"1", expiration="300")
    let_time_pass(0.5)
    bound(channel, "history", {"a": "", "b": ""})
    assert get_all(channel, "a") == [b"1"]
    let_time_pass(0.5)
    assert get_all(channel, "b") == []


@pytest.mark.parametrize(("overflow", "expected"), [("drop-head", [3]), ("reject-publish", [1])])
def test_the_history_keeps_to_the_length_of_a_queue(
    channel: BlockingChannel, overflow: str, expected: list[int]
) -> None:
    declare(channel)
    publish_numbers(channel, 3)
    channel.queue_declare("short", arguments={"x-max-length": 1, "x-overflow": overflow})
    channel.queue_bind("short", "history")
    assert [int(body) for body in get_all(channel, "short")] == expected


def test_what_a_full_queue_rejects_of_the_history_is_dead_lettered(channel: BlockingChannel) -> None:
    declare(channel)
    publish_numbers(channel, 3)
    bound(channel, "amq.fanout", {"dead": ""})
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "amq.fanout"}
    channel.queue_declare("short", arguments=arguments)
    channel.queue_bind("short", "history")
    wait_until_ready(channel, "dead", 2)
    assert get_all(channel, "short") == [b"1"]
    assert get_all(channel, "dead") == [b"2", b"3"]
