"""The arrival of a message in the queues that it was routed to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.node.dead_letter import dead_letter
from fakeamqp.node.messages import Message
from fakeamqp.node.queues import Queue, Registrations

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


class Receipt(NamedTuple):
    """What became of a message: how far the journal must be synced to be safe with it, and which queues refused it."""

    position: int
    refusing: tuple[Queue, ...] = ()


DONE = Receipt(0)


def arrive(
    node: Node, queues: Iterable[Queue], message: Message, registrations: Registrations | None = None
) -> Receipt:
    """Put a message into queues, but for those that have no room; `registrations` are those of who publishes it."""
    position = 0
    refusing: tuple[Queue, ...] = ()
    for queue in queues:
        if queue.may_refuse and queue.refuses(message, registrations):
            refusing += (queue,)
            if queue.settings.overflow == "reject-publish-dlx":
                dead_letter(node, queue, message, "maxlen")
        elif node.enqueue(queue, message).survives:
            position = node.journal.appended
    return Receipt(position, refusing) if position or refusing else DONE
