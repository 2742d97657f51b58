"""Parts of a node, made for one test each: queues, entries, consumers, and nodes at the beginning of time."""

from __future__ import annotations

import itertools
from typing import Any

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry, Message
from fakeamqp.node.node import Node
from fakeamqp.node.operator import commands
from fakeamqp.node.queues import types
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.effects import Effect
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.registry import ExchangeTypes, Matching
from fakeamqp.node.state.connection import Channel, Connection
from fakeamqp.node.words.facts import QueueFact
from fakeamqp.node.words.profile import profile_of
from fakeamqp.spec.methods import (
    ChannelOpen,
    ConnectionOpen,
    ConnectionStartOk,
    ConnectionTuneOk,
    Method,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import Table

PERSISTENT = BasicProperties(delivery_mode=2)
SECOND_US = 1_000_000
QUORUM = {"x-queue-type": "quorum"}


def queue_fact(name: str = "orders", **changes: Any) -> QueueFact:
    """A durable queue in "/"."""
    return QueueFact("/", name, durable=True, owner=None, auto_delete=False, arguments={}).replace(**changes)


def make_queue(name: str = "orders", *, version: str = "4.0", **changes: Any) -> Queue:
    """A queue that is not on disk."""
    return types.make_queue(queue_fact(name, **changes), None, profile_of(version))


def checkout(queue: Queue, now_us: int) -> list[Effect]:
    """What the queue does when it is its turn."""
    return queue.type.checkout(queue, now_us)


def message(body: bytes = b"", properties: BasicProperties = PERSISTENT) -> Message:
    """A message published to the default exchange."""
    return Message("", "orders", properties, body)


def fill(queue: Queue, *bodies: bytes, expires_us: int = NO_EXPIRY_US, priority: int | None = None) -> list[Entry]:
    """Put messages into a queue; its entries for them."""
    properties = PERSISTENT.replace(priority=priority)
    entries = [queue.new_entry(message(body, properties), expires_us) for body in bodies]
    for entry in entries:
        queue.admit(entry)
    return entries


def make_channel(number: int = 1) -> Channel:
    """A channel of a connection that nobody reads."""
    return Channel(Connection(1), number)


def make_consumer(
    queue: Queue,
    channel: Channel | None = None,
    tag: str = "consumer",
    *,
    no_ack: bool = False,
    prefetch_count: int = 0,
    priority: int = 0,
    arguments: Table | None = None,
) -> Consumer:
    """A consumer that its queue and its channel know of."""
    channel = channel or make_channel()
    consumer = Consumer(
        tag,
        channel=channel,
        queue=queue.fact,
        no_ack=no_ack,
        exclusive=False,
        prefetch_count=prefetch_count,
        priority=priority,
        arguments=arguments or {},
        heeds_global_prefetch=queue.type.heeds_global_prefetch,
    )
    channel.consumers[tag] = consumer
    queue.consumers.add(consumer)
    queue.had_consumer = True
    return consumer


def make_node(journal: Journal | None = None, *, version: str = "4.0", sync_interval_us: int = 0) -> Node:
    """A node; on an empty disk it gets "/", and guest, who may do everything there."""
    numbers = itertools.count(1)
    node = Node(
        profile_of(version),
        journal or Journal(),
        new_name=lambda: f"{next(numbers):022}",
        connection_numbers=itertools.count(1),
        choose=lambda stream, count: count - 1,
        sync_interval_us=sync_interval_us,
    )
    if not node.state.vhosts:
        commands.add_vhost(node.state, "/")
        commands.add_user(node.state, "guest", "guest", ())
        commands.set_permissions(node.state, "guest", ".*", ".*", ".*", "/")
    return node


def make_types(version: str = "4.0", custom: dict[str, Matching] | None = None) -> ExchangeTypes:
    """The exchange types of a node that always draws the last possibility, and forgets what is to be delayed."""
    return ExchangeTypes(
        profile_of(version),
        choose=lambda stream, count: count - 1,
        delay=lambda exchange, message, delay_ms: None,
        custom=custom or {},
    )


class Session:
    """A connection with one channel open, driven at times of the test's choosing."""

    def __init__(self, node: Node, now_us: int = 0, heartbeat: int = 0) -> None:
        self.node = node
        self.connection = node.connect(now_us)
        for method in (
            ConnectionStartOk(response=b"\0guest\0guest"),
            ConnectionTuneOk(2047, 131072, heartbeat),
            ConnectionOpen("/"),
        ):
            node.handle(self.connection, 0, method, now_us)
        self.send(ChannelOpen(), now_us)
        self.received()

    def send(self, method: Method, now_us: int, channel_number: int = 1) -> None:
        """Send a method at this time."""
        self.node.handle(self.connection, channel_number, method, now_us)

    def call(self, method: Method, now_us: int) -> Method:
        """Send a method at this time; its one answer."""
        self.send(method, now_us)
        (answer,) = self.received()
        return answer

    def received(self) -> list[Method]:
        """What has come since the last time, on any channel."""
        methods = [method for _, method in self.connection.outbox]
        self.connection.outbox.clear()
        return methods
