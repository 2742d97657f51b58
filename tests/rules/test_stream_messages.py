"""What a stream makes of a message: it is stored as AMQP 1.0 has it, and some of it has no place there."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import connection_closed
from tests.rules._consuming import round_trip
from tests.rules._helpers import wait_for
from tests.rules._kinds import declare, publish
from tests.rules._publishing import PIKA
from tests.rules._queues import wait_until_ready

MILLENNIUM = datetime.datetime(2000, 1, 1, tzinfo=None if PIKA == "1.3" else datetime.timezone.utc)


def kept(channel: BlockingChannel, **properties: Any) -> pika.BasicProperties:
    """The properties of a delivery of a message that was published with these."""
    declare(channel, "log", "stream")
    publish(channel, "log", "message", **properties)
    return delivered(channel)


def delivered(channel: BlockingChannel) -> pika.BasicProperties:
    """The properties of the first message that the stream delivers."""
    found: list[pika.BasicProperties] = []
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("log", lambda *message: found.append(message[2]), arguments={"x-stream-offset": "first"})
    wait_for(channel.connection, lambda: bool(found))
    return found[0]


def test_all_properties_but_the_cluster_id_are_kept(channel: BlockingChannel) -> None:
    settings: dict[str, Any] = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "expiration": "1000",
        "message_id": "m",
        "timestamp": 1700000000,
        "type": "t",
        "user_id": "guest",
        "app_id": "a",
    }
    found = kept(channel, **settings, cluster_id="i")
    assert found == pika.BasicProperties(**settings, headers={"x-stream-offset": 0})


@pytest.mark.parametrize(
    "value", ["ü", "x" * 300, 5, -1, 2**40, None, True, MILLENNIUM, b"\xff\0"], ids=lambda value: repr(value)[:20]
)
@pytest.mark.parametrize("name", ["own", "x-own", ""])
def test_headers_of_one_value_are_kept(channel: BlockingChannel, name: str, value: Any) -> None:
    assert kept(channel, headers={name: value}).headers == {name: value, "x-stream-offset": 0}


def test_bytes_that_are_text_become_text_in_4_0(channel: BlockingChannel, version: str) -> None:
    expected = {"3.10": b"text", "4.0": "text"}[version]
    assert kept(channel, headers={"own": b"text"}).headers == {"own": expected, "x-stream-offset": 0}


@pytest.mark.parametrize("value", [["a", 1], {"a": 1}], ids=["array", "table"])
def test_headers_of_many_values_are_lost(channel: BlockingChannel, value: Any) -> None:
    assert kept(channel, headers={"own": value, "other": 1}).headers == {"other": 1, "x-stream-offset": 0}


@pytest.mark.parametrize("value", [["a", 1], {"a": 1}], ids=["array", "table"])
def test_in_4_0_those_whose_name_begins_with_x_are_kept(channel: BlockingChannel, version: str, value: Any) -> None:
    expected = {"3.10": {}, "4.0": {"x-own": value}}[version]
    assert kept(channel, headers={"x-own": value}).headers == {**expected, "x-stream-offset": 0}


def test_in_4_0_further_routing_keys_are_kept(channel: BlockingChannel, version: str) -> None:
    expected = {"3.10": {}, "4.0": {"CC": ["elsewhere"]}}[version]
    assert kept(channel, headers={"CC": ["elsewhere"]}).headers == {**expected, "x-stream-offset": 0}


def test_headers_are_sorted(channel: BlockingChannel) -> None:
    headers = kept(channel, headers={"z": 1, "a": 2, "x-b": 3, "m": 4}).headers
    assert list(headers) == ["a", "m", "x-b", "x-stream-offset", "z"]


def test_a_decimal_header_is_an_internal_error(channel: BlockingChannel) -> None:
    declare(channel, "log", "stream")
    with connection_closed(541, "INTERNAL_ERROR"):
        channel.basic_publish("", "log", b"", pika.BasicProperties(headers={"own": decimal.Decimal("1.25")}))
        round_trip(channel)


AT_LEAST_ONCE = {"dead_letter_strategy": "at-least-once", "overflow": "reject-publish"}


def reject_into_the_stream(channel: BlockingChannel, kind: str, **arguments: Any) -> None:
    """A message "0" dies in a queue of this kind, and is sent to the stream."""
    declare(channel, "log", "stream")
    declare(channel, "work", kind, dead_letter_exchange="", dead_letter_routing_key="log", **arguments)
    publish(channel, "work", "0", headers={"own": 1})
    wait_until_ready(channel, "work", 1)
    method, _, _ = channel.basic_get("work")
    channel.basic_reject(method.delivery_tag, requeue=False)
    round_trip(channel)


@pytest.mark.only("3.10")
@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_in_3_10_a_dead_letter_does_not_arrive(channel: BlockingChannel, kind: str) -> None:
    reject_into_the_stream(channel, kind)
    publish(channel, "log", "later")
    assert delivered(channel).headers == {"x-stream-offset": 0}


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [("quorum", AT_LEAST_ONCE), ("classic", {}), ("quorum", {})],
    ids=["once", "classic", "quorum"],
)
def test_other_dead_letters_arrive(
    channel: BlockingChannel, version: str, kind: str, arguments: dict[str, str]
) -> None:
    if version == "3.10" and not arguments:
        pytest.skip("a rule of RabbitMQ 4.0 alone")
    reject_into_the_stream(channel, kind, **arguments)
    headers = delivered(channel).headers
    death = {f"x-first-death-{name}": value for name, value in (("exchange", ""), ("queue", "work"))}
    death["x-first-death-reason"] = "rejected"
    assert {name: value for name, value in headers.items() if name.startswith("x-first")} == death
    assert (headers["own"], headers["x-stream-offset"]) == (1, 0)
    assert ("x-death" in headers) is (version == "4.0")
