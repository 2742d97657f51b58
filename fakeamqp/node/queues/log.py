"""Logs: what a stream keeps, and for how long.

Source: osiris_log.erl; how segments fill, what a new one costs and when old ones go was observed.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator

from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.queues.queue_arguments import QueueArguments

DEFAULT_SEGMENT_SIZE_BYTES = 500_000_000
CHUNK_OVERHEAD_BYTES = 64
"""What counts for a message besides its body: the header of its chunk and of itself. Its properties do not count here,
and every message is a chunk of its own, as where each publish waits for its confirm; RabbitMQ may batch others."""


class Segment:
    """A part of a log that fills, and then goes as a whole."""

    __slots__ = ("count", "last_us", "size_bytes")

    def __init__(self) -> None:
        self.count = 0
        self.size_bytes = 0
        self.last_us = 0
        """When its last message was appended."""


def _segment_size_bytes(settings: QueueArguments) -> int:
    size_bytes = settings.max_segment_size_bytes
    return DEFAULT_SEGMENT_SIZE_BYTES if size_bytes is None else size_bytes


class Log:
    """The messages of a stream by offset. Reading takes nothing out; whole segments go when it is time.

    To its queue it is a backlog with no head: nothing ever leaves by being served.
    """

    __slots__ = (
        "_entries",
        "_next_offset",
        "_rolls_over_at_once",
        "_segment_size_bytes",
        "_segments",
        "_settings",
        "is_retention_due",
        "unseen_head",
    )

    def __init__(self, settings: QueueArguments, *, rolls_over_at_once: bool) -> None:
        """`rolls_over_at_once`: whether a full segment is followed by a new one at once, or when it is needed."""
        self._entries: list[Entry] = []
        self._segments = deque([Segment()])
        self._next_offset = 0
        self._rolls_over_at_once = rolls_over_at_once
        self._settings = settings
        self._segment_size_bytes = _segment_size_bytes(settings)
        self.unseen_head: Entry | None = None
        """Nobody overtakes here."""
        self.is_retention_due = False
        """Whether a segment was begun, or limits changed, since anybody last looked which segments are to go."""

    def configure(self, settings: QueueArguments) -> None:
        """From now on these limits hold; the size of segments is settled by the first message (observed)."""
        self.is_retention_due = self.is_retention_due or settings != self._settings
        self._settings = settings
        if not self._next_offset:
            self._segment_size_bytes = _segment_size_bytes(settings)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def head(self) -> Entry | None:
        """Nothing leaves a log by being served."""
        return None

    def pop(self) -> Entry:
        """Raises IndexError: there is no head."""
        raise IndexError("pop from a log")

    def put_back(self, entry: Entry) -> None:
        """What was read is there still."""

    def has_recovered(self) -> None:
        """All that the disk had is here again, which is no reason to drop anything."""
        self.is_retention_due = False

    # -- writing ------------------------------------------------------------------------------------------------

    def next_offset(self) -> int:
        """The offset of the next message to come.

        Every segment but the first begins with a chunk of what the log knows of its publishers, which takes an offset.
        """
        return self._next_offset + self._is_full()

    def append(self, entry: Entry) -> None:
        """A new message, whose position is its offset."""
        if self._is_full():
            self._roll_over()
        self._entries.append(entry)
        self._next_offset = entry.position + 1
        segment = self._segments[-1]
        segment.count += 1
        segment.size_bytes += len(entry.message.body) + CHUNK_OVERHEAD_BYTES
        segment.last_us = entry.appended_us
        if self._rolls_over_at_once and self._is_full():
            self._roll_over()

    def _is_full(self) -> bool:
        segment = self._segments[-1]
        return bool(segment.count) and segment.size_bytes >= self._segment_size_bytes

    def _roll_over(self) -> None:
        self._segments.append(Segment())
        self._next_offset += 1
        self.is_retention_due = True

    # -- retention ----------------------------------------------------------------------------------------------

    def retain(self, now_us: int) -> list[Entry]:
        """Drop the oldest segments for as long as all together are too large, or they are too old; never the last.

        RabbitMQ looks when a segment begins and when limits change, not when time passes.
        """
        self.is_retention_due = False
        count = 0
        while len(self._segments) > 1 and (self._is_too_large() or self._is_too_old(now_us)):
            count += self._segments.popleft().count
        dropped = self._entries[:count]
        del self._entries[:count]
        return dropped

    def _is_too_large(self) -> bool:
        limit_bytes = self._settings.max_length_bytes
        return limit_bytes is not None and sum(each.size_bytes for each in self._segments) > limit_bytes

    def _is_too_old(self, now_us: int) -> bool:
        age_s = self._settings.max_age_s
        return age_s is not None and now_us - self._segments[0].last_us > age_s * 1_000_000

    def clear(self) -> list[Entry]:
        """Drop everything."""
        entries = self._entries
        self._entries = []
        self._segments = deque([Segment()])
        return entries

    # -- reading ------------------------------------------------------------------------------------------------

    def first_since(self, moment_us: int) -> int:
        """The offset of the first message that came at this moment or later, or of the next one to come."""
        index = bisect.bisect_left(self._entries, moment_us, key=lambda entry: entry.appended_us)
        return self._entries[index].position if index < len(self._entries) else self.next_offset()

    def last(self) -> int:
        """The offset of the last message, or of the next one to come."""
        return self._entries[-1].position if self._entries else self.next_offset()

    def since(self, offset: int) -> Iterator[Entry]:
        """The messages from an offset on."""
        index = bisect.bisect_left(self._entries, offset, key=lambda entry: entry.position)
        while index < len(self._entries):
            yield self._entries[index]
            index += 1

    def check(self) -> None:
        """Offsets and times ascend, and every message is in a segment."""
        offsets = [each.position for each in self._entries]
        times = [each.appended_us for each in self._entries]
        assert offsets == sorted(set(offsets)), offsets
        assert times == sorted(times), times
        assert not offsets or offsets[-1] < self._next_offset
        assert sum(each.count for each in self._segments) == len(self._entries)
