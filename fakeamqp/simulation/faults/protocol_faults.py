"""Faults that wait for the next publish, confirm or delivery: what they look for, and what they make of it.

The node knows nothing of them: they act where the network hands methods over, with what any client or node may say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.node import Node
from fakeamqp.node.queues.queue import Queue, Unacked
from fakeamqp.node.state.connection import Channel, Connection
from fakeamqp.node.state.queue_commands import TimePasses
from fakeamqp.node.state.receipts import Awaiting, Receipt
from fakeamqp.simulation.faults.faults import Fault
from fakeamqp.spec.methods import BasicAck, BasicDeliver, BasicGetOk, BasicNack, BasicPublish, Method

Outbox = deque[tuple[int, Method]]
CONTENT = ("redelivered", "exchange", "routing_key", "properties", "body")
"""The fields of a delivery that go with its message; the others go with its place."""
BODY_SHOWN = 40


def _whose(owner: str) -> str:
    return f"{owner or 'the test'}'s"


def _shown(body: bytes) -> str:
    shown = bytes(body[:BODY_SHOWN])
    return f"{shown!r}{'...' if len(body) > BODY_SHOWN else ''}"


# -- nack ------------------------------------------------------------------------------------------------------------


def is_confirmed(node: Node, channel: Channel, method: Method) -> bool:
    """Whether this is a publish that the node reads now and confirms."""
    return type(method) is BasicPublish and channel.confirms and not node.state.alarms


def refuse_publish(node: Node, channel: Channel, method: Any, owner: str) -> str:
    """The node answers a publish with basic.nack, as if a queue had failed to store it."""
    channel.connection.heard_us = node.state.now_us
    receipt = Receipt()
    receipt.refused()
    node.state.awaiting.append(Awaiting(receipt, channel, channel.next_publish_number))
    channel.next_publish_number += 1
    node.finish_turn()
    return f"the node refuses {_whose(owner)} {_shown(method.body)}"


# -- lose_confirm ----------------------------------------------------------------------------------------------------


def is_confirm(method: Method) -> bool:
    """Whether this, said by a node, confirms publishes."""
    return isinstance(method, BasicAck | BasicNack)


def lose_confirm(outbox: Outbox, owner: str) -> str:
    """What is first in the outbox never arrives."""
    _, method = outbox.popleft()
    assert isinstance(method, BasicAck | BasicNack)
    which = f"{'up to ' if method.multiple else ''}no. {method.delivery_tag}"
    return f"the network loses the {method.NAME} of {_whose(owner)} publish {which}"


# -- redeliver -------------------------------------------------------------------------------------------------------


@dataclass
class Recurrence:
    """A message that comes again from its queue, so many times, although it is acknowledged."""

    queue: Queue
    message: Message
    times: int

    def is_of(self, unacked: Unacked) -> bool:
        """Whether it is the one."""
        return unacked.queue is self.queue and unacked.entry.message is self.message


def recurrence_of(connection: Connection, outbox: Outbox, fault: Fault) -> Recurrence | None:
    """What is first in the outbox, if it is a delivery that is to be acknowledged, and can come again."""
    unacked = _first_delivery(connection, outbox)
    if unacked is None or unacked.queue.type.is_log or fault.queue not in (None, unacked.queue.name):
        return None
    return Recurrence(unacked.queue, unacked.entry.message, fault.times)


def take_for_lost(
    channel: Channel, method: Method, recurrences: Sequence[Recurrence], owner: str
) -> tuple[list[Method], list[str]]:
    """What is to be executed where acknowledgements of these are lost, and what is to be told of it."""
    if type(method) is not BasicAck or not recurrences:
        return [method], []
    covered = _covered(channel, method)
    lost: list[Method] = []
    words = []
    kept = []
    for unacked in covered:
        found = next((each for each in recurrences if each.times and each.is_of(unacked)), None)
        if found is None:
            kept.append(unacked.delivery_tag)
        else:
            found.times -= 1
            lost.append(BasicNack(unacked.delivery_tag, False, True))
            words.append(
                f"the node never hears of {_whose(owner)} ack of {_shown(found.message.body)}, and requeues it"
            )
    if not lost:
        return [method], []
    return [*lost, *([BasicAck(kept[-1], True)] if kept else [])], words


def _covered(channel: Channel, method: BasicAck) -> list[Unacked]:
    """The deliveries that an acknowledgement is about; none where it is wrong."""
    tag = method.delivery_tag
    if method.multiple and tag == 0:
        return list(channel.unacked.values())
    if tag not in channel.unacked:
        return []
    return [
        each
        for each in channel.unacked.values()
        if each.delivery_tag == tag or (method.multiple and each.delivery_tag < tag)
    ]


def _first_delivery(connection: Connection, outbox: Outbox) -> Unacked | None:
    if not outbox:
        return None
    number, method = outbox[0]
    channel = connection.channels.get(number)
    if channel is None or not isinstance(method, BasicDeliver | BasicGetOk):
        return None
    return channel.unacked.get(method.delivery_tag)


# -- reorder ---------------------------------------------------------------------------------------------------------


def successor(connection: Connection, outbox: Outbox, queue: str | None) -> Callable[[Node, str], str] | None:
    """How to let the first delivery in the outbox change places with the one behind it; None if there is none.

    That is the next one on its way to the same consumer, or else what its queue would deliver next.
    """
    unacked = _first_delivery(connection, outbox)
    if unacked is None:
        return None
    source = unacked.queue
    if not source.type.keeps_places or queue not in (None, source.name):
        return None
    channel = connection.channels[outbox[0][0]]
    for place in range(1, len(outbox)):
        number, method = outbox[place]
        other = channel.unacked.get(method.delivery_tag) if isinstance(method, BasicDeliver) else None
        if number == channel.number and other is not None and other.queue is source:
            return partial(_exchange, outbox, place, channel, unacked, other)
    if not source.backlog:
        return None
    return partial(_exchange_with_head, outbox, channel, unacked)


def _exchange(
    outbox: Outbox, place: int, channel: Channel, unacked: Unacked, other: Unacked, node: Node, owner: str
) -> str:
    first, second = outbox[0][1], outbox[place][1]
    assert isinstance(first, BasicDeliver | BasicGetOk)
    assert isinstance(second, BasicDeliver)
    for name in CONTENT:
        before = getattr(first, name)
        setattr(first, name, getattr(second, name))
        setattr(second, name, before)
    unacked.entry, other.entry = other.entry, unacked.entry
    return _told(first.body, second.body, owner)


def _exchange_with_head(outbox: Outbox, channel: Channel, unacked: Unacked, node: Node, owner: str) -> str:
    first = outbox[0][1]
    assert isinstance(first, BasicDeliver | BasicGetOk)
    entry, queue = unacked.entry, unacked.queue
    head = queue.take()
    queue.put_back(entry)
    unacked.entry = head
    if head.survives and queue.store is not None:
        node.state.journal.mark_entry(queue.store, head, head.deliveries + 1)
    message = head.message
    first.redelivered = head.is_redelivered
    first.exchange, first.routing_key = message.exchange, message.routing_key
    first.properties, first.body = message.properties, message.body
    node.state.line.append(TimePasses(queue))
    node.finish_turn()
    return _told(message.body, entry.message.body, owner)


def _told(first: bytes, second: bytes, owner: str) -> str:
    return f"the node delivers {_shown(first)} to {owner or 'the test'} before {_shown(second)}"
