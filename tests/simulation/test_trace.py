"""The trace: what stands in it, how it is narrowed, and how it is written."""

from __future__ import annotations

import datetime
import decimal
import io
import json
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

import fakeamqp
from fakeamqp.simulation.management.report import report
from fakeamqp.simulation.record import outcomes
from fakeamqp.simulation.record.trace import EFFECT, KINDS, SENT, TIME
from fakeamqp.spec.methods import BasicPublish
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import connect as direct_connect

PERSISTENT = pika.BasicProperties(delivery_mode=2)


def test_what_becomes_of_a_message_stands_behind_what_brought_it_about(
    broker: fakeamqp.Broker, channel: BlockingChannel
) -> None:
    broker.trace.clear()
    channel.basic_publish("", "orders", b"one")
    channel.basic_get("orders", auto_ack=True)
    told = [event.outcome or (event.method and event.method.NAME) for event in broker.trace]
    assert told == ["basic.publish", "routed", "basic.get", "delivered", "basic.get-ok"]
    routed = broker.trace.filter(outcome="routed")[0]
    assert (routed.connection, routed.channel, routed.queues) == (1, 1, ("orders",))
    assert (routed.exchange, routed.routing_key, routed.body) == ("", "orders", b"one")
    assert str(routed).endswith("b'one' to the default exchange with key 'orders' is routed to 'orders'")


def test_every_outcome_has_words() -> None:
    assert set(outcomes._TEXTS) == set(outcomes.OUTCOMES)


