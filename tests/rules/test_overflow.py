"""x-overflow: what a full queue does with a new message."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._limits import LetTimePass, declare, publish, wait_for_message
from tests.rules._publishing import Arrivals, collect_returns, returned_so_far
from tests.rules._queues import ready

REJECT = {"overflow": "reject-publish"}
REJECT_DLX = {"overflow": "reject-publish-dlx"}
BOTH = pytest.mark.parametrize("overflow", [REJECT, REJECT_DLX], ids=["reject-publish", "reject-publish-dlx"])


def is_nacked(channel: BlockingChannel, body: bytes, exchange: str = "", key: str = "orders", **settings: Any) -> bool:
    """Publish with confirms."""
    channel.confirm_delivery()
    try:
        channel.basic_publish(exchange, key, body, **settings)
    except pika.exceptions.NackError:
        return True
    return False


@BOTH
def test_a_full_queue_refuses_a_message_and_keeps_what_it_has(
    channel: BlockingChannel, overflow: dict[str, str]
) -> None:
    declare(channel, "orders", max_length=2, **overflow)
    assert [is_nacked(channel, body) for body in (b"1", b"2", b"3", b"4")] == [False, False, True, True]
    assert get_all(channel, "orders") == [b"1", b"2"]


def test_nack_error_has_the_message(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=0, **REJECT)
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.NackError) as caught:
        channel.basic_publish("", "orders", b"order")
    assert caught.value.messages == []


@BOTH
def test_without_confirms_a_refused_message_vanishes(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=1, **overflow)
    returned = collect_returns(channel)
    for body in (b"1", b"2"):
        channel.basic_publish("", "orders", body, mandatory=True)
    assert returned_so_far(channel, returned) == []
    assert get_all(channel, "orders") == [b"1"]


@BOTH
def test_a_refused_mandatory_message_is_not_returned(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=0, **overflow)
    returned = collect_returns(channel)
    assert is_nacked(channel, b"order", mandatory=True)
    assert returned_so_far(channel, returned) == []


@BOTH
def test_the_channel_goes_on_after_a_nack(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=1, **overflow)
    assert [is_nacked(channel, body) for body in (b"1", b"2")] == [False, True]
    assert get_all(channel, "orders") == [b"1"]
    assert [is_nacked(channel, body) for body in (b"3", b"4")] == [False, True]
    assert get_all(channel, "orders") == [b"3"]


def test_a_queue_without_a_limit_refuses_nothing(channel: BlockingChannel) -> None:
    declare(channel, "orders", **REJECT)
    assert not any(is_nacked(channel, b"order") for _ in range(3))


def test_unacked_messages_do_not_count(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, **REJECT)
    assert not is_nacked(channel, b"1")
    channel.basic_get("orders")
    assert [is_nacked(channel, body) for body in (b"2", b"3")] == [False, True]


@BOTH
def test_a_requeue_may_exceed_the_limit(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=1, **overflow)
    assert not is_nacked(channel, b"1")
    method, _, _ = channel.basic_get("orders")
    assert not is_nacked(channel, b"2")
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"1", b"2"]


@BOTH
def test_a_queue_of_length_0_refuses_even_what_a_consumer_waits_for(
    channel: BlockingChannel, overflow: dict[str, str]
) -> None:
    declare(channel, "orders", max_length=0, **overflow)
    consumer = Consumer(channel, "orders", auto_ack=True)
    assert is_nacked(channel, b"order")
    channel.connection.process_data_events()
    assert consumer.bodies == []


def test_a_queue_of_length_1_gives_every_message_to_a_waiting_consumer(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, **REJECT)
    consumer = Consumer(channel, "orders")
    assert [is_nacked(channel, body) for body in (b"1", b"2", b"3")] == [False, False, False]
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2", b"3"])


@BOTH
@pytest.mark.parametrize(
    ("sizes", "nacked"),
    [
        ([5, 5], [False, False]),
        ([5, 5, 0], [False, False, False]),
        ([5, 5, 1], [False, False, True]),
        ([9, 2, 1], [False, True, False]),
        ([11, 10], [True, False]),
        ([0, 10, 1], [False, False, True]),
    ],
)
def test_a_message_is_refused_if_it_would_exceed_the_limit_of_bytes(
    channel: BlockingChannel, overflow: dict[str, str], sizes: list[int], nacked: list[bool]
) -> None:
    declare(channel, "orders", max_length_bytes=10, **overflow)
    assert [is_nacked(channel, b"x" * size) for size in sizes] == nacked


def test_both_limits_refuse(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2, max_length_bytes=10, **REJECT)
    bodies = [b"x" * 11, b"x" * 3, b"x" * 8, b"x", b""]
    assert [is_nacked(channel, body) for body in bodies] == [True, False, True, False, True]


@pytest.mark.parametrize("full_first", [True, False])
def test_one_full_queue_of_two_is_enough_for_a_nack(channel: BlockingChannel, full_first: bool) -> None:
    for queue, length in [("a", 0), ("b", 9)] if full_first else [("b", 9), ("a", 0)]:
        declare(channel, queue, max_length=length, **REJECT)
        channel.queue_bind(queue, "amq.fanout")
    assert is_nacked(channel, b"order", "amq.fanout", "")
    assert get_all(channel, "b") == [b"order"]


def test_a_full_queue_that_drops_its_head_beside_a_free_one_is_no_reason_for_a_nack(channel: BlockingChannel) -> None:
    declare(channel, "a", max_length=0)
    declare(channel, "b", max_length=9, **REJECT)
    for queue in ("a", "b"):
        channel.queue_bind(queue, "amq.fanout")
    assert not is_nacked(channel, b"order", "amq.fanout", "")


def test_reject_publish_does_not_dead_letter(channel: BlockingChannel) -> None:
    declare(channel, "dead")
    declare(channel, "orders", max_length=0, dead_letter_exchange="", dead_letter_routing_key="dead", **REJECT)
    assert is_nacked(channel, b"order")
    assert ready(channel, "dead") == 0


@pytest.mark.parametrize("confirms", [True, False])
def test_reject_publish_dlx_dead_letters_the_refused_message(channel: BlockingChannel, confirms: bool) -> None:
    declare(channel, "dead")
    declare(channel, "orders", max_length=1, dead_letter_exchange="", dead_letter_routing_key="dead", **REJECT_DLX)
    publish(channel, "orders", b"kept")
    if confirms:
        assert is_nacked(channel, b"refused")
    else:
        channel.basic_publish("", "orders", b"refused")
    method, properties, body = wait_for_message(channel, "dead")
    assert (method.exchange, method.routing_key, body) == ("", "dead", b"refused")
    assert properties.headers["x-death"][0]["reason"] == "maxlen"
    assert properties.headers["x-death"][0]["queue"] == "orders"
    assert get_all(channel, "orders") == [b"kept"]


def test_reject_publish_dlx_dead_letters_what_exceeds_the_limit_of_bytes(channel: BlockingChannel) -> None:
    declare(channel, "dead")
    arguments = {"dead_letter_exchange": "", "dead_letter_routing_key": "dead"}
    declare(channel, "orders", max_length_bytes=2, **arguments, **REJECT_DLX)
    assert [is_nacked(channel, body) for body in (b"long", b"1")] == [True, False]
    assert wait_for_message(channel, "dead")[2] == b"long"


@BOTH
def test_a_full_queue_still_dead_letters_what_is_rejected(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "dead")
    declare(channel, "orders", max_length=1, dead_letter_exchange="", dead_letter_routing_key="dead", **overflow)
    publish(channel, "orders", b"order")
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert wait_for_message(channel, "dead")[1].headers["x-death"][0]["reason"] == "rejected"


def test_a_dead_letter_that_a_full_queue_refuses_is_lost(channel: BlockingChannel) -> None:
    declare(channel, "dead", max_length=0, **REJECT)
    declare(channel, "orders", dead_letter_exchange="", dead_letter_routing_key="dead")
    publish(channel, "orders", b"1")
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=False)
    publish(channel, "orders", b"2")
    assert get_all(channel, "orders") == [b"2"]
    assert ready(channel, "dead") == 0


def test_a_commit_of_a_refused_message_fails(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, **REJECT)
    channel.tx_select()
    for body in (b"1", b"2"):
        channel.basic_publish("", "orders", body)
    with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
        channel.tx_commit()
    assert get_all(channel.connection.channel(), "orders") == [b"1"]


def test_an_expired_message_makes_room(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", max_length=1, message_ttl=100, **REJECT)
    assert not is_nacked(channel, b"1")
    let_time_pass(0.5)
    assert not is_nacked(channel, b"2")


def test_an_expired_message_behind_a_live_one_makes_no_room(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", max_length=2, **REJECT)
    publish(channel, "orders", b"live")
    publish(channel, "orders", b"expired", expiration="100")
    let_time_pass(0.5)
    assert is_nacked(channel, b"new")


def test_a_purge_makes_room(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, **REJECT)
    assert [is_nacked(channel, body) for body in (b"1", b"2")] == [False, True]
    channel.queue_purge("orders")
    assert not is_nacked(channel, b"3")
    assert get_all(channel, "orders") == [b"3"]


def test_a_priority_does_not_help_into_a_full_queue(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, max_priority=5, **REJECT)
    publish(channel, "orders", b"low", priority=1)
    assert is_nacked(channel, b"high", properties=pika.BasicProperties(priority=5))
    assert get_all(channel, "orders") == [b"low"]


def test_reject_publish_dlx_with_a_missing_exchange_is_a_nack_alone(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=1, dead_letter_exchange="nope", **REJECT_DLX)
    assert [is_nacked(channel, body) for body in (b"1", b"2", b"3")] == [False, True, True]


def test_a_commit_of_a_refused_message_leaves_the_copies_of_other_queues(channel: BlockingChannel) -> None:
    declare(channel, "full", max_length=0, **REJECT)
    declare(channel, "free")
    for queue in ("full", "free"):
        channel.queue_bind(queue, "amq.fanout")
    channel.tx_select()
    channel.basic_publish("amq.fanout", "", b"order")
    with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
        channel.tx_commit()
    assert get_all(channel.connection.channel(), "free") == [b"order"]


@pytest.mark.parametrize("overflow", [{}, REJECT], ids=["drop-head", "reject-publish"])
def test_a_commit_of_messages_that_fit_succeeds(channel: BlockingChannel, overflow: dict[str, str]) -> None:
    declare(channel, "orders", max_length=2, **overflow)
    channel.tx_select()
    for body in (b"1", b"2"):
        channel.basic_publish("", "orders", body)
    channel.tx_commit()
    assert get_all(channel, "orders") == [b"1", b"2"]


def test_a_single_nack_is_marked_as_multiple(channel: BlockingChannel) -> None:
    declare(channel, "orders", max_length=2, **REJECT)
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in range(4):
        channel.basic_publish("", "orders", str(number).encode())
        arrivals.wait_for(lambda number=number: len(arrivals.log) == number + 1)
    assert arrivals.log == [("ack", 1), ("ack", 2), ("nack", 3, "multiple"), ("nack", 4, "multiple")]
