"""How a message leaves its queue for a client."""

from __future__ import annotations

from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.observers import firehose
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.sessions import consumer_timeout
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.watching import DELIVERED
from fakeamqp.spec.methods import BasicDeliver


def deliver(state: NodeState, queue: Queue, consumer: Consumer, entry: Entry) -> None:
    """basic.deliver."""
    channel = consumer.channel
    assert isinstance(channel, Channel)
    message = entry.message
    redelivered = entry.is_redelivered
    told = queue.type.delivered_properties
    tag = hand_out(state, queue, entry, channel, consumer, no_ack=consumer.no_ack)
    channel.send(
        BasicDeliver(
            consumer.tag,
            tag,
            redelivered,
            message.exchange,
            message.routing_key,
            message.properties if told is None else told(queue, entry),
            message.body,
        )
    )


def hand_out(
    state: NodeState, queue: Queue, entry: Entry, channel: Channel, consumer: Consumer | None, *, no_ack: bool
) -> int:
    """An entry that was taken goes to a client; returns its delivery tag."""
    if channel.vhost.is_traced:
        firehose.copy_delivery(state, channel, queue, entry)
    if no_ack:
        queue.drop(entry)
        if entry.survives:
            state.retract_entry(queue, entry)
        tag = channel.next_tag()
    else:
        if entry.survives:
            # Should it come back after a restart, it says so; a quorum queue counts that too.
            assert queue.store is not None
            state.journal.mark_entry(queue.store, entry, entry.deliveries + 1)
        tag = channel.hold(queue, entry, consumer, state.now_us)
        if channel.ack_timer is None or queue.is_timed:
            consumer_timeout.watch(state, channel, channel.unacked[tag])
    if state.watch is not None:
        details = {"delivery_tag": tag, "redelivered": entry.is_redelivered}
        state.watch((state.now_us, DELIVERED, entry.message, queue.alone, channel, details))
    return tag
