"""How long a queue may be unused (x-expires)."""

from __future__ import annotations

from functools import partial

from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Expire


def renew_lease(state: NodeState, queue: Queue) -> None:
    """A queue that expires is in use: its time starts anew, to run out once nobody consumes."""
    if queue.expiry_timer is not None:
        queue.expiry_timer.cancel()
        queue.expiry_timer = None
    if queue.settings.expires_ms is not None:
        expire = partial(state.line.append, Expire(queue))
        queue.expiry_timer = state.timers.at(state.now_us + queue.settings.expires_ms * 1000, expire)
