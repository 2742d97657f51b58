"""Publisher confirms: confirm.select, and basic.ack from RabbitMQ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._publishing import Arrivals, message_count, round_trip


def test_a_confirmed_message_is_in_its_queue(
    connect: Callable[..., pika.BlockingConnection], channel: BlockingChannel
) -> None:
    channel.queue_declare("orders")
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"order")
    assert message_count(connect().channel(), "orders") == 1


def test_a_confirmed_message_is_in_every_queue_it_was_routed_to(
    connect: Callable[..., pika.BlockingConnection], channel: BlockingChannel
) -> None:
    for queue in ("one", "two", "three"):
        channel.queue_declare(queue)
        channel.queue_bind(queue, "amq.fanout")
    channel.confirm_delivery()
    channel.basic_publish("amq.fanout", "", b"order")
    other = connect().channel()
    assert [message_count(other, queue) for queue in ("one", "two", "three")] == [1, 1, 1]


def test_each_publish_is_confirmed_with_its_number_on_the_channel(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in (1, 2, 3):
        channel.basic_publish("", "orders", b"order")
        arrivals.wait_for_confirms(number)
    assert arrivals.log == [("ack", 1), ("ack", 2), ("ack", 3)]


def test_basic_publish_waits_for_the_confirm_after_confirm_delivery(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    arrivals = Arrivals(channel)
    channel.confirm_delivery()
    for number in (1, 2, 3):
        channel.basic_publish("", "orders", b"order")
        assert arrivals.log[-1] == ("ack", number)
    assert len(arrivals.log) == 3


def test_a_message_for_several_queues_is_confirmed_once(channel: BlockingChannel) -> None:
    for queue in ("one", "two", "three"):
        channel.queue_declare(queue)
        channel.queue_bind(queue, "amq.fanout")
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in (1, 2):
        channel.basic_publish("amq.fanout", "", b"order")
        arrivals.wait_for_confirms(number)
    assert arrivals.log == [("ack", 1), ("ack", 2)]


def test_all_of_many_publishes_in_a_row_are_confirmed(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for _ in range(100):
        channel.basic_publish("", "orders", b"order")
    arrivals.wait_for_confirms(100)
    assert arrivals.confirmed() == set(range(1, 101))
    assert message_count(channel, "orders") == 100


def test_numbers_count_from_confirm_select_on(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    arrivals = Arrivals(channel)
    channel.basic_publish("", "orders", b"before")
    channel.basic_publish("", "orders", b"before")
    arrivals.confirm_select()
    channel.basic_publish("", "orders", b"after")
    assert arrivals.wait_for_confirms(1) == [("ack", 1)]


def test_each_channel_counts_by_itself(connection: pika.BlockingConnection) -> None:
    first, second = Arrivals(connection.channel()), Arrivals(connection.channel())
    first.confirm_select()
    second.confirm_select()
    for number in (1, 2):
        first.channel.basic_publish("", "nope", b"order")
        first.wait_for_confirms(number)
    second.channel.basic_publish("", "nope", b"order")
    assert second.wait_for_confirms(1) == [("ack", 1)]
    assert first.log == [("ack", 1), ("ack", 2)]


def test_a_channel_without_confirm_select_gets_no_confirms(connection: pika.BlockingConnection) -> None:
    confirmed = connection.channel()
    confirmed.confirm_delivery()
    plain = Arrivals(connection.channel())
    plain.channel.basic_publish("", "nope", b"order")
    confirmed.basic_publish("", "nope", b"order")
    round_trip(plain.channel)
    assert plain.log == []


def test_an_unroutable_message_is_confirmed(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    channel.basic_publish("", "nope", b"order")
    assert arrivals.wait_for_confirms(1) == [("ack", 1)]


def test_a_returned_message_is_confirmed_after_its_return(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number, queue in enumerate(["one", "two", "three"], start=1):
        channel.basic_publish("", queue, b"order", mandatory=True)
        arrivals.wait_for_confirms(number)
    assert arrivals.log == [
        ("return", "one"),
        ("ack", 1),
        ("return", "two"),
        ("ack", 2),
        ("return", "three"),
        ("ack", 3),
    ]


def test_returns_come_before_confirms_when_nobody_waits(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in range(1, 11):
        channel.basic_publish("", str(number), b"order", mandatory=True)
    log = arrivals.wait_for_confirms(10)
    acks = [(position, entry[1]) for position, entry in enumerate(log) if entry[0] == "ack"]
    assert all(log.index(("return", str(tag))) < position for position, tag in acks)


def test_a_message_that_is_consumed_at_once_is_confirmed(channel: BlockingChannel) -> None:
    received: list[bytes] = []
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda _, __, ___, body: received.append(body), auto_ack=True)
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    channel.basic_publish("", "orders", b"order")
    assert arrivals.wait_for_confirms(1) == [("ack", 1)]
    arrivals.wait_for(lambda: bool(received))
    assert received == [b"order"]


@pytest.mark.parametrize("delivery_mode", [None, 1, 2])
@pytest.mark.parametrize(
    "settings",
    [{}, {"durable": True}, {"durable": True, "arguments": {"x-queue-type": "quorum"}}],
    ids=["transient", "durable", "quorum"],
)
def test_messages_of_every_durability_are_confirmed(
    channel: BlockingChannel, settings: dict[str, Any], delivery_mode: int | None
) -> None:
    channel.queue_declare("orders", **settings)
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in (1, 2):
        channel.basic_publish("", "orders", b"order", pika.BasicProperties(delivery_mode=delivery_mode))
        arrivals.wait_for_confirms(number)
    assert arrivals.log == [("ack", 1), ("ack", 2)]
    assert len(get_all(channel, "orders")) == 2


def test_confirm_select_without_an_answer_works_at_once(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    arrivals.confirm_select(nowait=True)
    channel.basic_publish("", "nope", b"order")
    assert arrivals.wait_for_confirms(1) == [("ack", 1)]


def test_a_second_confirm_select_does_not_start_counting_again(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    for number in (1, 2):
        arrivals.confirm_select()
        channel.basic_publish("", "nope", b"order")
        arrivals.wait_for_confirms(number)
    assert arrivals.log == [("ack", 1), ("ack", 2)]


def test_confirm_delivery_twice_is_harmless(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.confirm_delivery()
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"order")
    assert get_all(channel, "orders") == [b"order"]


def test_a_publish_that_rabbitmq_refuses_fails_where_it_waits_for_the_confirm(
    channel: BlockingChannel, vhost: str
) -> None:
    arrivals = Arrivals(channel)
    channel.confirm_delivery()
    channel.basic_publish("", "nope", b"order")
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "key", b"order")
    assert arrivals.log == [("ack", 1)]


def test_a_publish_to_an_internal_exchange_fails_where_it_waits_for_the_confirm(
    channel: BlockingChannel, vhost: str
) -> None:
    channel.exchange_declare("hidden", internal=True)
    channel.confirm_delivery()
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'hidden' in vhost '{vhost}'"):
        channel.basic_publish("hidden", "key", b"order")


def test_a_publish_that_pika_refuses_has_no_number(channel: BlockingChannel) -> None:
    arrivals = Arrivals(channel)
    channel.confirm_delivery()
    with pytest.raises(AssertionError, match="A non-string value was supplied"):
        channel.basic_publish("", None, b"order")  # type: ignore[arg-type]
    channel.basic_publish("", "nope", b"order")
    assert arrivals.log == [("ack", 1)]


def test_a_new_channel_starts_without_confirms(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    channel.basic_publish("", "nope", b"order")
    channel.close()
    fresh = Arrivals(connection.channel(channel.channel_number))
    fresh.channel.basic_publish("", "nope", b"order")
    round_trip(fresh.channel)
    assert fresh.log == []


def test_a_confirm_channel_cannot_become_transactional(channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    with channel_closed(406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode"):
        channel.tx_select()


def test_a_transactional_channel_cannot_get_confirms(channel: BlockingChannel) -> None:
    channel.tx_select()
    with channel_closed(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode"):
        channel.confirm_delivery()


def test_a_transactional_channel_cannot_get_confirms_without_an_answer(channel: BlockingChannel) -> None:
    channel.tx_select()
    Arrivals(channel).confirm_select(nowait=True)
    with channel_closed(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode"):
        round_trip(channel)


@pytest.mark.parametrize("method", ["tx_commit", "tx_rollback"])
def test_a_confirm_channel_has_no_transaction_to_end(channel: BlockingChannel, method: str) -> None:
    channel.confirm_delivery()
    with channel_closed(406, "PRECONDITION_FAILED - channel is not transactional"):
        getattr(channel, method)()
