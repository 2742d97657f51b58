"""Commands: what is sent to queues, in order.

A handler never changes what is in a queue: it sends commands, each to one queue, to the end of the line, and `turn`
takes them from there. Where RabbitMQ's order is not free, the order in which they are sent says so.
"""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.effects import Discarded
from fakeamqp.node.queues.queue import Queue, Unacked
from fakeamqp.node.queues.queue_arguments import QueueArguments
from fakeamqp.node.state.connection import Channel, Outcome
from fakeamqp.node.state.receipts import Receipt
from fakeamqp.spec.records import Record


class Publish(Record):
    """A message arrives; `publisher` is the publishing channel, None for internal publishes."""

    queue: Queue
    message: Message
    receipt: Receipt | Discarded | None = None
    publisher: Channel | None = None


class Settle(Record):
    """A client has decided about deliveries; `consumer` is whose credit they were, if it is still there."""

    queue: Queue
    channel: Channel
    consumer: Consumer | None
    deliveries: list[Unacked]
    outcome: Outcome


class SettleAtOnce(Record):
    """A channel has got messages for a consumer that acknowledges nothing, and tells the quorum queue so."""

    queue: Queue
    consumer: Consumer


class Return(Record):
    """Channels are over: their consumers go, and what they held comes back, in this order."""

    queue: Queue
    consumers: list[Consumer]
    deliveries: list[Unacked]


class Get(Record):
    """basic.get."""

    queue: Queue
    channel: Channel
    no_ack: bool


class Consume(Record):
    """Somebody new consumes; so many deliveries of earlier consumers of its tag are `unsettled`."""

    queue: Queue
    consumer: Consumer
    unsettled: int


class Cancel(Record):
    """A consumer goes."""

    queue: Queue
    consumer: Consumer


class Credit(Record):
    """A channel may have room for more."""

    queue: Queue
    channel: Channel


class Purge(Record):
    """Every ready message goes; the channel, if any, is told how many."""

    queue: Queue
    channel: Channel | None


class Configure(Record):
    """Policies have changed: these settings hold from now on."""

    queue: Queue
    settings: QueueArguments


class Crash(Record):
    """The queue's process has died of a bug."""

    queue: Queue


class TimePasses(Record):
    """Something may have expired."""

    queue: Queue


class Expire(Record):
    """The queue itself has been unused for as long as it may be."""

    queue: Queue


Command: TypeAlias = (
    Publish
    | Settle
    | SettleAtOnce
    | Return
    | Get
    | Consume
    | Cancel
    | Credit
    | Purge
    | Configure
    | Crash
    | TimePasses
    | Expire
)
