"""Messages that expire: the expiration property and x-message-ttl."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._limits import Connect, LetTimePass, declare, publish, wait_until_ready
from tests.rules._queues import ready

SHORT = "100"
"""An expiration that has passed after MARGIN seconds."""
MARGIN = 0.5
LONG = "600000"


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    return declare(channel, "orders")


def test_a_message_expires_after_its_expiration(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"order", expiration="1000")
    assert ready(channel, queue) == 1
    let_time_pass(1.5)
    assert ready(channel, queue) == 0


def test_a_message_expires_after_the_ttl_of_its_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", message_ttl=1000)
    publish(channel, "orders", b"order")
    assert ready(channel, "orders") == 1
    let_time_pass(1.5)
    assert ready(channel, "orders") == 0


def test_an_expired_message_cannot_be_got(channel: BlockingChannel, queue: str, let_time_pass: LetTimePass) -> None:
    publish(channel, queue, b"order", expiration=SHORT)
    let_time_pass(MARGIN)
    assert channel.basic_get(queue) == (None, None, None)


@pytest.mark.parametrize(
    ("ttl", "expiration", "left"), [(600000, SHORT, 0), (100, LONG, 0), (600000, LONG, 1), (100, None, 0)]
)
def test_the_shorter_of_expiration_and_ttl_counts(
    channel: BlockingChannel, let_time_pass: LetTimePass, ttl: int, expiration: str | None, left: int
) -> None:
    declare(channel, "orders", message_ttl=ttl)
    publish(channel, "orders", b"order", expiration=expiration)
    let_time_pass(MARGIN)
    assert ready(channel, "orders") == left


def test_every_message_of_a_queue_with_a_ttl_expires(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", message_ttl=100)
    publish(channel, "orders", b"1", b"2", b"3")
    let_time_pass(MARGIN)
    assert ready(channel, "orders") == 0


def test_a_copy_expires_by_the_ttl_of_its_own_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "short", message_ttl=100)
    declare(channel, "long", message_ttl=600000)
    declare(channel, "none")
    for each in ("short", "long", "none"):
        channel.queue_bind(each, "amq.fanout")
    channel.confirm_delivery()
    channel.basic_publish("amq.fanout", "", b"order")
    let_time_pass(MARGIN)
    assert [ready(channel, each) for each in ("short", "long", "none")] == [0, 1, 1]


def test_the_ttl_of_a_queue_does_not_show_in_the_properties(channel: BlockingChannel) -> None:
    declare(channel, "orders", message_ttl=600000)
    publish(channel, "orders", b"order")
    _, properties, _ = channel.basic_get("orders")
    assert properties.expiration is None


@pytest.mark.parametrize("ttl", [1000, 600000])
def test_the_expiration_is_delivered_whatever_the_ttl_of_the_queue(channel: BlockingChannel, ttl: int) -> None:
    declare(channel, "orders", message_ttl=ttl)
    publish(channel, "orders", b"order", expiration="60000")
    _, properties, _ = channel.basic_get("orders")
    assert properties.expiration == "60000"


def test_an_expired_message_behind_a_live_one_is_still_counted(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired", expiration=SHORT)
    let_time_pass(MARGIN)
    assert ready(channel, queue) == 2
    assert get_all(channel, queue) == [b"live"]


def test_an_expired_message_leaves_when_the_live_one_before_it_has_left(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired", expiration=SHORT)
    publish(channel, queue, b"last")
    let_time_pass(MARGIN)
    channel.basic_get(queue, auto_ack=True)
    assert get_all(channel, queue) == [b"last"]


def test_a_purge_counts_an_expired_message_behind_a_live_one(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired", expiration=SHORT)
    let_time_pass(MARGIN)
    assert channel.queue_purge(queue).method.message_count == 2


def test_a_live_message_behind_expired_ones_stays(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"1", b"2", expiration=SHORT)
    publish(channel, queue, b"live")
    let_time_pass(MARGIN)
    assert ready(channel, queue) == 1
    assert get_all(channel, queue) == [b"live"]


def test_an_expired_message_is_not_delivered_to_a_later_consumer(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"expired", expiration=SHORT)
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired too", expiration=SHORT)
    publish(channel, queue, b"last")
    let_time_pass(MARGIN)
    consumer = Consumer(channel, queue, auto_ack=True)
    wait_for(channel.connection, lambda: b"last" in consumer.bodies)
    assert consumer.bodies == [b"live", b"last"]


def test_a_message_that_a_consumer_has_taken_does_not_expire(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    consumer = Consumer(channel, queue)
    publish(channel, queue, b"order", expiration=SHORT)
    wait_for(channel.connection, lambda: consumer.bodies == [b"order"])
    let_time_pass(MARGIN)
    consumer.ack()
    publish(channel, queue, b"after")
    wait_for(channel.connection, lambda: consumer.bodies == [b"order", b"after"])


def test_a_message_that_waits_for_a_busy_consumer_expires(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, queue)
    publish(channel, queue, b"1")
    publish(channel, queue, b"2", expiration=SHORT)
    publish(channel, queue, b"3")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    let_time_pass(MARGIN)
    assert ready(channel, queue) == 1
    consumer.ack()
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"3"])


@pytest.mark.parametrize("settings", [{"ttl": 500, "expiration": None}, {"ttl": 600000, "expiration": "500"}])
def test_an_unacked_message_that_has_expired_is_gone_when_it_is_requeued(
    channel: BlockingChannel, let_time_pass: LetTimePass, settings: dict[str, Any]
) -> None:
    declare(channel, "orders", message_ttl=settings["ttl"])
    publish(channel, "orders", b"order", expiration=settings["expiration"])
    method, _, _ = channel.basic_get("orders")
    let_time_pass(1)
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == []
    assert ready(channel, "orders") == 0


def test_an_unacked_message_that_has_expired_is_gone_when_its_channel_closes(
    channel: BlockingChannel, connect: Connect, queue: str, let_time_pass: LetTimePass
) -> None:
    other = connect()
    getter = other.channel()
    publish(channel, queue, b"expired", expiration="500")
    publish(channel, queue, b"live")
    assert getter.basic_get(queue)[2] == b"expired"
    assert getter.basic_get(queue)[2] == b"live"
    let_time_pass(1)
    other.close()
    wait_until_ready(channel, queue, 1)
    assert get_all(channel, queue) == [b"live"]


def test_a_requeue_does_not_renew_the_time_to_live(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"order", expiration="1000")
    method, _, _ = channel.basic_get(queue)
    let_time_pass(0.6)
    channel.basic_reject(method.delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 1)
    let_time_pass(0.8)
    assert ready(channel, queue) == 0


def test_a_live_message_that_is_requeued_hides_the_expired_ones_behind_it(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired", expiration="800")
    method, _, _ = channel.basic_get(queue)
    channel.basic_reject(method.delivery_tag, requeue=True)
    wait_until_ready(channel, queue, 2)
    let_time_pass(1.2)
    assert ready(channel, queue) == 2


@pytest.mark.parametrize("way", [{"expiration": "0"}, {"ttl": 0}], ids=["expiration", "ttl"])
def test_a_time_to_live_of_0_expires_at_once_where_nobody_consumes(
    channel: BlockingChannel, way: dict[str, Any]
) -> None:
    declare(channel, "orders", message_ttl=way.get("ttl", 600000))
    publish(channel, "orders", b"order", expiration=way.get("expiration"))
    assert ready(channel, "orders") == 0
    assert channel.basic_get("orders") == (None, None, None)


@pytest.mark.parametrize("way", [{"expiration": "0"}, {"ttl": 0}], ids=["expiration", "ttl"])
def test_a_message_with_a_time_to_live_of_0_reaches_a_waiting_consumer(
    channel: BlockingChannel, way: dict[str, Any]
) -> None:
    declare(channel, "orders", message_ttl=way.get("ttl", 600000))
    consumer = Consumer(channel, "orders", auto_ack=True)
    publish(channel, "orders", b"1", b"2", expiration=way.get("expiration"))
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2"])


def test_a_time_to_live_of_0_expires_where_the_only_consumer_is_busy(channel: BlockingChannel) -> None:
    declare(channel, "orders", message_ttl=0)
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", b"1", b"2")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    consumer.ack()
    publish(channel, "orders", b"3")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"3"])


def test_a_requeued_message_with_a_ttl_of_0_goes_to_another_consumer_or_is_gone(channel: BlockingChannel) -> None:
    declare(channel, "orders", message_ttl=0)
    consumer = Consumer(channel, "orders")
    publish(channel, "orders", b"1")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    consumer.requeue()
    publish(channel, "orders", b"2")
    wait_for(channel.connection, lambda: b"2" in consumer.bodies)
    assert consumer.bodies == [b"1", b"2"]


def test_an_expiration_of_0_behind_a_live_message_is_counted_until_it_reaches_the_head(
    channel: BlockingChannel, queue: str
) -> None:
    publish(channel, queue, b"live")
    publish(channel, queue, b"expired", expiration="0")
    assert ready(channel, queue) == 2
    assert get_all(channel, queue) == [b"live"]


def test_a_message_that_expires_at_once_is_routed_and_confirmed(channel: BlockingChannel, queue: str) -> None:
    returned: list[bytes] = []
    channel.add_on_return_callback(lambda *message: returned.append(message[-1]))
    channel.confirm_delivery()
    channel.basic_publish("", queue, b"order", pika.BasicProperties(expiration="0"), mandatory=True)
    assert ready(channel, queue) == 0
    assert returned == []


def test_the_time_to_live_starts_at_the_commit(
    channel: BlockingChannel, queue: str, let_time_pass: LetTimePass
) -> None:
    channel.tx_select()
    channel.basic_publish("", queue, b"order", pika.BasicProperties(expiration="1000"))
    let_time_pass(1.3)
    channel.tx_commit()
    assert ready(channel, queue) == 1
    let_time_pass(1.5)
    assert ready(channel, queue) == 0


def test_an_expired_message_of_low_priority_hides_behind_a_live_one_of_high_priority(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", max_priority=2)
    publish(channel, "orders", b"low", priority=1, expiration=SHORT)
    publish(channel, "orders", b"high", priority=2)
    let_time_pass(MARGIN)
    assert ready(channel, "orders") == 2
    assert get_all(channel, "orders") == [b"high"]


def test_a_message_of_high_priority_that_overtook_live_ones_is_delivered_though_it_has_expired(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", max_priority=2)
    publish(channel, "orders", b"low", priority=1)
    publish(channel, "orders", b"high", priority=2, expiration=SHORT)
    let_time_pass(MARGIN)
    assert ready(channel, "orders") == 2
    assert get_all(channel, "orders") == [b"high", b"low"]


def test_an_expired_message_of_high_priority_leaves_if_it_was_first(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", max_priority=2)
    publish(channel, "orders", b"high", priority=2, expiration="300")
    publish(channel, "orders", b"low", priority=1)
    let_time_pass(0.8)
    assert ready(channel, "orders") == 1
    assert get_all(channel, "orders") == [b"low"]


@pytest.mark.parametrize("arguments", [{"queue_mode": "lazy"}, {"queue_version": 2}, {"single_active_consumer": True}])
def test_messages_expire_in_a_queue_of_any_kind(
    channel: BlockingChannel, let_time_pass: LetTimePass, arguments: dict[str, Any]
) -> None:
    declare(channel, "orders", **arguments)
    publish(channel, "orders", b"expired", expiration=SHORT)
    publish(channel, "orders", b"live")
    let_time_pass(MARGIN)
    assert get_all(channel, "orders") == [b"live"]
