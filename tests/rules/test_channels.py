"""Opening and closing channels: what an error closes, and what ends with a channel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all, wait_for


def test_channels_are_numbered_from_one(connection: pika.BlockingConnection) -> None:
    assert [connection.channel().channel_number for _ in range(3)] == [1, 2, 3]


def test_the_number_of_a_closed_channel_is_used_again(connection: pika.BlockingConnection) -> None:
    first, second = connection.channel(), connection.channel()
    first.close()
    again = connection.channel()
    assert (again.channel_number, second.channel_number) == (1, 2)
    assert again.queue_declare("q").method.queue == "q"


def test_the_number_of_a_channel_that_the_broker_closed_is_used_again(
    connection: pika.BlockingConnection, channel: BlockingChannel, vhost: str
) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_declare("nope", passive=True)
    again = connection.channel()
    assert again.channel_number == channel.channel_number
    assert again.queue_declare("q").method.queue == "q"


def test_delivery_tags_start_at_one_on_a_reopened_channel_number(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"first")
    assert channel.basic_get("q", auto_ack=True)[0].delivery_tag == 1
    channel.basic_publish("", "q", b"second")
    assert channel.basic_get("q")[0].delivery_tag == 2
    channel.close()
    again = connection.channel()
    assert again.basic_get("q")[0].delivery_tag == 1


def test_a_channel_error_closes_that_channel_alone(
    connection: pika.BlockingConnection, channel: BlockingChannel, vhost: str
) -> None:
    other = connection.channel()
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_purge("nope")
    assert channel.is_closed
    assert connection.is_open
    assert other.queue_declare("q").method.queue == "q"


def test_consumers_on_other_channels_go_on_after_a_channel_error(
    connection: pika.BlockingConnection, channel: BlockingChannel, vhost: str
) -> None:
    other = connection.channel()
    other.queue_declare("q")
    got: list[bytes] = []
    other.basic_consume("q", lambda *delivery: got.append(delivery[3]))
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_purge("nope")
    other.basic_publish("", "q", b"still here")
    wait_for(connection, lambda: bool(got))
    assert got == [b"still here"]


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(lambda channel: channel.close(), id="channel.close"),
        pytest.param(lambda channel: channel.queue_declare("q"), id="queue.declare"),
        pytest.param(lambda channel: channel.queue_purge("q"), id="queue.purge"),
        pytest.param(lambda channel: channel.exchange_declare("x"), id="exchange.declare"),
        pytest.param(lambda channel: channel.basic_publish("", "q", b""), id="basic.publish"),
        pytest.param(lambda channel: channel.basic_consume("q", lambda *_: None), id="basic.consume"),
        pytest.param(lambda channel: channel.basic_ack(1), id="basic.ack"),
        pytest.param(lambda channel: channel.basic_qos(prefetch_count=1), id="basic.qos"),
        pytest.param(lambda channel: channel.confirm_delivery(), id="confirm.select"),
        pytest.param(lambda channel: channel.tx_select(), id="tx.select"),
    ],
)
def test_pika_refuses_to_use_a_channel_that_the_broker_closed(
    connection: pika.BlockingConnection,
    channel: BlockingChannel,
    vhost: str,
    method: Callable[[BlockingChannel], object],
) -> None:
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_purge("nope")
    with pytest.raises(pika.exceptions.ChannelWrongStateError, match=r"^Channel is closed\.$"):
        method(channel)
    assert connection.channel().is_open


def test_the_next_call_learns_of_an_error_that_needed_no_answer(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "key", b"lost")
        channel.queue_declare("q")


def test_an_error_that_needed_no_answer_shows_while_another_channel_waits(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    other = connection.channel()
    with contextlib.suppress(pika.exceptions.ChannelClosedByBroker):
        channel.basic_publish("nope", "key", b"lost")
    other.queue_declare("q")
    wait_for(connection, lambda: channel.is_closed)
    assert other.queue_declare("q", passive=True).method.queue == "q"


def test_what_a_client_sends_after_the_error_is_ignored(
    connection: pika.BlockingConnection, channel: BlockingChannel, vhost: str
) -> None:
    other = connection.channel()
    other.queue_declare("q")
    channel.basic_publish("", "q", b"before")
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "q", b"lost")
        channel.basic_publish("", "q", b"after")
        channel.basic_publish("nope either", "q", b"lost too")
        channel.queue_declare("never declared")
    assert get_all(other, "q") == [b"before"]
    with channel_closed(404, f"NOT_FOUND - no queue 'never declared' in vhost '{vhost}'"):
        other.queue_declare("never declared", passive=True)


def test_what_a_channel_did_before_its_error_stays_done(
    connection: pika.BlockingConnection, channel: BlockingChannel, vhost: str
) -> None:
    channel.exchange_declare("x", "fanout")
    channel.queue_declare("q")
    channel.queue_bind("q", "x")
    channel.basic_publish("x", "", b"kept")
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_purge("nope")
    assert get_all(connection.channel(), "q") == [b"kept"]


def _close(channel: BlockingChannel) -> None:
    channel.close()


def _fail(channel: BlockingChannel) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.queue_declare("nope", passive=True)


ends = pytest.mark.parametrize("end", [_close, _fail], ids=["closed by the client", "closed by an error"])
End = Callable[[BlockingChannel], None]


@ends
def test_unacknowledged_messages_return_in_order_when_their_channel_ends(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    for body in (b"first", b"second", b"third"):
        channel.basic_publish("", "q", body)
    for _ in range(2):
        channel.basic_get("q")
    end(channel)
    other = connection.channel()
    got = [other.basic_get("q") for _ in range(3)]
    assert [(method.delivery_tag, method.redelivered, body) for method, _, body in got] == [
        (1, True, b"first"),
        (2, True, b"second"),
        (3, False, b"third"),
    ]


@ends
def test_messages_acknowledged_before_the_channel_ends_do_not_return(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    for body in (b"first", b"second"):
        channel.basic_publish("", "q", body)
    channel.basic_ack(channel.basic_get("q")[0].delivery_tag)
    channel.basic_get("q")
    end(channel)
    method, _, body = connection.channel().basic_get("q")
    assert (method.redelivered, method.message_count, body) == (True, 0, b"second")


@ends
def test_what_was_published_before_the_end_arrives(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    for number in range(100):
        channel.basic_publish("", "q", b"%d" % number)
    end(channel)
    assert get_all(connection.channel(), "q") == [b"%d" % number for number in range(100)]


@ends
def test_consumers_end_with_their_channel(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    other = connection.channel()
    other.queue_declare("q")
    got: list[bytes] = []
    channel.basic_consume("q", lambda *delivery: got.append(delivery[3]))
    assert other.queue_declare("q", passive=True).method.consumer_count == 1
    end(channel)
    assert other.queue_declare("q", passive=True).method.consumer_count == 0
    other.basic_publish("", "q", b"nobody listens")
    assert get_all(other, "q") == [b"nobody listens"]
    assert got == []


@ends
def test_a_consumer_on_another_channel_takes_over_what_was_not_acknowledged(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"work")
    channel.basic_get("q")
    other = connection.channel()
    got: list[tuple[bool, bytes]] = []

    def on_message(channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        got.append((method.redelivered, body))

    other.basic_consume("q", on_message)
    end(channel)
    wait_for(connection, lambda: bool(got))
    assert got == [(True, b"work")]


@ends
def test_exclusive_queues_outlive_their_channel(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.basic_publish("", "mine", b"kept")
    channel.basic_consume("mine", lambda *_: None)
    end(channel)
    other = connection.channel()
    assert other.queue_declare("mine", exclusive=True).method.consumer_count == 0
    assert get_all(other, "mine") == [b"kept"]


@ends
def test_an_auto_delete_queue_ends_with_the_channel_of_its_last_consumer(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End, vhost: str
) -> None:
    other = connection.channel()
    other.queue_declare("q", auto_delete=True)
    other.queue_declare("never used", auto_delete=True)
    other.basic_consume("q", lambda *_: None, consumer_tag="other")
    channel.basic_consume("q", lambda *_: None)
    other.basic_cancel("other")
    assert other.queue_declare("q", passive=True, auto_delete=True).method.consumer_count == 1
    end(channel)
    assert other.queue_declare("never used", passive=True).method.queue == "never used"
    with channel_closed(404, f"NOT_FOUND - no queue 'q' in vhost '{vhost}'"):
        other.queue_declare("q", passive=True)


@ends
def test_an_exclusive_consumer_leaves_with_its_channel(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    channel.basic_consume("q", lambda *_: None, exclusive=True)
    end(channel)
    other = connection.channel()
    other.basic_consume("q", lambda *_: None, exclusive=True)
    assert other.queue_declare("q", passive=True).method.consumer_count == 1


@ends
def test_an_uncommitted_transaction_ends_with_its_channel(
    connection: pika.BlockingConnection, channel: BlockingChannel, end: End
) -> None:
    channel.queue_declare("q")
    channel.tx_select()
    channel.basic_publish("", "q", b"never committed")
    end(channel)
    assert get_all(connection.channel(), "q") == []


def test_confirm_and_transaction_modes_end_with_their_channel(connection: pika.BlockingConnection) -> None:
    first = connection.channel()
    first.confirm_delivery()
    first.close()
    second = connection.channel()
    assert second.channel_number == first.channel_number
    second.tx_select()
    assert isinstance(second.tx_commit().method, pika.spec.Tx.CommitOk)


@pytest.mark.parametrize(("code", "text"), [(0, "Normal shutdown"), (200, ""), (541, "no such reason")])
def test_the_client_may_give_any_reason_for_closing_a_channel(
    connection: pika.BlockingConnection, channel: BlockingChannel, code: int, text: str
) -> None:
    channel.close(code, text)
    assert channel.is_closed
    assert connection.channel().queue_declare("q").method.queue == "q"


def test_a_channel_knows_the_last_declared_queue_and_a_new_one_does_not(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    channel.queue_declare("q")
    assert channel.queue_purge("").method.message_count == 0
    channel.close()
    again = connection.channel()
    with channel_closed(404, "NOT_FOUND - no previously declared queue"):
        again.queue_purge("")
