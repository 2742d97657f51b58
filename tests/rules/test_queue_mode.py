"""x-queue-mode, x-queue-version and the two locators: storage and place, which change no message."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._limits import get_all, inequivalent, invalid, not_for_classic_queues, publish

LOCATOR = "x-queue-leader-locator"


def declare(channel: BlockingChannel, **arguments: Any) -> str:
    return channel.queue_declare("orders", arguments=arguments).method.queue


@pytest.mark.parametrize(
    "arguments",
    [
        {"x-queue-mode": "lazy"},
        {"x-queue-mode": "default"},
        {"x-queue-version": 1},
        {"x-queue-version": 2},
        {"x-queue-mode": "lazy", "x-queue-version": 2},
        {"x-queue-mode": "lazy", "x-queue-version": 1, "x-message-ttl": 600000, "x-max-length": 9},
        {"x-queue-mode": "lazy", "x-max-priority": 3},
        {"x-queue-version": 2, "x-max-priority": 3},
    ],
)
def test_a_queue_of_any_mode_and_version_keeps_the_order_of_its_messages(
    channel: BlockingChannel, arguments: dict[str, Any]
) -> None:
    declare(channel, **arguments)
    publish(channel, "orders", b"1", b"2", b"3")
    method, _, _ = channel.basic_get("orders")
    channel.basic_reject(method.delivery_tag, requeue=True)
    assert get_all(channel, "orders") == [b"1", b"2", b"3"]


@pytest.mark.parametrize("flags", [{"durable": True}, {"exclusive": True}, {"auto_delete": True}])
def test_a_queue_of_any_flags_may_be_lazy(channel: BlockingChannel, flags: dict[str, bool]) -> None:
    arguments = {"x-queue-mode": "lazy", "x-queue-version": 2}
    assert channel.queue_declare("orders", arguments=arguments, **flags).method.queue == "orders"


@pytest.mark.parametrize("locator", ["min-masters", "client-local", "random"])
def test_a_known_master_locator_is_accepted(channel: BlockingChannel, locator: str) -> None:
    declare(channel, **{"x-queue-master-locator": locator})
    publish(channel, "orders", b"1")
    assert get_all(channel, "orders") == [b"1"]


@pytest.mark.only("4.0")
@pytest.mark.parametrize("locator", ["nonsense", "", 1, None, True, b"random", [], {}])
def test_a_master_locator_may_be_anything(channel: BlockingChannel, locator: Any) -> None:
    assert declare(channel, **{"x-queue-master-locator": locator}) == "orders"


@pytest.mark.only("3.10")
@pytest.mark.parametrize("locator", ["client-local", "balanced", "nonsense", 1, None])
def test_a_leader_locator_is_not_for_classic_queues(channel: BlockingChannel, vhost: str, locator: Any) -> None:
    with channel_closed(406, not_for_classic_queues(LOCATOR, vhost)):
        declare(channel, **{LOCATOR: locator})


@pytest.mark.only("4.0")
@pytest.mark.parametrize("locator", ["client-local", "balanced", "least-leaders", "min-masters", "random"])
def test_a_known_leader_locator_is_accepted(channel: BlockingChannel, locator: str) -> None:
    assert declare(channel, **{LOCATOR: locator}) == "orders"


@pytest.mark.only("4.0")
@pytest.mark.parametrize("locator", ["nonsense", "", "Balanced"])
def test_an_unknown_leader_locator_is_refused(channel: BlockingChannel, vhost: str, locator: str) -> None:
    with channel_closed(406, invalid(LOCATOR, vhost, "invalid_queue_locator_arg")):
        declare(channel, **{LOCATOR: locator})


@pytest.mark.only("4.0")
@pytest.mark.parametrize(
    ("locator", "wire_type"),
    [(1, "signedint"), (2**40, "long"), (True, "bool"), (None, "void"), (b"balanced", "binary"), ([], "array")],
)
def test_a_leader_locator_that_is_no_string_is_refused(
    channel: BlockingChannel, vhost: str, locator: Any, wire_type: str
) -> None:
    with channel_closed(406, invalid(LOCATOR, vhost, f"{{unacceptable_type,{wire_type}}}")):
        declare(channel, **{LOCATOR: locator})


def test_a_leader_locator_is_compared_where_classic_queues_know_it(
    channel: BlockingChannel, vhost: str, version: str
) -> None:
    declare(channel)
    if version == "3.10":
        assert declare(channel, **{LOCATOR: "balanced"}) == "orders"
        return
    difference = "received the value 'balanced' of type 'longstr' but current is none"
    with channel_closed(406, inequivalent(LOCATOR, vhost, difference)):
        declare(channel, **{LOCATOR: "balanced"})


@pytest.mark.only("4.0")
def test_another_leader_locator_is_refused(channel: BlockingChannel, vhost: str) -> None:
    declare(channel, **{LOCATOR: "balanced"})
    with channel_closed(406, inequivalent(LOCATOR, vhost, "received 'client-local' but current is 'balanced'")):
        declare(channel, **{LOCATOR: "client-local"})
