"""The way of a message to the queues that it was routed to."""

from __future__ import annotations

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Publish
from fakeamqp.node.state.receipts import Receipt
from fakeamqp.node.state.watching import REFUSED, ROUTED


def arrive(
    state: NodeState,
    queues: tuple[Queue, ...],
    message: Message,
    publisher: Channel | None = None,
    receipt: Receipt | None = None,
) -> None:
    """Send a message to queues, but for those that have told the publisher to stop.

    `publisher` is the publishing channel, None for internal publishes.
    """
    if state.watch is not None:
        state.watch((state.now_us, ROUTED, message, queues, publisher, None))
    for queue in queues:
        if queue.may_refuse and queue.type.stops(
            queue, message, None if publisher is None else publisher.registrations
        ):
            if receipt is not None:
                receipt.is_stopped = True
            if state.watch is not None:
                state.watch((state.now_us, REFUSED, message, queue.alone, publisher, None))
        else:
            state.line.append(Publish(queue, message, receipt, publisher))
