"""What an operator does to a node: rabbitmqctl's commands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fakeamqp.node.metadata.commit import commit, retract
from fakeamqp.node.metadata.lifecycle import delete_queue
from fakeamqp.node.metadata.limits import USER_LIMITS, VHOST_LIMITS
from fakeamqp.node.metadata.policy_keys import policy_errors
from fakeamqp.node.observers.event_exchange import OPERATOR
from fakeamqp.node.queues.queue_arguments import QUEUE_TYPES
from fakeamqp.node.sessions.handshake import force_close
from fakeamqp.node.state.access import Access
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.facts import (
    PermissionFact,
    PolicyFact,
    TopicPermissionFact,
    UserFact,
    VirtualHostFact,
    VirtualHostLimitsFact,
)
from fakeamqp.node.words.parameters import limits_errors, validation_failed
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.tables import Table, copy_table


def existing_vhost(vhosts: dict[str, VirtualHost], name: str) -> VirtualHost:
    """A virtual host; raises Misuse if there is none."""
    vhost = vhosts.get(name)
    if vhost is None:
        raise Misuse(
            f"no virtual host {name!r}; there is {', '.join(map(repr, vhosts))}. "
            "Name it in Broker(vhosts=...) or call broker.add_vhost first"
        )
    return vhost


def existing_user(access: Access, name: str) -> UserFact:
    user = access.users.get(name)
    if user is None:
        raise Misuse(f"no user {name!r}; there is {', '.join(map(repr, access.users))}")
    return user


def add_vhost(state: NodeState, name: str, default_queue_type: str | None = None) -> None:
    """A new virtual host, with the predeclared exchanges; nobody may enter it yet."""
    assert_text("a virtual host's name", name)
    if name in state.vhosts:
        raise Misuse(f"there is a virtual host {name!r} already")
    assert_queue_type(default_queue_type)
    commit(state, VirtualHostFact(name, default_queue_type=default_queue_type))


def assert_queue_type(name: object) -> None:
    """Raise Misuse for a default queue type that RabbitMQ does not have."""
    if name is not None and name not in QUEUE_TYPES:
        raise Misuse(f"a default queue type is one of {', '.join(QUEUE_TYPES)}, or None; not {name!r}")


def delete_vhost(state: NodeState, name: str) -> None:
    """A virtual host goes, with all that is in it; its clients are disconnected."""
    vhost = existing_vhost(state.vhosts, name)
    for connection in list(state.connections.values()):
        if connection.vhost is vhost:
            force_close(state, connection, f"vhost '{name}' is deleted")
    for queue in list(vhost.queues.values()):
        delete_queue(state, queue, OPERATOR)
    for fact in vhost.bindings():
        retract(state, fact)
    for exchange in list(vhost.exchanges.values()):
        retract(state, exchange.fact)
    for policy in [*vhost.policies.all(is_operator=False), *vhost.policies.all(is_operator=True)]:
        retract(state, policy)
    if vhost.limits is not None:
        retract(state, vhost.limits)
    _forget_permissions(state, vhost=name)
    retract(state, vhost.fact)


def add_user(state: NodeState, name: str, password: str, tags: tuple[str, ...]) -> None:
    """A new user, without permissions."""
    assert_text("a user's name", name)
    assert_text("a password", password)
    if name in state.access.users:
        raise Misuse(f"there is a user {name!r} already")
    commit(state, UserFact(name, password, _checked_tags(tags)))


def change_password(state: NodeState, name: str, password: str) -> None:
    """A user's new password, from the next login on."""
    assert_text("a password", password)
    commit(state, existing_user(state.access, name).replace(password=password, password_hash=""))


def set_user_tags(state: NodeState, name: str, tags: tuple[str, ...]) -> None:
    """A user's tags, instead of those before."""
    commit(state, existing_user(state.access, name).replace(tags=_checked_tags(tags)))


def _checked_tags(tags: object) -> tuple[str, ...]:
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise Misuse(f'tags are a list of strings, such as ["administrator"], not {tags!r}')
    found = tuple(tags)
    for tag in found:
        assert_text("a tag", tag)
    return found


def assert_text(what: str, value: object) -> None:
    """Raise Misuse for what is no string."""
    if not isinstance(value, str):
        raise Misuse(f"{what} is a string, not {value!r}")


def delete_user(state: NodeState, name: str) -> None:
    """A user goes, with all permissions; connections are closed."""
    user = existing_user(state.access, name)
    for connection in list(state.connections.values()):
        if connection.user == name:
            force_close(state, connection, f"user '{name}' is deleted")
    _forget_permissions(state, user=name)
    retract(state, user)


