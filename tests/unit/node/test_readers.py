"""Readers: each reads the log on its own, as far as it has room."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.queues.effects import Deliver, Forget
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state.connection import Channel
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import SECOND_US, checkout, fill, make_channel, make_consumer, make_queue, message

STREAM = {"x-queue-type": "stream"}


def make_stream(**arguments: Any) -> Queue:
    return make_queue("log", arguments={**STREAM, **arguments})


def append(stream: Queue, *bodies: bytes, **headers: Any) -> None:
    for body in bodies:
        stream.type.enqueue(stream, message(body, BasicProperties(headers=headers)), 0)


def run(stream: Queue, now_us: int = 0) -> list[tuple[str, bytes]]:
    """Who gets what when the stream runs."""
    effects = checkout(stream, now_us)
    stream.check()
    return [(each.consumer.tag, each.entry.message.body) for each in effects if isinstance(each, Deliver)]


def attach(
    stream: Queue, tag: str, offset: Any = "first", channel: Channel | None = None, limit: int = 10, **arguments: Any
) -> None:
    arguments = {"x-stream-offset": offset, **arguments}
    consumer = make_consumer(stream, channel, tag, prefetch_count=limit, arguments=arguments)
    assert consumer in list(stream.consumers.served())


def test_all_readers_get_everything() -> None:
    stream = make_stream()
    append(stream, b"1", b"2")
    attach(stream, "a")
    attach(stream, "b", 1)
    assert run(stream) == [("a", b"1"), ("a", b"2"), ("b", b"2")]
    append(stream, b"3")
    assert run(stream) == [("a", b"3"), ("b", b"3")]
    assert run(stream) == []


def test_a_reader_reads_on_when_it_has_room() -> None:
    stream, channel = make_stream(), make_channel()
    append(stream, b"1", b"2")
    attach(stream, "a", channel=channel, limit=1)
    assert run(stream) == [("a", b"1")]
    assert not stream.consumers.unpark_all(channel)
    channel.consumers["a"].outstanding -= 1
    assert not stream.consumers.unpark_all(make_channel(2))
    assert stream.consumers.unpark_all(channel)
    assert stream.consumers.unpark(channel, None)
    assert run(stream) == [("a", b"2")]


def test_where_next_is_is_found_when_it_begins() -> None:
    stream = make_stream()
    append(stream, b"1")
    attach(stream, "a", "next")
    assert run(stream) == []
    append(stream, b"2")
    assert run(stream) == [("a", b"2")]


def test_an_interval_is_counted_back_from_when_it_begins() -> None:
    stream = make_stream()
    append(stream, b"1")
    attach(stream, "a", "5s")
    attach(stream, "b", "6s")
    assert run(stream, 6 * SECOND_US) == [("b", b"1")]


def test_whoever_is_gone_reads_no_more() -> None:
    stream, channel = make_stream(), make_channel()
    attach(stream, "a", channel=channel)
    assert len(stream.consumers) == 1
    stream.consumers.remove(channel.consumers["a"])
    append(stream, b"1")
    assert run(stream) == []


def test_nobody_takes_anything_out() -> None:
    stream, channel = make_stream(), make_channel()
    attach(stream, "a", channel=channel)
    assert stream.consumers.next() is None
    stream.consumers.park(channel.consumers["a"])
    with pytest.raises(IndexError):
        stream.take()


def test_a_delivery_is_an_entry_of_its_own_with_its_offset() -> None:
    stream = make_stream()
    append(stream, b"1", z=1, a=2)
    attach(stream, "a")
    (effect,) = checkout(stream, 0)
    assert isinstance(effect, Deliver)
    (kept,) = stream.backlog
    assert effect.entry is not kept
    assert list((effect.entry.message.properties.headers or {}).items()) == [("a", 2), ("x-stream-offset", 0), ("z", 1)]
    assert kept.message.properties.headers == {"z": 1, "a": 2}


def test_a_filter_passes_over_what_does_not_match() -> None:
    stream = make_stream()
    append(stream, b"1", **{"x-stream-filter-value": "a"})
    append(stream, b"2")
    attach(stream, "a", limit=1, **{"x-stream-filter": "b", "x-stream-match-unfiltered": True})
    assert run(stream) == [("a", b"2")]


def test_segments_are_forgotten_whoever_has_not_read_them() -> None:
    stream = make_stream(**{"x-max-length-bytes": 0, "x-stream-max-segment-size-bytes": 0})
    append(stream, b"1", b"2", b"3")
    attach(stream, "a", limit=1)
    effects = checkout(stream, 0)
    assert [each.entry.message.body for each in effects if isinstance(each, Forget)] == [b"1", b"2"]
    assert [each.entry.message.body for each in effects if isinstance(each, Deliver)] == [b"3"]
    stream.check()
    assert stream.ready_bytes == 1


def test_a_stream_counts_nothing() -> None:
    stream, queue = make_stream(), make_queue()
    append(stream, b"1")
    fill(queue, b"1")
    assert (stream.type.count_messages(stream), queue.type.count_messages(queue)) == (0, 1)
