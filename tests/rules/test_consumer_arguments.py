"""basic.consume's arguments: which queue takes which, and what they may be."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._kinds import declare, publish

KINDS = ["classic", "quorum", "stream"]


def consume(channel: BlockingChannel, kind: str, arguments: dict[str, Any], **qos: Any) -> None:
    declare(channel, "log", kind)
    channel.basic_qos(prefetch_count=5)
    if qos:
        channel.basic_qos(**qos)
    assert channel.basic_consume("log", print, consumer_tag="one", arguments=arguments) == "one"


def of_another_type(argument: str, kind: str, vhost: str) -> str:
    return (
        f"PRECONDITION_FAILED - invalid arg '{argument}' for queue 'log' in vhost '{vhost}' "
        f"of queue type rabbit_{kind}_queue"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_arguments_are_ignored(channel: BlockingChannel, kind: str) -> None:
    consume(channel, kind, {"x-own": "anything"})


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("offset", ["first", "foo", 0])
def test_an_offset_is_refused_by_other_queues_whatever_its_value(
    channel: BlockingChannel, vhost: str, kind: str, offset: object
) -> None:
    with channel_closed(406, of_another_type("x-stream-offset", kind, vhost)):
        consume(channel, kind, {"x-stream-offset": offset})


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("argument", ["x-stream-filter", "x-stream-match-unfiltered"])
def test_a_filter_is_refused_by_other_queues_of_4_0(
    channel: BlockingChannel, vhost: str, version: str, kind: str, argument: str
) -> None:
    if version == "3.10":
        consume(channel, kind, {argument: "a"})
    else:
        with channel_closed(406, of_another_type(argument, kind, vhost)):
            consume(channel, kind, {argument: "a"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [True, False])
def test_cancelling_on_failover_is_for_classic_queues_in_3_10(
    channel: BlockingChannel, vhost: str, version: str, kind: str, value: bool
) -> None:
    if version == "4.0" or kind == "classic":
        consume(channel, kind, {"x-cancel-on-ha-failover": value})
    else:
        with channel_closed(406, of_another_type("x-cancel-on-ha-failover", kind, vhost)):
            consume(channel, kind, {"x-cancel-on-ha-failover": value})


@pytest.mark.parametrize(("value", "wire_type"), [("x", "longstr"), (1, "signedint")])
def test_cancelling_on_failover_is_true_or_false_in_3_10(
    channel: BlockingChannel, vhost: str, version: str, value: object, wire_type: str
) -> None:
    if version == "4.0":
        consume(channel, "classic", {"x-cancel-on-ha-failover": value})
        return
    text = (
        f"PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue 'log' in vhost '{vhost}': "
        f"{{unacceptable_type,{wire_type}}}"
    )
    with channel_closed(406, text):
        consume(channel, "classic", {"x-cancel-on-ha-failover": value})


def test_a_bad_offset_is_told_before_an_argument_of_another_type(channel: BlockingChannel, vhost: str) -> None:
    text = (
        f"PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'log' in vhost '{vhost}': "
        '{invalid_stream_offset_arg,{longstr,<<"1x">>}}'
    )
    with channel_closed(406, text):
        consume(channel, "stream", {"x-priority": 1, "x-stream-offset": "1x"})


def test_arguments_are_checked_before_the_prefetch_count(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(406, of_another_type("x-priority", "stream", vhost)):
        consume(channel, "stream", {"x-priority": 1}, prefetch_count=0)


@pytest.mark.parametrize("offset", [None, b"1h", "+1h", "٣h"])
def test_offsets_that_do_not_begin_with_a_digit_are_internal_errors(channel: BlockingChannel, offset: object) -> None:
    with connection_closed(541, "INTERNAL_ERROR"):
        consume(channel, "stream", {"x-stream-offset": offset})


def test_a_global_limit_is_not_implemented_by_streams(channel: BlockingChannel, vhost: str) -> None:
    text = f"NOT_IMPLEMENTED - queue 'log' in vhost '{vhost}' does not support global qos"
    with connection_closed(540, text):
        consume(channel, "stream", {}, prefetch_count=2, global_qos=True)


def test_declaring_a_stream_counts_neither_messages_nor_consumers(channel: BlockingChannel) -> None:
    consume(channel, "stream", {})
    publish(channel, "log", "0", "1")
    answer = channel.queue_declare("log", passive=True).method
    assert (answer.message_count, answer.consumer_count) == (0, 0)
