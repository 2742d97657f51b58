"""Streams over AMQP 0-9-1: consuming them leaves the messages where they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import round_trip
from tests.rules._helpers import wait_for
from tests.rules._kinds import declare, publish
from tests.rules._queues import Connect, wait_until_ready


@pytest.fixture
def stream(channel: BlockingChannel) -> str:
    """The name of a new stream."""
    return declare(channel, "log", "stream")


class Reader:
    """A consumer of a stream on a connection of its own, that settles nothing by itself."""

    def __init__(self, connect: Connect, offset: Any = None, *, limit: int = 100, stream: str = "log") -> None:
        self.channel = connect().channel()
        self.channel.basic_qos(prefetch_count=limit)
        self.methods: list[pika.spec.Basic.Deliver] = []
        self.properties: list[pika.BasicProperties] = []
        self.bodies: list[str] = []
        arguments = None if offset is None else {"x-stream-offset": offset}
        self.tag = self.channel.basic_consume(stream, self._on_message, arguments=arguments)

    def _on_message(self, _: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.methods.append(method)
        self.properties.append(properties)
        self.bodies.append(body.decode())

    def read(self, count: int) -> list[str]:
        """All bodies until now, when they are this many."""
        wait_for(self.channel.connection, lambda: len(self.bodies) >= count)
        self.settle()
        return self.bodies

    def settle(self) -> None:
        """What was sent until now has been handled, and what was given until now has arrived."""
        for _ in range(3):
            round_trip(self.channel)
            self.channel.connection.process_data_events(time_limit=0.01)

    def offsets(self) -> list[int]:
        return [properties.headers["x-stream-offset"] for properties in self.properties]


def test_a_stream_is_declared_empty(channel: BlockingChannel) -> None:
    answer = channel.queue_declare("log", durable=True, arguments={"x-queue-type": "stream"}).method
    assert (answer.queue, answer.message_count, answer.consumer_count) == ("log", 0, 0)


def test_a_reader_from_the_first_gets_everything_in_order(
    channel: BlockingChannel, connect: Connect, stream: str
) -> None:
    publish(channel, stream, "0", "1", "2")
    reader = Reader(connect, "first")
    assert reader.read(3) == ["0", "1", "2"]
    publish(channel, stream, "3")
    assert reader.read(4) == ["0", "1", "2", "3"]


def test_every_delivery_tells_its_offset(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0", "1", "2")
    reader = Reader(connect, "first")
    reader.read(3)
    assert reader.offsets() == [0, 1, 2]
    assert [method.delivery_tag for method in reader.methods] == [1, 2, 3]
    assert [method.redelivered for method in reader.methods] == [False] * 3
    assert {(method.consumer_tag, method.exchange, method.routing_key) for method in reader.methods} == {
        (reader.tag, "", "log")
    }


@pytest.mark.parametrize("offset", [None, "next", 3, 100, 2**40])
def test_some_offsets_lead_to_what_comes_next_alone(
    channel: BlockingChannel, connect: Connect, stream: str, offset: object
) -> None:
    publish(channel, stream, "0", "1", "2")
    reader = Reader(connect, offset)
    if offset in (100, 2**40):
        assert reader.read(0) == []
    else:
        publish(channel, stream, "new")
        assert reader.read(1) == ["new"]
        assert reader.offsets() == [3]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("first", "01234"),
        (b"first", "01234"),
        ("last", "4"),
        (0, "01234"),
        (3, "34"),
        (4, "4"),
        (-1, "01234"),
        ("1h", "01234"),
        ("1m", "01234"),
        ("1D", "01234"),
        ("1M", "01234"),
        ("1Y", "01234"),
        ("900s", "01234"),
    ],
)
def test_where_a_reader_begins(
    channel: BlockingChannel, connect: Connect, stream: str, offset: object, expected: str
) -> None:
    publish(channel, stream, *"01234")
    assert Reader(connect, offset).read(len(expected)) == list(expected)


@pytest.mark.parametrize(("year", "count"), [(1970, 2), (2020, 2), (2200, 0)])
def test_a_reader_may_begin_at_a_moment(
    channel: BlockingChannel, connect: Connect, stream: str, year: int, count: int
) -> None:
    publish(channel, stream, "0", "1")
    assert Reader(connect, datetime(year, 1, 1, tzinfo=timezone.utc)).read(count) == ["0", "1"][:count]


def test_an_interval_leaves_out_what_is_older(
    channel: BlockingChannel, connect: Connect, stream: str, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, stream, "old")
    let_time_pass(2.5)
    publish(channel, stream, "young")
    assert Reader(connect, "2s").read(1) == ["young"]


def test_readers_do_not_take_messages_from_each_other(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0", "1")
    first, second = Reader(connect, "first"), Reader(connect, "first")
    publish(channel, stream, "2")
    assert first.read(3) == second.read(3) == ["0", "1", "2"]


def test_readers_of_one_channel_read_on_their_own(channel: BlockingChannel, stream: str) -> None:
    publish(channel, stream, "0", "1")
    channel.basic_qos(prefetch_count=10)
    found: dict[str, list[bytes]] = {"whole": [], "end": []}
    for tag, offset in (("whole", 0), ("end", 1)):
        channel.basic_consume(
            stream,
            lambda _, method, __, body: found[method.consumer_tag].append(body),
            consumer_tag=tag,
            arguments={"x-stream-offset": offset},
        )
    wait_for(channel.connection, lambda: found == {"whole": [b"0", b"1"], "end": [b"1"]})


def test_acknowledged_messages_can_be_read_again(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0", "1")
    reader = Reader(connect, "first")
    reader.read(2)
    reader.channel.basic_ack(0, multiple=True)
    reader.channel.close()
    again = Reader(connect, "first")
    assert again.read(2) == ["0", "1"]
    assert not again.methods[0].redelivered


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_acks_make_room_for_more(channel: BlockingChannel, connect: Connect, stream: str, limit: int) -> None:
    publish(channel, stream, *"0123456789")
    reader = Reader(connect, "first", limit=limit)
    assert reader.read(limit) == list("0123456789")[:limit]
    reader.channel.basic_ack(reader.methods[-1].delivery_tag)
    assert reader.read(limit + 1) == list("0123456789")[: limit + 1]
    reader.channel.basic_ack(0, multiple=True)
    assert reader.read(2 * limit + 1) == list("0123456789")[: 2 * limit + 1]


@pytest.mark.only("4.0")
@pytest.mark.parametrize("way", ["nack", "nack requeue", "reject", "reject requeue", "recover"])
def test_in_4_0_returns_and_rejections_make_room_like_acks(
    channel: BlockingChannel, connect: Connect, stream: str, way: str
) -> None:
    publish(channel, stream, *"012")
    reader = Reader(connect, "first", limit=1)
    reader.read(1)
    tag = reader.methods[0].delivery_tag
    if way == "recover":
        reader.channel.basic_recover(requeue=True)
    elif way.startswith("nack"):
        reader.channel.basic_nack(tag, requeue=way.endswith("requeue"))
    else:
        reader.channel.basic_reject(tag, requeue=way.endswith("requeue"))
    assert reader.read(2) == ["0", "1"]
    assert not reader.methods[1].redelivered


def no_returns(vhost: str) -> str:
    return (
        f"NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues queue 'log' in vhost '{vhost}'"
    )


@pytest.mark.only("3.10")
@pytest.mark.parametrize("way", ["basic_nack", "basic_reject"])
@pytest.mark.parametrize("requeue", [True, False])
def test_in_3_10_returns_and_rejections_are_not_implemented(
    channel: BlockingChannel, connect: Connect, vhost: str, stream: str, way: str, requeue: bool
) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    with connection_closed(540, no_returns(vhost)):
        getattr(reader.channel, way)(1, requeue=requeue)
        round_trip(reader.channel)


@pytest.mark.only("3.10")
def test_in_3_10_what_was_returned_along_with_it_is_back_in_its_queue(
    channel: BlockingChannel, connect: Connect, vhost: str, stream: str
) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    for queue in ("a", "z"):
        channel.queue_declare(queue)
        publish(channel, queue, "1")
        assert reader.channel.basic_get(queue)[2] == b"1"
    with connection_closed(540, no_returns(vhost)):
        reader.channel.basic_nack(0, multiple=True)
        round_trip(reader.channel)
    for queue in ("a", "z"):
        wait_until_ready(channel, queue, 1)


@pytest.mark.only("3.10")
@pytest.mark.parametrize("way", ["basic_nack", "basic_reject"])
def test_in_3_10_a_transaction_with_a_return_cannot_be_committed(
    channel: BlockingChannel, connect: Connect, vhost: str, stream: str, way: str
) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    reader.channel.tx_select()
    getattr(reader.channel, way)(1)
    round_trip(reader.channel)
    with connection_closed(540, no_returns(vhost)):
        reader.channel.tx_commit()


def test_acks_of_a_transaction_make_room_when_it_is_committed(
    channel: BlockingChannel, connect: Connect, stream: str
) -> None:
    publish(channel, stream, "0", "1")
    reader = Reader(connect, "first", limit=1)
    reader.channel.tx_select()
    reader.read(1)
    reader.channel.basic_ack(1)
    assert reader.read(1) == ["0"]
    reader.channel.tx_commit()
    assert reader.read(2) == ["0", "1"]


@pytest.mark.only("3.10")
def test_in_3_10_recover_is_an_internal_error(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    with connection_closed(541, "INTERNAL_ERROR"):
        reader.channel.basic_recover(requeue=True)


def test_an_unknown_delivery_tag_closes_the_channel(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    reader.channel.basic_ack(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        reader.channel.basic_ack(1)
        round_trip(reader.channel)


def test_a_cancelled_reader_may_still_acknowledge(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publish(channel, stream, "0")
    reader = Reader(connect, "first")
    reader.read(1)
    reader.channel.basic_cancel(reader.tag)
    reader.channel.basic_ack(1)
    publish(channel, stream, "1")
    assert reader.read(1) == ["0"]


def test_deleting_a_stream_cancels_its_readers(channel: BlockingChannel, stream: str) -> None:
    cancelled: list[Any] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.basic_qos(prefetch_count=5)
    channel.basic_consume(stream, print, consumer_tag="one")
    channel.connection.channel().queue_delete(stream)
    wait_for(channel.connection, lambda: [each.method.consumer_tag for each in cancelled] == ["one"])


def test_bindings_and_mandatory_publishing_work(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    channel.queue_bind(stream, "amq.topic", "a.*")
    channel.confirm_delivery()
    properties = pika.BasicProperties(message_id="m", priority=3, expiration="1", headers={"own": "header"})
    channel.basic_publish("amq.topic", "a.b", b"bound", properties, mandatory=True)
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("amq.topic", "b", b"unbound", mandatory=True)
    reader = Reader(connect, "first")
    assert reader.read(1) == ["bound"]
    found = reader.properties[0]
    assert (reader.methods[0].exchange, reader.methods[0].routing_key) == ("amq.topic", "a.b")
    assert (found.message_id, found.priority, found.expiration) == ("m", 3, "1")
    assert found.headers == {"own": "header", "x-stream-offset": 0}


def test_the_broker_overwrites_an_offset_header_of_the_publisher(
    channel: BlockingChannel, connect: Connect, stream: str
) -> None:
    publish(channel, stream, "0", headers={"x-stream-offset": 77})
    reader = Reader(connect, "first")
    reader.read(1)
    assert reader.offsets() == [0]


@pytest.mark.parametrize(
    ("published", "expected"),
    [(1, {"3.10": 1, "4.0": 1}), (2, {"3.10": 2, "4.0": 2}), (None, {"3.10": None, "4.0": 1})],
)
def test_the_delivery_mode_of_a_delivery(
    channel: BlockingChannel,
    connect: Connect,
    version: str,
    stream: str,
    published: int | None,
    expected: dict[str, int | None],
) -> None:
    publish(channel, stream, "0", delivery_mode=published)
    reader = Reader(connect, "first")
    reader.read(1)
    assert reader.properties[0].delivery_mode == expected[version]


def test_messages_do_not_expire(
    channel: BlockingChannel, connect: Connect, stream: str, let_time_pass: Callable[[float], None]
) -> None:
    publish(channel, stream, "0", expiration="1")
    let_time_pass(0.3)
    assert Reader(connect, "first").read(1) == ["0"]


def test_a_committed_transaction_is_appended(channel: BlockingChannel, connect: Connect, stream: str) -> None:
    publisher = channel.connection.channel()
    publisher.tx_select()
    publisher.basic_publish("", stream, b"0")
    publisher.tx_commit()
    assert Reader(connect, "first").read(1) == ["0"]
