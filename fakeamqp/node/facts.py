"""Facts: what the node holds to be true of its topology and users. The journal keeps those that survive."""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.bindings import Binding
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table


class VirtualHostFact(Record):
    """There is a virtual host."""

    name: str


class UserFact(Record):
    """There is a user."""

    name: str
    password: str
    tags: tuple[str, ...]


class PermissionFact(Record):
    """A user may do this in a virtual host: three regular expressions on resource names."""

    user: str
    vhost: str
    configure: str
    write: str
    read: str


class TopicPermissionFact(Record):
    """A user may publish and bind with these routing keys on one topic exchange."""

    user: str
    vhost: str
    exchange: str
    write: str
    read: str


class ExchangeFact(Record):
    """There is an exchange."""

    vhost: str
    name: str
    type: str
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: Table


class QueueFact(Record):
    """There is a queue. `owner` is the id of the connection that it is exclusive to."""

    vhost: str
    name: str
    durable: bool
    owner: int | None
    auto_delete: bool
    arguments: Table


class BindingFact(Record):
    """There is a binding."""

    vhost: str
    binding: Binding


Fact: TypeAlias = (
    VirtualHostFact | UserFact | PermissionFact | TopicPermissionFact | ExchangeFact | QueueFact | BindingFact
)

Key: TypeAlias = tuple[object, ...]


def key_of(fact: Fact) -> Key:
    """What makes two facts speak of the same thing: the later one replaces the earlier."""
    if isinstance(fact, VirtualHostFact | UserFact):
        return (type(fact), fact.name)
    if isinstance(fact, PermissionFact):
        return (type(fact), fact.vhost, fact.user)
    if isinstance(fact, TopicPermissionFact):
        return (type(fact), fact.vhost, fact.user, fact.exchange)
    if isinstance(fact, BindingFact):
        return (type(fact), fact.vhost, fact.binding)
    return (type(fact), fact.vhost, fact.name)
