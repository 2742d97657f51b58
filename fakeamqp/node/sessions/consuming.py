"""basic.qos, consume, cancel and get."""

from __future__ import annotations

from fakeamqp.node.messages import reply_to
from fakeamqp.node.messages.reply_to import REPLY_TO, stop_consuming
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.metadata.lifecycle import cancel_consumer
from fakeamqp.node.metadata.permissions import check_queue
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.consumer_arguments import check_consumer_arguments, consumer_priority
from fakeamqp.node.queues.declaring import assert_may_use
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Consume, Credit, Get
from fakeamqp.node.words.names import queue_named
from fakeamqp.spec.errors import not_allowed, not_implemented
from fakeamqp.spec.methods import (
    BasicCancel,
    BasicCancelOk,
    BasicConsume,
    BasicConsumeOk,
    BasicGet,
    BasicQos,
    BasicQosOk,
)


def qos(state: NodeState, channel: Channel, method: BasicQos) -> None:
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
    queues = dict.fromkeys(consumer.queue.name for consumer in channel.consumers.values())
    state.line.extend(Credit(channel.vhost.queues[queue], channel) for queue in queues)
    channel.send(BasicQosOk())


def consume(state: NodeState, channel: Channel, method: BasicConsume) -> None:
    """basic.consume."""
    name = channel.queue_meant(method.queue)
    if method.consumer_tag in channel.consumers:
        raise not_allowed(f"attempt to reuse consumer tag '{method.consumer_tag}'")
    if name == REPLY_TO:
        reply_to.consume(state, channel, method)
        return
    check_queue(state.profile, state.access, channel, "read", name)
    queue = channel.vhost.queue(name)
    assert_may_use(queue.fact, channel.connection.id)
    where = queue_named(name, queue.fact.vhost)
    check_consumer_arguments(method.arguments, queue.type.name, state.profile, where)
    queue.type.check_consumer(
        queue, method.no_ack, method.exclusive, channel.consumer_prefetch, channel.global_prefetch
    )
    _add_consumer(state, channel, queue, method)


def _add_consumer(state: NodeState, channel: Channel, queue: Queue, method: BasicConsume) -> None:
    consumer = Consumer(
        method.consumer_tag or f"amq.ctag-{state.new_name()}",
        channel=channel,
        queue=queue.fact,
        no_ack=method.no_ack,
        exclusive=method.exclusive,
        prefetch_count=0 if method.no_ack and not queue.type.limits_no_ack else channel.consumer_prefetch,
        priority=consumer_priority(method.arguments),
        arguments=method.arguments,
        number=channel.next_consumer_number,
        heeds_global_prefetch=queue.type.heeds_global_prefetch,
    )
    channel.next_consumer_number += 1
    held = (each.consumer for each in channel.held() if each.queue is queue)
    unsettled = sum(each is not None and each.tag == consumer.tag for each in held)
    channel.consumers[consumer.tag] = consumer
    if not method.nowait:
        channel.send(BasicConsumeOk(consumer.tag))
    state.line.append(Consume(queue, consumer, unsettled))
    event_exchange.tell_of_consumer(state, consumer)


def cancel(state: NodeState, channel: Channel, method: BasicCancel) -> None:
    """basic.cancel; cancelling what does not exist succeeds. A consumer of replies goes before one of this tag."""
    consumer = channel.consumers.get(method.consumer_tag)
    if channel.reply_consumer is not None and channel.reply_consumer.tag == method.consumer_tag:
        stop_consuming(state.reply_channels, channel)
    elif consumer is not None:
        cancel_consumer(state, consumer)
    if not method.nowait:
        channel.send(BasicCancelOk(method.consumer_tag))


def get(state: NodeState, channel: Channel, method: BasicGet) -> None:
    """basic.get."""
    name = method.queue or channel.queue_meant("")
    if ("read", "queue", name) not in channel.permitted:
        check_queue(state.profile, state.access, channel, "read", name)
    queue = channel.vhost.queues.get(name) or channel.vhost.queue(name)
    if queue.owner is not None:
        assert_may_use(queue.fact, channel.connection.id)
    if queue.type.check_get is not None:
        queue.type.check_get(queue)
    if queue.expiry_timer is not None:
        renew_lease(state, queue)
    state.line.append(Get(queue, channel, method.no_ack))
