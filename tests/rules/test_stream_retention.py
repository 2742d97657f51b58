"""What a stream drops: whole segments, when another one begins, oldest first."""

from __future__ import annotations

from collections.abc import Callable

from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._kinds import declare
from tests.rules._queues import Connect
from tests.rules._streams import SEGMENT_BYTES, offsets, publish


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
