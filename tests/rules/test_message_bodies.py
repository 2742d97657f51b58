"""Message bodies of every size and kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all
from tests.rules._publishing import PIKA, Message, consume_one, get_one, round_trip

FRAME_MAX = 131072  # what RabbitMQ offers and pika takes; a frame has 8 bytes around its payload
MAX_4_0 = 16 * 1024 * 1024

Read = Callable[[BlockingChannel, str], Message]


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def bytes_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("read", [get_one, consume_one])
@pytest.mark.parametrize(
    "size", [0, 1, FRAME_MAX - 9, FRAME_MAX - 8, FRAME_MAX - 7, FRAME_MAX, 2 * (FRAME_MAX - 8), 1024 * 1024]
)
def test_a_body_arrives_whole(channel: BlockingChannel, queue: str, size: int, read: Read) -> None:
    body = bytes_of(size)
    channel.basic_publish("", queue, body)
    arrived = read(channel, queue)[2]
    assert type(arrived) is bytes
    assert arrived == body


@pytest.mark.parametrize("size", [0, 4087, 4088, 4089, 8176, 20000])
def test_a_body_arrives_whole_in_small_frames(
    connect: Callable[..., pika.BlockingConnection], queue: str, size: int
) -> None:
    channel = connect(frame_max=4096).channel()
    channel.basic_publish("", queue, bytes_of(size))
    assert get_one(channel, queue)[2] == bytes_of(size)


def test_a_body_may_cross_from_large_frames_to_small_ones(
    connect: Callable[..., pika.BlockingConnection], channel: BlockingChannel, queue: str
) -> None:
    channel.basic_publish("", queue, bytes_of(20000))
    round_trip(channel)
    assert get_one(connect(frame_max=4096).channel(), queue)[2] == bytes_of(20000)


def test_bodies_of_different_sizes_keep_their_order(channel: BlockingChannel, queue: str) -> None:
    sizes = [0, 300000, 1, 131064, 0, 131065, 5]
    for size in sizes:
        channel.basic_publish("", queue, bytes_of(size))
    assert [len(body) for body in get_all(channel, queue)] == sizes


def test_a_body_of_16_mib_arrives(channel: BlockingChannel, queue: str) -> None:
    body = bytes(MAX_4_0)
    channel.basic_publish("", queue, body)
    assert get_one(channel, queue)[2] == body


@pytest.mark.only("3.10")
def test_a_body_above_16_mib_arrives(channel: BlockingChannel, queue: str) -> None:
    body = bytes(MAX_4_0 + 1)
    channel.basic_publish("", queue, body)
    assert get_one(channel, queue)[2] == body


@pytest.mark.only("4.0")
@pytest.mark.parametrize("exchange", ["", "nope"], ids=["queue", "missing exchange"])
def test_a_body_above_16_mib_is_refused_before_anything_else_is_looked_at(
    channel: BlockingChannel, queue: str, exchange: str
) -> None:
    properties = pika.BasicProperties(user_id="x", expiration="x", headers={"CC": "x"})
    text = "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216"
    with channel_closed(406, text):
        channel.basic_publish(exchange, queue, bytes(MAX_4_0 + 1), properties)
        round_trip(channel)


@pytest.mark.parametrize("text", ["", "order", "ä€\U0001f600", "a\0b"])
def test_a_str_is_sent_as_utf_8(channel: BlockingChannel, queue: str, text: str) -> None:
    channel.basic_publish("", queue, text)  # type: ignore[arg-type]
    assert get_one(channel, queue)[2] == text.encode()


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_pika_1_3_takes_any_kind_of_bytes_and_later_ones_do_not(
    channel: BlockingChannel, queue: str, kind: Callable[[bytes], Any]
) -> None:
    if PIKA == "1.3":
        channel.basic_publish("", queue, kind(b"order"))
        body = get_one(channel, queue)[2]
        assert type(body) is bytes
        assert body == b"order"
    else:
        with pytest.raises(AttributeError, match=f"'{kind.__name__}' object has no attribute 'encode'"):
            channel.basic_publish("", queue, kind(b"order"))
        assert get_all(channel, queue) == []


@pytest.mark.skipif(PIKA != "1.3", reason="pika refuses a bytearray")
def test_a_bytearray_may_be_reused_at_once(channel: BlockingChannel, queue: str) -> None:
    body = bytearray(b"one")
    channel.basic_publish("", queue, body)  # type: ignore[arg-type]
    body[:] = b"two"
    assert get_all(channel, queue) == [b"one"]


@pytest.mark.parametrize("body", [None, 5, 1.5, True, ["order"], {"a": 1}], ids=repr)
def test_pika_refuses_a_body_that_is_neither_str_nor_bytes(channel: BlockingChannel, queue: str, body: Any) -> None:
    with pytest.raises({"1.3": TypeError}.get(PIKA, AttributeError)):
        channel.basic_publish("", queue, body)
    channel.basic_publish("", queue, b"next")
    assert get_all(channel, queue) == [b"next"]


def test_pika_refuses_text_that_is_no_unicode(channel: BlockingChannel, queue: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        channel.basic_publish("", queue, "\ud800")  # type: ignore[arg-type]
    assert get_all(channel, queue) == []
