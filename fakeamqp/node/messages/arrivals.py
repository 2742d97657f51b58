"""The arrival of a message in the queues that it was routed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.node.messages.dead_letter import dead_letter
from fakeamqp.node.observers.watching import REFUSED, ROUTED
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.message import Message

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.node.state.channel import Channel


class Receipt(NamedTuple):
    """What became of a message: how far the journal must be synced to be safe with it, and which queues refused it."""

    position: int
    refusing: tuple[Queue, ...] = ()


DONE = Receipt(0)


def arrive(node: Node, queues: tuple[Queue, ...], message: Message, publisher: Channel | None = None) -> Receipt:
    """Put a message into queues, but for those that have no room; `publisher` is whose it is, if a client's."""
    position = 0
    refusing: tuple[Queue, ...] = ()
    if node.watch is not None:
        node.watch(node.now_us, ROUTED, message, queues, publisher)
    for queue in queues:
        if queue.may_refuse and queue.refuses(message, None if publisher is None else publisher.registrations):
            refusing += (queue,)
            if node.watch is not None:
                node.watch(node.now_us, REFUSED, message, (queue,), publisher)
            if queue.settings.overflow == "reject-publish-dlx":
                dead_letter(node, queue, message, "maxlen")
        elif node.enqueue(queue, message).survives:
            position = node.journal.appended
    return Receipt(position, refusing) if position or refusing else DONE
