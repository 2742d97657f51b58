"""What RabbitMQ writes into a dead letter: x-death, x-first-death-*, x-last-death-*."""

from __future__ import annotations

import datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.compat import long

from tests.rules._limits import (
    TO_DEAD,
    LetTimePass,
    dead_letter,
    declare,
    publish,
    reject,
    wait_for_message,
    wait_until_ready,
)
from tests.rules._queues import ready

FIRST = ["count", "reason", "queue", "time", "exchange", "routing-keys"]


@pytest.fixture
def orders(channel: BlockingChannel) -> str:
    """A queue whose dead letters go to a queue "dead"."""
    channel.queue_declare("dead")
    return declare(channel, "orders", **TO_DEAD)


def walk(channel: BlockingChannel, *queues: str, **properties: Any) -> pika.BasicProperties:
    """Publish a message, reject it in each queue in turn: the properties that arrive in the queue "dead"."""
    channel.queue_declare("dead")
    for queue, following in zip(queues, [*queues[1:], "dead"], strict=True):
        declare(channel, queue, dead_letter_exchange="", dead_letter_routing_key=following)
    publish(channel, queues[0], b"order", **properties)
    for queue in queues:
        wait_until_ready(channel, queue, 1)
        reject(channel, queue)
    return wait_for_message(channel, "dead")[1]


def without_time(death: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in death.items() if name != "time"}


def queues(properties: pika.BasicProperties) -> list[str]:
    return [death["queue"] for death in properties.headers["x-death"]]


def test_x_death_tells_what_happened(channel: BlockingChannel, orders: str) -> None:
    (death,) = dead_letter(channel).headers["x-death"]
    assert without_time(death) == {
        "count": 1,
        "reason": "rejected",
        "queue": "orders",
        "exchange": "",
        "routing-keys": ["orders"],
    }


def test_the_count_is_a_64_bit_integer(channel: BlockingChannel, orders: str) -> None:
    assert isinstance(dead_letter(channel).headers["x-death"][0]["count"], long)


def test_the_time_is_a_timestamp_in_whole_seconds(channel: BlockingChannel, orders: str) -> None:
    time = dead_letter(channel).headers["x-death"][0]["time"]
    assert isinstance(time, datetime.datetime)
    assert time.microsecond == 0


def test_the_time_is_the_time_of_the_death(channel: BlockingChannel, orders: str, let_time_pass: LetTimePass) -> None:
    first = dead_letter(channel).headers["x-death"][0]["time"]
    publish(channel, orders, b"order")
    let_time_pass(2.2)
    reject(channel, orders)
    second = wait_for_message(channel, "dead")[1].headers["x-death"][0]["time"]
    assert second - first >= datetime.timedelta(seconds=2)


def test_the_headers_of_a_first_death(channel: BlockingChannel, orders: str, version: str) -> None:
    headers = dead_letter(channel).headers
    del headers["x-death"]
    first = {"x-first-death-exchange": "", "x-first-death-queue": "orders", "x-first-death-reason": "rejected"}
    last = {"x-last-death-exchange": "", "x-last-death-queue": "orders", "x-last-death-reason": "rejected"}
    assert headers == {"3.10": first, "4.0": {**first, **last}}[version]


@pytest.mark.parametrize(
    ("reason", "arguments"),
    [
        ("expired", {"message_ttl": 100}),
        ("expired", {"message_ttl": 0}),
        ("maxlen", {"max_length": 0}),
        ("maxlen", {"max_length_bytes": 0}),
    ],
)
def test_the_reason_of_a_death_without_a_rejection(
    channel: BlockingChannel, reason: str, arguments: dict[str, int]
) -> None:
    channel.queue_declare("dead")
    declare(channel, "orders", **TO_DEAD, **arguments)
    publish(channel, "orders", b"order")
    headers = wait_for_message(channel, "dead")[1].headers
    assert (headers["x-death"][0]["reason"], headers["x-first-death-reason"]) == (reason, reason)


def test_the_exchange_and_routing_key_are_those_the_message_came_by(channel: BlockingChannel, orders: str) -> None:
    channel.queue_bind(orders, "amq.topic", "#")
    channel.basic_publish("amq.topic", "new.order", b"order")
    reject(channel, orders)
    headers = wait_for_message(channel, "dead")[1].headers
    assert without_time(headers["x-death"][0]) == {
        "count": 1,
        "reason": "rejected",
        "queue": "orders",
        "exchange": "amq.topic",
        "routing-keys": ["new.order"],
    }
    assert headers["x-first-death-exchange"] == "amq.topic"


