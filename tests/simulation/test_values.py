"""What a user is handed: values that can be copied, pickled, compared and hashed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pika
import pytest

from fakeamqp import Broker, Misuse


@pytest.fixture
def broker() -> Broker:
    broker = Broker()
    channel = broker.connect().channel()
    channel.queue_declare("q", arguments={"x-max-length": 5, "x-note": {"a": [1, {"b": 2}]}})
    channel.exchange_declare("x", arguments={"k": "v"})
    channel.queue_bind("q", "x", "key", {"n": [1, 2]})
    channel.basic_publish("", "q", b"one", pika.BasicProperties(headers={"deep": {"er": [1, None]}}))
    channel.basic_consume("q", lambda *_: None, consumer_tag="c", arguments={"x-priority": 3})
    channel.basic_publish("", "q", b"two")
    return broker


WAYS = pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copy", "deepcopy", "pickle"],
)


@WAYS
def test_snapshots_and_events_can_be_copied(broker: Broker, way: Callable[[Any], Any]) -> None:
    for value in (broker.vhost(), broker.vhost().queue("q"), *broker.trace, *broker.list_bindings()):
        assert way(value) == value


@WAYS
def test_a_copy_cannot_be_changed_either(broker: Broker, way: Callable[[Any], Any]) -> None:
    queue = way(broker.vhost().queue("q"))
    with pytest.raises(AttributeError, match="cannot be changed"):
        queue.name = "other"
    with pytest.raises(TypeError):
        queue.arguments["x-max-length"] = 6


def test_equal_snapshots_are_one_in_a_set(broker: Broker) -> None:
    assert len({broker.vhost(), broker.vhost()}) == 1
    assert len({*broker.list_bindings(), *broker.list_bindings()}) == len(broker.list_bindings())
    before = broker.vhost().queue("q")
    broker.connect().channel().basic_publish("", "q", b"three")
    assert len({before, broker.vhost().queue("q")}) == 2


def test_a_mapping_of_a_snapshot_reads_like_a_dict(broker: Broker) -> None:
    arguments = broker.vhost().queue("q").arguments
    assert arguments == {"x-max-length": 5, "x-note": {"a": [1, {"b": 2}]}}
    assert repr(arguments) == repr(dict(arguments))
    assert len(arguments) == 2


def test_a_consumer_tells_its_arguments_and_whether_it_is_active() -> None:
    broker = Broker()
    channel = broker.connect().channel()
    channel.queue_declare("q", arguments={"x-single-active-consumer": True})
    for tag in ("first", "second"):
        channel.basic_consume("q", lambda *_: None, consumer_tag=tag, arguments={"note": tag})
    found = broker.list_consumers()
    assert [(each.tag, each.active, each.arguments) for each in found] == [
        ("first", True, {"note": "first"}),
        ("second", False, {"note": "second"}),
    ]
    assert found == list(broker.vhost().queue("q").consumers)


def test_the_trace_has_an_end_and_parts(broker: Broker) -> None:
    assert broker.trace[-1] == list(broker.trace)[-1]
    assert list(broker.trace[:3]) == list(broker.trace)[:3]
    with pytest.raises(IndexError):
        broker.trace[len(broker.trace)]


@pytest.mark.parametrize("lose", ["everythng", "", None, 3])
def test_what_a_crash_loses_is_one_of_three_words(lose: Any) -> None:
    broker = Broker(sync_interval=1)
    with pytest.raises(Misuse, match='lose= is "nothing", "everything" or "by chance"'):
        broker.crash(lose)
    assert broker.is_running
