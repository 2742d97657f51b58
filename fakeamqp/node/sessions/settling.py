"""Acknowledgements: basic.ack, nack, reject and recover, and what they mean for queues and consumers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fakeamqp.node.observers import watching
from fakeamqp.node.queues.quorum_consumers import QuorumSuccession
from fakeamqp.node.queues.streams import assert_may_recover, assert_may_return
from fakeamqp.node.state.channel import ACKNOWLEDGED, REJECTED, REQUEUED, Channel, Outcome, Unacked
from fakeamqp.node.words import erlang
from fakeamqp.spec.errors import HardError, not_implemented
from fakeamqp.spec.methods import BasicAck, BasicNack, BasicRecover, BasicRecoverAsync, BasicRecoverOk, BasicReject

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.node.queues.consumers import Consumer
    from fakeamqp.node.queues.queue import Queue
    from fakeamqp.node.state.message import Entry


def ack(node: Node, channel: Channel, method: BasicAck) -> None:
    """basic.ack."""
    _decide(node, channel, channel.pick(method.delivery_tag, method.multiple), ACKNOWLEDGED)


def nack(node: Node, channel: Channel, method: BasicNack) -> None:
    """basic.nack, RabbitMQ's extension of reject to several deliveries."""
    _refuse(node, channel, channel.pick(method.delivery_tag, method.multiple), requeue=method.requeue)


def reject(node: Node, channel: Channel, method: BasicReject) -> None:
    """basic.reject."""
    _refuse(node, channel, channel.pick(method.delivery_tag, False), requeue=method.requeue)


def _refuse(node: Node, channel: Channel, deliveries: list[Unacked], *, requeue: bool) -> None:
    if channel.transaction is None:
        try:
            assert_may_return(deliveries, node.profile)
        except HardError:
            channel.unpick(deliveries)
            raise
    _decide(node, channel, deliveries, REQUEUED if requeue else REJECTED)


def _decide(node: Node, channel: Channel, deliveries: list[Unacked], outcome: Outcome) -> None:
    if channel.transaction is not None:
        channel.transaction.settle(deliveries, outcome)
    elif len(deliveries) == 1:
        _settle_group(node, channel, deliveries, outcome)
    else:
        settle_deliveries(node, channel, deliveries, outcome)


def recover(node: Node, channel: Channel, method: BasicRecover) -> None:
    """basic.recover: everything that is unacknowledged on the channel goes back to its queue, once that is promised."""
    _check_recovery(node, channel, method)
    channel.send(BasicRecoverOk())
    settle_deliveries(node, channel, channel.pick(0, True), REQUEUED)


def _check_recovery(node: Node, channel: Channel, method: BasicRecover | BasicRecoverAsync) -> None:
    if not method.requeue:
        raise not_implemented("requeue=false")
    assert_may_recover(channel.unacked.values(), node.profile)


def recover_async(node: Node, channel: Channel, method: BasicRecoverAsync) -> None:
    """basic.recover-async, the same without an answer."""
    _check_recovery(node, channel, method)
    settle_deliveries(node, channel, channel.pick(0, True), REQUEUED)


def settle_deliveries(node: Node, channel: Channel, deliveries: list[Unacked], outcome: Outcome) -> None:
    """Do what a client decided, and let consumers that this sets free take more.

    Deliveries of different queues and consumers are settled one group after the other, by name, and each queue runs
    before the next group comes. What was got by basic.get is a group of its own each, and goes before what consumers
    were sent (rabbit_channel.erl, record_sent, ack and foreach_per_queue; observed).
    """
    groups: dict[tuple[str, bool, int, str], list[Unacked]] = {}
    for each in deliveries:
        queue, consumer = each.entry.queue.name, each.consumer
        key = (queue, False, each.delivery_tag, "") if consumer is None else (queue, True, 0, consumer.tag)
        groups.setdefault(key, []).append(each)
    for key in sorted(groups):
        _settle_group(node, channel, groups[key], outcome)
        node.run_queues()


