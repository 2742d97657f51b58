"""Policies on streams: limits hold at once, the size of segments for new streams alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._kinds import declare
from tests.rules._queues import Connect
from tests.rules._streams import SEGMENT_BYTES, offsets, publish


def test_a_new_stream_has_segments_as_its_policy_says(
    channel: BlockingChannel, connect: Connect, vhost: str, operator: Any
) -> None:
    definition = {"stream-max-segment-size-bytes": SEGMENT_BYTES, "max-length-bytes": 2_500_000}
    operator.set_policy("limits", "log", definition, vhost=vhost, apply_to="queues")
    declare(channel, "log", "stream")
    publish(channel, 22)
    assert offsets(connect, 22) == [*range(10), *range(11, 21), 22, 23]
    publish(channel, 10)
    assert offsets(connect, 22)[0] == 11


def test_a_stream_that_has_messages_keeps_its_size_of_segments(
    channel: BlockingChannel, connect: Connect, vhost: str, operator: Any, let_time_pass: Callable[[float], None]
) -> None:
    declare(channel, "log", "stream")
    publish(channel, 1)
    operator.set_policy("limits", "log", {"stream-max-segment-size-bytes": SEGMENT_BYTES}, vhost=vhost)
    let_time_pass(1)
    publish(channel, 20)
    assert offsets(connect, 21) == [*range(21)]


@pytest.mark.parametrize(
    ("definition", "count", "first"), [({"max-length-bytes": 2_500_000}, 15, 22), ({"max-age": "2s"}, 5, 33)]
)
def test_a_new_limit_is_looked_at_at_once(
    channel: BlockingChannel,
    connect: Connect,
    vhost: str,
    operator: Any,
    let_time_pass: Callable[[float], None],
    definition: dict[str, Any],
    count: int,
    first: int,
) -> None:
    declare(channel, "log", "stream", stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 35)
    let_time_pass(2.5)
    assert len(offsets(connect, 35)) == 35
    operator.set_policy("limits", "log", definition, vhost=vhost)
    assert offsets(connect, count)[0] == first


def test_what_a_policy_dropped_does_not_come_back_with_it(
    channel: BlockingChannel, connect: Connect, vhost: str, operator: Any
) -> None:
    declare(channel, "log", "stream", stream_max_segment_size_bytes=SEGMENT_BYTES)
    publish(channel, 35)
    operator.set_policy("limits", "log", {"max-length-bytes": 2_500_000}, vhost=vhost)
    assert offsets(connect, 15)[0] == 22
    operator.clear_policy("limits", vhost=vhost)
    publish(channel, 25)
    assert offsets(connect, 40)[0] == 22
