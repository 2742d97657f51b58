"""What names in methods mean."""

from __future__ import annotations

from fakeamqp.node.state.channel import Channel
from fakeamqp.spec.errors import access_refused, not_found

NODE_NAME = "rabbit@localhost"
"""What the node and its cluster are called."""


def stripped(name: str) -> str:
    """A name without carriage returns and line feeds, as RabbitMQ reads it (rabbit_channel.erl, strip_cr_lf)."""
    return name.replace("\r", "").replace("\n", "") if "\n" in name or "\r" in name else name


def queue_meant(channel: Channel, name: str) -> str:
    """The queue that a method means: an empty name is the one declared last; raises 404 if there was none.

    basic.consume, basic.get and queue.purge take the name as it is; other methods strip it (observed).
    """
    if name:
        return name
    if not channel.last_queue:
        raise not_found("no previously declared queue")
    return channel.last_queue


def refuse_reserved(kind: str, name: str) -> None:
    """Raise 403 for a new queue or exchange whose name is RabbitMQ's own."""
    if name.startswith("amq."):
        raise access_refused(f"{kind} name '{name}' contains reserved prefix 'amq.*'")
