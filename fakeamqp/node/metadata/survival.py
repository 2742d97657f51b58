"""What outlives the node: the one table. Observed on 3.10.8 and 4.0.5, by stopping and by killing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.vhost import VirtualHost
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

VirtualHosts: TypeAlias = Mapping[str, VirtualHost]


def _always(vhosts: VirtualHosts, fact: Any) -> bool:
    return True


def _durable(vhosts: VirtualHosts, exchange: ExchangeFact) -> bool:
    return exchange.durable


def _durable_and_shared(vhosts: VirtualHosts, queue: QueueFact) -> bool:
    return queue.durable and queue.owner is None


def _both_ends_survive(vhosts: VirtualHosts, fact: BindingFact) -> bool:
    vhost = vhosts[fact.vhost]
    kind, name = fact.binding.destination
    end = vhost.queues[name].fact if kind == "queue" else vhost.exchanges[name].fact
    return survives(vhosts, vhost.exchanges[fact.binding.source].fact) and survives(vhosts, end)


_SURVIVAL: dict[type, Callable[[VirtualHosts, Any], bool]] = {
    VirtualHostFact: _always,
    VirtualHostLimitsFact: _always,
    PolicyFact: _always,
    GlobalParameterFact: _always,
    UserFact: _always,
    PermissionFact: _always,
    TopicPermissionFact: _always,
    ExchangeFact: _durable,
    QueueFact: _durable_and_shared,
    BindingFact: _both_ends_survive,
}


def survives(vhosts: VirtualHosts, fact: Fact) -> bool:
    """Whether a fact still holds after a restart."""
    return _SURVIVAL[type(fact)](vhosts, fact)


def survives_entry(queue: Queue, message: Message) -> bool:
    """Whether a message is still in its queue after a restart: if persistent, in quorum queues and streams always."""
    return queue.store is not None and (queue.type.keeps_transient or message.is_persistent)


def is_redelivered_after_restart(*, was_delivered: bool, remembers_deliveries: bool, was_shut_down: bool) -> bool:
    """Whether a kept message says that it was delivered before.

    A classic queue that was killed no longer knows and says yes to be safe (observed).
    """
    return was_delivered or not (remembers_deliveries or was_shut_down)
