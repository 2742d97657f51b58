"""How a fact becomes true in memory, and untrue again. Recovery after a restart goes through here as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fakeamqp.node.messages.late_delivery import recover_delayed
from fakeamqp.node.metadata.lifecycle import renew_lease
from fakeamqp.node.metadata.policies import govern_everything, govern_exchange, govern_queue
from fakeamqp.node.metadata.survival import is_redelivered_after_restart, survives
from fakeamqp.node.queues.effects import Discarded
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.journal import Journal, QueueStore
from fakeamqp.node.state.message import Entry
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

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def _add_vhost(node: Node, fact: VirtualHostFact) -> None:
    if fact.name in node.vhosts:
        node.vhosts[fact.name].fact = fact
    else:
        node.vhosts[fact.name] = VirtualHost(fact.name, node.exchange_types, fact)


def _remove_vhost(node: Node, fact: VirtualHostFact) -> None:
    del node.vhosts[fact.name]


def _add_limits(node: Node, fact: VirtualHostLimitsFact) -> None:
    node.vhosts[fact.vhost].limits = fact


def _remove_limits(node: Node, fact: VirtualHostLimitsFact) -> None:
    node.vhosts[fact.vhost].limits = None


def _add_policy(node: Node, fact: PolicyFact) -> None:
    node.vhosts[fact.vhost].policies.put(fact)
    govern_everything(node, fact.vhost)


def _remove_policy(node: Node, fact: PolicyFact) -> None:
    node.vhosts[fact.vhost].policies.remove(fact)
    govern_everything(node, fact.vhost)


def _add_global_parameter(node: Node, fact: GlobalParameterFact) -> None:
    node.global_parameters[fact.name] = fact


def _add_user(node: Node, fact: UserFact) -> None:
    node.access.users[fact.name] = fact


def _remove_user(node: Node, fact: UserFact) -> None:
    del node.access.users[fact.name]


def _add_permission(node: Node, fact: PermissionFact) -> None:
    node.access.permissions[fact.vhost, fact.user] = fact


def _remove_permission(node: Node, fact: PermissionFact) -> None:
    del node.access.permissions[fact.vhost, fact.user]


def _add_topic_permission(node: Node, fact: TopicPermissionFact) -> None:
    node.access.topic_permissions[fact.vhost, fact.user, fact.exchange] = fact


def _remove_topic_permission(node: Node, fact: TopicPermissionFact) -> None:
    del node.access.topic_permissions[fact.vhost, fact.user, fact.exchange]


def _add_exchange(node: Node, fact: ExchangeFact) -> None:
    exchange = Exchange(fact, node.exchange_types.make_index(fact))
    govern_exchange(node, exchange)
    node.vhosts[fact.vhost].add_exchange(exchange)


def _remove_exchange(node: Node, fact: ExchangeFact) -> None:
    node.vhosts[fact.vhost].remove_exchange(fact.name)


def _add_queue(node: Node, fact: QueueFact) -> None:
    store = node.journal.store((fact.vhost, fact.name)) if survives(node, fact) else None
    queue = Queue(fact, store, node.profile)
    govern_queue(node, queue)
    node.vhosts[fact.vhost].add_queue(queue)


def _remove_queue(node: Node, fact: QueueFact) -> None:
    node.vhosts[fact.vhost].remove_queue(fact.name)


def _add_binding(node: Node, fact: BindingFact) -> None:
    node.vhosts[fact.vhost].add_binding(fact.binding)


def _remove_binding(node: Node, fact: BindingFact) -> None:
    node.vhosts[fact.vhost].remove_binding(fact.binding)


APPLY: dict[type, Callable[[Node, Any], None]] = {
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

RETRACT: dict[type, Callable[[Node, Any], None]] = {
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


def recover(node: Node, journal: Journal) -> None:
    """Build a node's memory from its journal."""
    for fact in journal.facts.values():
        APPLY[type(fact)](node, fact)
    for vhost in node.vhosts.values():
        for exchange in vhost.exchanges.values():
            exchange.index.recover()
    recover_delayed(node)
    queues = [node.vhosts[vhost_name].queues[name] for vhost_name, name in journal.stores]
    for queue, store in zip(queues, journal.stores.values(), strict=True):
        _recover_messages(queue, store, journal.was_shut_down)
        if queue.log is not None:
            queue.log.has_recovered()
        renew_lease(node, queue)
        node.touch(queue)  # time has passed: some may have expired
    for queue in queues:
        node.retry_dead_letters(queue)
    journal.was_shut_down = False


def _recover_messages(queue: Queue, store: QueueStore, was_shut_down: bool) -> None:
    for position in sorted(store.entries):
        entry = Entry(queue, position, *store.entries[position])
        entry.survives = True
        entry.deliveries = store.deliveries.get(position, 0)
        entry.is_redelivered = is_redelivered_after_restart(
            was_delivered=position in store.deliveries,
            is_quorum=queue.is_quorum or queue.is_stream,
            was_shut_down=was_shut_down,
        )
        if entry.is_redelivered:
            # What a crash made of it outlasts the next shutdown (rabbit_queue_index.erl, recover_message).
            store.deliveries.setdefault(position, 0)
        queue.next_position = position + 1
        if position in store.discarded:
            queue.discard(Discarded(entry, store.discarded[position], []))
        else:
            queue.admit(entry)
