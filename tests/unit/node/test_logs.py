"""Logs: offsets, segments, and what is dropped when."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.message import NO_EXPIRY_US, StreamEntry
from fakeamqp.node.queues.log import CHUNK_OVERHEAD_BYTES, Log
from fakeamqp.node.queues.queue_arguments import QueueArguments
from tests.unit.node._parts import SECOND_US, make_queue, message

BODY_BYTES = 100
SEGMENT_BYTES = 3 * (BODY_BYTES + CHUNK_OVERHEAD_BYTES)
"""Three messages."""


def settings(**changes: Any) -> QueueArguments:
    return QueueArguments(queue_type="stream", max_segment_size_bytes=SEGMENT_BYTES).replace(**changes)


def make_log(*, rolls_over_at_once: bool = False, **changes: Any) -> Log:
    return Log(settings(**changes), rolls_over_at_once=rolls_over_at_once)


QUEUE = make_queue()


def fill(log: Log, count: int, now_us: int = 0) -> None:
    for _ in range(count):
        log.append(StreamEntry(log.next_offset(), message(b"x" * BODY_BYTES), NO_EXPIRY_US, now_us))
        log.check()


def offsets(log: Log) -> list[int]:
    return [entry.position for entry in log]


class TestBacklog:
    """What a queue asks of its backlog."""

    def test_nothing_ever_leaves_by_being_served(self) -> None:
        log = make_log()
        fill(log, 2)
        (first, _) = log
        assert log.head() is None
        with pytest.raises(IndexError):
            log.pop()
        log.put_back(first)
        assert (len(log), offsets(log)) == (2, [0, 1])

    def test_all_may_go_at_once(self) -> None:
        log = make_log()
        fill(log, 4)
        assert len(log.clear()) == 4
        assert len(log) == 0
        log.check()


class TestOffsets:
    @pytest.mark.parametrize("rolls_over_at_once", [True, False])
    def test_a_segment_after_the_first_takes_one(self, rolls_over_at_once: bool) -> None:
        log = make_log(rolls_over_at_once=rolls_over_at_once)
        fill(log, 3)
        assert log.next_offset() == 4
        fill(log, 4)
        assert offsets(log) == [0, 1, 2, 4, 5, 6, 8]

    def test_a_segment_is_large_where_nothing_is_said(self) -> None:
        log = make_log(max_segment_size_bytes=None)
        fill(log, 10)
        assert offsets(log) == [*range(10)]

    def test_a_segment_has_one_message_at_least(self) -> None:
        log = make_log(max_segment_size_bytes=0)
        fill(log, 3)
        assert offsets(log) == [0, 2, 4]


class TestReading:
    def test_from_an_offset(self) -> None:
        log = make_log()
        fill(log, 5)
        assert [[each.position for each in log.since(offset)] for offset in (-1, 3, 5, 6)] == [
            [0, 1, 2, 4, 5],
            [4, 5],
            [5],
            [],
        ]

    def test_what_is_appended_while_reading_is_read(self) -> None:
        log = make_log()
        fill(log, 1)
        read = log.since(0)
        assert next(read).position == 0
        fill(log, 1)
        assert next(read).position == 1

    def test_from_the_last(self) -> None:
        log = make_log()
        assert log.last() == 0
        fill(log, 2)
        assert log.last() == 1

    def test_from_a_moment(self) -> None:
        log = make_log()
        fill(log, 2, now_us=10)
        fill(log, 1, now_us=20)
        assert [log.first_since(moment_us) for moment_us in (-5, 10, 11, 20, 21)] == [0, 0, 2, 2, 4]


class TestRetention:
    def test_without_limits_everything_stays(self) -> None:
        log = make_log()
        fill(log, 9)
        assert log.retain(10**12) == []

    @pytest.mark.parametrize(("rolls_over_at_once", "is_due"), [(True, True), (False, False)])
    def test_it_is_due_when_a_segment_begins(self, rolls_over_at_once: bool, is_due: bool) -> None:
        log = make_log(rolls_over_at_once=rolls_over_at_once)
        fill(log, 3)
        assert log.is_retention_due is is_due
        fill(log, 1)
        assert log.is_retention_due
        log.retain(0)
        assert not log.is_retention_due

    def test_the_oldest_segments_go_while_all_are_too_large(self) -> None:
        log = make_log(max_length_bytes=2 * SEGMENT_BYTES)
        fill(log, 6)
        assert log.retain(0) == []
        fill(log, 1)
        assert [each.position for each in log.retain(0)] == [0, 1, 2]
        assert offsets(log) == [4, 5, 6, 8]
        log.check()

    def test_the_last_segment_stays(self) -> None:
        log = make_log(max_length_bytes=0, max_age_s=1)
        fill(log, 4)
        assert len(log.retain(10 * SECOND_US)) == 3
        assert log.retain(20 * SECOND_US) == []
        assert offsets(log) == [4]

    def test_segments_go_that_are_too_old_as_a_whole(self) -> None:
        log = make_log(max_age_s=5)
        fill(log, 3, now_us=0)
        fill(log, 2, now_us=0)
        fill(log, 1, now_us=4 * SECOND_US)
        fill(log, 1, now_us=5 * SECOND_US)
        assert log.retain(5 * SECOND_US) == []
        assert [each.position for each in log.retain(6 * SECOND_US)] == [0, 1, 2]

    def test_new_limits_are_heeded_at_once_and_the_same_ones_again_are_not(self) -> None:
        log = make_log()
        fill(log, 7)
        log.retain(0)
        log.configure(settings())
        assert not log.is_retention_due
        log.configure(settings(max_length_bytes=0))
        assert log.is_retention_due
        assert len(log.retain(0)) == 6

    def test_a_new_size_of_segments_holds_only_for_a_log_that_never_had_a_message(self) -> None:
        log = make_log()
        log.configure(settings(max_segment_size_bytes=0))
        fill(log, 2)
        log.configure(settings())
        fill(log, 1)
        assert offsets(log) == [0, 2, 4]

    def test_recovering_is_no_reason_to_drop_anything(self) -> None:
        log = make_log(max_length_bytes=0)
        fill(log, 7)
        log.has_recovered()
        assert not log.is_retention_due
