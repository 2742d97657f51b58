"""How things end, and what their end brings about."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from fakeamqp.node.messages.reply_to import stop_consuming
from fakeamqp.node.metadata.commit import retract
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.queue import Queue, Unacked
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.connection import Channel, Connection, Phase, channel_of
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Cancel, Return
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.state.watching import DELETED
from fakeamqp.node.words import erlang
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.methods import BasicCancel, EndOfStream, Method


def delete_queue(state: NodeState, queue: Queue, by: str) -> None:
    """A queue goes, with its messages, consumers and bindings."""
    vhost = state.vhosts[queue.fact.vhost]
    cancel_consumers(state, queue)
    unbind_all(state, vhost, vhost.bindings_to(Destination("queue", queue.name)))
    state.tell_leaving(DELETED, queue, chain(queue.backlog, queue.unacked.values()))
    queue.close()
    retract(state, queue.fact, by)


def cancel_consumers(state: NodeState, queue: Queue) -> None:
    """A queue is gone from under its consumers, and they are told."""
    for consumer in sorted(queue.consumers, key=_cancellation_order):
        if consumer.is_gone:
            continue
        channel = channel_of(consumer)
        _leave(state, channel, consumer)
        if channel.connection.is_running and channel.connection.can("consumer_cancel_notify"):
            channel.send(BasicCancel(consumer.tag, True))


def _cancellation_order(consumer: Consumer) -> tuple[int, int, str]:
    # Each channel tells its own consumers, by tag (rabbit_channel.erl, handle_consuming_queue_down_or_eol).
    channel = channel_of(consumer)
    return (channel.connection.id, channel.number, consumer.tag)


def delete_exchange(state: NodeState, exchange: Exchange, by: str) -> None:
    """An exchange goes, with the bindings from it and to it; exchanges that it leaves unused follow."""
    vhost = state.vhosts[exchange.fact.vhost]
    for binding in list(exchange.bindings):
        retract(state, BindingFact(vhost.name, binding), by)
    to = vhost.bindings_to(Destination("exchange", exchange.name))
    for binding in to:
        retract(state, BindingFact(vhost.name, binding), by)
    retract(state, exchange.fact, by)
    delete_unused_exchanges(state, vhost, to)


def unbind_all(
    state: NodeState, vhost: VirtualHost, bindings: list[Binding], by: str = event_exchange.INTERNAL
) -> None:
    """Bindings go; auto-delete exchanges that lose their last one follow."""
    for binding in bindings:
        retract(state, BindingFact(vhost.name, binding), by)
    delete_unused_exchanges(state, vhost, bindings)


def delete_unused_exchanges(state: NodeState, vhost: VirtualHost, unbound: list[Binding]) -> None:
    """Of the sources of these former bindings, delete those that are auto-delete and have no binding left."""
    todo = list(unbound)
    for binding in todo:
        exchange = vhost.exchanges.get(binding.source)
        if exchange is None or not exchange.fact.auto_delete or exchange.bindings:
            continue
        to = vhost.bindings_to(Destination("exchange", exchange.name))
        for each in to:
            retract(state, BindingFact(vhost.name, each), event_exchange.INTERNAL)
        retract(state, exchange.fact, event_exchange.INTERNAL)
        todo += to


def cancel_consumer(state: NodeState, consumer: Consumer) -> None:
    """A consumer goes; what it holds stays unacknowledged."""
    channel = channel_of(consumer)
    state.line.append(Cancel(_queue_of(channel, consumer), consumer))
    _leave(state, channel, consumer)


def _queue_of(channel: Channel, consumer: Consumer) -> Queue:
    return channel.vhost.queues[consumer.queue.name]


def _leave(state: NodeState, channel: Channel, consumer: Consumer) -> None:
    """A consumer is on its channel no longer."""
    del channel.consumers[consumer.tag]
    consumer.is_gone = True
    renew_lease(state, _queue_of(channel, consumer))
    event_exchange.tell_of_cancelled_consumer(state, consumer)


def end_channels(state: NodeState, channels: Iterable[Channel]) -> None:
    """Channels end: their consumers go, and what they held is ready again. Nothing is sent to them.

    All consumers of these channels leave a queue before it serves what comes back.
    """
    returns: dict[Queue, Return] = {}

    def of(queue: Queue) -> Return:
        return returns.setdefault(queue, Return(queue, [], []))

    for channel in channels:
        event_exchange.tell_of_closed_channel(state, channel)
        for consumer in list(channel.consumers.values()):
            of(_queue_of(channel, consumer)).consumers.append(consumer)
            _leave(state, channel, consumer)
        for each in in_order_of_return(channel.held(), state.profile):
            of(each.queue).deliveries.append(each)
        _forget(state, channel)
    state.line.extend(returns.values())


def _forget(state: NodeState, channel: Channel) -> None:
    channel.transaction = None
    channel.unacked.clear()
    if channel.ack_timer is not None:
        channel.ack_timer.cancel()
    state.forget_awaiting(channel)
    stop_consuming(state.reply_channels, channel)


def end_session(state: NodeState, connection: Connection) -> None:
    """All of a connection's channels end, and its exclusive queues with them."""
    end_channels(state, connection.channels.values())
    connection.channels.clear()
    if connection.vhost is not None:
        for queue in connection.vhost.exclusive_queues(connection.id):
            delete_queue(state, queue, event_exchange.INTERNAL)


def end_connection(state: NodeState, connection: Connection, farewell: Method | None = None) -> None:
    """A connection is over; `farewell` is the last the client hears before the stream ends."""
    if connection.phase is Phase.CLOSED:
        return
    connection.phase = Phase.CLOSED
    end_session(state, connection)
    event_exchange.tell_of_disconnection(state, connection)
    state.connections.pop(connection.id, None)
    if connection.timer is not None:
        connection.timer.cancel()
    if farewell is not None:
        connection.send(farewell)
    connection.send(EndOfStream())


def in_order_of_return(deliveries: list[Unacked], profile: Profile) -> list[Unacked]:
    """What a channel held that is over, in the order in which it comes back.

    A quorum queue goes through the consumers by tag, in 4.0 by age; each get is one. Of a get the tag is the delivery
    tag as text; in 4.0 gets come last. Source: rabbit_fifo.erl, the keys of the map of consumers; observed. A classic
    queue does not care.
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

    return sorted(deliveries, key=key_by_tag if profile.quorum_sorts_consumers_by_tag else key_by_age)
