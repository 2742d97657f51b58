"""Definitions: what import_definitions makes of them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._definitions import Definition, binding, exchange, policy, queue
from tests.rules._helpers import get_all
from tests.rules._operator import kept, publish, refused
from tests.rules._queues import Connect, missing
from tests.rules._routing import exchange_exists, is_routed


def test_queues_exchanges_and_bindings_are_made(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    definitions = {
        "queues": [queue("orders", vhost, arguments={"x-max-length": 2})],
        "exchanges": [exchange("x", vhost), exchange("inner", vhost, type="fanout", internal=True)],
        "bindings": [
            binding("x", "inner", "k", vhost, destination_type="exchange"),
            binding("inner", "orders", "", vhost),
        ],
    }
    operator.import_definitions(definitions)
    channel.queue_declare("orders", durable=True, arguments={"x-max-length": 2})
    channel.exchange_declare("inner", "fanout", durable=True, internal=True)
    assert is_routed(channel, "x", "k")
    assert kept(channel, "orders") == 2


def test_importing_again_changes_nothing(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    definitions = {
        "queues": [queue("orders", vhost)],
        "exchanges": [exchange("x", vhost)],
        "bindings": [binding("x", "orders", "k", vhost)],
    }
    operator.import_definitions(definitions)
    publish(channel, "orders", b"order")
    operator.import_definitions(definitions)
    assert get_all(channel, "orders") == [b"order"]


def test_what_exists_stays_as_it_is(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.exchange_declare("x", "fanout")
    definitions = {
        "queues": [queue("orders", vhost, arguments={"x-max-length": 2})],
        "exchanges": [exchange("x", vhost)],
    }
    operator.import_definitions(definitions)
    assert channel.queue_declare("orders", auto_delete=True).method.queue == "orders"
    channel.exchange_declare("x", "fanout")
    assert kept(channel, "orders") == 5


def test_what_is_not_in_the_definitions_stays(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    operator.import_definitions({"queues": [queue("other", vhost)]})
    assert channel.queue_declare("orders", passive=True).method.queue == "orders"


def test_unknown_keys_are_ignored(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.import_definitions({"foo": 1, "bar": [2], "queues": [queue("orders", vhost, type="quorum", foo=1)]})
    assert channel.queue_declare("orders", durable=True).method.queue == "orders"


def test_nothing_may_be_imported(operator: Any, channel: BlockingChannel) -> None:
    operator.import_definitions({})
    assert channel.is_open


def test_optional_keys(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    named = {"vhost": vhost, "durable": True, "auto_delete": False}
    definitions = {
        "queues": [{"name": "orders", **named}],
        "exchanges": [{"name": "x", "type": "direct", **named}],
        "policies": [{"vhost": vhost, "name": "p", "pattern": ".*", "definition": {"max-length": 2}}],
    }
    operator.import_definitions(definitions)
    channel.exchange_declare("x", durable=True, internal=False)
    assert kept(channel, "orders") == 2


def test_queues_of_all_types(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    kinds = ("classic", "quorum", "stream")
    operator.import_definitions({"queues": [queue(each, vhost, arguments={"x-queue-type": each}) for each in kinds]})
    for each in kinds:
        assert channel.queue_declare(each, durable=True, arguments={"x-queue-type": each}).method.queue == each


def test_a_transient_quorum_queue_is_left_out_silently(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.import_definitions({"queues": [queue("q", vhost, durable=False, arguments={"x-queue-type": "quorum"})]})
    with channel_closed(404, missing("q", vhost)):
        channel.queue_declare("q", passive=True)


def test_reserved_names_are_left_out_silently(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    definitions = {"queues": [queue("amq.q", vhost)], "exchanges": [exchange("amq.x", vhost), exchange("", vhost)]}
    operator.import_definitions(definitions)
    assert not exchange_exists(channel.connection, "amq.x")
    with channel_closed(404, missing("amq.q", vhost)):
        channel.queue_declare("amq.q", passive=True)


@pytest.mark.parametrize(
    ("kind", "definition"),
    [
        ("queues", queue("q", "nope")),
        ("exchanges", exchange("x", "nope")),
        ("policies", policy("p", "nope", max_length=2)),
        ("permissions", {"user": "guest", "vhost": "nope", "configure": "", "write": "", "read": ""}),
    ],
)
def test_a_missing_virtual_host_is_refused(operator: Any, version: str, kind: str, definition: Definition) -> None:
    texts = {"3.10": [], "4.0": ['Please create virtual host "nope" prior to importing definitions.']}
    with refused(*texts[version]):
        operator.import_definitions({kind: [definition]})


def test_a_binding_of_something_missing_is_ignored_on_3_10_and_refused_on_4_0(
    channel: BlockingChannel, operator: Any, vhost: str, version: str
) -> None:
    definitions = {"exchanges": [exchange("x", vhost)], "bindings": [binding("x", "nope", "k", vhost)]}
    if version == "3.10":
        operator.import_definitions(definitions)
    else:
        with refused("resources_missing", '<<"nope">>'):
            operator.import_definitions(definitions)
    assert exchange_exists(channel.connection, "x")


@pytest.mark.parametrize(
    ("definitions", "text"),
    [
        ({"queues": [queue("q", "", arguments={"x-max-length": -1})]}, "{value_negative,-1}"),
        ({"queues": [queue("q", "", arguments={"x-queue-type": "z"})]}, "\"unsupported queue type 'z'\""),
        ({"exchanges": [exchange("x", "", type="nonsense")]}, "unknown exchange type 'nonsense'"),
    ],
)
def test_bad_definitions_are_refused(
    operator: Any, vhost: str, version: str, definitions: Definition, text: str
) -> None:
    here = {kind: [{**each, "vhost": vhost} for each in found] for kind, found in definitions.items()}
    with refused(*({"3.10": [], "4.0": [text]}[version])):
        operator.import_definitions(here)


def test_exchanges_are_made_before_queues_are_found_to_be_bad(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    definitions = {
        "queues": [queue("q", vhost, arguments={"x-max-length": -1})],
        "exchanges": [exchange("x", vhost)],
        "policies": [policy("p", vhost, max_length=2)],
    }
    with refused():
        operator.import_definitions(definitions)
    assert exchange_exists(channel.connection, "x")
    channel.queue_declare("orders")
    assert kept(channel, "orders") == 2


def test_a_bad_policy_is_refused_with_its_name(operator: Any, vhost: str) -> None:
    with refused("Validation failed", "are not recognised policy settings", "/p)"):
        operator.import_definitions({"policies": [policy("p", vhost, foo=1)]})


def test_policies_operator_policies_and_limits(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operators = {"pattern": ".*", "definition": {"max-length": 2}, "priority": 0, "apply-to": "all"}
    parameters = [
        {"component": "operator_policy", "vhost": vhost, "name": "o", "value": operators},
        {"component": "vhost-limits", "vhost": vhost, "name": "limits", "value": {"max-queues": 1}},
    ]
    policies = [policy("p", vhost, max_length=3, overflow="reject-publish")]
    operator.import_definitions({"parameters": parameters, "policies": policies})
    channel.queue_declare("orders")
    publish(channel, "orders", b"1", b"2", b"3")
    assert get_all(channel, "orders") == [b"1", b"2"]
    with channel_closed(
        406, f"PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost '{vhost}' (1) is reached"
    ):
        channel.queue_declare("q")


def test_imported_policies_apply_to_queues_that_live(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    operator.import_definitions({"policies": [policy("p", vhost, max_length=2)]})
    assert kept(channel, "orders") == 2


def test_more_queues_than_the_limit_are_refused_as_a_whole(
    channel: BlockingChannel, operator: Any, vhost: str, version: str
) -> None:
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    text = (
        f'Adding 2 queue(s) to virtual host "{vhost}" would exceed the limit of 1 queue(s).\n\n'
        "This virtual host currently has 0 queue(s) defined.\n\nImport aborted!"
    )
    with refused(*({"3.10": [], "4.0": [text]}[version])):
        operator.import_definitions({"queues": [queue("a", vhost), queue("b", vhost)]})
    with channel_closed(404, missing("a", vhost)):
        channel.queue_declare("a", passive=True)


def test_a_limit_in_the_same_definitions_does_not_hold_for_its_queues(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    limits = {"component": "vhost-limits", "vhost": vhost, "name": "limits", "value": {"max-queues": 1}}
    operator.import_definitions({"parameters": [limits], "queues": [queue("a", vhost)]})
    assert channel.queue_declare("a", passive=True).method.queue == "a"


def hashed(password: str) -> str:
    """Four octets of salt, and the SHA-256 of salt and password, in base64."""
    salt = b"\x90\x8d\xc6\x85"
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


@pytest.mark.parametrize(
    "secret",
    [
        {"password_hash": hashed("sécret"), "hashing_algorithm": "rabbit_password_hashing_sha256"},
        {"password_hash": hashed("sécret")},
        {"password": "sécret"},
    ],
    ids=["hash", "hash alone", "password"],
)
def test_users_and_permissions(operator: Any, connect: Connect, vhost: str, secret: Definition) -> None:
    name = f"alice-{vhost}"
    user = {"name": name, "tags": [], "limits": {}, **secret}
    permission = {"user": name, "vhost": vhost, "configure": "^$", "write": "^x$", "read": "^$"}
    operator.import_definitions({"users": [user], "permissions": [permission]})
    channel = connect(credentials=pika.PlainCredentials(name, "sécret")).channel()
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        channel.queue_declare("orders")
    assert caught.value.reply_code == 403
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(credentials=pika.PlainCredentials(name, "other"))


def test_an_imported_user_replaces_the_one_of_its_name(operator: Any, connect: Connect, vhost: str) -> None:
    name = f"alice-{vhost}"
    operator.add_user(name, "old")
    operator.set_permissions(name, ".*", ".*", ".*", vhost=vhost)
    operator.import_definitions({"users": [{"name": name, "password_hash": hashed("new"), "tags": []}]})
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        connect(credentials=pika.PlainCredentials(name, "old"))
    assert connect(credentials=pika.PlainCredentials(name, "new")).is_open


def test_a_user_needs_tags(operator: Any, vhost: str) -> None:
    with refused("tags_not_present"):
        operator.import_definitions({"users": [{"name": f"alice-{vhost}", "password": "secret"}]})


def test_a_bad_hash_is_refused(operator: Any, vhost: str) -> None:
    with refused("not_base64"):
        operator.import_definitions({"users": [{"name": f"alice-{vhost}", "password_hash": "!!", "tags": []}]})


def test_permissions_of_a_missing_user_are_refused(operator: Any, vhost: str) -> None:
    permission = {"user": f"nobody-{vhost}", "vhost": vhost, "configure": "", "write": "", "read": ""}
    with refused("no_such_user"):
        operator.import_definitions({"permissions": [permission]})


def test_virtual_hosts_are_made_first(operator: Any, connect: Connect, vhost: str, version: str) -> None:
    name = f"{vhost}-other"
    metadata = {"description": "another", "tags": ["t"], "default_queue_type": "quorum"}
    permission = {"user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*"}
    definitions = {
        "vhosts": [{"name": name, "metadata": metadata}],
        "permissions": [permission],
        "queues": [queue("orders", name)],
    }
    operator.import_definitions(definitions)
    channel = connect(virtual_host=name).channel()
    channel.queue_declare("declared", durable=True)
    assert channel.queue_declare("declared", durable=True, arguments={"x-queue-type": "quorum"}).method.queue
    # 3.10 does not look at the default queue type when it imports a queue.
    kind = {"3.10": "classic", "4.0": "quorum"}[version]
    assert channel.queue_declare("orders", durable=True, arguments={"x-queue-type": kind}).method.queue == "orders"
