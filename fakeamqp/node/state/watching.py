"""What becomes of messages, for whoever watches a node: the words for it, and how it is told.

A node tells in the few places where such things are decided, and costs one test of an attribute where nobody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from fakeamqp.node.kernel.message import Message
    from fakeamqp.node.queues.queue import Queue
    from fakeamqp.node.state.connection import Channel

ROUTED = "routed"
"""It has arrived from outside, and these queues are where it goes; where there is none, it is gone."""
RETURNED = "returned"
"""It was mandatory and led nowhere: its publisher gets it back."""
REPLIED = "replied"
"""A direct reply: its receiver has it, without a queue between."""
DELAYED = "delayed"
"""An exchange has set it aside for a while."""
REFUSED = "refused"
"""A queue has no room for it, and does not take it."""
DELIVERED = "delivered"
"""It has left the queue for a client; the client may not have read it yet."""
ACKED = "acked"
"""Its receiver is done with it, and so is its queue, unless that is a stream."""
REQUEUED = "requeued"
"""It came back to its queue."""
EXPIRED = "expired"
"""Its time in the queue was over."""
MAXLEN = "maxlen"
"""The queue was too long, and has dropped it."""
REJECTED = "rejected"
"""Its receiver does not want it, nor should anybody get it again."""
DELIVERY_LIMIT = "delivery_limit"
"""It came back to a quorum queue once too often."""
DEAD_LETTERED = "dead-lettered"
"""A queue that gave it up has published it to a dead letter exchange, and these queues have it now."""
UNDELIVERABLE = "undeliverable"
"""A queue that gave it up has the name of a dead letter exchange that does not exist."""
PURGED = "purged"
"""Somebody has purged the queue."""
DELETED = "deleted"
"""It went with its queue."""
FORGOTTEN = "forgotten"
"""A stream keeps it no longer."""

DEATHS = (EXPIRED, MAXLEN, REJECTED, DELIVERY_LIMIT)
"""Why queues give messages up, in x-death's words."""


Outcome: TypeAlias = "tuple[int, str, Message, tuple[Queue, ...], Channel | None, Mapping[str, Any] | None]"
"""What happened to a message: when (microseconds), one of the words above, which message, in or to which queues, on
whose channel, and what else there is. All is the node's own, and not to be changed."""

Watch: TypeAlias = Callable[[Outcome], None]
"""Who watches. It is given a tuple, as most of these are only kept, and never looked at."""


class ClosingWatch(Protocol):
    """Who watches what the node closes."""

    def __call__(self, now_us: int, connection: int, channel: int, reason: str) -> None:
        """The node has closed a channel of a connection, or with 0 the connection: why, in RabbitMQ's words."""
