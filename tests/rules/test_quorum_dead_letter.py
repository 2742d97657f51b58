"""Quorum queues with a dead letter exchange, at most or at least once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import wait_for
from tests.rules._kinds import declare, drain, publish, x_death
from tests.rules._queues import Connect, ready, wait_until_ready
from tests.target import Target

STRATEGIES: dict[str, dict[str, Any]] = {
    "none given": {},
    "at most once": {"dead_letter_strategy": "at-most-once"},
    "at least once": {"dead_letter_strategy": "at-least-once", "overflow": "reject-publish"},
}


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of each strategy."""
    return {"dead_letter_exchange": "", "dead_letter_routing_key": "grave", **STRATEGIES[request.param]}


@pytest.fixture(autouse=True)
def grave(channel: BlockingChannel) -> None:
    """A queue for dead letters."""
    channel.queue_declare("grave", durable=True)


def reject(channel: BlockingChannel, queue: str, count: int = 1) -> None:
    """Get and reject messages."""
    for _ in range(count):
        channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)


def only_death(channel: BlockingChannel) -> dict[str, Any]:
    """The x-death entry of the only message in "grave"."""
    wait_until_ready(channel, "grave", 1)
    _, properties, _ = channel.basic_get("grave", auto_ack=True)
    assert len(properties.headers["x-death"]) == 1
    return x_death(properties)


def death(reason: str, **more: Any) -> dict[str, Any]:
    return {"count": 1, "reason": reason, "queue": "orders", "exchange": "", "routing-keys": ["orders"], **more}


def test_rejected_messages_are_dead_lettered_in_order(channel: BlockingChannel, strategy: dict[str, Any]) -> None:
    declare(channel, "orders", "quorum", **strategy)
    publish(channel, "orders", "1", "2", "3")
    reject(channel, "orders", 3)
    assert drain(channel, "grave", 3) == ["1", "2", "3"]
    assert ready(channel, "orders") == 0


def test_a_dead_letter_tells_its_death(channel: BlockingChannel, strategy: dict[str, Any], version: str) -> None:
    declare(channel, "orders", "quorum", **strategy)
    publish(channel, "orders", "order", headers={"own": "header"}, message_id="m", priority=3)
    reject(channel, "orders")
    wait_until_ready(channel, "grave", 1)
    method, properties, _ = channel.basic_get("grave")
    assert (method.redelivered, method.exchange, method.routing_key) == (False, "", "grave")
    assert (properties.message_id, properties.priority) == ("m", 3)
    assert x_death(properties) == death("rejected")
    headers = {name: value for name, value in properties.headers.items() if name != "x-death"}
    first = {f"x-first-death-{name}": headers[f"x-first-death-{name}"] for name in ("exchange", "queue", "reason")}
    assert list(first.values()) == ["", "orders", "rejected"]
    last = {name.replace("first", "last"): value for name, value in first.items()} if version == "4.0" else {}
    assert headers == {"own": "header", **first, **last}


def test_an_expired_message_is_dead_lettered(
    channel: BlockingChannel, strategy: dict[str, Any], let_time_pass: Callable[[float], None]
) -> None:
    declare(channel, "orders", "quorum", message_ttl=100, **strategy)
    publish(channel, "orders", "order")
    let_time_pass(0.5)
    assert only_death(channel) == death("expired")


def test_an_expired_message_keeps_its_expiration_in_x_death(
    channel: BlockingChannel, strategy: dict[str, Any], let_time_pass: Callable[[float], None]
) -> None:
    declare(channel, "orders", "quorum", **strategy)
    publish(channel, "orders", "order", expiration="100")
    let_time_pass(0.5)
    assert only_death(channel) == death("expired", **{"original-expiration": "100"})


def test_returns_beyond_the_delivery_limit_are_dead_lettered(
    channel: BlockingChannel, strategy: dict[str, Any]
) -> None:
    declare(channel, "orders", "quorum", delivery_limit=0, **strategy)
    publish(channel, "orders", "order")
    channel.basic_nack(channel.basic_get("orders")[0].delivery_tag, requeue=True)
    assert only_death(channel) == death("delivery_limit")


@pytest.mark.parametrize("overflow", ["drop-head", "reject-publish-dlx"])
def test_dropped_messages_are_dead_lettered_and_reject_publish_dlx_drops_too(
    channel: BlockingChannel, overflow: str
) -> None:
    arguments = {"dead_letter_exchange": "", "dead_letter_routing_key": "grave", "overflow": overflow}
    declare(channel, "orders", "quorum", max_length=1, **arguments)
    publish(channel, "orders", "1", "2")
    assert only_death(channel) == death("maxlen")
    assert drain(channel, "orders", 1) == ["2"]


