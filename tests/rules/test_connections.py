"""Opening and closing connections, what RabbitMQ says of itself, and what ends with a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all, wait_for

Connect = Callable[..., pika.BlockingConnection]


def test_the_server_properties_name_the_product_and_its_version(
    connection: pika.BlockingConnection, version: str
) -> None:
    properties = connection._impl.server_properties
    assert properties["product"] == "RabbitMQ"
    assert properties["version"].startswith(f"{version}.")
    assert properties["information"] == "Licensed under the MPL 2.0. Website: https://rabbitmq.com"
    assert properties.keys() == {
        "capabilities",
        "cluster_name",
        "copyright",
        "information",
        "platform",
        "product",
        "version",
    }


def test_the_server_capabilities(connection: pika.BlockingConnection) -> None:
    capabilities = connection._impl.server_properties["capabilities"]
    assert capabilities == {
        "publisher_confirms": True,
        "exchange_exchange_bindings": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "consumer_priorities": True,
        "authentication_failure_close": True,
        "per_consumer_qos": True,
        "direct_reply_to": True,
    }


def test_pika_finds_the_capabilities_it_asks_for(connection: pika.BlockingConnection) -> None:
    assert connection.basic_nack_supported
    assert connection.consumer_cancel_notify_supported
    assert connection.exchange_exchange_bindings_supported
    assert connection.publisher_confirms_supported


def test_rabbitmq_offers_2047_channels_128_kib_frames_and_a_60_s_heartbeat(connect: Connect) -> None:
    negotiated = connect(heartbeat=None)._impl.params
    assert (negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat) == (2047, 131072, 60)


@pytest.mark.parametrize(("asked", "negotiated"), [(5, 5), (2047, 2047), (2048, 2047), (65535, 2047)])
def test_the_lower_channel_max_wins(connect: Connect, asked: int, negotiated: int) -> None:
    assert connect(channel_max=asked)._impl.params.channel_max == negotiated


@pytest.mark.parametrize("frame_max", [4096, 4097, 131072])
def test_the_client_may_ask_for_smaller_frames(connect: Connect, frame_max: int) -> None:
    connection = connect(frame_max=frame_max)
    assert connection._impl.params.frame_max == frame_max
    channel = connection.channel()
    channel.queue_declare("q")
    body = bytes(range(256)) * 1024
    channel.basic_publish("", "q", body)
    assert channel.basic_get("q", auto_ack=True)[2] == body


@pytest.mark.parametrize("heartbeat", [0, 10, 600])
def test_the_client_decides_on_the_heartbeat(connect: Connect, heartbeat: int) -> None:
    assert connect(heartbeat=heartbeat)._impl.params.heartbeat == heartbeat


def test_pika_opens_no_more_channels_than_negotiated(connect: Connect) -> None:
    connection = connect(channel_max=3)
    channels = [connection.channel() for _ in range(3)]
    with pytest.raises(pika.exceptions.NoFreeChannels):
        connection.channel()
    assert all(channel.is_open for channel in channels)
    channels[1].close()
    assert connection.channel().channel_number == 2


def test_one_channel_more_than_negotiated_closes_the_connection(connect: Connect) -> None:
    connection = connect(channel_max=3)
    for _ in range(3):
        connection.channel()
    text = "NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)"
    with connection_closed(530, text):
        connection.channel(4)
    assert connection.is_closed


def test_channel_max_bounds_how_many_channels_are_open_and_not_their_numbers(connect: Connect) -> None:
    connection = connect(channel_max=3)
    channels = [connection.channel(number) for number in (4, 200, 65535)]
    for number, channel in enumerate(channels):
        channel.queue_declare(f"q{number}")
    assert [channel.channel_number for channel in channels] == [4, 200, 65535]


def test_closed_channels_do_not_count_towards_channel_max(connect: Connect) -> None:
    connection = connect(channel_max=2)
    connection.channel(1)
    connection.channel(2).close()
    assert connection.channel(3).is_open


def test_a_connection_closed_by_the_client_is_closed_with_its_channels(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    other = connection.channel()
    connection.close()
    assert connection.is_closed
    assert channel.is_closed
    assert other.is_closed


@pytest.mark.parametrize(("code", "text"), [(200, "Goodbye"), (0, ""), (541, "no such reason")])
def test_the_client_may_give_any_reason_for_closing(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect, code: int, text: str
) -> None:
    channel.queue_declare("q", exclusive=True)
    connection.close(code, text)
    assert connection.is_closed
    connect().channel().queue_declare("q")


def test_pika_refuses_to_use_a_closed_connection(connection: pika.BlockingConnection, channel: BlockingChannel) -> None:
    connection.close()
    with pytest.raises(pika.exceptions.ConnectionWrongStateError):
        connection.channel()
    with pytest.raises(pika.exceptions.ConnectionWrongStateError):
        connection.close()
    with pytest.raises(pika.exceptions.ChannelWrongStateError, match=r"^Channel is closed\.$"):
        channel.queue_declare("q")


def test_connections_of_one_virtual_host_share_its_queues(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("q")
    other = connect().channel()
    other.confirm_delivery()
    other.basic_publish("", "q", b"for all")
    assert channel.basic_get("q")[2] == b"for all"


def test_unacknowledged_messages_return_when_their_connection_closes(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q")
    for body in (b"first", b"second", b"third"):
        channel.basic_publish("", "q", body)
    channel.basic_get("q")
    connection.channel().basic_get("q")
    connection.close()
    other = connect().channel()
    got = [other.basic_get("q") for _ in range(3)]
    assert [(method.redelivered, body) for method, _, body in got] == [
        (True, b"first"),
        (True, b"second"),
        (False, b"third"),
    ]


def test_a_message_returned_by_a_closed_connection_reaches_another_consumer(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"work")
    got_first: list[bytes] = []
    channel.basic_consume("q", lambda *delivery: got_first.append(delivery[3]))
    wait_for(connection, lambda: len(got_first) == 1)
    other = connect()
    second = other.channel()
    got: list[tuple[int, bool, bytes]] = []

    def on_message(channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        got.append((method.delivery_tag, method.redelivered, body))

    second.basic_consume("q", on_message)
    connection.close()
    wait_for(other, lambda: len(got) == 1)
    assert got == [(1, True, b"work")]


def test_what_was_published_before_the_close_arrives(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q")
    for number in range(100):
        channel.basic_publish("", "q", b"%d" % number)
    connection.close()
    assert get_all(connect().channel(), "q") == [b"%d" % number for number in range(100)]


def test_consumers_end_with_their_connection(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    other = connect().channel()
    other.queue_declare("q")
    channel.basic_consume("q", lambda *_: None)
    assert other.queue_declare("q", passive=True).method.consumer_count == 1
    connection.close()
    assert other.queue_declare("q", passive=True).method.consumer_count == 0


def test_exclusive_queues_end_with_their_connection(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_declare("durable", exclusive=True, durable=True)
    channel.queue_declare("shared")
    connection.close()
    other = connect()
    for queue in ("mine", "durable"):
        with channel_closed(404, f"NOT_FOUND - no queue '{queue}' in vhost '{vhost}'"):
            other.channel().queue_declare(queue, passive=True)
    assert other.channel().queue_declare("shared", passive=True).method.queue == "shared"


def test_the_bindings_of_an_exclusive_queue_end_with_its_connection(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("mine", "amq.fanout", "")
    connection.close()
    other = connect().channel()
    other.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        other.basic_publish("amq.fanout", "", b"anyone?", mandatory=True)


def test_an_auto_delete_queue_ends_with_the_connection_of_its_last_consumer(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("used", auto_delete=True)
    channel.queue_declare("never used", auto_delete=True)
    channel.basic_consume("used", lambda *_: None)
    connection.close()
    other = connect().channel()
    assert other.queue_declare("never used", passive=True).method.queue == "never used"
    with channel_closed(404, f"NOT_FOUND - no queue 'used' in vhost '{vhost}'"):
        other.queue_declare("used", passive=True)


def test_an_auto_delete_queue_stays_while_another_connection_consumes_it(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    other = connect().channel()
    other.queue_declare("q", auto_delete=True)
    other.basic_consume("q", lambda *_: None)
    channel.basic_consume("q", lambda *_: None)
    connection.close()
    assert other.queue_declare("q", auto_delete=True).method.consumer_count == 1


def test_a_consumer_is_cancelled_when_another_connection_deletes_its_queue(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q")
    cancelled: list[str] = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    channel.basic_consume("q", lambda *_: None, consumer_tag="mine")
    connect().channel().queue_delete("q")
    wait_for(connection, lambda: bool(cancelled))
    assert cancelled == ["mine"]
    assert channel.is_open


def test_an_operator_closes_a_connection(
    connection: pika.BlockingConnection, channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.close_connections("maintenance", vhost=vhost)
    with connection_closed(320, "CONNECTION_FORCED - maintenance"):
        connection.process_data_events(time_limit=5)
    assert connection.is_closed
    assert channel.is_closed


def test_a_call_on_a_connection_that_an_operator_closed_says_why(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.close_connections("maintenance", vhost=vhost)
    with connection_closed(320, "CONNECTION_FORCED - maintenance"):
        channel.queue_declare("q")
    with pytest.raises(pika.exceptions.ChannelWrongStateError):
        channel.queue_declare("q")


def test_a_connection_error_closes_all_its_channels_and_returns_their_messages(
    connection: pika.BlockingConnection, channel: BlockingChannel, connect: Connect
) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"work")
    channel.basic_get("q")
    with connection_closed(540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)"):
        connection.channel().basic_qos(prefetch_size=1)
    assert connection.is_closed
    assert channel.is_closed
    method, _, body = connect().channel().basic_get("q")
    assert (method.redelivered, body) == (True, b"work")


def test_an_error_of_one_connection_leaves_another_alone(channel: BlockingChannel, connect: Connect) -> None:
    with connection_closed(540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)"):
        connect().channel().basic_qos(prefetch_size=1)
    assert channel.queue_declare("q").method.queue == "q"
