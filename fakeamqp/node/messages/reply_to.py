"""Direct reply-to: a pseudo-queue whose consumer gets replies at an address of its own, with no queue between.

Source: rabbit_channel.erl (the clauses for amq.rabbitmq.reply-to, deliver_reply), rabbit_exchange.erl (route).
"""

from __future__ import annotations

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.state.connection import Channel, ReplyConsumer
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.watching import REPLIED
from fakeamqp.node.words.names import queue_named
from fakeamqp.spec.errors import not_found, precondition_failed
from fakeamqp.spec.methods import BasicConsume, BasicConsumeOk, BasicDeliver

REPLY_TO = "amq.rabbitmq.reply-to"


def consume(state: NodeState, channel: Channel, method: BasicConsume) -> None:
    """basic.consume of the pseudo-queue: once on a channel, and without acknowledgements."""
    if not method.no_ack:
        raise precondition_failed("reply consumer cannot acknowledge")
    if channel.reply_consumer is not None:
        raise precondition_failed("reply consumer already set")
    tag = method.consumer_tag or f"amq.ctag-{state.new_name()}"
    channel.reply_consumer = ReplyConsumer(tag, f"{REPLY_TO}.{state.new_name()}.{state.new_name()}")
    state.reply_channels[channel.reply_consumer.address] = channel
    if not method.nowait:
        channel.send(BasicConsumeOk(tag))


def stop_consuming(reply_channels: dict[str, Channel], channel: Channel) -> None:
    """The channel's consumer of replies goes, and its address with it."""
    if channel.reply_consumer is not None:
        del reply_channels[channel.reply_consumer.address]
        channel.reply_consumer = None


def assert_declarable(reply_channels: dict[str, Channel], channel: Channel, name: str) -> None:
    """queue.declare of the pseudo-queue or an address asks whether it is there; raises 404 if not."""
    if name != REPLY_TO and name not in reply_channels:
        raise not_found(f"no {queue_named(name, channel.vhost.name)}")


def address_for_replies(channel: Channel) -> str:
    """What a request's reply_to becomes if it names the pseudo-queue; raises 406 where nobody consumes."""
    if channel.reply_consumer is None:
        raise precondition_failed("fast reply consumer does not exist")
    return channel.reply_consumer.address


def deliver_replies(state: NodeState, message: Message) -> None:
    """Hand a message to the default exchange to whoever gets replies at one of its routing keys.

    It goes past prefetch limits, transactions and expiry, and takes no delivery tag of its own (observed).
    """
    for address in sorted(set(message.routing_keys)):
        channel = state.reply_channels.get(address)
        if channel is not None and channel.reply_consumer is not None:
            channel.send(
                BasicDeliver(
                    channel.reply_consumer.tag,
                    channel.next_delivery_tag,
                    False,
                    message.exchange,
                    message.routing_key,
                    message.properties,
                    message.body,
                )
            )
            if state.watch is not None:
                state.watch((state.now_us, REPLIED, message, (), channel, None))
