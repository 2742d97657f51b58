"""publish_subscribe: who gets a copy, and of what."""

from __future__ import annotations

from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.programs.publish_subscribe import LogReceiver, emit_log
from tests.target import Target


def test_every_receiver_gets_every_line_in_order(target: Target) -> None:
    with LogReceiver(target.parameters()) as screen, LogReceiver(target.parameters()) as disk:
        for line in ["starting", "working", "stopping"]:
            emit_log(target.parameters(), line)
        assert screen.read(3, patience=10) == ["starting", "working", "stopping"]
        assert disk.read(3, patience=10) == ["starting", "working", "stopping"]


def test_a_receiver_gets_only_the_lines_emitted_while_it_listens(target: Target) -> None:
    emit_log(target.parameters(), "nobody listens")
    with LogReceiver(target.parameters()) as early:
        emit_log(target.parameters(), "one listens")
        with LogReceiver(target.parameters()) as late:
            emit_log(target.parameters(), "two listen")
            assert early.read(2, patience=10) == ["one listens", "two listen"]
            assert late.read(1, patience=10) == ["two listen"]


def test_lines_that_are_not_read_yet_wait_for_the_next_read(target: Target) -> None:
    with LogReceiver(target.parameters()) as receiver:
        for line in ["one", "two", "three"]:
            emit_log(target.parameters(), line)
        assert [receiver.read(1, patience=10) for _ in range(3)] == [["one"], ["two"], ["three"]]
        assert receiver.read(1, patience=0.2) == []


def test_the_queue_of_a_receiver_goes_with_it(target: Target, channel: BlockingChannel, vhost: str) -> None:
    with LogReceiver(target.parameters()) as one, LogReceiver(target.parameters()) as other:
        assert one.queue.startswith("amq.gen-")
        assert one.queue != other.queue
    with channel_closed(404, f"NOT_FOUND - no queue '{one.queue}' in vhost '{vhost}'"):
        channel.queue_declare(one.queue, passive=True)
