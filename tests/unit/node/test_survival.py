"""What outlives a node: the one table."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.journal import QueueStore
from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.survival import is_redelivered_after_restart, survives, survives_entry
from fakeamqp.node.node import Node
from fakeamqp.node.queues.types import make_queue
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import (
    BindingFact,
    ExchangeFact,
    Fact,
    PermissionFact,
    TopicPermissionFact,
    UserFact,
    VirtualHostFact,
)
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from tests.unit.node._parts import PERSISTENT, QUORUM, make_node, message, queue_fact


def exchange_fact(name: str, **changes: Any) -> ExchangeFact:
    return ExchangeFact("/", name, "fanout", True, False, False, {}).replace(**changes)


@pytest.fixture
def node() -> Node:
    """A node with a durable and a transient queue and exchange."""
    node = make_node()
    for durable in (True, False):
        name = "durable" if durable else "transient"
        commit(node.state, queue_fact(name, durable=durable))
        commit(node.state, exchange_fact(name, durable=durable))
    return node


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (VirtualHostFact("/"), True),
        (UserFact("ann", "secret", ()), True),
        (PermissionFact("ann", "/", "", "", ""), True),
        (TopicPermissionFact("ann", "/", "prices", "", ""), True),
        (exchange_fact("prices"), True),
        (exchange_fact("prices", auto_delete=True), True),
        (exchange_fact("prices", durable=False), False),
        (queue_fact(), True),
        (queue_fact(auto_delete=True), True),
        (queue_fact(durable=False), False),
        (queue_fact(owner=1), False),
    ],
)
def test_facts(node: Node, fact: Fact, expected: bool) -> None:
    assert survives(node.state.vhosts, fact) is expected


@pytest.mark.parametrize("kind", ["queue", "exchange"])
@pytest.mark.parametrize("source", ["durable", "transient"])
@pytest.mark.parametrize("destination", ["durable", "transient"])
def test_a_binding_survives_with_both_its_ends(node: Node, kind: str, source: str, destination: str) -> None:
    fact = BindingFact("/", Binding(source, Destination(kind, destination), "", {}))
    assert survives(node.state.vhosts, fact) is (source == destination == "durable")


@pytest.mark.parametrize(
    ("arguments", "is_kept", "properties", "expected"),
    [
        ({}, True, PERSISTENT, True),
        ({}, True, BasicProperties(delivery_mode=1), False),
        ({}, True, EMPTY_PROPERTIES, False),
        ({}, False, PERSISTENT, False),
        (QUORUM, True, EMPTY_PROPERTIES, True),
    ],
    ids=["persistent", "transient", "no delivery mode", "transient queue", "quorum queue"],
)
def test_messages(arguments: dict[str, Any], is_kept: bool, properties: BasicProperties, expected: bool) -> None:
    store = QueueStore(("/", "orders")) if is_kept else None
    queue = make_queue(queue_fact(arguments=arguments), store, PROFILES["4.0"])
    assert survives_entry(queue, message(b"", properties)) is expected


@pytest.mark.parametrize(
    ("remembers_deliveries", "was_shut_down", "was_delivered", "expected"),
    [
        (False, True, False, False),
        (False, True, True, True),
        (False, False, False, True),
        (False, False, True, True),
        (True, True, False, False),
        (True, False, False, False),
        (True, False, True, True),
    ],
)
def test_only_a_killed_classic_queue_has_forgotten_what_was_delivered(
    remembers_deliveries: bool, was_shut_down: bool, was_delivered: bool, expected: bool
) -> None:
    says = is_redelivered_after_restart(
        was_delivered=was_delivered, remembers_deliveries=remembers_deliveries, was_shut_down=was_shut_down
    )
    assert says is expected
