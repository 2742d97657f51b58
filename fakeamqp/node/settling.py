"""Acknowledgements: basic.ack, nack, reject and recover, and what they mean for queues and consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.channels import Channel, Settlement, Unacked
from fakeamqp.node.queues import Queue
from fakeamqp.spec.errors import not_implemented
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicRecover, BasicRecoverAsync, BasicRecoverOk, BasicReject

if TYPE_CHECKING:
    from fakeamqp.node.messages import Entry
    from fakeamqp.node.node import Node


def ack(node: Node, channel: Channel, method: BasicAck) -> None:
    """basic.ack."""
    deliveries = channel.pick(method.delivery_tag, method.multiple)
    _decide(node, channel, Settlement(deliveries, True, False))


def nack(node: Node, channel: Channel, method: BasicNack) -> None:
    """basic.nack, RabbitMQ's extension of reject to several deliveries."""
    deliveries = channel.pick(method.delivery_tag, method.multiple)
    _decide(node, channel, Settlement(deliveries, False, method.requeue))


def reject(node: Node, channel: Channel, method: BasicReject) -> None:
    """basic.reject."""
    _decide(node, channel, Settlement(channel.pick(method.delivery_tag, False), False, method.requeue))


def _decide(node: Node, channel: Channel, settlement: Settlement) -> None:
    if channel.transaction is not None:
        channel.transaction.settlements.append(settlement)
    else:
        settle_deliveries(node, channel, settlement)


def recover(node: Node, channel: Channel, method: BasicRecover) -> None:
    """basic.recover: everything that is unacknowledged on the channel goes back to its queue."""
    recover_async(node, channel, method)
    channel.send(BasicRecoverOk())


def recover_async(node: Node, channel: Channel, method: BasicRecoverAsync | BasicRecover) -> None:
    """basic.recover-async, the same without an answer."""
    if not method.requeue:
        raise not_implemented("requeue=false")
    settle_deliveries(node, channel, Settlement(channel.pick(0, True), False, True))


def settle_deliveries(node: Node, channel: Channel, settlement: Settlement) -> None:
    """Do what was decided, and let consumers that this sets free take more."""
    queues: dict[Queue, None] = {}
    for each in settlement.deliveries:
        _free(channel, each)
        entry = each.entry
        queue = entry.queue
        queues[queue] = None
        if entry.position not in queue.unacked:
            continue  # the queue was deleted meanwhile
        if settlement.requeue:
            _requeue(node, entry)
        else:
            queue.drop(entry)
            node.retract_entry(entry)
    if channel.global_prefetch:
        queues.update((consumer.queue, None) for consumer in channel.consumers.values())
    for queue in queues:
        if queue.consumers.unpark(channel) or settlement.requeue:
            node.touch(queue)


def _free(channel: Channel, delivery: Unacked) -> None:
    consumer = delivery.consumer
    if consumer is not None:
        consumer.outstanding -= 1
        channel.outstanding -= 1


def _requeue(node: Node, entry: Entry) -> None:
    queue = entry.queue
    entry.is_redelivered = True
    if not queue.is_quorum:
        queue.put_back(entry)
        return
    entry.deliveries += 1
    if node.profile.quorum_requeues_to_back:
        queue.drop(entry)
        node.retract_entry(entry)
        node.commit_entry(queue.renewed(entry))
    else:
        queue.put_first(entry)
        node.mark_delivered(entry)
