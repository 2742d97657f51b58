"""Dead letters whose publisher wrote x-death headers himself."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for, wait_until_back
from tests.rules._limits import TO_DEAD, Connect, dead_letter, declare, publish, ready, reject, wait_for_message

MILLENNIUM = datetime.datetime(2000, 1, 1)
SUPPLIED = {
    "queue": "orders",
    "reason": "rejected",
    "count": 7,
    "exchange": "supplied",
    "routing-keys": ["supplied"],
    "time": MILLENNIUM,
}


@pytest.fixture
def orders(channel: BlockingChannel) -> str:
    """A queue whose dead letters go to a queue "dead"."""
    channel.queue_declare("dead")
    return declare(channel, "orders", **TO_DEAD)


def test_a_supplied_death_of_the_same_queue_and_reason_is_counted_on_in_3_10(
    channel: BlockingChannel, orders: str, version: str
) -> None:
    (death,) = dead_letter(channel, headers={"x-death": [SUPPLIED]}).headers["x-death"]
    assert (death["count"], death["exchange"]) == {"3.10": (8, "supplied"), "4.0": (1, "")}[version]


@pytest.mark.parametrize("other", [{"queue": "other"}, {"reason": "expired"}])
def test_another_supplied_death_is_kept_behind_the_new_one_in_3_10(
    channel: BlockingChannel, orders: str, version: str, other: dict[str, str]
) -> None:
    deaths = dead_letter(channel, headers={"x-death": [{**SUPPLIED, **other}]}).headers["x-death"]
    assert [death["count"] for death in deaths] == {"3.10": [1, 7], "4.0": [1]}[version]


@pytest.mark.only("3.10")
def test_a_supplied_death_that_is_no_table_kills_a_classic_queue(
    channel: BlockingChannel, connect: Connect, orders: str
) -> None:
    """With its consumers, and whatever is transient in it."""
    publish(channel, orders, b"1", headers={"x-death": [1]})
    publish(channel, orders, b"2")
    consumer = Consumer(channel, orders)
    assert consumer.take(2) == [b"1", b"2"]
    channel.basic_reject(1, requeue=False)
    wait_for(channel.connection, lambda: not channel.consumer_tags)
    again = wait_until_back(connect, orders)
    assert (ready(again, orders), ready(again, "dead")) == (0, 0)
    channel.basic_ack(2)
    publish(channel, orders, b"3")
    assert get_all(channel, orders) == [b"3"]


@pytest.mark.only("3.10")
def test_a_supplied_death_that_is_no_table_takes_its_message_out_of_a_quorum_queue(
    channel: BlockingChannel, connect: Connect
) -> None:
    arguments = {"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("dead")
    channel.queue_declare("orders", durable=True, arguments=arguments)
    publish(channel, "orders", b"1", headers={"x-death": [1]})
    publish(channel, "orders", b"2")
    reject(channel, "orders")
    again = wait_until_back(connect, "orders")
    reject(again, "orders")
    assert wait_for_message(again, "dead")[2] == b"2"
    assert ready(again, "orders") == 0


def test_a_supplied_x_death_leaves_no_first_death_in_3_10(channel: BlockingChannel, orders: str, version: str) -> None:
    headers = dead_letter(channel, headers={"x-death": [{**SUPPLIED, "queue": "other"}]}).headers
    assert headers.get("x-first-death-queue") == {"3.10": None, "4.0": "orders"}[version]


@pytest.mark.parametrize("value", ["text", 5, {}])
def test_a_supplied_x_death_that_is_no_list_is_replaced(channel: BlockingChannel, orders: str, value: Any) -> None:
    deaths = dead_letter(channel, headers={"x-death": value}).headers["x-death"]
    assert [(death["queue"], death["count"]) for death in deaths] == [("orders", 1)]


@pytest.mark.parametrize(
    "entry", [{}, {"queue": "other"}, {"queue": "other", "reason": "rejected", "count": "many"}, {"reason": 1}]
)
def test_a_supplied_death_is_kept_as_it_is_written_in_3_10(
    channel: BlockingChannel, orders: str, version: str, entry: dict[str, Any]
) -> None:
    first, *others = dead_letter(channel, headers={"x-death": [entry]}).headers["x-death"]
    assert (first["queue"], first["count"]) == ("orders", 1)
    assert others == {"3.10": [entry], "4.0": []}[version]


def test_behind_an_empty_supplied_x_death_the_fields_are_sorted_in_3_10(
    channel: BlockingChannel, orders: str, version: str
) -> None:
    (death,) = dead_letter(channel, headers={"x-death": []}).headers["x-death"]
    assert (list(death) == sorted(death)) == (version == "3.10")


def test_a_supplied_first_death_is_replaced(channel: BlockingChannel, orders: str) -> None:
    headers = dead_letter(channel, headers={"x-first-death-queue": "mine", "x-first-death-reason": "mine"}).headers
    assert (headers["x-first-death-queue"], headers["x-first-death-reason"]) == ("orders", "rejected")


def test_a_supplied_last_death_is_replaced_in_4_0(channel: BlockingChannel, orders: str, version: str) -> None:
    headers = dead_letter(channel, headers={"x-last-death-queue": "mine"}).headers
    assert headers["x-last-death-queue"] == {"3.10": "mine", "4.0": "orders"}[version]


def test_supplied_headers_arrive_as_they_are_while_the_message_lives(channel: BlockingChannel, orders: str) -> None:
    headers = {"x-death": [{"count": 7}], "x-first-death-queue": "mine", "x-last-death-queue": "mine"}
    publish(channel, orders, b"order", headers=headers)
    assert wait_for_message(channel, orders)[1].headers == headers


def test_a_dead_letter_that_is_published_again_with_its_headers_counts_on_in_3_10(
    channel: BlockingChannel, orders: str, version: str
) -> None:
    first = dead_letter(channel)
    second = dead_letter(channel, headers=first.headers)
    assert [death["count"] for death in second.headers["x-death"]] == {"3.10": [2], "4.0": [1]}[version]
