"""Policies: which one applies to a queue or an exchange."""

from __future__ import annotations

import contextlib
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._operator import FIVE, declare_quorum, kept, publish, refused
from tests.rules._queues import Connect, wait_until_ready
from tests.rules._routing import is_routed


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("orders", True),
        ("^orders", False),
        ("orders$", True),
        (r"^new\.orders$", True),
        ("", True),
        ("ORDERS", False),
        ("(?i)ORDERS", True),
        (r"^[a-z]+\.\w{6}$", True),
        ("^new.*s.$", False),
        ("invoices|orders", True),
        ("*", None),
    ],
)
def test_the_pattern_is_a_regular_expression_searched_in_the_name(
    channel: BlockingChannel, operator: Any, vhost: str, pattern: str, matches: bool | None
) -> None:
    if matches is None:
        with refused('pattern should be regular expression but is invalid: {"nothing to repeat",0}'):
            operator.set_policy("p", pattern, {"max-length": 2}, vhost)
        return
    operator.set_policy("p", pattern, {"max-length": 2}, vhost)
    channel.queue_declare("new.orders")
    assert kept(channel, "new.orders") == (2 if matches else 5)


def test_a_policy_applies_to_queues_declared_before_and_after(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    channel.queue_declare("before")
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("after")
    assert (kept(channel, "before"), kept(channel, "after")) == (2, 2)


def test_a_policy_ends_when_it_is_cleared(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("orders")
    operator.clear_policy("p", vhost)
    assert kept(channel, "orders") == 5


def test_a_policy_is_replaced_as_a_whole_by_one_of_its_name(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_policy("p", ".*", {"max-length": 2, "overflow": "reject-publish"}, vhost)
    channel.queue_declare("orders")
    operator.set_policy("p", ".*", {"max-length": 3}, vhost)
    publish(channel, "orders", *FIVE)
    assert get_all(channel, "orders") == FIVE[2:]


def test_the_policy_of_the_highest_priority_applies(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("a", ".*", {"max-length": 1}, vhost, priority=-1)
    operator.set_policy("b", ".*", {"max-length": 3}, vhost, priority=2)
    operator.set_policy("c", ".*", {"max-length": 2}, vhost, priority=1)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 3


def test_policies_are_not_merged(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("low", ".*", {"max-length": 1, "overflow": "reject-publish"}, vhost, priority=0)
    operator.set_policy("high", ".*", {"overflow": "drop-head"}, vhost, priority=1)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 5


def test_the_next_policy_applies_when_the_first_is_cleared(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("low", ".*", {"max-length": 1}, vhost, priority=0)
    operator.set_policy("high", ".*", {"max-length": 3}, vhost, priority=1)
    channel.queue_declare("orders")
    operator.clear_policy("high", vhost)
    assert kept(channel, "orders") == 1


def test_the_priority_may_be_a_fraction(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("low", ".*", {"max-length": 1}, vhost, priority=1)
    operator.set_policy("high", ".*", {"max-length": 3}, vhost, priority=1.5)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 3


def test_a_policy_stays_in_its_virtual_host(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    operator.add_vhost(f"{vhost}-other")
    operator.set_policy("p", ".*", {"max-length": 2}, f"{vhost}-other")
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 5
    other = connect(virtual_host=f"{vhost}-other").channel()
    other.queue_declare("orders")
    assert kept(other, "orders") == 2


@pytest.mark.parametrize(("apply_to", "length"), [("all", 2), ("queues", 2), ("exchanges", 5)])
def test_apply_to_chooses_between_queues_and_exchanges(
    channel: BlockingChannel, operator: Any, vhost: str, apply_to: str, length: int
) -> None:
    operator.set_policy("p", ".*", {"max-length": 2}, vhost, apply_to=apply_to)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == length


@pytest.mark.parametrize(("apply_to", "routed"), [("all", True), ("queues", False), ("exchanges", True)])
def test_apply_to_of_an_alternate_exchange(
    channel: BlockingChannel, operator: Any, vhost: str, apply_to: str, routed: bool
) -> None:
    operator.set_policy("p", "^x$", {"alternate-exchange": "amq.fanout"}, vhost, apply_to=apply_to)
    channel.exchange_declare("x")
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.fanout")
    assert is_routed(channel, "x", "nowhere") is routed


@pytest.mark.only("4.0")
@pytest.mark.parametrize(
    ("apply_to", "classic", "quorum"), [("classic_queues", 2, 5), ("quorum_queues", 5, 2), ("streams", 5, 5)]
)
def test_apply_to_can_name_a_queue_type(
    channel: BlockingChannel, operator: Any, vhost: str, apply_to: str, classic: int, quorum: int
) -> None:
    operator.set_policy("p", ".*", {"max-length": 2}, vhost, apply_to=apply_to)
    channel.queue_declare("classic")
    declare_quorum(channel, "quorum")
    assert (kept(channel, "classic"), kept(channel, "quorum")) == (classic, quorum)


@pytest.mark.parametrize("key", ["delivery-limit", "initial-cluster-size"])
def test_a_policy_with_a_key_that_classic_queues_do_not_have_does_not_apply_to_them_at_all(
    channel: BlockingChannel, operator: Any, vhost: str, key: str
) -> None:
    operator.set_policy("high", ".*", {"max-length": 2, key: 5}, vhost, priority=1)
    operator.set_policy("low", ".*", {"max-length": 3}, vhost, priority=0)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 3


def test_a_policy_with_a_key_that_quorum_queues_do_not_have_does_not_apply_to_them_at_all(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_policy("high", ".*", {"max-length": 2, "queue-mode": "lazy"}, vhost, priority=1)
    operator.set_policy("low", ".*", {"max-length": 3}, vhost, priority=0)
    declare_quorum(channel, "orders")
    assert kept(channel, "orders") == 3


@pytest.mark.parametrize("definition", [{"max-length": 5, "alternate-exchange": "amq.fanout"}, {"queue-version": 2}])
def test_other_mixtures_do_apply(
    channel: BlockingChannel, operator: Any, vhost: str, definition: dict[str, Any]
) -> None:
    operator.set_policy("p", ".*", {**definition, "max-length": 2}, vhost)
    declare_quorum(channel, "quorum")
    channel.queue_declare("classic")
    assert (kept(channel, "classic"), kept(channel, "quorum")) == (2, 2)


def test_a_policy_is_no_part_of_a_redeclaration(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.exchange_declare("x")
    operator.set_policy("p", ".*", {"max-length": 2, "alternate-exchange": "amq.fanout"}, vhost)
    assert channel.queue_declare("orders").method.queue == "orders"
    channel.exchange_declare("x")
    with channel_closed(
        406,
        f"PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'orders' in vhost '{vhost}': "
        "received the value '2' of type 'signedint' but current is none",
    ):
        channel.queue_declare("orders", arguments={"x-max-length": 2})


def test_an_exclusive_queue_and_one_named_by_the_broker_have_policies_too(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_policy("p", r"^amq\.gen", {"max-length": 2}, vhost)
    queue = channel.queue_declare("", exclusive=True).method.queue
    assert kept(channel, queue) == 2


def test_a_predeclared_exchange_may_have_a_policy(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", r"^amq\.direct$", {"alternate-exchange": "amq.fanout"}, vhost)
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.fanout")
    assert is_routed(channel, "amq.direct", "nowhere")


def test_a_policy_does_not_change_how_the_default_exchange_routes(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_policy("p", "^$", {"alternate-exchange": "amq.fanout"}, vhost)
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.fanout")
    assert not is_routed(channel, "", "nowhere")


@pytest.mark.parametrize(
    ("definition", "accepts"),
    [
        ({"max-length": 5, "overflow": "reject-publish"}, {"3.10": True, "4.0": True}),
        ({"max-length": 5}, {"3.10": False, "4.0": False}),
        ({"overflow": "reject-publish"}, {"3.10": False, "4.0": True}),
        (None, {"3.10": False, "4.0": True}),
    ],
)
def test_whom_a_quorum_queue_refused_it_tells_only_as_it_gets_another_limit_of_that_kind(
    channel: BlockingChannel, operator: Any, vhost: str, version: str, definition: Any, accepts: dict[str, bool]
) -> None:
    operator.set_policy("p", ".*", {"max-length": 0, "overflow": "reject-publish"}, vhost)
    declare_quorum(channel, "orders")
    publisher = channel.connection.channel()
    publisher.confirm_delivery()
    publisher.basic_publish("", "orders", b"accepted")
    with pytest.raises(pika.exceptions.NackError):
        publisher.basic_publish("", "orders", b"refused")
    if definition is None:
        operator.clear_policy("p", vhost)
    else:
        operator.set_policy("p", ".*", definition, vhost)
    wait_until_ready(channel, "orders", 1)
    with contextlib.nullcontext() if accepts[version] else pytest.raises(pika.exceptions.NackError):
        publisher.basic_publish("", "orders", b"next")
    publish(channel, "orders", b"of another publisher")
    expected = [b"accepted", *([b"next"] if accepts[version] else []), b"of another publisher"]
    assert get_all(channel, "orders") == expected
