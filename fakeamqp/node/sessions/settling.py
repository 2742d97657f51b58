"""Acknowledgements: basic.ack, nack, reject and recover, and what they mean for queues and consumers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from fakeamqp.node.queues.queue import Unacked
from fakeamqp.node.state.connection import ACKNOWLEDGED, REJECTED, REQUEUED, Channel, Outcome
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Command, Credit, Settle
from fakeamqp.spec.errors import HardError, not_implemented
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicRecover, BasicRecoverAsync, BasicRecoverOk, BasicReject


def ack(state: NodeState, channel: Channel, method: BasicAck) -> None:
    """basic.ack."""
    deliveries = channel.pick(method.delivery_tag, method.multiple)
    if method.multiple or channel.transaction is not None or channel.global_prefetch:
        _decide(state, channel, deliveries, ACKNOWLEDGED)
    else:
        _send(state, channel, deliveries, ACKNOWLEDGED)


def nack(state: NodeState, channel: Channel, method: BasicNack) -> None:
    """basic.nack, RabbitMQ's extension of reject to several deliveries."""
    _refuse(state, channel, channel.pick(method.delivery_tag, method.multiple), requeue=method.requeue)


def reject(state: NodeState, channel: Channel, method: BasicReject) -> None:
    """basic.reject."""
    _refuse(state, channel, channel.pick(method.delivery_tag, False), requeue=method.requeue)


def _refuse(state: NodeState, channel: Channel, deliveries: list[Unacked], *, requeue: bool) -> None:
    if channel.transaction is None:
        try:
            check_return(deliveries)
        except HardError:
            channel.unpick(deliveries)
            raise
    _decide(state, channel, deliveries, REQUEUED if requeue else REJECTED)


def check_return(deliveries: Iterable[Unacked]) -> None:
    """Raise what refuses that these are rejected or returned."""
    for each in deliveries:
        each.queue.type.check_return(each.queue)


def _decide(state: NodeState, channel: Channel, deliveries: list[Unacked], outcome: Outcome) -> None:
    if channel.transaction is not None:
        channel.transaction.settle(deliveries, outcome)
    else:
        settle_deliveries(state, channel, deliveries, outcome)


def recover(state: NodeState, channel: Channel, method: BasicRecover) -> None:
    """basic.recover: everything that is unacknowledged on the channel goes back to its queue, once that is promised."""
    _check_recovery(channel, method)
    channel.send(BasicRecoverOk())
    settle_deliveries(state, channel, channel.pick(0, True), REQUEUED)


def _check_recovery(channel: Channel, method: BasicRecover | BasicRecoverAsync) -> None:
    if not method.requeue:
        raise not_implemented("requeue=false")
    for each in channel.unacked.values():
        each.queue.type.check_recover(each.queue)


def recover_async(state: NodeState, channel: Channel, method: BasicRecoverAsync) -> None:
    """basic.recover-async, the same without an answer."""
    _check_recovery(channel, method)
    settle_deliveries(state, channel, channel.pick(0, True), REQUEUED)


def settle_deliveries(state: NodeState, channel: Channel, deliveries: list[Unacked], outcome: Outcome) -> None:
    """Do what a client decided, and let consumers that this sets free take more.

    Deliveries of different queues and consumers are settled one group after the other, by name. What was got by
    basic.get is a group of its own each, and goes before what consumers were sent. What this means for the channel's
    own prefetch limit, queues hear after that (rabbit_channel.erl, record_sent, ack and foreach_per_queue; observed).
    """
    groups: dict[tuple[str, bool, int, str], list[Unacked]] = {}
    for each in deliveries:
        queue, consumer = each.queue.name, each.consumer
        key = (queue, False, each.delivery_tag, "") if consumer is None else (queue, True, 0, consumer.tag)
        groups.setdefault(key, []).append(each)
    for key in sorted(groups):
        _send(state, channel, groups[key], outcome)
    if channel.global_prefetch:
        _give_credit(state.line, channel)


def _send(state: NodeState, channel: Channel, group: list[Unacked], outcome: Outcome) -> None:
    """Tell a queue what its client decided about deliveries of one consumer."""
    queue, receiver = group[0].queue, group[0].consumer
    consumer = None
    if receiver is not None:
        channel.outstanding = max(0, channel.outstanding - len(group))
        # Credit belongs to a consumer tag: a new one of that tag gets what an old one's delivery frees (observed).
        consumer = channel.consumers.get(receiver.tag)
        if consumer is not None and consumer.queue is not receiver.queue:
            consumer = None
    state.line.append(Settle(queue, channel, consumer, group, outcome))


def _give_credit(line: deque[Command], channel: Channel) -> None:
    """Tell queues that the channel may have room for more."""
    queues = dict.fromkeys(consumer.queue.name for consumer in channel.consumers.values())
    line.extend(Credit(channel.vhost.queues[name], channel) for name in queues)
