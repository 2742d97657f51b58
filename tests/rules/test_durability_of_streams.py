"""What is left of streams after a node was stopped, or crashed when it had come to rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import round_trip
from tests.rules._outage import Outage, Rows, Site, publish

Message = tuple[int, bytes, bool]
"""Offset, body and whether redelivered."""

rows = Rows()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rows.parametrize(metafunc)


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """The one outage that all rules of this module share."""
    with rows.outage(request) as outage:
        yield outage


def test_after_an_outage(outage: Outage, rule: str) -> None:
    outage.finish(rule)


def declare(channel: BlockingChannel, stream: str, **arguments: Any) -> None:
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    channel.queue_declare(stream, durable=True, arguments={"x-queue-type": "stream", **named})


def read(channel: BlockingChannel, stream: str, offset: object = "first") -> list[Message]:
    """Offset, body and redelivered of what there is from `offset` on; it stays unacknowledged."""
    found: list[Message] = []

    def on_message(_: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        found.append((properties.headers["x-stream-offset"], body, method.redelivered))

    channel.basic_qos(prefetch_count=200)
    channel.basic_consume(stream, on_message, arguments={"x-stream-offset": offset})
    for _ in range(5):
        round_trip(channel)
        channel.connection.process_data_events(time_limit=0.1)
    return found


def read_when_there_are(site: Site, stream: str, count: int) -> list[Message]:
    """The messages of a stream that has this many; a real one needs a while to have a leader again."""
    found: list[Message] = []
    for _ in range(50):
        with contextlib.suppress(pika.exceptions.AMQPError):
            found = read(site.channel(), stream)
            if len(found) == count:
                break
    return found


@rows.row
def every_message_is_kept_and_none_is_redelivered(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "log")
    publish(channel, "log", b"transient", delivery_mode=1)
    publish(channel, "log", b"unsaid", delivery_mode=None)
    publish(channel, "log", b"persistent")
    assert len(read(channel, "log")) == 3
    yield
    expected = [(0, b"transient", False), (1, b"unsaid", False), (2, b"persistent", False)]
    assert read_when_there_are(site, "log", 3) == expected


@rows.row
def offsets_go_on_where_they_were(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "continued")
    publish(channel, "continued", b"before", b"before")
    yield
    read_when_there_are(site, "continued", 2)
    publish(site.channel(), "continued", b"after")
    assert read_when_there_are(site, "continued", 3)[2] == (2, b"after", False)


@rows.row
def acknowledging_changes_nothing(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "acknowledged")
    publish(channel, "acknowledged", b"0", b"1")
    read(channel, "acknowledged")
    channel.basic_ack(0, multiple=True)
    round_trip(channel)
    yield
    assert [body for _, body, _ in read_when_there_are(site, "acknowledged", 2)] == [b"0", b"1"]


@rows.row
def what_was_dropped_stays_dropped(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "dropped", max_length_bytes=1_000_000, stream_max_segment_size_bytes=1_000_000)
    publish(channel, "dropped", *[b"x" * 110_000] * 13)
    before = read_when_there_are(site, "dropped", 3)
    assert [offset for offset, _, _ in before] == [11, 12, 13]
    yield
    assert read_when_there_are(site, "dropped", 3) == before


@rows.row
def a_deleted_stream_stays_deleted(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "deleted")
    publish(channel, "deleted", b"0")
    channel.queue_delete("deleted")
    yield
    assert not site.exists("queue", "deleted")
