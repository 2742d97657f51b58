"""Class queue, but for its bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.metadata.lifecycle import delete_queue, renew_lease
from fakeamqp.node.metadata.limits import assert_room_for_queue
from fakeamqp.node.metadata.permissions import check_exchange, check_queue
from fakeamqp.node.observers.watching import PURGED, watch_leaving
from fakeamqp.node.queues.queue import Queue, assert_equivalent_queue, assert_may_use, queue_named
from fakeamqp.node.queues.queue_arguments import (
    QUEUE_TYPE,
    QUEUE_TYPES,
    check_queue_arguments,
    check_stream_sizes,
    checked_dead_letter_exchange,
)
from fakeamqp.node.queues.streams import not_supported
from fakeamqp.node.sessions.reply_to import REPLY_TO, assert_declarable
from fakeamqp.node.state.channel import Channel
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.facts import QueueFact
from fakeamqp.node.words.names import queue_meant, refuse_reserved, stripped
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, not_implemented, precondition_failed
from fakeamqp.spec.methods import (
    QueueDeclare,
    QueueDeclareOk,
    QueueDelete,
    QueueDeleteOk,
    QueuePurge,
    QueuePurgeOk,
)
from fakeamqp.spec.tables import Table

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def declare(node: Node, channel: Channel, method: QueueDeclare) -> None:
    """queue.declare."""
    if method.queue.startswith(REPLY_TO):
        name = stripped(method.queue)
        assert_declarable(node, channel, name)
        channel.last_queue = name
        if not method.nowait:
            channel.send(QueueDeclareOk(name, 0, 1))
        return
    queue = _declare_passively(channel, method) if method.passive else _declare_actively(node, channel, method)
    channel.last_queue = queue.name
    renew_lease(node, queue)
    if not method.nowait:
        channel.send(QueueDeclareOk(queue.name, queue.counted(), _counted_consumers(node, queue)))


def _counted_consumers(node: Node, queue: Queue) -> int:
    """How many consumers queue.declare-ok tells.

    Of a quorum queue those that are served, and whoever else holds a message of it: each basic.get, and a consumer
    that was cancelled (rabbit_fifo.erl: it stays until it has nothing checked out); of a stream none (observed).
    """
    if queue.is_stream:
        return 0
    if not queue.is_quorum:
        return len(queue.consumers)
    consumers = {(id(consumer.channel), consumer.tag) for consumer in queue.consumers.served()}
    fetches = 0
    channels = [channel for connection in node.connections.values() for channel in connection.channels.values()]
    for channel in channels if queue.unacked else ():
        holders = [each.consumer for each in channel.held() if each.entry.queue is queue]
        consumers |= {(id(channel), each.tag) for each in holders if each is not None}
        fetches += holders.count(None)
    return len(consumers) + fetches


def _declare_passively(channel: Channel, method: QueueDeclare) -> Queue:
    queue = channel.vhost.queue(stripped(method.queue))
    assert_may_use(queue.fact, channel.connection.id)
    return queue


def _declare_actively(node: Node, channel: Channel, method: QueueDeclare) -> Queue:
    vhost = channel.vhost
    name = stripped(method.queue)
    arguments = method.arguments
    if may_have_type(vhost, durable=method.durable, exclusive=method.exclusive, auto_delete=method.auto_delete):
        arguments = with_default_type(vhost, arguments)
    if name:
        refuse_reserved("queue", name)
    else:
        _check_server_named(arguments.get(QUEUE_TYPE))
        name = f"amq.gen-{node.new_name()}"
    check_queue(node, channel, "configure", name)
    owner = channel.connection.id if method.exclusive else None
    # An exclusive queue goes with its connection whatever it was declared as; RabbitMQ stores it as not durable.
    durable = method.durable and not method.exclusive
    fact = QueueFact(vhost.name, name, durable, owner, method.auto_delete, arguments)
    existing = vhost.queues.get(name)
    if existing is not None:
        assert_equivalent_queue(existing.fact, fact, node.profile)
        return existing
    if node.profile.checks_room_for_queue_first:
        assert_room_for_queue(vhost, name)
    dead_letter_exchange = checked_dead_letter_exchange(fact.arguments, queue_named(name, vhost.name))
    if dead_letter_exchange is not None:
        check_queue(node, channel, "read", name)
        check_exchange(node, channel, "write", dead_letter_exchange)
    check_arguments(fact, node.profile)
    assert_room_for_queue(vhost, name)
    node.commit(fact, channel.connection.user)
    return vhost.queues[name]


def may_have_type(vhost: VirtualHost, *, durable: bool, exclusive: bool, auto_delete: bool) -> bool:
    """Whether a queue with these properties may have its virtual host's default type, if there is one."""
    kind = vhost.fact.default_queue_type
    return kind == "classic" or (kind is not None and durable and not exclusive and not auto_delete)


