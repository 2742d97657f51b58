"""basic.qos, consume, cancel and get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.metadata.lifecycle import remove_consumer, renew_lease
from fakeamqp.node.metadata.permissions import check_queue
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.queues.consumer_arguments import check_consumer_arguments, consumer_priority
from fakeamqp.node.queues.consumers import Consumer
from fakeamqp.node.queues.queue import Queue, assert_may_use, queue_named
from fakeamqp.node.queues.streams import check_reader, not_supported
from fakeamqp.node.sessions import reply_to
from fakeamqp.node.sessions.reply_to import REPLY_TO, stop_consuming
from fakeamqp.node.state.channel import Channel
from fakeamqp.node.state.message import NO_EXPIRY_US, Entry
from fakeamqp.node.words.names import queue_meant
from fakeamqp.spec.errors import access_refused, not_allowed, not_implemented, resource_locked
from fakeamqp.spec.methods import (
    BasicCancel,
    BasicCancelOk,
    BasicConsume,
    BasicConsumeOk,
    BasicGet,
    BasicGetEmpty,
    BasicGetOk,
    BasicQos,
    BasicQosOk,
)
from fakeamqp.spec.properties import BasicProperties

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def qos(node: Node, channel: Channel, method: BasicQos) -> None:
    """basic.qos: a limit for consumers to come, or with global for all of the channel's together.

    Setting the former removes the latter (rabbit_channel.erl; observed).
    """
    if method.prefetch_size:
        raise not_implemented(f"prefetch_size!=0 ({method.prefetch_size})")
    if method.global_qos:
        if not channel.global_prefetch:
            channel.outstanding = len(channel.unacked)  # what came by basic.get counts as well (observed)
        channel.global_prefetch = method.prefetch_count
    else:
        channel.global_prefetch = 0
        channel.consumer_prefetch = method.prefetch_count
    for consumer in channel.consumers.values():
        if consumer.queue.consumers.unpark(channel):
            node.touch(consumer.queue)
    channel.send(BasicQosOk())


def consume(node: Node, channel: Channel, method: BasicConsume) -> None:
    """basic.consume."""
    name = queue_meant(channel, method.queue)
    if method.consumer_tag in channel.consumers:
        raise not_allowed(f"attempt to reuse consumer tag '{method.consumer_tag}'")
    if name == REPLY_TO:
        reply_to.consume(node, channel, method)
        return
    check_queue(node, channel, "read", name)
    queue = channel.vhost.queue(name)
    assert_may_use(queue.fact, channel.connection.id)
    where = queue_named(name, queue.fact.vhost)
    check_consumer_arguments(method.arguments, queue.settings.queue_type, node.profile, where)
    if queue.is_stream:
        check_reader(channel, node.profile, where, no_ack=method.no_ack)
    if queue.is_quorum and channel.global_prefetch:
        raise not_implemented(f"{where} does not support global qos")
    heeds_exclusive = queue.settings.queue_type == "classic"  # others do not (observed)
    if heeds_exclusive and (queue.exclusive_consumer is not None or (method.exclusive and len(queue.consumers))):
        raise access_refused(f"{where} in exclusive use")
    if heeds_exclusive and method.exclusive and queue.settings.single_active_consumer:
        raise access_refused(f"{where} in exclusive use")
    _add_consumer(node, channel, queue, method, heeds_exclusive=heeds_exclusive)


def _add_consumer(node: Node, channel: Channel, queue: Queue, method: BasicConsume, *, heeds_exclusive: bool) -> None:
    consumer = Consumer(
        method.consumer_tag or f"amq.ctag-{node.new_name()}",
        channel=channel,
        queue=queue,
        no_ack=method.no_ack,
        exclusive=method.exclusive,
        prefetch_count=channel.consumer_prefetch,
        priority=consumer_priority(method.arguments),
        arguments=method.arguments,
        number=channel.next_consumer_number,
    )
    channel.next_consumer_number += 1
    if queue.is_quorum:
        # It inherits what is unsettled of an earlier consumer of its tag (rabbit_fifo.erl, merge_consumer).
        held = [each.consumer for each in channel.held() if each.entry.queue is queue and each.consumer is not None]
        inherited = sum(each.tag == consumer.tag for each in held)
        consumer.outstanding = min(inherited, consumer.prefetch_count or inherited)
    channel.consumers[consumer.tag] = consumer
    queue.consumers.add(consumer)
    event_exchange.tell_of_consumer(node, consumer)
    queue.had_consumer = True
    if method.exclusive and heeds_exclusive:
        queue.exclusive_consumer = consumer
    if not method.nowait:
        channel.send(BasicConsumeOk(consumer.tag))
    node.touch(queue)


def cancel(node: Node, channel: Channel, method: BasicCancel) -> None:
    """basic.cancel; cancelling what does not exist succeeds."""
    consumer = channel.consumers.get(method.consumer_tag)
    if consumer is not None:
        remove_consumer(node, consumer)
    elif channel.reply_consumer is not None and channel.reply_consumer.tag == method.consumer_tag:
        stop_consuming(node, channel)
    if not method.nowait:
        channel.send(BasicCancelOk(method.consumer_tag))


def get(node: Node, channel: Channel, method: BasicGet) -> None:
    """basic.get."""
    name = queue_meant(channel, method.queue)
    check_queue(node, channel, "read", name)
    queue = channel.vhost.queue(name)
    assert_may_use(queue.fact, channel.connection.id)
    if queue.is_stream:
        raise not_supported("basic.get", queue_named(name, queue.fact.vhost))
    if queue.is_quorum and queue.settings.single_active_consumer:
        raise resource_locked(
            f"cannot obtain access to locked {queue_named(name, queue.fact.vhost)}. "
            "basic.get operations are not supported by quorum queues with single active consumer"
        )
    renew_lease(node, queue)
    if not queue.backlog:
        channel.send(BasicGetEmpty())
        return
    entry = queue.take()
    redelivered = entry.is_redelivered
    tag = node.hand_out(entry, channel, None, no_ack=method.no_ack)
    message = entry.message
    properties = _fetched_properties(node, entry)
    ready = len(queue.backlog)
    answer = BasicGetOk(tag, redelivered, message.exchange, message.routing_key, ready, properties, message.body)
    channel.send(answer)
    head = queue.backlog.head()
    if queue.is_limited or (head is not None and head.expires_us != NO_EXPIRY_US):
        node.touch(queue)
        if method.no_ack or not queue.is_quorum:
            # What has expired behind is not counted; where it goes as a dead letter comes after the answer (observed).
            node.run_queues()
            answer.message_count = len(queue.backlog)


def _fetched_properties(node: Node, entry: Entry) -> BasicProperties:
    if not entry.queue.is_quorum:
        return entry.message.properties
    return node.delivered_properties(entry, counts_from_zero=node.profile.quorum_get_counts_from_zero)
