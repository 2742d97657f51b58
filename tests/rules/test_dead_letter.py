"""x-dead-letter-exchange and x-dead-letter-routing-key: which messages are dead-lettered, and where to."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, round_trip
from tests.rules._helpers import get_all, wait_for
from tests.rules._limits import (
    TO_DEAD,
    Connect,
    LetTimePass,
    declare,
    publish,
    reject,
    wait_for_message,
    wait_until_ready,
)
from tests.rules._publishing import Arrivals, collect_returns, returned_so_far
from tests.rules._queues import ready


@pytest.fixture
def dead(channel: BlockingChannel) -> str:
    """The queue for dead letters."""
    channel.queue_declare("dead")
    return "dead"


@pytest.fixture
def orders(channel: BlockingChannel, dead: str) -> str:
    """A queue whose dead letters go to `dead`."""
    return declare(channel, "orders", **TO_DEAD)


def bound(channel: BlockingChannel, queue: str, exchange: str, key: str = "") -> None:
    channel.queue_declare(queue)
    channel.queue_bind(queue, exchange, key)


@pytest.mark.parametrize("settle", [BlockingChannel.basic_reject, BlockingChannel.basic_nack])
def test_a_message_that_is_rejected_for_good_is_dead_lettered(
    channel: BlockingChannel, orders: str, dead: str, settle: Callable[..., None]
) -> None:
    publish(channel, orders, b"order")
    method, _, _ = channel.basic_get(orders)
    settle(channel, method.delivery_tag, requeue=False)
    assert wait_for_message(channel, dead)[2] == b"order"
    assert ready(channel, orders) == 0


def test_a_consumer_dead_letters_by_rejecting(channel: BlockingChannel, orders: str, dead: str) -> None:
    consumer = Consumer(channel, orders)
    publish(channel, orders, b"order")
    wait_for(channel.connection, lambda: consumer.bodies == [b"order"])
    channel.basic_reject(consumer.methods[0].delivery_tag, requeue=False)
    assert wait_for_message(channel, dead)[2] == b"order"


@pytest.mark.parametrize("settings", [{"expiration": "100"}, {"expiration": "0"}])
def test_a_message_whose_expiration_is_over_is_dead_lettered(
    channel: BlockingChannel, orders: str, dead: str, settings: dict[str, str]
) -> None:
    publish(channel, orders, b"order", **settings)
    assert wait_for_message(channel, dead)[2] == b"order"


@pytest.mark.parametrize("ttl", [100, 0])
def test_a_message_that_outlives_its_queues_ttl_is_dead_lettered(channel: BlockingChannel, dead: str, ttl: int) -> None:
    declare(channel, "orders", message_ttl=ttl, **TO_DEAD)
    publish(channel, "orders", b"order")
    assert wait_for_message(channel, dead)[2] == b"order"


@pytest.mark.parametrize("limit", [{"max_length": 1}, {"max_length_bytes": 1}])
def test_a_message_that_is_dropped_from_a_full_queue_is_dead_lettered(
    channel: BlockingChannel, dead: str, limit: dict[str, int]
) -> None:
    declare(channel, "orders", **limit, **TO_DEAD)
    publish(channel, "orders", b"1", b"2")
    assert wait_for_message(channel, dead)[2] == b"1"
    assert get_all(channel, "orders") == [b"2"]


def test_a_queue_of_length_0_dead_letters_everything(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", max_length=0, **TO_DEAD)
    publish(channel, "orders", b"1", b"2")
    wait_until_ready(channel, dead, 2)
    assert get_all(channel, dead) == [b"1", b"2"]


def test_a_message_that_expires_while_it_is_unacked_is_dead_lettered_when_it_is_requeued(
    channel: BlockingChannel, orders: str, dead: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, orders, b"order", expiration="500")
    method, _, _ = channel.basic_get(orders)
    let_time_pass(1)
    assert ready(channel, dead) == 0
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert wait_for_message(channel, dead)[1].headers["x-first-death-reason"] == "expired"


def test_an_expired_message_is_not_dead_lettered_before_it_is_first(
    channel: BlockingChannel, orders: str, dead: str, let_time_pass: LetTimePass
) -> None:
    publish(channel, orders, b"live")
    publish(channel, orders, b"expired", expiration="100")
    let_time_pass(0.5)
    assert ready(channel, dead) == 0
    channel.basic_get(orders)
    assert wait_for_message(channel, dead)[2] == b"expired"


def test_a_requeued_message_that_a_full_queue_drops_is_dead_lettered(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", max_length=1, **TO_DEAD)
    publish(channel, "orders", b"1")
    method, _, _ = channel.basic_get("orders")
    publish(channel, "orders", b"2")
    channel.basic_reject(method.delivery_tag, requeue=True)
    _, properties, body = wait_for_message(channel, dead)
    assert (body, properties.headers["x-first-death-reason"]) == (b"1", "maxlen")


def acknowledge(channel: BlockingChannel, tag: int) -> None:
    channel.basic_ack(tag)


def requeue(channel: BlockingChannel, tag: int) -> None:
    channel.basic_reject(tag, requeue=True)


def purge(channel: BlockingChannel, _: int) -> None:
    channel.queue_purge("orders")


def delete(channel: BlockingChannel, _: int) -> None:
    channel.queue_delete("orders")


def recover(channel: BlockingChannel, _: int) -> None:
    channel.basic_recover(requeue=True)


@pytest.mark.parametrize("end", [acknowledge, requeue, recover, purge, delete])
def test_what_does_not_dead_letter(
    channel: BlockingChannel, orders: str, dead: str, end: Callable[[BlockingChannel, int], None]
) -> None:
    publish(channel, orders, b"1", b"2", b"3")
    method, _, _ = channel.basic_get(orders)
    end(channel, method.delivery_tag)
    round_trip(channel)
    publish(channel, dead, b"marker")
    assert get_all(channel, dead) == [b"marker"]


def test_a_closed_channel_requeues_and_does_not_dead_letter(
    channel: BlockingChannel, connect: Connect, orders: str, dead: str
) -> None:
    publish(channel, orders, b"order")
    other = connect()
    other.channel().basic_get(orders)
    other.close()
    wait_until_ready(channel, orders, 1)
    assert ready(channel, dead) == 0


def test_rejecting_from_a_deleted_queue_does_not_dead_letter(channel: BlockingChannel, orders: str, dead: str) -> None:
    publish(channel, orders, b"order")
    method, _, _ = channel.basic_get(orders)
    channel.queue_delete(orders)
    channel.basic_reject(method.delivery_tag, requeue=False)
    round_trip(channel)
    publish(channel, dead, b"marker")
    assert get_all(channel, dead) == [b"marker"]


def test_a_dead_letter_shows_the_exchange_and_key_it_came_by_last(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.topic", dead_letter_routing_key="dead.order")
    channel.queue_bind(dead, "amq.topic", "dead.*")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    method, _, _ = wait_for_message(channel, dead)
    assert (method.exchange, method.routing_key, method.redelivered) == ("amq.topic", "dead.order", False)


def test_without_a_dead_letter_routing_key_the_old_key_is_kept(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.topic")
    channel.queue_bind("orders", "amq.direct", "key")
    channel.queue_bind(dead, "amq.topic", "#")
    channel.basic_publish("amq.direct", "key", b"order")
    reject(channel, "orders")
    method, _, _ = wait_for_message(channel, dead)
    assert (method.exchange, method.routing_key) == ("amq.topic", "key")


def test_an_empty_dead_letter_routing_key_replaces_the_old_one(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.fanout", dead_letter_routing_key="")
    channel.queue_bind(dead, "amq.fanout")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    assert wait_for_message(channel, dead)[0].routing_key == ""


def test_a_dead_letter_that_was_redelivered_before_is_not_marked_as_redelivered(
    channel: BlockingChannel, orders: str, dead: str
) -> None:
    publish(channel, orders, b"order")
    method, _, _ = channel.basic_get(orders)
    channel.basic_reject(method.delivery_tag, requeue=True)
    wait_until_ready(channel, orders, 1)
    method, _, _ = channel.basic_get(orders)
    assert method.redelivered
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert not wait_for_message(channel, dead)[0].redelivered


@pytest.mark.parametrize("kind", ["direct", "fanout", "topic", "headers"])
@pytest.mark.parametrize("internal", [False, True])
def test_any_exchange_may_take_dead_letters(channel: BlockingChannel, dead: str, kind: str, internal: bool) -> None:
    channel.exchange_declare("letters", kind, internal=internal)
    channel.queue_bind(dead, "letters", "orders", arguments={"x-match": "all"})
    declare(channel, "orders", dead_letter_exchange="letters")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    assert wait_for_message(channel, dead)[0].exchange == "letters"


def test_a_dead_letter_is_copied_to_all_queues_it_is_routed_to(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.fanout")
    bound(channel, "one", "amq.fanout")
    bound(channel, "two", "amq.fanout")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    assert [wait_for_message(channel, queue)[2] for queue in ("one", "two")] == [b"order", b"order"]


def test_a_dead_letter_that_cannot_be_routed_goes_to_the_alternate_exchange(
    channel: BlockingChannel, dead: str
) -> None:
    channel.exchange_declare("letters", "direct", arguments={"alternate-exchange": "amq.fanout"})
    channel.queue_bind(dead, "amq.fanout")
    declare(channel, "orders", dead_letter_exchange="letters")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    method, _, _ = wait_for_message(channel, dead)
    assert (method.exchange, method.routing_key) == ("letters", "orders")


def test_a_dead_letter_that_leads_nowhere_is_lost(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.direct")
    publish(channel, "orders", b"1", b"2")
    reject(channel, "orders")
    assert get_all(channel, "orders") == [b"2"]


def test_a_mandatory_dead_letter_that_leads_nowhere_is_not_returned(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.direct", message_ttl=0)
    returned = collect_returns(channel)
    channel.confirm_delivery()
    channel.basic_publish("", "orders", b"order", mandatory=True)
    assert ready(channel, "orders") == 0
    assert returned_so_far(channel, returned) == []


def test_without_a_dead_letter_exchange_a_rejected_message_is_lost(channel: BlockingChannel) -> None:
    declare(channel, "orders")
    publish(channel, "orders", b"1", b"2")
    reject(channel, "orders")
    assert get_all(channel, "orders") == [b"2"]


def test_a_missing_dead_letter_exchange_loses_the_message_alone(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="nope")
    publish(channel, "orders", b"1", b"2")
    reject(channel, "orders")
    assert get_all(channel, "orders") == [b"2"]


def test_a_dead_letter_exchange_may_be_declared_later(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "orders", dead_letter_exchange="letters")
    channel.exchange_declare("letters", "fanout")
    channel.queue_bind(dead, "letters")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    assert wait_for_message(channel, dead)[2] == b"order"


def test_a_dead_letter_exchange_may_be_deleted_and_declared_again(channel: BlockingChannel, dead: str) -> None:
    channel.exchange_declare("letters", "fanout")
    declare(channel, "orders", dead_letter_exchange="letters")
    publish(channel, "orders", b"1", b"2")
    channel.exchange_delete("letters")
    reject(channel, "orders")
    ready(channel, "orders")
    channel.exchange_declare("letters", "direct")
    channel.queue_bind(dead, "letters", "orders")
    reject(channel, "orders")
    assert wait_for_message(channel, dead)[2] == b"2"
    assert ready(channel, dead) == 0


def test_the_default_exchange_and_the_old_key_lead_back_to_the_queue(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="")
    publish(channel, "orders", b"1", b"2")
    reject(channel, "orders")
    wait_until_ready(channel, "orders", 2)
    assert get_all(channel, "orders") == [b"2", b"1"]


def test_a_rejection_in_a_transaction_dead_letters_at_the_commit(
    channel: BlockingChannel, orders: str, dead: str
) -> None:
    publish(channel, orders, b"order")
    channel.tx_select()
    reject(channel, orders)
    assert ready(channel, dead) == 0
    channel.tx_commit()
    assert wait_for_message(channel, dead)[2] == b"order"


def test_a_rejection_that_is_rolled_back_dead_letters_nothing(channel: BlockingChannel, orders: str, dead: str) -> None:
    publish(channel, orders, b"order")
    channel.tx_select()
    reject(channel, orders)
    channel.tx_rollback()
    channel.tx_commit()
    assert ready(channel, dead) == 0


def test_a_message_that_is_dead_lettered_at_once_is_confirmed_once(
    channel: BlockingChannel, orders: str, dead: str
) -> None:
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for _ in range(3):
        channel.basic_publish("", orders, b"order", pika.BasicProperties(expiration="0"))
        arrivals.wait_for_confirms(len(arrivals.log) + 1)
    wait_until_ready(channel, dead, 3)
    assert arrivals.log == [("ack", 1), ("ack", 2), ("ack", 3)]


def test_a_waiting_consumer_gets_a_dead_letter(channel: BlockingChannel, orders: str, dead: str) -> None:
    consumer = Consumer(channel, dead, auto_ack=True)
    publish(channel, orders, b"order", expiration="100")
    wait_for(channel.connection, lambda: consumer.bodies == [b"order"])


def test_dead_letters_pass_a_chain_of_queues(channel: BlockingChannel, dead: str) -> None:
    declare(channel, "third", message_ttl=100, **TO_DEAD)
    declare(channel, "second", max_length=0, dead_letter_exchange="", dead_letter_routing_key="third")
    declare(channel, "first", message_ttl=0, dead_letter_exchange="", dead_letter_routing_key="second")
    publish(channel, "first", b"order")
    method, _, body = wait_for_message(channel, dead)
    assert (method.exchange, method.routing_key, body) == ("", "dead", b"order")


def test_a_dead_letter_lives_by_the_ttl_of_its_new_queue(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "dead", message_ttl=600000)
    declare(channel, "orders", **TO_DEAD)
    publish(channel, "orders", b"order", expiration="100")
    wait_until_ready(channel, "dead", 1)
    let_time_pass(0.5)
    assert ready(channel, "dead") == 1


def test_dead_letters_are_priorities_in_a_priority_queue(channel: BlockingChannel) -> None:
    declare(channel, "dead", max_priority=5)
    declare(channel, "orders", **TO_DEAD)
    for priority in (1, 5, 3):
        publish(channel, "orders", str(priority).encode(), priority=priority)
        reject(channel, "orders")
    wait_until_ready(channel, "dead", 3)
    assert get_all(channel, "dead") == [b"5", b"3", b"1"]
