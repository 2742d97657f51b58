"""What the rules on what streams keep share: messages that fill segments, and the offsets that are left."""

from __future__ import annotations

from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._queues import Connect

SEGMENT_BYTES = 1_000_000
BODY = "x" * 110_000
"""Ten of these fill a segment."""


def publish(channel: BlockingChannel, count: int) -> None:
    """Append messages of which ten fill a segment, each in a chunk of its own."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        for _ in range(count):
            publisher.basic_publish("", "log", BODY)


def offsets(connect: Connect, count: int, offset: object = "first") -> list[int]:
    """The offsets of the messages from `offset` on, when there are `count` of them.

    A real broker drops what it drops a little later, and tells nobody.
    """
    found: list[int] = []
    for _ in range(50):
        connection = connect()
        channel = connection.channel()
        channel.basic_qos(prefetch_count=200)
        reader = _OffsetReader(channel, offset)
        reader.take(count)
        connection.close()
        found = reader.offsets
        if len(found) == count:
            break
    return found


class _OffsetReader(Consumer):
    def __init__(self, channel: BlockingChannel, offset: object) -> None:
        self.offsets: list[int] = []
        super().__init__(channel, "log", arguments={"x-stream-offset": offset})

    def _on_message(self, channel, method, properties, body) -> None:  # type: ignore[no-untyped-def]
        self.offsets.append(properties.headers["x-stream-offset"])
        super()._on_message(channel, method, properties, body)
