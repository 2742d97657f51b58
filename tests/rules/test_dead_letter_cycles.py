"""Dead letters that come back to a queue they have been dead-lettered from."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._limits import LetTimePass, declare, publish, reject, wait_for_message, wait_until_ready
from tests.rules._queues import ready


def chain(channel: BlockingChannel, *queues: tuple[str, dict[str, Any]]) -> None:
    """Declare queues each of which dead-letters to the next, and the last to the first."""
    names = [name for name, _ in queues]
    for (name, arguments), following in zip(queues, [*names[1:], names[0]], strict=True):
        declare(channel, name, dead_letter_exchange="", dead_letter_routing_key=following, **arguments)


EXPIRES = {"message_ttl": 100}
NOTHING: dict[str, Any] = {}


@pytest.mark.parametrize("arguments", [{"message_ttl": 100}, {"message_ttl": 0}, {"max_length": 0}])
def test_a_message_that_dies_by_itself_does_not_come_back_to_its_queue(
    channel: BlockingChannel, let_time_pass: LetTimePass, arguments: dict[str, int]
) -> None:
    chain(channel, ("orders", arguments))
    publish(channel, "orders", b"order")
    let_time_pass(0.5)
    assert ready(channel, "orders") == 0
    assert get_all(channel, "orders") == []


def test_a_message_that_expires_by_its_own_expiration_does_not_come_back_to_its_queue(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    chain(channel, ("orders", NOTHING))
    publish(channel, "orders", b"order", expiration="100")
    let_time_pass(0.5)
    assert ready(channel, "orders") == 0


def test_a_rejected_message_comes_back_to_its_queue(channel: BlockingChannel) -> None:
    chain(channel, ("orders", NOTHING))
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    method, _, body = wait_for_message(channel, "orders")
    assert (method.exchange, method.routing_key, method.redelivered, body) == ("", "orders", False, b"order")


def test_the_count_of_a_message_that_comes_back_grows(channel: BlockingChannel) -> None:
    chain(channel, ("orders", NOTHING))
    publish(channel, "orders", b"order")
    for count in range(1, 4):
        wait_until_ready(channel, "orders", 1)
        reject(channel, "orders")
        wait_until_ready(channel, "orders", 1)
        method, properties, _ = channel.basic_get("orders")
        assert [(death["queue"], death["count"]) for death in properties.headers["x-death"]] == [("orders", count)]
        channel.basic_reject(method.delivery_tag, requeue=True)


@pytest.mark.parametrize("reason", ["expired", "maxlen"])
def test_a_cycle_of_two_queues_without_a_rejection_ends_where_it_began(
    channel: BlockingChannel, let_time_pass: LetTimePass, reason: str
) -> None:
    arguments = {"expired": {"message_ttl": 100}, "maxlen": {"max_length": 0}}[reason]
    chain(channel, ("orders", arguments), ("waiting", arguments))
    publish(channel, "orders", b"order")
    let_time_pass(0.8)
    assert (ready(channel, "orders"), ready(channel, "waiting")) == (0, 0)


def test_a_cycle_of_three_queues_without_a_rejection_ends_where_it_began(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    chain(channel, ("orders", EXPIRES), ("one", EXPIRES), ("two", EXPIRES))
    publish(channel, "orders", b"order")
    let_time_pass(1)
    assert [ready(channel, queue) for queue in ("orders", "one", "two")] == [0, 0, 0]


@pytest.mark.parametrize("rejecting", ["orders", "waiting"])
def test_a_cycle_with_a_rejection_goes_on(channel: BlockingChannel, rejecting: str) -> None:
    chain(
        channel,
        ("orders", NOTHING if rejecting == "orders" else EXPIRES),
        ("waiting", NOTHING if rejecting == "waiting" else EXPIRES),
    )
    publish(channel, "orders", b"order")
    for _ in range(3):
        wait_until_ready(channel, rejecting, 1)
        reject(channel, rejecting)
    assert wait_for_message(channel, rejecting)[2] == b"order"


def test_a_retry_by_a_waiting_queue_counts_both_deaths(channel: BlockingChannel) -> None:
    chain(channel, ("orders", NOTHING), ("waiting", EXPIRES))
    publish(channel, "orders", b"order")
    for _ in range(3):
        wait_until_ready(channel, "orders", 1)
        reject(channel, "orders")
    _, properties, _ = wait_for_message(channel, "orders")
    deaths = [(death["queue"], death["reason"], death["count"]) for death in properties.headers["x-death"]]
    assert deaths == [("waiting", "expired", 3), ("orders", "rejected", 3)]


def test_a_rejection_before_a_cycle_of_two_queues_does_not_keep_the_cycle_going_in_4_0(
    channel: BlockingChannel, let_time_pass: LetTimePass, version: str
) -> None:
    declare(channel, "orders", dead_letter_exchange="", dead_letter_routing_key="one")
    chain(channel, ("one", EXPIRES), ("two", EXPIRES))
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    let_time_pass(1)
    if version == "3.10":
        wait_until_ready(channel, "one", 1)
        wait_until_ready(channel, "two", 1)
    else:
        assert [ready(channel, queue) for queue in ("orders", "one", "two")] == [0, 0, 0]


def test_a_message_that_was_rejected_in_a_queue_and_expires_in_it_later_does_not_come_back(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    chain(channel, ("orders", {"message_ttl": 600}))
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    wait_until_ready(channel, "orders", 1)
    let_time_pass(1)
    assert ready(channel, "orders") == 0


def test_a_message_that_is_rejected_after_it_expired_elsewhere_goes_on(channel: BlockingChannel) -> None:
    chain(channel, ("orders", EXPIRES), ("waiting", NOTHING))
    publish(channel, "orders", b"order")
    wait_until_ready(channel, "waiting", 1)
    reject(channel, "waiting")
    _, properties, _ = wait_for_message(channel, "waiting")
    deaths = [(death["queue"], death["reason"], death["count"]) for death in properties.headers["x-death"]]
    assert deaths == [("orders", "expired", 2), ("waiting", "rejected", 1)]


def test_only_the_copy_that_would_close_a_cycle_is_dropped(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.fanout", message_ttl=100)
    declare(channel, "dead")
    channel.queue_bind("orders", "amq.fanout")
    channel.queue_bind("dead", "amq.fanout")
    publish(channel, "orders", b"order")
    assert wait_for_message(channel, "dead")[2] == b"order"
    assert (ready(channel, "orders"), ready(channel, "dead")) == (0, 0)


def test_a_supplied_x_death_ends_a_cycle_where_the_broker_trusts_it(channel: BlockingChannel, version: str) -> None:
    declare(channel, "dead")
    declare(channel, "orders", message_ttl=0, dead_letter_exchange="", dead_letter_routing_key="dead")
    deaths = [{"queue": "dead", "reason": "expired", "count": 1, "exchange": "", "routing-keys": ["dead"]}]
    publish(channel, "orders", b"order", headers={"x-death": deaths})
    publish(channel, "orders", b"other")
    wait_until_ready(channel, "dead", 1)
    bodies = {"3.10": [b"other"], "4.0": [b"order", b"other"]}[version]
    wait_until_ready(channel, "dead", len(bodies))
    assert get_all(channel, "dead") == bodies
