"""Class queue, but for its bindings."""

from __future__ import annotations

from collections.abc import Iterator

from fakeamqp.node.messages.reply_to import REPLY_TO, assert_declarable
from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.metadata.lifecycle import delete_queue
from fakeamqp.node.metadata.limits import assert_room_for_queue
from fakeamqp.node.metadata.permissions import check_exchange, check_queue
from fakeamqp.node.queues.declaring import (
    assert_equivalent_queue,
    assert_may_use,
    check_arguments,
    check_server_named,
)
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.queue_arguments import QUEUE_TYPE, checked_dead_letter_exchange
from fakeamqp.node.state.connection import Channel, Connection
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Purge
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.facts import QueueFact
from fakeamqp.node.words.names import queue_named, refuse_reserved, stripped
from fakeamqp.spec.methods import (
    QueueDeclare,
    QueueDeclareOk,
    QueueDelete,
    QueueDeleteOk,
    QueuePurge,
)
from fakeamqp.spec.tables import Table


def declare(state: NodeState, channel: Channel, method: QueueDeclare) -> None:
    """queue.declare."""
    if method.queue.startswith(REPLY_TO):
        name = stripped(method.queue)
        assert_declarable(state.reply_channels, channel, name)
        channel.last_queue = name
        if not method.nowait:
            channel.send(QueueDeclareOk(name, 0, 1))
        return
    queue = _declare_passively(channel, method) if method.passive else _declare_actively(state, channel, method)
    channel.last_queue = queue.name
    renew_lease(state, queue)
    if not method.nowait:
        messages = queue.type.count_messages(queue)
        channel.send(
            QueueDeclareOk(queue.name, messages, queue.type.count_consumers(queue, _holders(state.connections, queue)))
        )


def _holders(connections: dict[int, Connection], queue: Queue) -> Iterator[tuple[Channel, str | None]]:
    """Who holds messages of a queue: the channel and the consumer's tag, or None after a basic.get."""
    if not queue.unacked:
        return
    for connection in connections.values():
        for channel in connection.channels.values():
            for each in channel.held():
                if each.queue is queue:
                    yield channel, None if each.consumer is None else each.consumer.tag


def _declare_passively(channel: Channel, method: QueueDeclare) -> Queue:
    queue = channel.vhost.queue(stripped(method.queue))
    assert_may_use(queue.fact, channel.connection.id)
    return queue


def _declare_actively(state: NodeState, channel: Channel, method: QueueDeclare) -> Queue:
    vhost = channel.vhost
    name = stripped(method.queue)
    arguments = method.arguments
    if may_have_type(vhost, durable=method.durable, exclusive=method.exclusive, auto_delete=method.auto_delete):
        arguments = with_default_type(vhost, arguments)
    if name:
        refuse_reserved("queue", name)
    else:
        check_server_named(arguments.get(QUEUE_TYPE))
        name = f"amq.gen-{state.new_name()}"
    check_queue(state.profile, state.access, channel, "configure", name)
    owner = channel.connection.id if method.exclusive else None
    # An exclusive queue goes with its connection whatever it was declared as; RabbitMQ stores it as not durable.
    durable = method.durable and not method.exclusive
    fact = QueueFact(vhost.name, name, durable, owner, method.auto_delete, arguments)
    existing = vhost.queues.get(name)
    if existing is not None:
        assert_equivalent_queue(existing.fact, fact, state.profile)
        return existing
    if state.profile.checks_room_for_queue_first:
        assert_room_for_queue(vhost, name)
    dead_letter_exchange = checked_dead_letter_exchange(fact.arguments, queue_named(name, vhost.name))
    if dead_letter_exchange is not None:
        check_queue(state.profile, state.access, channel, "read", name)
        check_exchange(state.profile, state.access, channel, "write", dead_letter_exchange)
    check_arguments(fact, state.profile)
    assert_room_for_queue(vhost, name)
    commit(state, fact, channel.connection.user)
    return vhost.queues[name]


def may_have_type(vhost: VirtualHost, *, durable: bool, exclusive: bool, auto_delete: bool) -> bool:
    """Whether a queue with these properties may have its virtual host's default type, if there is one."""
    kind = vhost.fact.default_queue_type
    return kind == "classic" or (kind is not None and durable and not exclusive and not auto_delete)


def with_default_type(vhost: VirtualHost, arguments: Table) -> Table:
    """A queue's arguments; where they say nothing of its type, with the virtual host's default."""
    return arguments if QUEUE_TYPE in arguments else {**arguments, QUEUE_TYPE: vhost.fact.default_queue_type}


def purge(state: NodeState, channel: Channel, method: QueuePurge) -> None:
    """queue.purge: every ready message goes; what is unacknowledged stays."""
    name = channel.queue_meant(method.queue)
    check_queue(state.profile, state.access, channel, "read", name)
    queue = channel.vhost.queue(name)
    assert_may_use(queue.fact, channel.connection.id)
    queue.type.check_purge(queue)
    state.line.append(Purge(queue, None if method.nowait else channel))


def delete(state: NodeState, channel: Channel, method: QueueDelete) -> None:
    """queue.delete; deleting what does not exist succeeds."""
    name = stripped(channel.queue_meant(method.queue))
    check_queue(state.profile, state.access, channel, "configure", name)
    queue = channel.vhost.queues.get(name)
    if queue is not None:
        assert_may_use(queue.fact, channel.connection.id)
        queue.type.check_delete(queue, method.if_unused, method.if_empty)
    if not method.nowait:  # before the channel hears that its own consumers of the queue are gone (observed)
        channel.send(QueueDeleteOk(0 if queue is None else queue.type.count_messages(queue)))
    if queue is not None:
        delete_queue(state, queue, channel.connection.user)