def with_default_type(vhost: VirtualHost, arguments: Table) -> Table:
    """A queue's arguments; where they say nothing of its type, with the virtual host's default."""
    return arguments if QUEUE_TYPE in arguments else {**arguments, QUEUE_TYPE: vhost.fact.default_queue_type}


def _check_server_named(queue_type: object) -> None:
    if queue_type in NEVER_SERVER_NAMED:
        raise precondition_failed(f"Cannot declare a server-named queue for type rabbit_{queue_type}_queue")
    if isinstance(queue_type, str) and queue_type not in QUEUE_TYPES:
        raise HardError(541, "", names_method=False)  # RabbitMQ's channel dies of it (observed)


NEVER_SERVER_NAMED = ("quorum", "stream")


def check_arguments(fact: QueueFact, profile: Profile) -> None:
    """Raise 406 for arguments that are bad in themselves, or do not go with the queue's other properties."""
    where = queue_named(fact.name, fact.vhost)
    check_queue_arguments(fact.arguments, profile, where)
    queue_type = fact.arguments.get(QUEUE_TYPE)
    if queue_type in NEVER_SERVER_NAMED:
        refused = {
            "auto-delete": fact.auto_delete,
            "exclusive-owner": fact.owner is not None,
            "non-durable": not fact.durable,
        }
        for reason, applies in refused.items():
            if applies:
                raise precondition_failed(f"invalid property '{reason}' for {where}")
    if queue_type == "stream":
        check_stream_sizes(fact.arguments, profile)


def purge(node: Node, channel: Channel, method: QueuePurge) -> None:
    """queue.purge: every ready message goes; what is unacknowledged stays."""
    name = queue_meant(channel, method.queue)
    check_queue(node, channel, "read", name)
    queue = channel.vhost.queue(name)
    assert_may_use(queue.fact, channel.connection.id)
    if queue.is_stream:
        raise not_supported("queue.purge", queue_named(name, queue.fact.vhost))
    purged = queue.clear()
    watch_leaving(node, PURGED, queue, purged)
    for entry in purged:
        node.retract_entry(entry)
    node.touch(queue)
    if not method.nowait:
        channel.send(QueuePurgeOk(len(purged)))


def delete(node: Node, channel: Channel, method: QueueDelete) -> None:
    """queue.delete; deleting what does not exist succeeds."""
    name = stripped(queue_meant(channel, method.queue))
    check_queue(node, channel, "configure", name)
    queue = channel.vhost.queues.get(name)
    if queue is not None:
        assert_may_use(queue.fact, channel.connection.id)
        _refuse_if_needed(queue, method)
    if not method.nowait:  # before the channel hears that its own consumers of the queue are gone (observed)
        channel.send(QueueDeleteOk(0 if queue is None else queue.counted()))
    if queue is not None:
        delete_queue(node, queue, channel.connection.user)


def _refuse_if_needed(queue: Queue, method: QueueDelete) -> None:
    where = queue_named(queue.name, queue.fact.vhost)
    if queue.is_stream:
        return  # it heeds no conditions (observed)
    if queue.is_quorum:
        for flag, is_set in (("if-unused", method.if_unused), ("if-empty", method.if_empty)):
            if is_set:
                raise not_implemented(
                    f"cannot delete {where}. queue.delete operations with {flag} flag set "
                    "are not supported by quorum queues"
                )
    if method.if_empty and len(queue.backlog):
        raise precondition_failed(f"{where} not empty")
    if method.if_unused and len(queue.consumers):
        raise precondition_failed(f"{where} in use")