def _settle_group(node: Node, channel: Channel, deliveries: list[Unacked], outcome: Outcome) -> None:
    for each in deliveries:
        receiver = each.consumer
        if receiver is not None:
            if channel.outstanding:
                channel.outstanding -= 1
            # Credit belongs to a consumer tag: a new one of that tag gets what an old one's delivery frees (observed).
            consumer = channel.consumers.get(receiver.tag)
            if consumer is not None and consumer.queue is receiver.queue:
                # A quorum queue gives nobody more credit than it began with (rabbit_fifo.erl, increase_credit).
                consumer.outstanding -= consumer.outstanding > 0 or not receiver.queue.is_quorum
        entry = each.entry
        queue = entry.queue
        if outcome is ACKNOWLEDGED and node.watch is not None:
            node.watch(
                node.now_us, watching.ACKED, entry.message, (queue,), channel, {"delivery_tag": each.delivery_tag}
            )
        if queue.is_deleted or queue.is_stream:
            continue
        if outcome is ACKNOWLEDGED:
            queue.drop(entry)
            if entry.survives:
                node.retract_entry(entry)
        elif outcome is REQUEUED:
            _requeue(node, entry, returned_by=channel)
        else:
            node.give_up(entry, "rejected")
    queues = [deliveries[0].entry.queue]
    if outcome is not REQUEUED:
        _activate_next(node, queues[0], channel)
    if channel.global_prefetch:
        queues += [consumer.queue for consumer in channel.consumers.values()]
    for queue in queues:
        if queue.consumers.unpark(channel) or queue.is_limited or outcome is REQUEUED:
            node.touch(queue)


def settle_at_once(node: Node, consumer: Consumer) -> None:
    """A channel has got messages for a consumer that acknowledges nothing, and tells the quorum queue so."""
    consumer.outstanding = 0
    _activate_next(node, consumer.queue, consumer.channel)
    if consumer.queue.consumers.unpark(consumer.channel):
        node.touch(consumer.queue)


def _activate_next(node: Node, queue: Queue, channel: Channel) -> None:
    """What is settled for good may let another consumer succeed the active one."""
    if isinstance(queue.consumers, QuorumSuccession):
        queue.consumers.unpark(channel)
        queue.consumers.activate_next()
        node.touch(queue)


def return_all(node: Node, channel: Channel, deliveries: list[Unacked]) -> None:
    """A channel is over: what it held goes back. A quorum queue puts it first even where a nack puts it last."""
    for each in sorted(deliveries, key=_order_of_return(node, deliveries)):
        entry = each.entry
        if not (entry.queue.is_deleted or entry.queue.is_stream):
            _requeue(node, entry, returned_by=None)
            node.touch(entry.queue)


def _order_of_return(node: Node, deliveries: list[Unacked]) -> Callable[[Unacked], tuple[int, bytes]]:
    """A quorum queue goes through the consumers of a channel that is over by tag, in 4.0 by age; each get is one.

    Of a get the tag is the delivery tag as text; in 4.0 gets come last. Source: rabbit_fifo.erl, the keys of the map
    of consumers; observed. A classic queue does not care.
    """
    oldest: dict[str, int] = {}
    for each in deliveries:
        if each.consumer is not None:
            tag = each.consumer.tag
            oldest[tag] = min(oldest.get(tag, each.consumer.number), each.consumer.number)

    youngest = max(oldest.values(), default=0)

    def key_by_age(each: Unacked) -> tuple[int, bytes]:
        if each.consumer is None:
            return youngest + 1, str(each.delivery_tag).encode()
        return oldest[each.consumer.tag], b""

    def key_by_tag(each: Unacked) -> tuple[int, bytes]:
        return 0, erlang.binary(str(each.delivery_tag) if each.consumer is None else each.consumer.tag)

    return key_by_tag if node.profile.quorum_sorts_consumers_by_tag else key_by_age


def _requeue(node: Node, entry: Entry, *, returned_by: Channel | None) -> None:
    """Make an entry ready again; `returned_by` is the channel that said so, None if that is over."""
    queue = entry.queue
    if node.watch is not None:
        node.watch(node.now_us, watching.REQUEUED, entry.message, (queue,))
    entry.is_redelivered = True
    if not queue.is_quorum:
        queue.put_back(entry)
        return
    entry.deliveries += 1
    entry.failures += returned_by is None
    if queue.delivery_limit is not None and entry.deliveries > queue.delivery_limit:
        node.give_up(entry, "delivery_limit")
    elif returned_by is not None and queue.delivery_limit is None:
        queue.consumers.unpark(returned_by)  # it joins the line before the message goes to whoever is first
        queue.drop(entry)
        node.retract_entry(entry)
        node.commit_entry(queue.renewed(entry))
        node.run_queues()  # each on its own, as rabbit_fifo.erl's command requeue does
    else:
        queue.put_back(entry)
