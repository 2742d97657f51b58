"""What streams refuse: consumers that other queues take, gets and purges."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._kinds import declare, publish
from tests.rules._queues import missing


@pytest.fixture
def stream(channel: BlockingChannel) -> str:
    """The name of a new stream."""
    return declare(channel, "log", "stream")


@pytest.mark.parametrize("auto_ack", [False, True])
@pytest.mark.parametrize("qos", [{}, {"prefetch_count": 5, "global_qos": True}])
def test_a_reader_without_a_prefetch_count_is_refused(
    channel: BlockingChannel, vhost: str, version: str, stream: str, qos: dict[str, Any], auto_ack: bool
) -> None:
    channel.basic_qos(**qos)
    named = {"3.10": f"'queue 'log' in vhost '{vhost}''", "4.0": f"stream queue 'log' in vhost '{vhost}'"}[version]
    with channel_closed(406, f"PRECONDITION_FAILED - consumer prefetch count is not set for {named}"):
        channel.basic_consume(stream, print, auto_ack=auto_ack)


def test_a_global_limit_beside_the_prefetch_count_is_accepted(channel: BlockingChannel, stream: str) -> None:
    channel.basic_qos(prefetch_count=5, global_qos=True)
    channel.basic_qos(prefetch_count=5)
    assert channel.basic_consume(stream, print, consumer_tag="reader") == "reader"


def test_automatic_acknowledgement_is_not_implemented(
    channel: BlockingChannel, vhost: str, version: str, stream: str
) -> None:
    channel.basic_qos(prefetch_count=5)
    named = {"3.10": "stream queues queue", "4.0": "stream queue"}[version]
    text = f"NOT_IMPLEMENTED - automatic acknowledgement not supported by {named} 'log' in vhost '{vhost}'"
    with connection_closed(540, text):
        channel.basic_consume(stream, print, auto_ack=True)


@pytest.mark.parametrize("auto_ack", [False, True])
def test_getting_is_not_implemented(channel: BlockingChannel, vhost: str, stream: str, auto_ack: bool) -> None:
    text = f"NOT_IMPLEMENTED - basic.get not supported by stream queues queue 'log' in vhost '{vhost}'"
    with connection_closed(540, text):
        channel.basic_get(stream, auto_ack=auto_ack)


def test_purging_is_not_implemented(channel: BlockingChannel, vhost: str, stream: str) -> None:
    text = f"NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 'log' in vhost '{vhost}'"
    with connection_closed(540, text):
        channel.queue_purge(stream)


@pytest.mark.parametrize("offset", ["foo", "", "First", "s", True, [1], {"a": 1}])
def test_an_offset_that_does_not_begin_with_a_number_is_an_internal_error(
    channel: BlockingChannel, stream: str, offset: object
) -> None:
    channel.basic_qos(prefetch_count=5)
    with connection_closed(541, "INTERNAL_ERROR"):
        channel.basic_consume(stream, print, arguments={"x-stream-offset": offset})


@pytest.mark.parametrize("offset", ["0s", "1x", "1", "1H"])
def test_an_interval_of_no_known_unit_is_refused(
    channel: BlockingChannel, vhost: str, stream: str, offset: str
) -> None:
    channel.basic_qos(prefetch_count=5)
    text = (
        f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'log' in vhost '{vhost}': "
        f'{{invalid_stream_offset_arg,{{longstr,<<"{offset}">>}}}}'
    )
    with channel_closed(406, text):
        channel.basic_consume(stream, print, arguments={"x-stream-offset": offset})


@pytest.mark.parametrize("priority", [1, "x"])
def test_a_consumer_priority_is_refused(channel: BlockingChannel, vhost: str, stream: str, priority: object) -> None:
    channel.basic_qos(prefetch_count=5)
    text = (
        f"PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'log' in vhost '{vhost}' "
        "of queue type rabbit_stream_queue"
    )
    with channel_closed(406, text):
        channel.basic_consume(stream, print, arguments={"x-priority": priority})


def test_an_exclusive_reader_excludes_nobody(channel: BlockingChannel, stream: str) -> None:
    channel.basic_qos(prefetch_count=5)
    for tag, exclusive in (("a", True), ("b", False), ("c", True)):
        assert channel.basic_consume(stream, print, exclusive=exclusive, consumer_tag=tag) == tag


@pytest.mark.parametrize("condition", ["if_empty", "if_unused"])
def test_conditions_do_not_keep_a_stream_from_being_deleted(
    channel: BlockingChannel, vhost: str, stream: str, condition: str
) -> None:
    publish(channel, stream, "0")
    channel.basic_qos(prefetch_count=5)
    channel.basic_consume(stream, print)
    assert channel.queue_delete(stream, **{condition: True}).method.message_count == 0
    with channel_closed(404, missing("log", vhost)):
        channel.queue_declare(stream, passive=True)
