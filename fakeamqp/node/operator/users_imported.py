"""Users, virtual hosts and permissions in definitions. Source: rabbit_auth_backend_internal.erl (put_user)."""

from __future__ import annotations

from typing import Any

from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.limits import USER_LIMITS
from fakeamqp.node.operator import commands
from fakeamqp.node.operator.importing import Import, flag, text
from fakeamqp.node.words.facts import UserFact, VirtualHostFact
from fakeamqp.node.words.parameters import limits_errors, validation_failed
from fakeamqp.node.words.passwords import ALGORITHMS, DEFAULT_ALGORITHM, decoded
from fakeamqp.spec.errors import Misuse


def import_user(run: Import, entry: dict[str, Any]) -> None:
    """A user, instead of the one of that name; permissions stay."""
    name = text(entry, "name")
    known = run.state.access.users.get(name)
    fact = UserFact(name, None, _tags(entry), limits={} if known is None else known.limits)
    if entry.get("limits") is not None:
        errors = limits_errors("user-limits", USER_LIMITS, entry["limits"])
        if errors:
            raise validation_failed(errors)
        fact = fact.replace(limits=entry["limits"])
    commit(run.state, _with_password(run, fact, entry))
    if known is None:
        for vhost, permission in entry.get("permissions", {}).items():
            import_permission(run, {"user": name, "vhost": vhost, **permission})


def _tags(entry: dict[str, Any]) -> tuple[str, ...]:
    tags = entry.get("tags")
    if tags is None and "administrator" not in entry:
        raise Misuse(f"tags_not_present: user {entry['name']!r}")
    if tags is None:
        return ("administrator",) if entry["administrator"] else ()
    found = tags.split(",") if isinstance(tags, str) else tags
    return tuple(each.strip() for each in found if each.strip())


def _with_password(run: Import, fact: UserFact, entry: dict[str, Any]) -> UserFact:
    if "password" in entry and "password_hash" in entry:
        raise Misuse(f"both_password_and_password_hash_are_provided: user {fact.name!r}")
    if "password" in entry:
        return fact.replace(password=text(entry, "password"))
    algorithm = entry.get("hashing_algorithm", DEFAULT_ALGORITHM)
    if algorithm not in ALGORITHMS:
        run.unsupported.append(f"user {fact.name!r}, who cannot log in: hashing algorithm {algorithm!r}")
    password_hash = entry.get("password_hash", "")
    decoded(password_hash)
    return fact.replace(password_hash=password_hash, hashing_algorithm=algorithm)


def import_vhost(run: Import, entry: dict[str, Any]) -> None:
    """A virtual host; of one that exists, its description and tags."""
    name = text(entry, "name")
    known = run.state.vhosts.get(name)
    metadata = entry.get("metadata", {})
    default = metadata.get("default_queue_type")
    commands.assert_queue_type(default)
    if known is not None and (default is None or not run.state.profile.imports_default_queue_type):
        default = known.fact.default_queue_type
    commit(
        run.state,
        VirtualHostFact(
            name,
            entry.get("description", metadata.get("description", "")),
            tuple(entry.get("tags", metadata.get("tags", ()))),
            default,
        ),
    )
    if "tracing" in entry:
        run.state.vhosts[name].is_traced = flag(entry, "tracing", False)


def import_permission(run: Import, entry: dict[str, Any]) -> None:
    """What a user may do in a virtual host."""
    configure, write, read = (text(entry, key) for key in ("configure", "write", "read"))
    commands.set_permissions(run.state, _user(run, entry), configure, write, read, run.vhost_of(entry).name)


def import_topic_permission(run: Import, entry: dict[str, Any]) -> None:
    """Which routing keys a user may use on a topic exchange."""
    exchange, write, read = (text(entry, key) for key in ("exchange", "write", "read"))
    commands.set_topic_permissions(run.state, _user(run, entry), exchange, write, read, run.vhost_of(entry).name)


def _user(run: Import, entry: dict[str, Any]) -> str:
    name = text(entry, "user")
    if name not in run.state.access.users:
        raise Misuse(f'{{no_such_user,<<"{name}">>}}')
    return name
