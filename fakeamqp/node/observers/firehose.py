"""The firehose: copies of what is published and delivered, at the exchange amq.rabbitmq.trace of a traced vhost.

Source: rabbit_trace.erl; observed.
"""

from __future__ import annotations

from fakeamqp.node.kernel.message import Entry, Message
from fakeamqp.node.messages.arrivals import arrive
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import TRACE_EXCHANGE
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.words.names import NODE_NAME
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong, Table


def copy_publish(state: NodeState, channel: Channel, message: Message, queues: tuple[Queue, ...]) -> None:
    """A client has published this message, and these queues will get it."""
    more: Table = {**_where(channel), "routed_queues": [queue.name for queue in queues]}
    _copy(state, channel, f"publish.{message.exchange}", message, more)


def copy_delivery(state: NodeState, channel: Channel, queue: Queue, entry: Entry) -> None:
    """A client is given this entry."""
    more: Table = {"redelivered": int(entry.is_redelivered), **_where(channel)}
    _copy(state, channel, f"deliver.{queue.name}", entry.message, more)


def _where(channel: Channel) -> Table:
    return {
        "vhost": channel.vhost.name,
        "connection": channel.connection.name,
        "channel": channel.number,
        "user": channel.connection.user,
    }


def _copy(state: NodeState, channel: Channel, routing_key: str, message: Message, more: Table) -> None:
    if message.exchange == TRACE_EXCHANGE:
        return  # a copy is not copied again
    headers: Table = {
        "exchange_name": message.exchange,
        "routing_keys": list(message.routing_keys),
        "properties": _told(message.properties),
        "node": NODE_NAME,
        **more,
    }
    if state.profile.sorts_headers:
        headers = dict(sorted(headers.items()))
    copy = Message(TRACE_EXCHANGE, routing_key, BasicProperties(headers=headers), message.body)
    arrive(state, channel.vhost.route(TRACE_EXCHANGE, copy), copy)


def _told(properties: BasicProperties) -> Table:
    """Those properties that a message has, the last one first."""
    told: Table = {}
    for name in reversed(BasicProperties.__match_args__):
        value = getattr(properties, name)
        if value is not None:
            told[name] = LongLong(value) if name == "timestamp" else value
    return told
