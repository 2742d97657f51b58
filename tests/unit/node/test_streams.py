"""Streams in a node: what their messages become, what outlives the node, and what a dead letter may carry."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

import fakeamqp
from fakeamqp.node.operator import commands
from fakeamqp.node.queues.readers import filter_of
from fakeamqp.node.queues.stream import stored
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.node.words.profile import profile_of
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicDeliver,
    BasicGet,
    BasicGetOk,
    BasicPublish,
    BasicQos,
    BasicReject,
    QueueDeclare,
    QueueDelete,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectChannel, connect
from tests.unit.node._parts import Session, make_node, message

STREAM = {"x-queue-type": "stream"}


def declare(channel: DirectChannel, **arguments: Any) -> None:
    named = {"x-" + name.replace("_", "-"): value for name, value in arguments.items()}
    channel.call(QueueDeclare("log", durable=True, arguments={**STREAM, **named}))


def read(channel: DirectChannel, tag: str = "reader", limit: int = 100) -> list[bytes]:
    channel.send(BasicQos(0, limit, False))
    channel.send(BasicConsume("log", tag, arguments={"x-stream-offset": "first"}))
    return [method.body for method in channel.receive() if isinstance(method, BasicDeliver)]


@pytest.mark.parametrize("version", ["3.10", "4.0"])
@pytest.mark.parametrize("way", ["stop", "crash"])
def test_offsets_and_times_outlive_a_node(version: str, way: str) -> None:
    broker = fakeamqp.Broker(version=version)
    channel = connect(broker).channel()
    declare(channel)
    for body in (b"1", b"2"):
        channel.send(BasicPublish("", "log", body=body))
    read(channel)
    channel.send(BasicAck(0, True))
    broker.advance(10)
    getattr(broker, way)()
    broker.restart()
    channel = connect(broker).channel()
    channel.send(BasicPublish("", "log", body=b"3"))
    channel.send(BasicQos(0, 5, False))
    channel.send(BasicConsume("log", arguments={"x-stream-offset": "5s"}))
    (delivered,) = (method for method in channel.receive() if isinstance(method, BasicDeliver))
    assert (delivered.body, delivered.properties.headers) == (b"3", {"x-stream-offset": 2})
    broker.simulation.world.check()


def test_what_was_dropped_is_gone_from_the_disk() -> None:
    broker = fakeamqp.Broker()
    channel = connect(broker).channel()
    declare(channel, max_length_bytes=0, stream_max_segment_size_bytes=0)
    for body in (b"1", b"2", b"3"):
        channel.send(BasicPublish("", "log", body=body))
    broker.crash()
    broker.restart()
    assert read(connect(broker).channel()) == [b"3"]


def test_a_snapshot_shows_what_is_kept() -> None:
    broker = fakeamqp.Broker()
    channel = connect(broker).channel()
    declare(channel)
    channel.send(BasicPublish("", "log", body=b"1"))
    assert read(channel) == [b"1"]
    queue = broker.vhost().queue("log")
    assert (queue.type, [each.body for each in queue.messages], queue.unacked) == ("stream", [b"1"], ())
    assert [(each.tag, each.unacked) for each in queue.consumers] == [("reader", 1)]
    broker.simulation.world.check()


def test_what_was_read_outlives_its_stream() -> None:
    channel = connect(fakeamqp.Broker()).channel()
    declare(channel)
    channel.send(BasicPublish("", "log", body=b"1"))
    read(channel)
    channel.send(QueueDelete("log"))
    channel.receive()
    channel.send(BasicAck(1))
    assert channel.receive() == []


def test_a_node_reconfigures_a_stream() -> None:
    session = Session(make_node())
    arguments = {**STREAM, "x-stream-max-segment-size-bytes": 0}
    session.call(QueueDeclare("log", durable=True, arguments=arguments), 0)
    for body in (b"1", b"2", b"3"):
        session.send(BasicPublish("", "log", body=body), 0)
    queue = session.node.state.vhosts["/"].queues["log"]
    assert len(queue.backlog) == 3
    commands.set_policy(session.node.state, PolicyFact("/", "short", ".*", {"max-length-bytes": 0}, 0, "all"))
    session.node.finish_turn()
    assert [each.message.body for each in queue.backlog] == [b"3"]
    session.node.check()


@pytest.mark.parametrize("version", ["3.10", "4.0"])
def test_a_dead_letter_is_stored_without_what_has_no_place(version: str) -> None:
    channel = connect(fakeamqp.Broker(version=version)).channel()
    declare(channel)
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "log",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    channel.call(QueueDeclare("work", durable=True, arguments=arguments))
    properties = BasicProperties(headers={"own": decimal.Decimal("1.5"), "other": 1})
    channel.send(BasicPublish("", "work", properties=properties, body=b"1"))
    assert isinstance(channel.call(BasicGet("work")), BasicGetOk)
    channel.send(BasicReject(1, False))
    channel.send(BasicQos(0, 5, False))
    channel.send(BasicConsume("log", arguments={"x-stream-offset": "first"}))
    (delivered,) = (method for method in channel.receive() if isinstance(method, BasicDeliver))
    headers = delivered.properties.headers or {}
    assert ("own" in headers, headers["other"]) == (False, 1)


def test_only_4_0_stores_bytes_as_text_where_they_are() -> None:
    headers = {"text": b"text", "bytes": b"\xff"}
    for version, text in (("3.10", b"text"), ("4.0", "text")):
        found = stored(message(b"", BasicProperties(headers=headers)), profile_of(version)).properties
        assert found.headers == {"text": text, "bytes": b"\xff"}


def test_a_filter_without_values_is_none() -> None:
    assert filter_of({}) is None
    assert filter_of({"x-stream-filter": 5}) is None
    assert filter_of({"x-stream-filter": ["a"]}) is not None
