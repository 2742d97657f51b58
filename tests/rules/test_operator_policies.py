"""Operator policies: they are merged with the policy that applies."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._operator import FIVE, Pass, declare_quorum, kept, publish, refused
from tests.rules._queues import ready
from tests.rules._routing import is_routed


def test_an_operator_policy_applies_alone(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_operator_policy("o", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 2


@pytest.mark.parametrize(("policy", "operators", "length"), [(2, 3, 2), (3, 2, 2)])
def test_the_smaller_number_of_both_policies_holds(
    channel: BlockingChannel, operator: Any, vhost: str, policy: int, operators: int, length: int
) -> None:
    operator.set_policy("p", ".*", {"max-length": policy}, vhost)
    operator.set_operator_policy("o", ".*", {"max-length": operators}, vhost)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == length


@pytest.mark.parametrize(("argument", "operators"), [(2, 3), (3, 2)])
def test_the_smaller_number_of_argument_and_operator_policy_holds(
    channel: BlockingChannel, operator: Any, vhost: str, argument: int, operators: int
) -> None:
    operator.set_operator_policy("o", ".*", {"max-length": operators}, vhost)
    channel.queue_declare("orders", arguments={"x-max-length": argument})
    assert kept(channel, "orders") == 2


def test_the_smallest_of_three_holds(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    operator.set_operator_policy("o", ".*", {"max-length": 3}, vhost)
    channel.queue_declare("orders", arguments={"x-max-length": 4})
    assert kept(channel, "orders") == 2


def test_keys_of_either_policy_hold(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"overflow": "reject-publish"}, vhost)
    operator.set_operator_policy("o", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    assert get_all(channel, "orders") == FIVE[:2]


def test_priorities_choose_within_each_kind(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 4}, vhost, priority=9)
    operator.set_operator_policy("low", ".*", {"max-length": 1}, vhost, priority=1)
    operator.set_operator_policy("high", ".*", {"max-length": 3}, vhost, priority=2)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 3


def test_a_policy_and_an_operator_policy_may_have_one_name(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 3}, vhost)
    operator.set_operator_policy("p", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 2
    operator.clear_operator_policy("p", vhost)
    assert kept(channel, "orders") == 3


def test_it_applies_at_once_to_queues_that_live(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    publish(channel, "orders", *FIVE)
    operator.set_operator_policy("o", ".*", {"max-length": 2}, vhost)
    assert ready(channel, "orders") == 2


def test_the_smaller_ttl_holds(channel: BlockingChannel, operator: Any, vhost: str, let_time_pass: Pass) -> None:
    operator.set_policy("p", ".*", {"message-ttl": 60_000}, vhost)
    operator.set_operator_policy("o", ".*", {"message-ttl": 100}, vhost)
    channel.queue_declare("orders")
    publish(channel, "orders", b"order")
    let_time_pass(0.5)
    assert ready(channel, "orders") == 0


@pytest.mark.parametrize(("policy", "operators", "returns"), [(0, 3, 1), (3, 0, 1), (2, 1, 2)])
def test_the_smaller_delivery_limit_holds(
    channel: BlockingChannel, operator: Any, vhost: str, policy: int, operators: int, returns: int
) -> None:
    operator.set_policy("p", ".*", {"delivery-limit": policy}, vhost)
    operator.set_operator_policy("o", ".*", {"delivery-limit": operators}, vhost)
    declare_quorum(channel, "orders")
    publish(channel, "orders", b"order")
    assert nacks_until_gone(channel) == returns


@pytest.mark.only("4.0")
@pytest.mark.parametrize(("policy", "operators"), [(-1, 2), (2, -1)])
def test_the_larger_delivery_limit_holds_if_one_is_negative(
    channel: BlockingChannel, operator: Any, vhost: str, policy: int, operators: int
) -> None:
    operator.set_policy("p", ".*", {"delivery-limit": policy}, vhost)
    operator.set_operator_policy("o", ".*", {"delivery-limit": operators}, vhost)
    declare_quorum(channel, "orders")
    publish(channel, "orders", b"order")
    assert nacks_until_gone(channel) == 3


def nacks_until_gone(channel: BlockingChannel) -> int:
    for count in range(10):
        method, _, _ = channel.basic_get("orders")
        if method is None:
            return count
        channel.basic_nack(method.delivery_tag, requeue=True)
    raise AssertionError("no limit")


@pytest.mark.only("4.0")
def test_the_overflow_of_the_operator_policy_wins_over_the_policy_but_not_over_the_argument(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_policy("p", ".*", {"max-length": 2, "overflow": "drop-head"}, vhost)
    operator.set_operator_policy("o", ".*", {"overflow": "reject-publish"}, vhost)
    channel.queue_declare("without")
    publish(channel, "without", *FIVE)
    assert get_all(channel, "without") == FIVE[:2]
    channel.queue_declare("with", arguments={"x-overflow": "drop-head"})
    publish(channel, "with", *FIVE)
    assert get_all(channel, "with") == FIVE[3:]


@pytest.mark.parametrize(
    "definition",
    [
        {"dead-letter-exchange": "x"},
        {"alternate-exchange": "x"},
        {"queue-mode": "lazy"},
        {"dead-letter-routing-key": "x"},
        {"queue-leader-locator": "balanced"},
    ],
)
def test_other_keys_are_refused(operator: Any, vhost: str, definition: dict[str, str]) -> None:
    ((key, value),) = definition.items()
    with refused(f'[{{<<"{key}">>,<<"{value}">>}}] are not recognised policy settings'):
        operator.set_operator_policy("o", ".*", definition, vhost)


@pytest.mark.only("3.10")
@pytest.mark.parametrize(
    ("definition", "printed"),
    [
        ({"overflow": "drop-head"}, '{<<"overflow">>,<<"drop-head">>}'),
        ({"queue-version": 2}, '{<<"queue-version">>,2}'),
    ],
)
def test_keys_that_4_0_alone_has(operator: Any, vhost: str, definition: dict[str, Any], printed: str) -> None:
    with refused(f"[{printed}] are not recognised policy settings"):
        operator.set_operator_policy("o", ".*", definition, vhost)


def test_values_are_checked_as_in_policies(operator: Any, vhost: str) -> None:
    with refused("-1 is not a valid message TTL"):
        operator.set_operator_policy("o", ".*", {"message-ttl": -1}, vhost)


def test_apply_to_works_as_in_policies(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_operator_policy("o", ".*", {"max-length": 2}, vhost, apply_to="exchanges")
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 5


def test_a_key_of_another_queue_type_makes_an_operator_policy_inapplicable_too(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_operator_policy("o", ".*", {"max-length": 2, "delivery-limit": 5}, vhost)
    channel.queue_declare("classic")
    declare_quorum(channel, "quorum")
    assert (kept(channel, "classic"), kept(channel, "quorum")) == (5, 2)


def test_an_exchange_with_only_an_operator_policy_routes_as_before(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_operator_policy("o", ".*", {"max-length": 2}, vhost)
    channel.exchange_declare("x")
    assert not is_routed(channel, "x", "nowhere")