@pytest.mark.parametrize("key", [None, "dead"])
def test_the_routing_keys_name_cc_but_not_bcc(channel: BlockingChannel, key: str | None) -> None:
    channel.queue_declare("dead")
    channel.queue_bind("dead", "amq.fanout")
    declare(channel, "orders", dead_letter_exchange="amq.fanout", **({"dead_letter_routing_key": key} if key else {}))
    headers = dead_letter(channel, headers={"CC": ["copy", "other"], "BCC": ["blind"]}).headers
    assert headers["x-death"][0]["routing-keys"] == ["orders", "copy", "other"]


CC_AND_BCC = {"CC": ["copy"], "BCC": ["blind"]}


def test_the_second_death_names_the_new_key_alone(channel: BlockingChannel) -> None:
    headers = walk(channel, "orders", "retries", headers=CC_AND_BCC).headers
    assert [death["routing-keys"] for death in headers["x-death"]] == [["retries"], ["orders", "copy"]]


def test_where_the_old_keys_are_kept_the_second_death_names_them_again(channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    channel.exchange_declare("again", "fanout")
    channel.queue_bind("dead", "again")
    declare(channel, "retries", dead_letter_exchange="again")
    channel.queue_bind("retries", "amq.fanout")
    declare(channel, "orders", dead_letter_exchange="amq.fanout")
    publish(channel, "orders", b"order", headers=CC_AND_BCC)
    for queue in ("orders", "retries"):
        wait_until_ready(channel, queue, 1)
        reject(channel, queue)
    headers = wait_for_message(channel, "dead")[1].headers
    assert [death["routing-keys"] for death in headers["x-death"]] == [["orders", "copy"], ["orders", "copy"]]


@pytest.mark.parametrize(
    ("bcc", "told"),
    [
        ("retries", {"3.10": [["retries"], ["orders", "copy"]], "4.0": [[], ["orders", "copy"]]}),
        ("orders", {"3.10": [["retries"], ["orders", "copy"]], "4.0": [["retries"], ["copy", "orders"]]}),
        ("copy", {"3.10": [["retries"], ["orders", "copy"]], "4.0": [["retries"], ["orders", "copy"]]}),
    ],
)
def test_a_key_that_bcc_names_as_well_is_left_out_once_in_4_0(
    channel: BlockingChannel, version: str, bcc: str, told: dict[str, list[list[str]]]
) -> None:
    channel.queue_declare("dead")
    declare(channel, "retries", dead_letter_exchange="", dead_letter_routing_key="dead")
    declare(channel, "orders", dead_letter_exchange="", dead_letter_routing_key="retries")
    channel.queue_bind("orders", "amq.direct", "orders")
    properties = pika.BasicProperties(headers={"CC": ["copy"], "BCC": [bcc]})
    channel.basic_publish("amq.direct", "orders", b"order", properties)
    for queue in ("orders", "retries"):
        wait_until_ready(channel, queue, 1)
        reject(channel, queue)
    headers = wait_for_message(channel, "dead")[1].headers
    assert [death["routing-keys"] for death in headers["x-death"]] == told[version]


def test_a_dead_letter_without_a_key_of_its_own_is_routed_by_cc_and_bcc_too(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.direct")
    for key in ("orders", "copy", "blind", "other"):
        channel.queue_declare(f"for {key}")
        channel.queue_bind(f"for {key}", "amq.direct", key)
    publish(channel, "orders", b"order", headers={"CC": ["copy"], "BCC": ["blind"]})
    reject(channel, "orders")
    for key in ("orders", "copy", "blind"):
        assert wait_for_message(channel, f"for {key}")[0].routing_key == "orders"
    assert ready(channel, "for other") == 0


def test_a_dead_letter_with_a_key_of_its_own_is_not_routed_by_cc_or_bcc(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.direct", dead_letter_routing_key="dead")
    for key in ("dead", "orders", "copy", "blind"):
        channel.queue_declare(f"for {key}")
        channel.queue_bind(f"for {key}", "amq.direct", key)
    publish(channel, "orders", b"order", headers={"CC": ["copy"], "BCC": ["blind"]})
    reject(channel, "orders")
    wait_until_ready(channel, "for dead", 1)
    assert [ready(channel, f"for {key}") for key in ("orders", "copy", "blind")] == [0, 0, 0]


def test_cc_stays_where_the_old_keys_are_kept(channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    channel.queue_bind("dead", "amq.fanout")
    declare(channel, "orders", dead_letter_exchange="amq.fanout")
    headers = dead_letter(channel, headers={"CC": ["copy"], "BCC": ["blind"]}).headers
    assert (headers.get("CC"), headers.get("BCC")) == (["copy"], None)


def test_cc_is_removed_with_the_old_key_in_3_10(channel: BlockingChannel, orders: str, version: str) -> None:
    headers = dead_letter(channel, headers={"CC": ["copy"]}).headers
    assert headers.get("CC") == {"3.10": None, "4.0": ["copy"]}[version]


@pytest.mark.parametrize("reason", ["rejected", "expired"])
def test_the_expiration_is_removed_and_kept_as_original_expiration(
    channel: BlockingChannel, orders: str, reason: str
) -> None:
    expiration = {"rejected": "600000", "expired": "100"}[reason]
    publish(channel, orders, b"order", expiration=expiration)
    if reason == "rejected":
        reject(channel, orders)
    properties = wait_for_message(channel, "dead")[1]
    assert properties.expiration is None
    assert properties.headers["x-death"][0]["original-expiration"] == expiration


def test_the_ttl_of_a_queue_is_no_original_expiration(channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    declare(channel, "orders", message_ttl=100, **TO_DEAD)
    publish(channel, "orders", b"order")
    assert "original-expiration" not in wait_for_message(channel, "dead")[1].headers["x-death"][0]


def test_only_the_first_death_has_the_original_expiration(channel: BlockingChannel) -> None:
    deaths = walk(channel, "one", "two", expiration="600000").headers["x-death"]
    assert [death.get("original-expiration") for death in deaths] == [None, "600000"]


def test_the_other_properties_stay_as_they_are(channel: BlockingChannel, orders: str) -> None:
    properties = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "correlation",
        "reply_to": "replies",
        "message_id": "message",
        "timestamp": 5,
        "type": "type",
        "user_id": "guest",
        "app_id": "app",
    }
    found = dead_letter(channel, expiration="600000", **properties)
    assert {name: getattr(found, name) for name in properties} == properties


def test_the_other_headers_stay_as_they_are(channel: BlockingChannel, orders: str) -> None:
    supplied = {"text": "value", "number": 5, "none": None, "list": [1, {"deep": True}], "x-delay": 7}
    headers = dead_letter(channel, headers=supplied).headers
    assert {name: headers[name] for name in supplied} == supplied


def test_the_order_of_the_headers_is_alphabetical(channel: BlockingChannel, orders: str, version: str) -> None:
    names = list(dead_letter(channel, headers={"z": 1, "a": 2, "x-e": 3}).headers)
    first = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"]
    last = ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"]
    expected = ["a", "x-death", "x-e", *first, *{"3.10": [], "4.0": last}[version], "z"]
    assert names == expected


def test_the_order_of_the_fields_of_a_first_death(channel: BlockingChannel, orders: str) -> None:
    assert list(dead_letter(channel).headers["x-death"][0]) == FIRST


def test_the_place_of_the_original_expiration(channel: BlockingChannel, orders: str, version: str) -> None:
    names = list(dead_letter(channel, expiration="600000").headers["x-death"][0])
    assert names == {"3.10": [*FIRST, "original-expiration"], "4.0": ["original-expiration", *FIRST]}[version]


def test_the_order_of_the_fields_of_a_later_death_is_alphabetical_in_3_10(
    channel: BlockingChannel, version: str
) -> None:
    later, first = walk(channel, "one", "two").headers["x-death"]
    assert list(first) == FIRST
    assert list(later) == {"3.10": sorted(FIRST), "4.0": FIRST}[version]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("ab", {"3.10": "ba", "4.0": "ba"}),
        ("abc", {"3.10": "cab", "4.0": "cba"}),
        ("abcd", {"3.10": "dbac", "4.0": "dcba"}),
        ("abcde", {"3.10": "ecabd", "4.0": "edcba"}),
        ("abcdef", {"3.10": "fdbace", "4.0": "fedcba"}),
    ],
)
def test_the_newest_death_comes_first(channel: BlockingChannel, version: str, path: str, order: dict[str, str]) -> None:
    assert "".join(queues(walk(channel, *path))) == order[version]


def test_the_first_death_stays_in_its_headers_and_the_last_moves_on(channel: BlockingChannel, version: str) -> None:
    headers = walk(channel, "one", "two", "three").headers
    assert headers["x-first-death-queue"] == "one"
    assert headers.get("x-last-death-queue") == {"3.10": None, "4.0": "three"}[version]


def test_a_later_death_has_the_exchange_and_key_of_the_dead_letter(channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    declare(channel, "one", dead_letter_exchange="amq.direct", dead_letter_routing_key="key")
    declare(channel, "two", **TO_DEAD)
    channel.queue_bind("two", "amq.direct", "key")
    publish(channel, "one", b"order")
    reject(channel, "one")
    wait_until_ready(channel, "two", 1)
    reject(channel, "two")
    deaths = wait_for_message(channel, "dead")[1].headers["x-death"]
    assert [(death["exchange"], death["routing-keys"]) for death in deaths] == [("amq.direct", ["key"]), ("", ["one"])]


def test_deaths_of_one_queue_for_two_reasons_are_counted_apart(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="", dead_letter_routing_key="waiting", message_ttl=600)
    declare(channel, "waiting", dead_letter_exchange="", dead_letter_routing_key="orders")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    for _ in range(2):
        wait_until_ready(channel, "waiting", 1)
        reject(channel, "waiting")
    _, properties, _ = wait_for_message(channel, "orders")
    deaths = {(death["queue"], death["reason"], death["count"]) for death in properties.headers["x-death"]}
    assert deaths == {("orders", "rejected", 1), ("orders", "expired", 1), ("waiting", "rejected", 2)}


def test_a_counted_death_moves_to_the_front(channel: BlockingChannel) -> None:
    declare(channel, "one", dead_letter_exchange="", dead_letter_routing_key="two")
    declare(channel, "two", dead_letter_exchange="", dead_letter_routing_key="one")
    publish(channel, "one", b"order")
    for queue in ("one", "two", "one"):
        wait_until_ready(channel, queue, 1)
        reject(channel, queue)
    _, properties, _ = wait_for_message(channel, "two")
    deaths = [(death["queue"], death["count"]) for death in properties.headers["x-death"]]
    assert deaths == [("one", 2), ("two", 1)]


def test_a_counted_death_keeps_the_exchange_of_its_first_time(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="")
    channel.queue_bind("orders", "amq.direct", "orders")
    channel.basic_publish("amq.direct", "orders", b"order")
    for _ in range(2):
        wait_until_ready(channel, "orders", 1)
        reject(channel, "orders")
    (death,) = wait_for_message(channel, "orders")[1].headers["x-death"]
    assert (death["count"], death["exchange"]) == (2, "amq.direct")


def test_the_time_of_a_counted_death_is_that_of_the_first(channel: BlockingChannel, let_time_pass: LetTimePass) -> None:
    declare(channel, "orders", dead_letter_exchange="")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    wait_until_ready(channel, "orders", 1)
    method, properties, _ = channel.basic_get("orders")
    first = properties.headers["x-death"][0]["time"]
    let_time_pass(2.2)
    channel.basic_reject(method.delivery_tag, requeue=False)
    (death,) = wait_for_message(channel, "orders")[1].headers["x-death"]
    assert (death["count"], death["time"] - first) == (2, datetime.timedelta(0))


def test_a_requeue_changes_nothing_in_the_headers_of_a_dead_letter(channel: BlockingChannel, orders: str) -> None:
    publish(channel, orders, b"order")
    reject(channel, orders)
    wait_until_ready(channel, "dead", 1)
    method, before, _ = channel.basic_get("dead")
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert wait_for_message(channel, "dead")[1].headers == before.headers


def test_every_copy_of_a_dead_letter_has_the_same_headers(channel: BlockingChannel) -> None:
    declare(channel, "orders", dead_letter_exchange="amq.fanout")
    for queue in ("one", "two"):
        channel.queue_declare(queue)
        channel.queue_bind(queue, "amq.fanout")
    publish(channel, "orders", b"order")
    reject(channel, "orders")
    one, two = (wait_for_message(channel, queue)[1].headers for queue in ("one", "two"))
    assert one == two


def test_another_copy_of_the_message_is_not_touched(channel: BlockingChannel, orders: str) -> None:
    channel.queue_declare("log")
    for queue in ("log", orders):
        channel.queue_bind(queue, "amq.fanout")
    channel.basic_publish("amq.fanout", "", b"order", pika.BasicProperties(headers={"mine": 1}, expiration="600000"))
    reject(channel, orders)
    wait_until_ready(channel, "dead", 1)
    _, properties, _ = wait_for_message(channel, "log")
    assert (properties.headers, properties.expiration) == ({"mine": 1}, "600000")
