"""How things end, and what their end brings about."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from fakeamqp.node.observers import event_exchange
from fakeamqp.node.observers.watching import DELETED, watch_leaving
from fakeamqp.node.queues.consumers import Consumer
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.sessions.reply_to import stop_consuming
from fakeamqp.node.sessions.settling import return_all
from fakeamqp.node.state.channel import Channel
from fakeamqp.node.state.connection import Connection, Phase
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact
from fakeamqp.spec.methods import BasicCancel, EndOfStream, Method

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def delete_queue(node: Node, queue: Queue, by: str) -> None:
    """A queue goes, with its messages, consumers and bindings."""
    vhost = node.vhosts[queue.fact.vhost]
    for consumer in sorted(queue.consumers, key=_cancellation_order):
        remove_consumer(node, consumer)
        connection = consumer.channel.connection
        if connection.is_running and connection.can("consumer_cancel_notify"):
            consumer.channel.send(BasicCancel(consumer.tag, True))
    unbind_all(node, vhost, vhost.bindings_to(Destination("queue", queue.name)))
    watch_leaving(node, DELETED, queue, chain(queue.backlog, queue.unacked.values()))
    queue.close()
    node.retract(queue.fact, by)


def _cancellation_order(consumer: Consumer) -> tuple[int, int, str]:
    # Each channel tells its own consumers, by tag (rabbit_channel.erl, handle_consuming_queue_down_or_eol).
    return (consumer.channel.connection.id, consumer.channel.number, consumer.tag)


def delete_exchange(node: Node, exchange: Exchange, by: str) -> None:
    """An exchange goes, with the bindings from it and to it; exchanges that it leaves unused follow."""
    vhost = node.vhosts[exchange.fact.vhost]
    for binding in list(exchange.bindings):
        node.retract(BindingFact(vhost.name, binding), by)
    to = vhost.bindings_to(Destination("exchange", exchange.name))
    for binding in to:
        node.retract(BindingFact(vhost.name, binding), by)
    node.retract(exchange.fact, by)
    delete_unused_exchanges(node, vhost, to)


def unbind_all(node: Node, vhost: VirtualHost, bindings: list[Binding], by: str = event_exchange.INTERNAL) -> None:
    """Bindings go; auto-delete exchanges that lose their last one follow."""
    for binding in bindings:
        node.retract(BindingFact(vhost.name, binding), by)
    delete_unused_exchanges(node, vhost, bindings)


def delete_unused_exchanges(node: Node, vhost: VirtualHost, unbound: list[Binding]) -> None:
    """Of the sources of these former bindings, delete those that are auto-delete and have no binding left."""
    todo = list(unbound)
    for binding in todo:
        exchange = vhost.exchanges.get(binding.source)
        if exchange is None or not exchange.fact.auto_delete or exchange.bindings:
            continue
        to = vhost.bindings_to(Destination("exchange", exchange.name))
        for each in to:
            node.retract(BindingFact(vhost.name, each), event_exchange.INTERNAL)
        node.retract(exchange.fact, event_exchange.INTERNAL)
        todo += to


def remove_consumer(node: Node, consumer: Consumer) -> None:
    """A consumer goes; what it holds stays unacknowledged."""
    del consumer.channel.consumers[consumer.tag]
    queue = consumer.queue
    queue.consumers.remove(consumer)
    if queue.exclusive_consumer is consumer:
        queue.exclusive_consumer = None
    renew_lease(node, queue)
    node.touch(queue)
    event_exchange.tell_of_cancelled_consumer(node, consumer)


def renew_lease(node: Node, queue: Queue) -> None:
    """A queue that expires is in use: its time starts anew, to run out once nobody consumes."""
    if queue.expiry_timer is not None:
        queue.expiry_timer.cancel()
        queue.expiry_timer = None
    if queue.settings.expires_ms is None:
        return

    def expire() -> None:
        if not queue.consumers:
            delete_queue(node, queue, event_exchange.INTERNAL)

    queue.expiry_timer = node.timers.at(node.now_us + queue.settings.expires_ms * 1000, expire)


def end_channel(node: Node, channel: Channel) -> None:
    """A channel ends: its consumers go, and what they held is ready again. Nothing is sent."""
    event_exchange.tell_of_closed_channel(node, channel)
    for consumer in list(channel.consumers.values()):
        remove_consumer(node, consumer)
    held = channel.held()
    channel.transaction = None
    channel.unacked.clear()
    if channel.ack_timer is not None:
        channel.ack_timer.cancel()
    node.forget_awaiting(channel)
    stop_consuming(node, channel)
    return_all(node, channel, held)


def end_channels(node: Node, connection: Connection) -> None:
    """All of a connection's channels end, and its exclusive queues with them."""
    for channel in list(connection.channels.values()):
        end_channel(node, channel)
    connection.channels.clear()
    if connection.vhost is not None:
        for queue in [each for each in connection.vhost.queues.values() if each.owner == connection.id]:
            delete_queue(node, queue, event_exchange.INTERNAL)


def end_connection(node: Node, connection: Connection, farewell: Method | None = None) -> None:
    """A connection is over; `farewell` is the last the client hears before the stream ends."""
    if connection.phase is Phase.CLOSED:
        return
    connection.phase = Phase.CLOSED
    end_channels(node, connection)
    event_exchange.tell_of_disconnection(node, connection)
    node.connections.pop(connection.id, None)
    if connection.timer is not None:
        connection.timer.cancel()
    if farewell is not None:
        connection.send(farewell)
    connection.send(EndOfStream())
