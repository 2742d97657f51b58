"""Policies that RabbitMQ refuses, and its texts."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._operator import kept, refused

BAD_VALUES: list[tuple[str, Any, str]] = [
    ("message-ttl", -1, "-1 is not a valid message TTL"),
    ("message-ttl", "5", '<<"5">> is not a valid message TTL'),
    ("message-ttl", 1.5, "1.5 is not a valid message TTL"),
    ("message-ttl", True, "true is not a valid message TTL"),
    ("message-ttl", None, "null is not a valid message TTL"),
    ("expires", 0, "0 is not a valid queue expiry"),
    ("expires", -1, "-1 is not a valid queue expiry"),
    ("max-length", -1, "-1 is not a valid maximum length"),
    ("max-length-bytes", -1, "-1 is not a valid maximum length in bytes"),
    ("max-in-memory-length", -1, "-1 is not a valid maximum memory in bytes"),
    ("max-in-memory-bytes", -1, "-1 is not a valid maximum memory in bytes"),
    ("overflow", "nonsense", '<<"nonsense">> is not a valid overflow value'),
    ("overflow", 5, "5 is not a valid overflow value"),
    ("dead-letter-exchange", 5, "5 is not a valid dead letter exchange name"),
    ("dead-letter-routing-key", 5, "5 is not a valid dead letter routing key"),
    ("dead-letter-strategy", "x", '<<"x">> is not a valid dead letter strategy'),
    ("alternate-exchange", 5, "5 is not a valid alternate exchange name"),
    ("alternate-exchange", ["a"], '[<<"a">>] is not a valid alternate exchange name'),
    ("queue-mode", "x", '<<"x">> is not a valid queue-mode value'),
    ("queue-version", 3, "3 is not a valid queue-version value"),
    ("delivery-limit", "x", '<<"x">> is not a valid delivery limit'),
    ("queue-leader-locator", "x", '<<"x">> is not a valid queue leader locator value'),
    ("max-priority", 5, '[{<<"max-priority">>,5}] are not recognised policy settings'),
    ("single-active-consumer", True, '[{<<"single-active-consumer">>,true}] are not recognised policy settings'),
    ("x-message-ttl", 5, '[{<<"x-message-ttl">>,5}] are not recognised policy settings'),
]
GOOD_VALUES: list[tuple[str, Any]] = [
    ("message-ttl", 0),
    ("message-ttl", 10**12),
    ("expires", 1),
    ("max-length", 0),
    ("max-length-bytes", 0),
    ("overflow", "drop-head"),
    ("overflow", "reject-publish"),
    ("overflow", "reject-publish-dlx"),
    ("dead-letter-exchange", ""),
    ("dead-letter-exchange", "there is no such exchange"),
    ("dead-letter-strategy", "at-least-once"),
    ("alternate-exchange", ""),
    ("queue-mode", "lazy"),
    ("queue-mode", "default"),
    ("queue-version", 1),
    ("queue-version", 2),
    ("delivery-limit", 0),
    ("queue-leader-locator", "balanced"),
    ("queue-leader-locator", "random"),
    ("queue-leader-locator", "least-leaders"),
    ("queue-leader-locator", "client-local"),
    ("max-age", "1h"),
    ("initial-cluster-size", 3),
]


@pytest.mark.parametrize(("key", "value", "text"), BAD_VALUES)
def test_a_bad_value_is_refused(operator: Any, vhost: str, key: str, value: Any, text: str) -> None:
    with refused(f"Validation failed\n\n{text}\n"):
        operator.set_policy("p", ".*", {key: value}, vhost)


@pytest.mark.parametrize(("key", "value"), GOOD_VALUES)
def test_a_good_value_is_accepted(channel: BlockingChannel, operator: Any, vhost: str, key: str, value: Any) -> None:
    operator.set_policy("p", "^unused$", {key: value}, vhost)
    operator.set_policy("q", ".*", {"max-length": 2}, vhost)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 2
    operator.clear_policy("p", vhost)


@pytest.mark.parametrize(
    ("key", "value", "on_3_10", "on_4_0"),
    [
        ("delivery-limit", -1, "-1 is not a valid delivery limit", None),
        ("consumer-timeout", 5, '[{<<"consumer-timeout">>,5}] are not recognised policy settings', None),
        (
            "consumer-timeout",
            -1,
            '[{<<"consumer-timeout">>,-1}] are not recognised policy settings',
            "-1 is not a valid consumer timeout",
        ),
        ("ha-mode", "all", None, '[{<<"ha-mode">>,<<"all">>}] are not recognised policy settings'),
    ],
)
def test_values_that_one_version_alone_accepts(
    operator: Any, vhost: str, version: str, key: str, value: Any, on_3_10: str | None, on_4_0: str | None
) -> None:
    text = {"3.10": on_3_10, "4.0": on_4_0}[version]
    if text is None:
        operator.set_policy("p", ".*", {key: value}, vhost)
        operator.clear_policy("p", vhost)
    else:
        with refused(text):
            operator.set_policy("p", ".*", {key: value}, vhost)


def test_an_empty_definition_is_refused(operator: Any, vhost: str) -> None:
    with refused("no policy provided"):
        operator.set_policy("p", ".*", {}, vhost)


def test_all_unknown_keys_are_told_in_order(operator: Any, vhost: str) -> None:
    with refused('[{<<"bar">>,<<"x">>},{<<"foo">>,1}] are not recognised policy settings'):
        operator.set_policy("p", ".*", {"foo": 1, "max-length": 2, "bar": "x"}, vhost)


def test_only_the_first_bad_value_in_the_order_of_the_keys_is_told(operator: Any, vhost: str) -> None:
    with refused("Validation failed\n\n-1 is not a valid maximum length\n"):
        operator.set_policy("p", ".*", {"message-ttl": -1, "max-length": -1, "foo": 1}, vhost)


@pytest.mark.parametrize(("pattern", "reason"), [("(", '{"missing )",1}'), ("*", '{"nothing to repeat",0}')])
def test_a_bad_pattern_is_refused(operator: Any, vhost: str, pattern: str, reason: str) -> None:
    with refused(f"pattern should be regular expression but is invalid: {reason}"):
        operator.set_policy("p", pattern, {"max-length": 2}, vhost)


def test_a_priority_that_is_no_number_is_refused(operator: Any, vhost: str) -> None:
    with refused('priority should be a number, actually was <<"x">>'):
        operator.set_policy("p", ".*", {"max-length": 2}, vhost, priority="x")


def apply_to_text(version: str, apply_to: str) -> str:
    choices = {
        "3.10": "'queues', 'exchanges' or 'all'",
        "4.0": "one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'",
    }[version]
    return f"apply-to '{apply_to}' unrecognised; should be {choices}"


def test_an_unknown_apply_to_is_refused(operator: Any, vhost: str, version: str) -> None:
    with refused(apply_to_text(version, "nonsense")):
        operator.set_policy("p", ".*", {"max-length": 2}, vhost, apply_to="nonsense")


@pytest.mark.only("3.10")
@pytest.mark.parametrize("apply_to", ["classic_queues", "quorum_queues", "streams"])
def test_queue_types_are_unknown_to_apply_to_of_3_10(operator: Any, vhost: str, version: str, apply_to: str) -> None:
    with refused(apply_to_text(version, apply_to)):
        operator.set_policy("p", ".*", {"max-length": 2}, vhost, apply_to=apply_to)


def test_all_problems_are_told_at_once(operator: Any, vhost: str, version: str) -> None:
    with refused(
        "Validation failed\n\n"
        '[{<<"foo">>,1}] are not recognised policy settings\n'
        f"{apply_to_text(version, 'x')}\n"
        'pattern should be regular expression but is invalid: {"missing )",1}\n'
        'priority should be a number, actually was <<"x">>\n'
    ):
        operator.set_policy("p", "(", {"foo": 1}, vhost, apply_to="x", priority="x")


def test_a_refused_policy_leaves_the_one_of_its_name(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    with refused("-1 is not a valid maximum length"):
        operator.set_policy("p", ".*", {"max-length": -1}, vhost)
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 2


def test_clearing_a_policy_that_does_not_exist_is_refused(operator: Any, vhost: str) -> None:
    with refused():
        operator.clear_policy("nope", vhost)
    with refused():
        operator.clear_operator_policy("nope", vhost)


def test_a_missing_virtual_host_is_refused(operator: Any, vhost: str) -> None:
    with refused():
        operator.set_policy("p", ".*", {"max-length": 2}, f"{vhost}-nope")
    with refused():
        operator.clear_policy("p", f"{vhost}-nope")
