"""What an operator does to a node: rabbitmqctl's commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fakeamqp.node.events import OPERATOR
from fakeamqp.node.facts import PermissionFact, TopicPermissionFact, UserFact, VirtualHostFact
from fakeamqp.node.lifecycle import delete_queue
from fakeamqp.spec.errors import Misuse

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.node.vhosts import VirtualHost


def existing_vhost(node: Node, name: str) -> VirtualHost:
    """A virtual host; raises Misuse if there is none."""
    vhost = node.vhosts.get(name)
    if vhost is None:
        raise Misuse(
            f"no virtual host {name!r}; there is {', '.join(map(repr, node.vhosts))}. "
            "Name it in Broker(vhosts=...) or call broker.add_vhost first"
        )
    return vhost


def _existing_user(node: Node, name: str) -> UserFact:
    user = node.access.users.get(name)
    if user is None:
        raise Misuse(f"no user {name!r}; there is {', '.join(map(repr, node.access.users))}")
    return user


def add_vhost(node: Node, name: str) -> None:
    """A new virtual host, with the predeclared exchanges; nobody may enter it yet."""
    if name in node.vhosts:
        raise Misuse(f"there is a virtual host {name!r} already")
    node.commit(VirtualHostFact(name))


def delete_vhost(node: Node, name: str) -> None:
    """A virtual host goes, with all that is in it; its clients are disconnected."""
    vhost = existing_vhost(node, name)
    for connection in list(node.connections.values()):
        if connection.vhost is vhost:
            node.force_close(connection, f"vhost '{name}' is deleted")
    for queue in list(vhost.queues.values()):
        delete_queue(node, queue, OPERATOR)
    for fact in vhost.bindings():
        node.retract(fact)
    for exchange in list(vhost.exchanges.values()):
        node.retract(exchange.fact)
    _forget_permissions(node, vhost=name)
    node.retract(VirtualHostFact(name))


def add_user(node: Node, name: str, password: str, tags: tuple[str, ...]) -> None:
    """A new user, without permissions."""
    if name in node.access.users:
        raise Misuse(f"there is a user {name!r} already")
    node.commit(UserFact(name, password, tuple(tags)))


def change_password(node: Node, name: str, password: str) -> None:
    """A user's new password, from the next login on."""
    node.commit(_existing_user(node, name).replace(password=password))


def set_user_tags(node: Node, name: str, tags: tuple[str, ...]) -> None:
    """A user's tags, instead of those before."""
    node.commit(_existing_user(node, name).replace(tags=tuple(tags)))


def delete_user(node: Node, name: str) -> None:
    """A user goes, with all permissions; connections are closed."""
    user = _existing_user(node, name)
    for connection in list(node.connections.values()):
        if connection.user == name:
            node.force_close(connection, f"user '{name}' is deleted")
    _forget_permissions(node, user=name)
    node.retract(user)


def set_permissions(node: Node, user: str, configure: str, write: str, read: str, vhost: str) -> None:
    """What a user may do in a virtual host: three regular expressions on names."""
    _existing_user(node, user)
    existing_vhost(node, vhost)
    for pattern in (configure, write, read):
        _assert_pattern(pattern)
    node.commit(PermissionFact(user, vhost, configure, write, read))


def clear_permissions(node: Node, user: str, vhost: str) -> None:
    """A user may no longer enter a virtual host."""
    _existing_user(node, user)
    existing_vhost(node, vhost)
    found = node.access.permissions.get((vhost, user))
    if found is not None:
        node.retract(found)


def set_topic_permissions(node: Node, user: str, exchange: str, write: str, read: str, vhost: str) -> None:
    """Which routing keys a user may use on a topic exchange; `{username}` and `{vhost}` stand for those."""
    _existing_user(node, user)
    existing_vhost(node, vhost)
    for pattern in (write, read):
        _assert_pattern(pattern)
    node.commit(TopicPermissionFact(user, vhost, exchange, write, read))


def close_connections(node: Node, reason: str, vhost: str | None) -> None:
    """Disconnect every client, or those of one virtual host."""
    wanted = None if vhost is None else existing_vhost(node, vhost)
    for connection in list(node.connections.values()):
        if wanted is None or connection.vhost is wanted:
            node.force_close(connection, reason)


def _forget_permissions(node: Node, user: str | None = None, vhost: str | None = None) -> None:
    access = node.access
    facts: list[PermissionFact | TopicPermissionFact] = [
        *access.permissions.values(),
        *access.topic_permissions.values(),
    ]
    for fact in facts:
        if fact.user == user or fact.vhost == vhost:
            node.retract(fact)


def _assert_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise Misuse(f"{pattern!r} is not a regular expression: {error}") from None