class TestTime:
    def test_a_jump_is_one_event(self, broker: fakeamqp.Broker) -> None:
        broker.trace.clear()
        broker.advance(0)
        broker.advance(2.5)
        (jump,) = broker.trace
        assert (jump.kind, jump.at_us, jump.details) == (TIME, 0, {"from_us": 0, "to_us": 2_500_000})

    def test_a_client_that_waits_makes_time_jump(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        broker.trace.clear()
        channel.connection.process_data_events(time_limit=3)
        assert [event.details for event in broker.trace.filter(kind=TIME)] == [{"from_us": 0, "to_us": 3_000_000}]

    def test_what_happens_meanwhile_stands_behind_it_at_its_own_time(
        self, broker: fakeamqp.Broker, channel: BlockingChannel
    ) -> None:
        channel.basic_publish("", "orders", b"one", pika.BasicProperties(expiration="1000"))
        broker.trace.clear()
        broker.advance(5)
        assert [(event.kind, event.at_us) for event in broker.trace] == [(TIME, 0), (EFFECT, 1_000_000)]


class TestCrashes:
    def test_what_is_lost_and_what_is_kept_is_told(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        channel.queue_declare("safe", durable=True)
        channel.basic_publish("", "safe", b"kept", PERSISTENT)
        channel.basic_publish("", "safe", b"lost")
        channel.basic_publish("", "orders", b"lost too")
        broker.trace.clear()
        broker.crash()
        told = [(event.outcome, event.queues, event.body) for event in broker.trace.filter(kind=EFFECT)]
        assert sorted(told) == [
            ("kept", ("safe",), b"kept"),
            ("lost", ("orders",), b"lost too"),
            ("lost", ("safe",), b"lost"),
        ]

    def test_a_graceful_stop_keeps_and_loses_the_same(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        channel.queue_declare("safe", durable=True)
        channel.basic_publish("", "safe", b"kept", PERSISTENT)
        channel.basic_publish("", "safe", b"lost")
        broker.trace.clear()
        broker.stop()
        assert [event.body for event in broker.trace.filter(outcome="lost")] == [b"lost"]
        assert [event.details and event.details["bodies"] for event in broker.trace.filter(outcome="kept")] == [
            [b"kept"]
        ]

    def test_what_comes_back_though_it_was_settled_is_told(self) -> None:
        with fakeamqp.Broker(sync_interval=1) as broker:
            channel = pika.BlockingConnection().channel()
            channel.queue_declare("safe", durable=True)
            channel.basic_publish("", "safe", b"one", PERSISTENT)
            broker.advance(2)
            channel.basic_get("safe", auto_ack=True)
            broker.crash(lose="everything")
            (back,) = broker.trace.filter(outcome=("back", "lost"))
        assert (back.outcome, back.body) == ("back", b"one")


class TestLimits:
    def test_a_limit_of_0_records_nothing(self) -> None:
        broker = fakeamqp.Broker(trace_limit=0)
        broker.connect().channel().queue_declare("orders")
        broker.advance(1)
        assert broker.simulation.world.node is not None
        assert broker.simulation.world.node.state.watch is None
        assert not broker.trace.is_complete
        for read in (len, list, lambda trace: trace.filter(), lambda trace: trace[-1]):
            with pytest.raises(fakeamqp.Misuse, match="there is no trace"):
                read(broker.trace)
        assert "nothing has happened yet" in report(broker.simulation.world)

    def test_the_last_events_are_kept_and_the_trace_knows_that_others_were(self) -> None:
        broker = fakeamqp.Broker(trace_limit=3)
        for seconds in (1, 2, 3):
            broker.advance(seconds)
        assert broker.trace.is_complete
        assert len(broker.trace) == len(list(broker.trace)) == 3
        broker.advance(4)
        assert not broker.trace.is_complete
        assert len(broker.trace) == len(list(broker.trace)) == 3
        assert [event.at_us for event in broker.trace] == [1_000_000, 3_000_000, 6_000_000]
        broker.trace.clear()
        assert broker.trace.is_complete


class TestSelections:
    def test_events_are_chosen_by_what_they_are_about(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        channel.queue_bind("orders", "amq.direct", "key")
        channel.basic_publish("amq.direct", "key", b"one")
        broker.advance(1)
        channel.basic_get("orders")
        trace = broker.trace
        chosen = trace.filter(kind=SENT, method="basic.publish", exchange="amq.direct", routing_key="key", body="one")
        assert [event.body for event in chosen] == [b"one"]
        assert {event.outcome for event in trace.filter(queue="orders", kind=EFFECT)} == {"routed", "delivered"}
        assert [event.method and event.method.NAME for event in trace.filter(queue="orders", since=1, kind=SENT)] == [
            "basic.get"
        ]
        assert len(trace.filter(connection=1, channel=1, method=("basic.get", "basic.get-ok"))) == 2
        assert len(trace.filter(connection=2)) == 0
        assert len(trace.filter(task="nobody")) == 0

    def test_a_selection_is_a_sequence_that_stays_as_it_is(
        self, broker: fakeamqp.Broker, channel: BlockingChannel
    ) -> None:
        for body in (b"one", b"two", b"three"):
            channel.basic_publish("", "orders", body)
        published = broker.trace.filter(method="basic.publish")
        channel.basic_publish("", "orders", b"four")
        assert [event.body for event in published] == [b"one", b"two", b"three"]
        assert published[0].body == b"one"
        assert [event.body for event in published[1:]] == [b"two", b"three"]
        assert len(published[1:].filter(body=b"two")) == 1

    def test_it_shows_itself(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        for number in range(40):
            channel.basic_publish("", "orders", str(number).encode())
        published = broker.trace.filter(method="basic.publish").filter(queue=None, routing_key="orders")
        first, second, *_, last = repr(published).splitlines()
        assert first == "40 events (method='basic.publish', routing_key='orders'):"
        assert second == "  ... 10 before"
        assert last.endswith("body=b'39'")
        assert repr(published.filter(body="no")) == "0 events (method='basic.publish', routing_key='orders', body='no')"
        assert repr(broker.trace).startswith(f"{len(broker.trace)} events of the trace:")

    @pytest.mark.parametrize(
        ("criteria", "text"),
        [
            ({"kind": "send"}, "no event has kind 'send'; there is 'sent'"),
            ({"method": "publish"}, "there is 'basic.publish'"),
            ({"outcome": ("routed", "acknowledged")}, "no event has outcome 'acknowledged'"),
        ],
    )
    def test_words_that_no_event_has_are_refused(
        self, broker: fakeamqp.Broker, criteria: dict[str, str], text: str
    ) -> None:
        with pytest.raises(fakeamqp.Misuse, match=text):
            broker.trace.filter(**criteria)


class TestJsonLines:
    def test_every_line_is_one_event(self, broker: fakeamqp.Broker, channel: BlockingChannel, tmp_path: Path) -> None:
        channel.basic_publish("", "orders", "ä".encode(), pika.BasicProperties(headers={"a": 1}, message_id="7"))
        broker.advance(1)
        broker.trace.to_jsonl(tmp_path / "trace.jsonl")
        lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
        assert len(lines) == len(broker.trace)
        keys = ["at_us", "kind", "connection", "channel", "task", "text", "method", "fields", "details"]
        assert all(list(line) == keys and line["kind"] in KINDS for line in lines)
        (published,) = (line for line in lines if line["method"] == "basic.publish")
        assert published["fields"] == {
            "exchange": "",
            "routing_key": "orders",
            "mandatory": False,
            "immediate": False,
            "properties": {"headers": {"a": 1}, "message_id": "7"},
            "body": {"text": "ä"},
        }
        assert published["details"] is None
        (routed,) = (line for line in lines if line["kind"] == EFFECT)
        assert routed["fields"] is None
        assert routed["details"]["queues"] == ["orders"]

    def test_what_json_has_not_is_text(self) -> None:
        headers = {
            "bytes": b"\xff",
            "list": [True, None],
            "time": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
            "decimal": decimal.Decimal("1.5"),
            "number": float("inf"),
            "float": 1.5,
        }
        broker = fakeamqp.Broker()
        direct_connect(broker).channel().send(BasicPublish("", "a", False, False, BasicProperties(headers=headers)))
        file = io.StringIO()
        broker.trace.filter(method="basic.publish").to_jsonl(file)
        assert json.loads(file.getvalue())["fields"]["properties"]["headers"] == {
            "bytes": {"base64": "/w=="},
            "list": [True, None],
            "time": "2020-01-02T00:00:00+00:00",
            "decimal": "1.5",
            "number": "inf",
            "float": 1.5,
        }

    def test_passwords_are_left_out(self) -> None:
        broker = fakeamqp.Broker(users={"me": "secret"})
        direct_connect(broker, "me", "secret")
        file = io.StringIO()
        broker.trace.to_jsonl(file)
        assert "connection.start-ok" in file.getvalue()
        assert "secret" not in file.getvalue()
