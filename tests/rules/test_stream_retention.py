"""What a stream drops: whole segments, when another one begins, oldest first."""

from __future__ import annotations

from collections.abc import Callable

from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer
from tests.rules._kinds import declare
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


def test_every_segment_but_the_first_takes_an_offset_for_itself(channel: BlockingChannel, connect: Connect) -> None:
    declare(channel, "log", "stream", stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 22)
    assert offsets(connect, 22) == [*range(10), *range(11, 21), 22, 23]
    assert offsets(connect, 12, offset=10) == [*range(11, 21), 22, 23]


def test_segments_that_are_too_many_bytes_are_dropped(channel: BlockingChannel, connect: Connect) -> None:
    declare(channel, "log", "stream", max_length_bytes=2_500_000, stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 29)
    assert offsets(connect, 29)[0] == 0
    publish(channel, 2)
    assert offsets(connect, 21)[0] == 11
    publish(channel, 10)
    assert offsets(connect, 21)[0] == 22
    assert offsets(connect, 21, offset=3)[0] == 22


def test_the_newest_segment_stays_however_large_it_is(channel: BlockingChannel, connect: Connect) -> None:
    declare(channel, "log", "stream", max_length_bytes=0, stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 9)
    assert offsets(connect, 9) == [*range(9)]
    publish(channel, 3)
    assert offsets(connect, 2) == [11, 12]


def test_segments_that_are_too_old_are_dropped_when_another_one_begins(
    channel: BlockingChannel, connect: Connect, let_time_pass: Callable[[float], None]
) -> None:
    declare(channel, "log", "stream", max_age="2s", stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 12)
    let_time_pass(3)
    assert len(offsets(connect, 12)) == 12
    publish(channel, 7)
    assert len(offsets(connect, 19)) == 19
    publish(channel, 2)
    assert offsets(connect, 11)[0] == 11
