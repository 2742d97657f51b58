"""Policies and parameters in definitions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.policy_keys import FEDERATION_KEYS, SHARDING_KEYS
from fakeamqp.node.operator import commands
from fakeamqp.node.operator.importing import Import, text
from fakeamqp.node.words import erlang
from fakeamqp.node.words.facts import GlobalParameterFact, PolicyFact
from fakeamqp.node.words.parameters import validation_failed
from fakeamqp.spec.errors import Misuse

KEYS_OF_PLUGINS = (*FEDERATION_KEYS, *SHARDING_KEYS)
MANDATORY_KEYS = ("priority", "pattern", "definition")
POLICY_KEYS = (*MANDATORY_KEYS, "apply-to")


def import_policy(run: Import, entry: dict[str, Any]) -> None:
    """A policy, instead of the one of its name."""
    vhost = run.vhost_of(entry).name
    if entry.get("name") is None:
        raise Misuse(f"policy in virtual host '{vhost}' has undefined name")
    with _refusals_telling(f"{vhost}/{entry['name']}"):
        _set_policy(run, vhost, entry, is_operator=False)


def _set_policy(run: Import, vhost: str, entry: dict[str, Any], *, is_operator: bool) -> None:
    said = {"pattern": None, "definition": None, "priority": 0, "apply-to": "all"} | entry
    name, definition = text(entry, "name"), said["definition"]
    policy = PolicyFact(vhost, name, said["pattern"], definition, said["priority"], said["apply-to"], is_operator)
    commands.set_policy(run.state, policy, let_pass=KEYS_OF_PLUGINS)
    plugins = [key for key in KEYS_OF_PLUGINS if key in definition]
    run.unsupported += [f"policy {name!r} in virtual host {vhost!r}: {key}" for key in plugins]


def import_parameter(run: Import, entry: dict[str, Any]) -> None:
    """A parameter: an operator policy, or a virtual host's limits; others are those of plugins."""
    vhost = run.vhost_of(entry).name
    component, name = text(entry, "component"), text(entry, "name")
    value: Any = entry.get("value")
    with _refusals_telling(f"{vhost}/{component}/{name}"):
        if component == "operator_policy":
            _check_operator_policy(name, value)
            _set_policy(run, vhost, {"name": name, **value}, is_operator=True)
        elif component == "policy":
            raise Misuse("policies may not be set using this method")
        elif component == "vhost-limits" and name == "limits":
            commands.set_vhost_limits(run.state, value, vhost)
        else:
            run.unsupported.append(f"parameter {name!r} of component {component!r} in virtual host {vhost!r}")


def _check_operator_policy(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise validation_failed([f"{name} not a list {erlang.json(value)}"])
    unknown = {key: value[key] for key in value if key not in POLICY_KEYS}
    errors = [f"Unrecognised terms {erlang.json_pairs(unknown)} in {name}"] if unknown else []
    errors += [f'Key "{key}" not found in {name}' for key in MANDATORY_KEYS if key not in value]
    if errors:
        raise validation_failed(errors)


@contextlib.contextmanager
def _refusals_telling(where: str) -> Iterator[None]:
    try:
        yield
    except Misuse as error:
        raise Misuse(f"{error} ({where})") from None


def import_global_parameter(run: Import, entry: dict[str, Any]) -> None:
    """Something that RabbitMQ keeps for others."""
    commit(run.state, GlobalParameterFact(text(entry, "name"), entry.get("value")))