def test_without_a_key_the_message_keeps_its_own(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", dead_letter_exchange="amq.fanout")
    channel.queue_bind("grave", "amq.fanout")
    publish(channel, "orders", "order")
    reject(channel, "orders")
    wait_until_ready(channel, "grave", 1)
    method, _, _ = channel.basic_get("grave")
    assert (method.exchange, method.routing_key) == ("amq.fanout", "orders")


@pytest.mark.parametrize("exchange", ["", "no such exchange"])
def test_a_dead_letter_that_leads_nowhere_is_not_ready_any_more(
    channel: BlockingChannel, strategy: dict[str, Any], exchange: str
) -> None:
    nowhere = {**strategy, "dead_letter_exchange": exchange, "dead_letter_routing_key": "nowhere"}
    declare(channel, "orders", "quorum", **nowhere)
    publish(channel, "orders", "order")
    reject(channel, "orders")
    assert drain(channel, "orders", 0) == []


def test_a_purge_does_not_count_what_waits_for_its_dead_letter_exchange(channel: BlockingChannel) -> None:
    arguments = {"dead_letter_exchange": "", "dead_letter_routing_key": "nowhere", **STRATEGIES["at least once"]}
    declare(channel, "orders", "quorum", **arguments)
    publish(channel, "orders", "1", "2")
    reject(channel, "orders")
    assert channel.queue_purge("orders").method.message_count == 1


@pytest.mark.parametrize("missing", ["dead_letter_exchange", "overflow"])
def test_at_least_once_falls_back_to_what_the_other_arguments_allow(channel: BlockingChannel, missing: str) -> None:
    arguments = {"dead_letter_exchange": "", "dead_letter_routing_key": "grave", **STRATEGIES["at least once"]}
    del arguments[missing]
    if missing == "dead_letter_exchange":
        del arguments["dead_letter_routing_key"]
    declare(channel, "orders", "quorum", **arguments)
    publish(channel, "orders", "order")
    reject(channel, "orders")
    expected = [] if missing == "dead_letter_exchange" else ["order"]
    assert drain(channel, "grave", len(expected)) == expected


@pytest.mark.parametrize("source", ["classic", "quorum"])
def test_in_4_0_what_one_quorum_queue_has_rejected_comes_from_another_as_if_delivered_once(
    channel: BlockingChannel, version: str, source: str
) -> None:
    declare(channel, "orders", source, dead_letter_exchange="", dead_letter_routing_key="next")
    declare(channel, "next", "quorum")
    publish(channel, "orders", "order")
    reject(channel, "orders")
    wait_until_ready(channel, "next", 1)
    found = []
    for _ in range(3):
        method, properties, _ = channel.basic_get("next")
        found.append((method.redelivered, properties.headers.get("x-delivery-count")))
        channel.basic_nack(method.delivery_tag, requeue=True)
        wait_until_ready(channel, "next", 1)
    if version == "3.10":
        assert found == [(False, 0), (True, 1), (True, 2)]
    else:
        first = (True, 1) if source == "quorum" else (False, None)
        assert found == [first, (True, 1), (True, 2)]


@pytest.mark.only("4.0")
def test_in_4_0_every_rejection_by_a_quorum_queue_is_shown_as_a_delivery(channel: BlockingChannel) -> None:
    declare(channel, "orders", "quorum", dead_letter_exchange="", dead_letter_routing_key="orders")
    publish(channel, "orders", "order")
    counts = []
    for _ in range(3):
        wait_until_ready(channel, "orders", 1)
        method, properties, _ = channel.basic_get("orders")
        counts.append((properties.headers or {}).get("x-delivery-count"))
        channel.basic_reject(method.delivery_tag, requeue=False)
    assert counts == [None, 1, 2]


@pytest.mark.parametrize(
    ("sent", "dropped"), [(["1", "2", "3", "666666"], ["3", "2", "1"]), (["1", "2", "7777777"], ["7777777", "2", "1"])]
)
def test_what_one_message_pushes_out_comes_latest_first(
    channel: BlockingChannel, sent: list[str], dropped: list[str]
) -> None:
    declare(channel, "orders", "quorum", max_length_bytes=6, dead_letter_exchange="", dead_letter_routing_key="grave")
    publish(channel, "orders", *sent)
    assert drain(channel, "grave", len(dropped)) == dropped
    assert ready(channel, "orders") == len(sent) - len(dropped)


def test_so_does_what_a_policy_pushes_out(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    declare(channel, "orders", "quorum", dead_letter_exchange="", dead_letter_routing_key="grave")
    publish(channel, "orders", "1", "2", "3", "4")
    wait_until_ready(channel, "orders", 4)
    operator.set_policy("p", "^orders$", {"max-length": 1}, vhost)
    assert drain(channel, "grave", 3) == ["3", "2", "1"]


@pytest.mark.parametrize("limit", [{"x-max-length": 0}, {"x-max-length-bytes": 3}])
@pytest.mark.parametrize(("kind", "reason"), [("quorum", "expired"), ("classic", "maxlen")])
def test_what_comes_back_too_late_to_a_full_quorum_queue_expires(
    connect: Connect, channel: BlockingChannel, target: Target, kind: str, reason: str, limit: dict[str, int]
) -> None:
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"}
    arguments = {"x-queue-type": kind, "x-message-ttl": 0, **dead_letters, **limit}
    channel.queue_declare("q", durable=True, arguments=arguments)
    holder = connect().channel()
    held: list[Any] = []
    holder.basic_consume("q", lambda *delivery: held.append(delivery))
    channel.basic_publish("", "q", b"message")
    wait_for(holder.connection, lambda: held)
    target.let_time_pass(0.01)
    holder.close()
    wait_until_ready(channel, "grave", 1)
    assert only_death(channel)["reason"] == reason
