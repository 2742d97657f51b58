"""Definitions as RabbitMQ's management plugin exports them. Source: rabbit_mgmt_wm_definitions.erl; observed."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

from fakeamqp.node.operator.commands import existing_vhost
from fakeamqp.node.queues.queue_arguments import DEFAULT_ARGUMENTS
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.facts import BindingFact, ExchangeFact, PolicyFact, QueueFact, UserFact, VirtualHostFact
from fakeamqp.node.words.names import NODE_NAME
from fakeamqp.node.words.passwords import hash_of
from fakeamqp.node.words.profile import Profile

Definition = dict[str, Any]


def export_definitions(state: NodeState, name: str | None) -> Definition:
    """All that can be imported again, of the broker or of one virtual host; exclusive queues are left out."""
    version = state.profile.full_version
    about = {
        "rabbit_version": version,
        "rabbitmq_version": version,
        "product_name": "RabbitMQ",
        "product_version": version,
    }
    if name is not None:
        vhost = existing_vhost(state.vhosts, name)
        found = _topology(state.profile, [vhost])
        for entries in found.values():
            for entry in entries:
                del entry["vhost"]
        return {**about, **_about_vhost(state.profile, vhost), **found}
    access = state.access
    return {
        **about,
        "rabbitmq_definition_format": "cluster",
        "original_cluster_name": NODE_NAME,
        "explanation": f"Definitions of cluster '{NODE_NAME}'",
        "users": [_user(each) for each in access.users.values()],
        "vhosts": [_vhost(state.profile, each.fact) for each in state.vhosts.values()],
        "permissions": [_plain(each) for each in access.permissions.values()],
        "topic_permissions": [_plain(each) for each in access.topic_permissions.values()],
        "global_parameters": [_plain(each) for each in state.global_parameters.values()],
        **_topology(state.profile, list(state.vhosts.values())),
    }


def _about_vhost(profile: Profile, vhost: VirtualHost) -> Definition:
    return {
        "rabbitmq_definition_format": "single_virtual_host",
        "original_vhost_name": vhost.name,
        "explanation": f"Definitions of virtual host '{vhost.name}'",
        **{key: value for key, value in _vhost(profile, vhost.fact).items() if key not in ("name", "tags")},
        "limits": {} if vhost.limits is None else _json(vhost.limits.limits),
    }


def _topology(profile: Profile, vhosts: list[VirtualHost]) -> dict[str, list[Definition]]:
    def of_all(entries: Callable[[VirtualHost], list[Definition]]) -> list[Definition]:
        return [entry for vhost in vhosts for entry in entries(vhost)]

    return {
        "parameters": of_all(_parameters),
        "policies": of_all(lambda vhost: [_policy(each) for each in vhost.policies.all(is_operator=False)]),
        "queues": of_all(lambda vhost: _queues(profile, vhost)),
        "exchanges": of_all(_exchanges),
        "bindings": of_all(_bindings),
    }


def _plain(fact: Any) -> Definition:
    return {field: _json(getattr(fact, field)) for field in fact.__slots__}


def _json(value: Any) -> Any:
    """A field value as JSON has it."""
    if isinstance(value, dict):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    if isinstance(value, decimal.Decimal):
        return float(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _user(user: UserFact) -> Definition:
    return {
        "name": user.name,
        "password_hash": hash_of(user),
        "hashing_algorithm": user.hashing_algorithm,
        "tags": list(user.tags),
        "limits": _json(user.limits),
    }


def _vhost(profile: Profile, vhost: VirtualHostFact) -> Definition:
    kind = vhost.default_queue_type or ("classic" if profile.fills_in_queue_type else None)
    default = {} if kind is None else {"default_queue_type": kind}
    about = {"description": vhost.description, "tags": list(vhost.tags), **default}
    return {"name": vhost.name, "metadata": dict(about), **about}


def _parameters(vhost: VirtualHost) -> list[Definition]:
    limits = [] if vhost.limits is None else [("vhost-limits", "limits", _json(vhost.limits.limits))]
    operators = [_policy(each) for each in vhost.policies.all(is_operator=True)]
    values = [("operator_policy", each.pop("name"), each) for each in operators]
    for *_, value in values:
        del value["vhost"]
    return [
        {"vhost": vhost.name, "component": component, "name": name, "value": value}
        for component, name, value in (*limits, *values)
    ]


def _policy(policy: PolicyFact) -> Definition:
    return {
        "vhost": policy.vhost,
        "name": policy.name,
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "definition": _json(policy.definition),
        "priority": policy.priority,
    }


def _queues(profile: Profile, vhost: VirtualHost) -> list[Definition]:
    defaults = DEFAULT_ARGUMENTS if profile.fills_in_queue_type else {}
    return [_queue(each.fact, defaults) for each in vhost.queues.values() if each.owner is None]


def _queue(queue: QueueFact, defaults: dict[str, str]) -> Definition:
    return {
        "name": queue.name,
        "vhost": queue.vhost,
        "durable": queue.durable,
        "auto_delete": queue.auto_delete,
        "arguments": dict(sorted(_json({**defaults, **queue.arguments}).items())),
    }


def _exchanges(vhost: VirtualHost) -> list[Definition]:
    return [_exchange(each.fact) for each in vhost.exchanges.values() if each.name and not each.name.startswith("amq.")]


def _exchange(exchange: ExchangeFact) -> Definition:
    return {
        "name": exchange.name,
        "vhost": exchange.vhost,
        "type": exchange.type,
        "durable": exchange.durable,
        "auto_delete": exchange.auto_delete,
        "internal": exchange.internal,
        "arguments": _json(exchange.arguments),
    }


def _bindings(vhost: VirtualHost) -> list[Definition]:
    return [_binding(fact) for fact in vhost.bindings() if not _leads_to_exclusive(vhost, fact)]


def _leads_to_exclusive(vhost: VirtualHost, fact: BindingFact) -> bool:
    kind, name = fact.binding.destination
    return kind == "queue" and vhost.queues[name].owner is not None


def _binding(fact: BindingFact) -> Definition:
    binding = fact.binding
    return {
        "source": binding.source,
        "vhost": fact.vhost,
        "destination": binding.destination.name,
        "destination_type": binding.destination.kind,
        "routing_key": binding.routing_key,
        "arguments": _json(binding.arguments),
    }
