"""Definitions: a broker's topology, users and policies as one JSON document, and in which order they are imported.

Source: rabbit_definitions.erl (apply_defs). An import is not atomic: what was made before a refusal stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fakeamqp.node.operator import policies_imported as policies
from fakeamqp.node.operator import topology_imported as topology
from fakeamqp.node.operator import users_imported as access
from fakeamqp.node.operator.commands import existing_vhost
from fakeamqp.node.operator.definition_shapes import assert_shapes
from fakeamqp.node.operator.importing import Import, ImportReport
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.spec.errors import Misuse

Step: TypeAlias = tuple[str, Callable[[Import, dict[str, Any]], None]]

USERS_AND_VHOSTS: tuple[Step, ...] = (("users", access.import_user), ("vhosts", access.import_vhost))
OF_A_BROKER: tuple[Step, ...] = (
    ("permissions", access.import_permission),
    ("topic_permissions", access.import_topic_permission),
    ("exchanges", topology.import_exchange),
    ("global_parameters", policies.import_global_parameter),
    ("policies", policies.import_policy),
    ("parameters", policies.import_parameter),
    ("queues", topology.import_queue),
    ("bindings", topology.import_binding),
)
OF_A_VHOST: tuple[Step, ...] = (
    ("exchanges", topology.import_exchange),
    ("parameters", policies.import_parameter),
    ("policies", policies.import_policy),
    ("queues", topology.import_queue),
    ("bindings", topology.import_binding),
)
"""What is imported, in this order; whether there is room for the queues is looked at after the virtual hosts."""

DESCRIPTIONS = frozenset(
    {
        "rabbit_version",
        "rabbitmq_version",
        "product_name",
        "product_version",
        "rabbitmq_definition_format",
        "original_cluster_name",
        "original_vhost_name",
        "explanation",
        "metadata",
        "description",
        "default_queue_type",
        "limits",
        "tracing",
    }
)
"""Keys that tell where definitions come from; RabbitMQ imports nothing but the lists."""

ENTRY_KEYS: dict[str, frozenset[str]] = {
    "users": frozenset(
        {"name", "password", "password_hash", "hashing_algorithm", "tags", "administrator", "limits", "permissions"}
    ),
    "vhosts": frozenset({"name", "description", "metadata", "tags", "default_queue_type", "limits", "tracing"}),
    "permissions": frozenset({"user", "vhost", "configure", "write", "read"}),
    "topic_permissions": frozenset({"user", "vhost", "exchange", "write", "read"}),
    "exchanges": frozenset({"name", "vhost", "type", "durable", "auto_delete", "internal", "arguments"}),
    "global_parameters": frozenset({"name", "value"}),
    "policies": frozenset({"name", "vhost", "pattern", "definition", "priority", "apply-to"}),
    "parameters": frozenset({"name", "vhost", "component", "value"}),
    "queues": frozenset({"name", "vhost", "type", "durable", "auto_delete", "arguments"}),
    "bindings": frozenset(
        {"source", "vhost", "destination", "destination_type", "routing_key", "arguments", "properties_key"}
    ),
}
"""What RabbitMQ writes into each list's entries, and reads there unless it can tell by other means."""


def import_definitions(state: NodeState, definitions: Mapping[str, Any], vhost: str | None) -> ImportReport:
    """Make what definitions say, of a whole broker or of one virtual host; what exists already stays as it is.

    Raises Misuse where RabbitMQ refuses. What fakeamqp cannot honour is left out, and reported.
    """
    if not isinstance(definitions, Mapping):
        raise Misuse(f"definitions are a JSON object, not {type(definitions).__name__}")
    assert_shapes(definitions)
    if vhost is not None:
        existing_vhost(state.vhosts, vhost)
    run = Import(state, vhost)
    first = USERS_AND_VHOSTS if vhost is None else ()
    then = OF_A_BROKER if vhost is None else OF_A_VHOST
    lists = {kind: _entries(run, definitions, kind) for kind, _ in (*first, *then)}
    _note_unknown(run, definitions, lists)
    _take(run, first, lists)
    topology.check_room(run, lists["queues"])
    _take(run, then, lists)
    return run.report()


def _take(run: Import, steps: tuple[Step, ...], lists: dict[str, list[dict[str, Any]]]) -> None:
    for kind, step in steps:
        for entry in lists[kind]:
            step(run, entry)


def _entries(run: Import, definitions: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = definitions.get(kind, [])
    if not isinstance(found, list | tuple):
        raise Misuse(f"{kind} in definitions are a list, not {type(found).__name__}")
    run.ignored += [f"{kind}: {each!r}, which is no object" for each in found if not isinstance(each, dict)]
    return [each for each in found if isinstance(each, dict)]


def _note_unknown(run: Import, definitions: Mapping[str, Any], lists: dict[str, list[dict[str, Any]]]) -> None:
    run.ignored += [f"{key}" for key in definitions if key not in lists and key not in DESCRIPTIONS]
    for kind, entries in lists.items():
        for entry in entries:
            name = entry.get("name", entry.get("destination", entry.get("user")))
            run.ignored += [f"{kind}: {name!r}: {key}" for key in entry if key not in ENTRY_KEYS[kind]]
