"""How a fact becomes true in memory, and untrue again. Recovery after a restart goes through here as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fakeamqp.node.metadata.policies import configure_new_queue, update_everything, update_exchange
from fakeamqp.node.metadata.survival import survives
from fakeamqp.node.queues.types import make_queue
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.facts import (
    BindingFact,
    ExchangeFact,
    GlobalParameterFact,
    PermissionFact,
    PolicyFact,
    QueueFact,
    TopicPermissionFact,
    UserFact,
    VirtualHostFact,
    VirtualHostLimitsFact,
)


def _add_vhost(state: NodeState, fact: VirtualHostFact) -> None:
    if fact.name in state.vhosts:
        state.vhosts[fact.name].fact = fact
    else:
        state.vhosts[fact.name] = VirtualHost(fact.name, state.exchange_types, fact)


def _remove_vhost(state: NodeState, fact: VirtualHostFact) -> None:
    del state.vhosts[fact.name]


def _add_limits(state: NodeState, fact: VirtualHostLimitsFact) -> None:
    state.vhosts[fact.vhost].limits = fact


def _remove_limits(state: NodeState, fact: VirtualHostLimitsFact) -> None:
    state.vhosts[fact.vhost].limits = None


def _add_policy(state: NodeState, fact: PolicyFact) -> None:
    state.vhosts[fact.vhost].policies.put(fact)
    update_everything(state.line, state.vhosts, fact.vhost)


def _remove_policy(state: NodeState, fact: PolicyFact) -> None:
    state.vhosts[fact.vhost].policies.remove(fact)
    update_everything(state.line, state.vhosts, fact.vhost)


def _add_global_parameter(state: NodeState, fact: GlobalParameterFact) -> None:
    state.global_parameters[fact.name] = fact


def _add_user(state: NodeState, fact: UserFact) -> None:
    state.access.users[fact.name] = fact


def _remove_user(state: NodeState, fact: UserFact) -> None:
    del state.access.users[fact.name]


def _add_permission(state: NodeState, fact: PermissionFact) -> None:
    state.access.permissions[fact.vhost, fact.user] = fact


def _remove_permission(state: NodeState, fact: PermissionFact) -> None:
    del state.access.permissions[fact.vhost, fact.user]


def _add_topic_permission(state: NodeState, fact: TopicPermissionFact) -> None:
    state.access.topic_permissions[fact.vhost, fact.user, fact.exchange] = fact


def _remove_topic_permission(state: NodeState, fact: TopicPermissionFact) -> None:
    del state.access.topic_permissions[fact.vhost, fact.user, fact.exchange]


def _add_exchange(state: NodeState, fact: ExchangeFact) -> None:
    exchange = Exchange(fact, state.exchange_types.make_index(fact))
    update_exchange(state.vhosts, exchange)
    state.vhosts[fact.vhost].add_exchange(exchange)


def _remove_exchange(state: NodeState, fact: ExchangeFact) -> None:
    state.vhosts[fact.vhost].remove_exchange(fact.name)


def _add_queue(state: NodeState, fact: QueueFact) -> None:
    store = state.journal.store((fact.vhost, fact.name)) if survives(state.vhosts, fact) else None
    queue = make_queue(fact, store, state.profile)
    configure_new_queue(state, queue)
    state.vhosts[fact.vhost].add_queue(queue)


def _remove_queue(state: NodeState, fact: QueueFact) -> None:
    state.vhosts[fact.vhost].remove_queue(fact.name)


def _add_binding(state: NodeState, fact: BindingFact) -> None:
    state.vhosts[fact.vhost].add_binding(fact.binding)


def _remove_binding(state: NodeState, fact: BindingFact) -> None:
    state.vhosts[fact.vhost].remove_binding(fact.binding)


APPLY: dict[type, Callable[[NodeState, Any], None]] = {
    VirtualHostFact: _add_vhost,
    VirtualHostLimitsFact: _add_limits,
    PolicyFact: _add_policy,
    GlobalParameterFact: _add_global_parameter,
    UserFact: _add_user,
    PermissionFact: _add_permission,
    TopicPermissionFact: _add_topic_permission,
    ExchangeFact: _add_exchange,
    QueueFact: _add_queue,
    BindingFact: _add_binding,
}

RETRACT: dict[type, Callable[[NodeState, Any], None]] = {
    VirtualHostFact: _remove_vhost,
    VirtualHostLimitsFact: _remove_limits,
    PolicyFact: _remove_policy,
    UserFact: _remove_user,
    PermissionFact: _remove_permission,
    TopicPermissionFact: _remove_topic_permission,
    ExchangeFact: _remove_exchange,
    QueueFact: _remove_queue,
    BindingFact: _remove_binding,
}
