"""What outlives the node: the one table. Observed on 3.10.8 and 4.0.5, by stopping and by killing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.node.state.message import Entry


def _always(node: Node, fact: Any) -> bool:
    return True


def _durable(node: Node, exchange: ExchangeFact) -> bool:
    return exchange.durable


def _durable_and_shared(node: Node, queue: QueueFact) -> bool:
    return queue.durable and queue.owner is None


def _both_ends_survive(node: Node, fact: BindingFact) -> bool:
    vhost = node.vhosts[fact.vhost]
    kind, name = fact.binding.destination
    end = vhost.queues[name].fact if kind == "queue" else vhost.exchanges[name].fact
    return survives(node, vhost.exchanges[fact.binding.source].fact) and survives(node, end)


_SURVIVAL: dict[type, Callable[[Node, Any], bool]] = {
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


def survives(node: Node, fact: Fact) -> bool:
    """Whether a fact still holds after a restart."""
    return _SURVIVAL[type(fact)](node, fact)


def survives_entry(entry: Entry) -> bool:
    """Whether a message is still in its queue after a restart: if persistent, in quorum queues and streams always."""
    queue = entry.queue
    return queue.store is not None and (entry.message.is_persistent or queue.is_quorum or queue.is_stream)


def is_redelivered_after_restart(*, was_delivered: bool, is_quorum: bool, was_shut_down: bool) -> bool:
    """Whether a kept message says that it was delivered before.

    A classic queue that was killed no longer knows and says yes to be safe (observed).
    """
    return was_delivered or not (is_quorum or was_shut_down)
