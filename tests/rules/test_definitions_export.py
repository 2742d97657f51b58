"""Definitions: what export_definitions tells."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._definitions import Definition, binding, exchange, queue
from tests.rules._operator import declare_quorum, kept
from tests.rules._queues import Connect
from tests.rules._routing import is_routed

Exported = Callable[[str], list[Definition]]


@pytest.fixture
def exported(operator: Any, vhost: str) -> Exported:
    """The exported definitions of one kind that belong to this test's virtual host."""

    def exported(kind: str) -> list[Definition]:
        return [each for each in operator.export_definitions()[kind] if each.get("vhost") == vhost]

    return exported


def test_an_exported_queue(channel: BlockingChannel, exported: Exported, vhost: str, version: str) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-max-length": 2, "x-dead-letter-exchange": ""})
    arguments = {"x-max-length": 2, "x-dead-letter-exchange": ""}
    if version == "4.0":
        arguments["x-queue-type"] = "classic"
    assert exported("queues") == [queue("orders", vhost, arguments=arguments)]


def test_transient_auto_delete_and_quorum_queues_are_exported(
    channel: BlockingChannel, exported: Exported, vhost: str
) -> None:
    channel.queue_declare("transient")
    channel.queue_declare("auto", auto_delete=True)
    declare_quorum(channel, "quorum")
    found = {each["name"]: (each["durable"], each["auto_delete"]) for each in exported("queues")}
    assert found == {"transient": (False, False), "auto": (False, True), "quorum": (True, False)}


def test_exclusive_queues_and_their_bindings_are_not_exported(channel: BlockingChannel, exported: Exported) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("mine", "amq.direct", "k")
    assert exported("queues") == []
    assert exported("bindings") == []


def test_exported_exchanges(channel: BlockingChannel, exported: Exported, vhost: str) -> None:
    channel.exchange_declare("x", "topic", durable=True, arguments={"alternate-exchange": "y"})
    channel.exchange_declare("inner", "fanout", auto_delete=True, internal=True)
    found = sorted(exported("exchanges"), key=lambda each: each["name"])
    assert found == [
        exchange("inner", vhost, type="fanout", durable=False, auto_delete=True, internal=True),
        exchange("x", vhost, type="topic", arguments={"alternate-exchange": "y"}),
    ]


def test_exported_bindings(channel: BlockingChannel, exported: Exported, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.headers", "", {"x-match": "all", "a": 1})
    channel.exchange_bind("amq.topic", "amq.fanout", "k")
    found = sorted(exported("bindings"), key=lambda each: each["source"])
    assert found == [
        binding("amq.fanout", "amq.topic", "k", vhost, destination_type="exchange"),
        binding("amq.headers", "orders", "", vhost, arguments={"x-match": "all", "a": 1}),
    ]


def test_exported_policies_operator_policies_and_limits(operator: Any, exported: Exported, vhost: str) -> None:
    operator.set_policy("p", "^o", {"max-length": 2}, vhost, apply_to="queues", priority=3)
    operator.set_operator_policy("o", "^o", {"max-length": 5}, vhost)
    operator.set_vhost_limits({"max-queues": 7}, vhost)
    common = {"pattern": "^o", "definition": {"max-length": 2}, "priority": 3, "apply-to": "queues"}
    assert exported("policies") == [{"vhost": vhost, "name": "p", **common}]
    value = {"pattern": "^o", "definition": {"max-length": 5}, "priority": 0, "apply-to": "all"}
    assert sorted(exported("parameters"), key=lambda each: each["component"]) == [
        {"vhost": vhost, "component": "operator_policy", "name": "o", "value": value},
        {"vhost": vhost, "component": "vhost-limits", "name": "limits", "value": {"max-queues": 7}},
    ]


def test_exported_users_and_permissions(operator: Any, vhost: str, exported: Exported) -> None:
    name = f"alice-{vhost}"
    operator.add_user(name, "secret", tags=("monitoring", "x"))
    operator.set_permissions(name, "a", "b", "c", vhost=vhost)
    operator.set_topic_permissions(name, "amq.topic", "b", "c", vhost=vhost)
    operator.set_user_limits(name, {"max-channels": 5})
    (user,) = (each for each in operator.export_definitions()["users"] if each["name"] == name)
    salted = base64.b64decode(user.pop("password_hash"))
    assert salted[4:] == hashlib.sha256(salted[:4] + b"secret").digest()
    assert user == {
        "name": name,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["monitoring", "x"],
        "limits": {"max-channels": 5},
    }
    permission = {"user": name, "vhost": vhost, "configure": "a", "write": "b", "read": "c"}
    assert permission in exported("permissions")
    topic = {"user": name, "vhost": vhost, "exchange": "amq.topic", "write": "b", "read": "c"}
    assert exported("topic_permissions") == [topic]


def test_the_version_is_exported(operator: Any, version: str) -> None:
    full = {"3.10": "3.10.8", "4.0": "4.0.5"}[version]
    definitions = operator.export_definitions()
    assert (definitions["rabbit_version"], definitions["rabbitmq_version"]) == (full, full)


def test_what_is_exported_can_be_imported_elsewhere(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    channel.queue_declare("orders", durable=True)
    channel.exchange_declare("x", durable=True)
    channel.queue_bind("orders", "x", "k")
    operator.set_policy("p", ".*", {"max-length": 2}, vhost)
    definitions = operator.export_definitions(vhost)
    assert "vhost" not in definitions["queues"][0]
    other = f"{vhost}-other"
    operator.add_vhost(other)
    operator.import_definitions(definitions, other)
    copy = connect(virtual_host=other).channel()
    assert is_routed(copy, "x", "k")
    assert kept(copy, "orders") == 2
