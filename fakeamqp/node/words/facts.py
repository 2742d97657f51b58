"""Facts: what the node holds to be true of its topology and users. The journal keeps those that survive."""

from __future__ import annotations

from typing import Any, TypeAlias

from fakeamqp.node.words.bindings import Binding
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import EMPTY_TABLE, Table


class VirtualHostFact(Record):
    """There is a virtual host."""

    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    default_queue_type: str | None = None


class VirtualHostLimitsFact(Record):
    """A virtual host may have only so many connections (max-connections) and queues (max-queues)."""

    vhost: str
    limits: Table


class PolicyFact(Record):
    """There is a policy, or an operator policy."""

    vhost: str
    name: str
    pattern: str
    definition: Table
    priority: float
    apply_to: str
    is_operator: bool = False


class GlobalParameterFact(Record):
    """Something that RabbitMQ keeps for others under a name."""

    name: str
    value: Any


class UserFact(Record):
    """There is a user. Of one who was imported with a hash, the password itself is not known and None."""

    name: str
    password: str | None
    tags: tuple[str, ...]
    password_hash: str = ""
    """In base64, where the password is None; nobody can log in with an empty one."""
    hashing_algorithm: str = "rabbit_password_hashing_sha256"
    limits: Table = EMPTY_TABLE
    """How many connections (max-connections) and channels (max-channels) the user may have."""


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
    VirtualHostFact
    | VirtualHostLimitsFact
    | PolicyFact
    | GlobalParameterFact
    | UserFact
    | PermissionFact
    | TopicPermissionFact
    | ExchangeFact
    | QueueFact
    | BindingFact
)

Key: TypeAlias = tuple[object, ...]


def key_of(fact: Fact) -> Key:
    """What makes two facts speak of the same thing: the later one replaces the earlier."""
    if isinstance(fact, VirtualHostFact | UserFact | GlobalParameterFact):
        return (type(fact), fact.name)
    if isinstance(fact, VirtualHostLimitsFact):
        return (type(fact), fact.vhost)
    if isinstance(fact, PolicyFact):
        return (type(fact), fact.vhost, fact.is_operator, fact.name)
    if isinstance(fact, PermissionFact):
        return (type(fact), fact.vhost, fact.user)
    if isinstance(fact, TopicPermissionFact):
        return (type(fact), fact.vhost, fact.user, fact.exchange)
    if isinstance(fact, BindingFact):
        return (type(fact), fact.vhost, fact.binding)
    return (type(fact), fact.vhost, fact.name)
