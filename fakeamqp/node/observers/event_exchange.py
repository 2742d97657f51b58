"""What happens in the broker, as messages: the exchange amq.rabbitmq.event of the plugin rabbitmq_event_exchange.

Source: rabbit_exchange_type_event.erl; which headers each event has was observed on 3.10.8 and 4.0.5.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.messages.arrivals import arrive
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.routing.exchanges import EVENT_EXCHANGE, EVENT_VHOST
from fakeamqp.node.state.connection import Channel, Connection, channel_of
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.dates import date_ms
from fakeamqp.node.words.erlang import binary, printed, term
from fakeamqp.node.words.facts import (
    BindingFact,
    ExchangeFact,
    Fact,
    GlobalParameterFact,
    PermissionFact,
    PolicyFact,
    QueueFact,
    TopicPermissionFact,
    UserFact,
    VirtualHostFact,
    VirtualHostLimitsFact,
)
from fakeamqp.node.words.names import NODE_NAME
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong, Table, field_type

OPERATOR = "guest"
"""Who does what an operator does: as if through the management plugin, with the user that exists always."""
INTERNAL = "rmq-internal"
"""Who does what nobody asked for."""
LOOPBACK = "{0,0,0,0,0,65535,32512,1}"


Said = ParamSpec("Said")


def is_heard(vhosts: dict[str, VirtualHost]) -> bool:
    """Whether anything is bound to the exchange of events."""
    vhost = vhosts.get(EVENT_VHOST)
    exchange = None if vhost is None else vhost.exchanges.get(EVENT_EXCHANGE)
    return exchange is not None and bool(exchange.bindings)


def if_heard(tell_of: Callable[Concatenate[NodeState, Said], None]) -> Callable[Concatenate[NodeState, Said], None]:
    """Spare the trouble of putting into words what nobody hears."""

    @functools.wraps(tell_of)
    def tell_of_if_heard(state: NodeState, /, *args: Said.args, **kwargs: Said.kwargs) -> None:
        if is_heard(state.vhosts):
            tell_of(state, *args, **kwargs)

    return tell_of_if_heard


def tell(state: NodeState, key: str, headers: Table, by: str | None) -> None:
    """Something has happened, brought about `by` a user; None where RabbitMQ names nobody."""
    now_ms = date_ms(state.now_us)
    actor: Table = {} if by is None else {"user_who_performed_action": by}
    told: Table = {**actor, **headers, "timestamp_in_ms": LongLong(now_ms)}
    if state.profile.sorts_headers:
        told = dict(sorted(told.items()))
    properties = BasicProperties(headers=told, delivery_mode=2, timestamp=now_ms // 1000)
    message = Message(EVENT_EXCHANGE, key, properties, b"")
    arrive(state, state.vhosts[EVENT_VHOST].route(EVENT_EXCHANGE, message), message)


@if_heard
def tell_of_commit(state: NodeState, fact: Fact, before: Fact | None, by: str) -> None:
    """A fact holds from now on, instead of another that may have held before."""
    tell_otherwise = TOLD_OTHERWISE.get(type(fact))
    if tell_otherwise is not None:
        tell_otherwise(state, fact, before, by)
        return
    if isinstance(fact, VirtualHostFact):
        if before is not None:
            return
        for exchange in state.vhosts[fact.name].exchanges.values():
            tell(state, "exchange.created", _exchange(exchange.fact, state.profile), by)
    name, describe = CREATED[type(fact)]
    tell(state, f"{name}.created", describe(fact, state.profile), by)


@if_heard
def tell_of_retraction(state: NodeState, fact: Fact, by: str) -> None:
    """A fact holds no longer."""
    if isinstance(fact, PolicyFact):
        _tell_of_cleared_policy(state, fact, by)
        return
    if isinstance(fact, VirtualHostLimitsFact):
        tell(state, "parameter.cleared", {"vhost": fact.vhost, "component": VHOST_LIMITS, "name": "limits"}, by)
    name, describe = DELETED[type(fact)]
    tell(state, name, describe(fact, state.profile), by)


def _tell_of_user(state: NodeState, user: UserFact, before: UserFact | None, by: str) -> None:
    name: Table = {"name": user.name}
    if before is None:
        tell(state, "user.created", name, by)
    elif (before.password, before.password_hash) != (user.password, user.password_hash):
        tell(state, "user.password.changed", name, by)
    if before is None or before.tags != user.tags:
        tell(state, "user.tags.set", {"tags": list(user.tags), **name}, by)


def _tell_of_policy(state: NodeState, policy: PolicyFact, _: PolicyFact | None, by: str) -> None:
    said: Table = {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "priority": policy.priority,
        "definition": policy.definition,
    }
    for queue in state.vhosts[policy.vhost].policies.newly_matched:
        tell(state, "queue.policy.updated", {**_typed(queue), **said}, by)
    tell(state, "policy.set", {"name": policy.name, "vhost": policy.vhost, **said}, by)


def _tell_of_cleared_policy(state: NodeState, policy: PolicyFact, by: str) -> None:
    for queue in state.vhosts[policy.vhost].policies.newly_matched:
        tell(state, "queue.policy.cleared", _typed(queue), by)
    key = "operator.policy.cleared" if policy.is_operator else "policy.cleared"
    tell(state, key, {"name": policy.name, "vhost": policy.vhost}, by)


def _typed(queue: QueueFact) -> Table:
    kind = queue.arguments.get("x-queue-type", "classic")
    return {"type": f"rabbit_{kind}_queue", "name": queue.name, "vhost": queue.vhost}


def _tell_of_limits(state: NodeState, fact: VirtualHostLimitsFact, _: Fact | None, by: str) -> None:
    where: Table = {"vhost": fact.vhost}
    tell(state, "parameter.set", {**where, "component": VHOST_LIMITS, "name": "limits", "value": fact.limits}, by)
    named = where if state.profile.limits_event_names_vhost else {}
    tell(state, "vhost.limits.set", {"name": "limits", **named, **fact.limits}, by)


def _tell_nothing(state: NodeState, fact: GlobalParameterFact, before: Fact | None, by: str) -> None:
    """Of what is kept for others under a name nothing is told here."""


VHOST_LIMITS = "vhost-limits"
TOLD_OTHERWISE: dict[type, Callable[[NodeState, Any, Any, str], None]] = {
    UserFact: _tell_of_user,
    PolicyFact: _tell_of_policy,
    VirtualHostLimitsFact: _tell_of_limits,
    GlobalParameterFact: _tell_nothing,
}
"""Facts whose coming is more than one event, or none."""


# -- topology and users -----------------------------------------------------------------------------------------------


def _arguments(arguments: Table) -> list[str]:
    return [printed((binary(key), field_type(value), term(value))) for key, value in arguments.items()]


def _exchange(fact: ExchangeFact, _: Profile) -> Table:
    return {
        "policy": "",
        "arguments": _arguments(fact.arguments),
        "internal": fact.internal,
        "auto_delete": fact.auto_delete,
        "durable": fact.durable,
        "type": fact.type,
        "name": fact.name,
        "vhost": fact.vhost,
    }


def _queue(fact: QueueFact, profile: Profile) -> Table:
    kind = fact.arguments.get("x-queue-type", "classic")
    arguments = fact.arguments
    if profile.fills_in_queue_type and "x-queue-type" not in arguments:
        arguments = dict(sorted({**arguments, "x-queue-type": kind}.items()))
    more: Table = {} if kind == "quorum" else {"owner_pid": "" if fact.owner is None else f"<0.{fact.owner}.0>"}
    if kind == "quorum" or profile.fills_in_queue_type:
        more["type"] = f"rabbit_{kind}_queue"
    if kind != "quorum" and profile.fills_in_queue_type:
        more |= {"leader": NODE_NAME, "members": [NODE_NAME]}
    return {
        "exclusive": fact.owner is not None,
        **more,
        "arguments": _arguments(arguments),
        "auto_delete": fact.auto_delete,
        "durable": fact.durable,
        "name": fact.name,
        "vhost": fact.vhost,
    }


def _deleted_queue(fact: QueueFact, profile: Profile) -> Table:
    kind = fact.arguments.get("x-queue-type", "classic")
    more = {"type": f"rabbit_{kind}_queue"} if profile.fills_in_queue_type else {}
    return {**more, "name": fact.name, "vhost": fact.vhost}


def _binding(fact: BindingFact, _: Profile) -> Table:
    binding = fact.binding
    return {
        "vhost": fact.vhost,
        "arguments": _arguments(binding.arguments),
        "routing_key": binding.routing_key,
        "destination_kind": binding.destination.kind,
        "destination_name": binding.destination.name,
        "source_kind": "exchange",
        "source_name": binding.source,
    }


def _vhost(fact: VirtualHostFact, _: Profile) -> Table:
    kind = fact.default_queue_type
    default = "" if kind is None else f"default_queue_type => {printed(kind.encode())},"
    tags = printed([each.encode() for each in fact.tags])
    return {
        "tags": list(fact.tags),
        "description": fact.description,
        "cluster_state": {NODE_NAME: "running"},
        "tracing": False,
        "default_queue_type": kind or "undefined",
        "metadata": f"#{{{default}description => {printed(fact.description.encode())},tags => {tags}}}",
        "name": fact.name,
    }


def _permission(fact: PermissionFact, _: Profile) -> Table:
    return {"read": fact.read, "write": fact.write, "configure": fact.configure, "vhost": fact.vhost, "user": fact.user}


def _topic_permission(fact: TopicPermissionFact, _: Profile) -> Table:
    return {"read": fact.read, "write": fact.write, "exchange": fact.exchange, "vhost": fact.vhost, "user": fact.user}


def _name(fact: UserFact | VirtualHostFact, _: Profile) -> Table:
    return {"name": fact.name}


def _name_and_vhost(fact: ExchangeFact, _: Profile) -> Table:
    return {"name": fact.name, "vhost": fact.vhost}


def _limits(fact: VirtualHostLimitsFact, _: Profile) -> Table:
    return {"name": "limits", "vhost": fact.vhost}


def _user_and_vhost(fact: PermissionFact | TopicPermissionFact, _: Profile) -> Table:
    return {"vhost": fact.vhost, "user": fact.user}


Describe = Callable[[Any, Profile], Table]

CREATED: dict[type, tuple[str, Describe]] = {
    ExchangeFact: ("exchange", _exchange),
    QueueFact: ("queue", _queue),
    BindingFact: ("binding", _binding),
    VirtualHostFact: ("vhost", _vhost),
    PermissionFact: ("permission", _permission),
    TopicPermissionFact: ("topic.permission", _topic_permission),
}
DELETED: dict[type, tuple[str, Describe]] = {
    ExchangeFact: ("exchange.deleted", _name_and_vhost),
    QueueFact: ("queue.deleted", _deleted_queue),
    BindingFact: ("binding.deleted", _binding),
    VirtualHostFact: ("vhost.deleted", _name),
    UserFact: ("user.deleted", _name),
    VirtualHostLimitsFact: ("vhost.limits.cleared", _limits),
    PermissionFact: ("permission.deleted", _user_and_vhost),
    TopicPermissionFact: ("topic.permission.deleted", _user_and_vhost),
}


# -- sessions ---------------------------------------------------------------------------------------------------------


def _peer(connection: Connection) -> Table:
    return {
        "ssl": False,
        "auth_mechanism": connection.mechanism,
        "protocol": "{0,9,1}",
        "peer_port": connection.port,
        "peer_host": LOOPBACK,
        "host": LOOPBACK,
    }


@if_heard
def tell_of_login(state: NodeState, connection: Connection, user: str, error: str | None = None) -> None:
    """A client has logged in as a user, or has failed to."""
    where: Table = {"connection_name": connection.name, "name": user, "connection_type": "network"}
    headers: Table = {**_peer(connection), **where}
    if error is None:
        tell(state, "user.authentication.success", headers, None)
    else:
        told = [LongLong(octet) for octet in error.encode()]
        tell(state, "user.authentication.failure", {"error": told, **headers}, None)


def _client(connection: Connection) -> Table:
    own_name = connection.client_properties.get("connection_name")
    named: Table = {"user_provided_name": own_name} if isinstance(own_name, str) else {}
    return {
        "node": NODE_NAME,
        "client_properties": _arguments(connection.client_properties),
        **named,
        "name": connection.name,
        "pid": f"<0.{connection.id}.0>",
    }


@if_heard
def tell_of_connection(state: NodeState, connection: Connection) -> None:
    """A connection is open."""
    assert connection.vhost is not None
    headers: Table = {
        **_client(connection),
        **_peer(connection),
        "type": "network",
        "connected_at": LongLong(date_ms(state.now_us)),
        "channel_max": connection.channel_max,
        "timeout": connection.heartbeat_us // 1_000_000,
        "vhost": connection.vhost.name,
        "user": connection.user,
        "port": 5672,
    }
    tell(state, "connection.created", headers, connection.user)


@if_heard
def tell_of_disconnection(state: NodeState, connection: Connection) -> None:
    """A connection is over."""
    tell(state, "connection.closed", _client(connection), None)


@if_heard
def tell_of_channel(state: NodeState, channel: Channel) -> None:
    """A channel is open."""
    connection = channel.connection
    headers: Table = {
        "vhost": channel.vhost.name,
        "user": connection.user,
        "number": channel.number,
        "connection": f"<0.{connection.id}.0>",
        "name": f"{connection.name} ({channel.number})",
        "pid": _pid(channel),
    }
    tell(state, "channel.created", headers, connection.user)


@if_heard
def tell_of_closed_channel(state: NodeState, channel: Channel) -> None:
    """A channel is over."""
    more = {"consumer_count": len(channel.consumers)} if state.profile.fills_in_queue_type else {}
    tell(state, "channel.closed", {**more, "pid": _pid(channel)}, channel.connection.user)


@if_heard
def tell_of_consumer(state: NodeState, consumer: Consumer) -> None:
    """Somebody consumes."""
    headers: Table = {
        "arguments": _arguments(consumer.arguments),
        "prefetch_count": consumer.prefetch_count,
        "ack_required": not consumer.no_ack,
        "exclusive": consumer.exclusive,
        **_consumer(consumer),
    }
    tell(state, "consumer.created", headers, channel_of(consumer).connection.user)


@if_heard
def tell_of_cancelled_consumer(state: NodeState, consumer: Consumer) -> None:
    """Somebody consumes no longer."""
    tell(state, "consumer.deleted", _consumer(consumer), channel_of(consumer).connection.user)


def _consumer(consumer: Consumer) -> Table:
    return {
        "queue": consumer.queue.name,
        "vhost": consumer.queue.vhost,
        "channel": _pid(channel_of(consumer)),
        "consumer_tag": consumer.tag,
    }


def _pid(channel: Channel) -> str:
    return f"<0.{channel.connection.id}.{channel.number}>"
