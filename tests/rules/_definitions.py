"""Definitions as the rules about them write them."""

from __future__ import annotations

from typing import Any

Definition = dict[str, Any]


def queue(name: str, vhost: str, **settings: Any) -> Definition:
    return {"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": {}, **settings}


def exchange(name: str, vhost: str, **settings: Any) -> Definition:
    return {**queue(name, vhost), "type": "direct", "internal": False, **settings}


def binding(source: str, destination: str, key: str, vhost: str, **settings: Any) -> Definition:
    names = {"source": source, "destination": destination, "destination_type": "queue", "routing_key": key}
    return {**names, "vhost": vhost, "arguments": {}, **settings}


def policy(name: str, vhost: str, **definition: Any) -> Definition:
    what = {"pattern": ".*", "definition": {key.replace("_", "-"): value for key, value in definition.items()}}
    return {"vhost": vhost, "name": name, **what, "priority": 0, "apply-to": "all"}