def set_permissions(state: NodeState, user: str, configure: str, write: str, read: str, vhost: str) -> None:
    """What a user may do in a virtual host: three regular expressions on names."""
    existing_user(state.access, user)
    existing_vhost(state.vhosts, vhost)
    for pattern in (configure, write, read):
        assert_text("a permission's pattern", pattern)
        _assert_pattern(pattern)
    commit(state, PermissionFact(user, vhost, configure, write, read))


def clear_permissions(state: NodeState, user: str, vhost: str) -> None:
    """A user may no longer enter a virtual host."""
    existing_user(state.access, user)
    existing_vhost(state.vhosts, vhost)
    found = state.access.permissions.get((vhost, user))
    if found is not None:
        retract(state, found)


def set_topic_permissions(state: NodeState, user: str, exchange: str, write: str, read: str, vhost: str) -> None:
    """Which routing keys a user may use on a topic exchange; `{username}` and `{vhost}` stand for those."""
    existing_user(state.access, user)
    existing_vhost(state.vhosts, vhost)
    for pattern in (write, read):
        _assert_pattern(pattern)
    commit(state, TopicPermissionFact(user, vhost, exchange, write, read))


def set_policy(state: NodeState, policy: PolicyFact, *, let_pass: tuple[str, ...] = ()) -> None:
    """A policy holds from now on, instead of the one of its name; what it matches takes it at once.

    `let_pass` are keys of plugins that it may name though they change nothing.
    """
    vhost = existing_vhost(state.vhosts, policy.vhost)
    errors = policy_errors(policy, state.profile, let_pass)
    if errors:
        raise validation_failed(errors)
    if vhost.policies.find(policy.name, is_operator=policy.is_operator) != policy:
        commit(state, policy.replace(definition=copy_table(policy.definition)))


def clear_policy(state: NodeState, name: str, vhost: str, *, is_operator: bool) -> None:
    """A policy holds no longer."""
    policy = existing_vhost(state.vhosts, vhost).policies.find(name, is_operator=is_operator)
    if policy is None:
        raise Misuse(f"no {'operator ' if is_operator else ''}policy {name!r} in virtual host {vhost!r}")
    retract(state, policy)


def set_vhost_limits(state: NodeState, limits: Table, vhost: str) -> None:
    """A virtual host's limits, instead of those before; what is there already stays."""
    existing_vhost(state.vhosts, vhost)
    errors = limits_errors("limits", VHOST_LIMITS, limits)
    if errors:
        raise validation_failed(errors)
    commit(state, VirtualHostLimitsFact(vhost, dict(limits)))


def clear_vhost_limits(state: NodeState, vhost: str) -> None:
    """A virtual host is limited no longer."""
    found = existing_vhost(state.vhosts, vhost).limits
    if found is None:
        raise Misuse(f"virtual host {vhost!r} has no limits")
    retract(state, found)


def set_user_limits(state: NodeState, user: str, limits: Table) -> None:
    """A user's limits, beside those before."""
    found = existing_user(state.access, user)
    errors = limits_errors("user-limits", USER_LIMITS, limits)
    if errors:
        raise validation_failed(errors)
    commit(state, found.replace(limits=found.limits | limits))


def clear_user_limits(state: NodeState, user: str, name: str) -> None:
    """One of a user's limits, or with "all" each of them, holds no longer."""
    found = existing_user(state.access, user)
    if name not in (*USER_LIMITS, "all"):
        raise Misuse(f"a user's limit is one of {', '.join(USER_LIMITS)}, or all; not {name!r}")
    left = {key: value for key, value in found.limits.items() if name not in (key, "all")}
    commit(state, found.replace(limits=left))


def close_connections(state: NodeState, reason: str, vhost: str | None) -> None:
    """Disconnect every client, or those of one virtual host."""
    wanted = None if vhost is None else existing_vhost(state.vhosts, vhost)
    for connection in list(state.connections.values()):
        if wanted is None or connection.vhost is wanted:
            force_close(state, connection, reason)


def set_tracing(state: NodeState, vhost: str, is_traced: bool) -> None:
    """Switch the firehose of a virtual host on or off. It is off after a restart, as RabbitMQ keeps it nowhere."""
    existing_vhost(state.vhosts, vhost).is_traced = is_traced


def _forget_permissions(state: NodeState, user: str | None = None, vhost: str | None = None) -> None:
    access = state.access
    facts: list[PermissionFact | TopicPermissionFact] = [
        *access.permissions.values(),
        *access.topic_permissions.values(),
    ]
    for fact in facts:
        if fact.user == user or fact.vhost == vhost:
            retract(state, fact)


def _assert_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise Misuse(f"{pattern!r} is not a regular expression: {error}") from None
