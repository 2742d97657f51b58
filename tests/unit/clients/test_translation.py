"""Between pika's methods and ours: the same specification, and what the wire does to values on the way."""

from __future__ import annotations

import datetime
import decimal
import inspect
from typing import Any

import pika
import pika.compat
import pika.exceptions
import pika.spec
import pytest
from pika.spec import Access, Basic, Channel, Confirm, Connection, Exchange, Queue, Tx

from fakeamqp.clients.translation.inbound import content_in, method_in, properties_in
from fakeamqp.clients.translation.outbound import content_frames_out, method_out, properties_out
from fakeamqp.spec import methods
from fakeamqp.spec.methods import (
    METHODS,
    BasicAck,
    BasicDeliver,
    BasicGetOk,
    BasicPublish,
    BasicReturn,
    ConnectionOpen,
    ConnectionStartOk,
    ExchangeDeclare,
    Malformed,
    Method,
    QueueDeclare,
)
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import LongLong

LIMITS = pika.ConnectionParameters(frame_max=131072)
SMALLEST = pika.ConnectionParameters(frame_max=4096)
RESERVED = {"ticket", "insist", "capabilities", "known_hosts", "out_of_band", "channel_id", "cluster_id"}
"""Fields that the specification keeps for its own use."""
CONTENT = {"properties", "body"}

SAID_BY_CLIENTS: list[tuple[Any, Method]] = [
    (Connection.SecureOk("response"), methods.ConnectionSecureOk(b"response")),
    (Connection.TuneOk(1, 2, 3), methods.ConnectionTuneOk(1, 2, 3)),
    (Connection.Open("sales"), methods.ConnectionOpen("sales")),
    (Connection.Close(200, "bye", 0, 0), methods.ConnectionClose(200, "bye")),
    (Connection.CloseOk(), methods.ConnectionCloseOk()),
    (Connection.UpdateSecret("secret", "reason"), methods.ConnectionUpdateSecret("secret", "reason")),
    (Channel.Open(), methods.ChannelOpen()),
    (Channel.Flow(False), methods.ChannelFlow(False)),
    (Channel.FlowOk(False), methods.ChannelFlowOk(False)),
    (Channel.Close(200, "bye", 0, 0), methods.ChannelClose(200, "bye")),
    (Channel.CloseOk(), methods.ChannelCloseOk()),
    (Access.Request("/data", read=False), methods.AccessRequest("/data", read=False)),
    (Exchange.Declare(exchange="a", type="topic"), methods.ExchangeDeclare("a", "topic")),
    (Exchange.Delete(exchange="a", if_unused=True), methods.ExchangeDelete("a", True)),
    (Exchange.Bind(destination="a", source="b", routing_key="c"), methods.ExchangeBind("a", "b", "c")),
    (Exchange.Unbind(destination="a", source="b", routing_key="c"), methods.ExchangeUnbind("a", "b", "c")),
    (Queue.Declare(queue="a", exclusive=True), methods.QueueDeclare("a", exclusive=True)),
    (Queue.Bind(queue="a", exchange="b", routing_key="c"), methods.QueueBind("a", "b", "c")),
    (Queue.Unbind(queue="a", exchange="b", routing_key="c"), methods.QueueUnbind("a", "b", "c")),
    (Queue.Purge(queue="a"), methods.QueuePurge("a")),
    (Queue.Delete(queue="a", if_empty=True), methods.QueueDelete("a", if_empty=True)),
    (Basic.Qos(0, 5, True), methods.BasicQos(0, 5, True)),
    (Basic.Consume(queue="a", consumer_tag="b", no_ack=True), methods.BasicConsume("a", "b", no_ack=True)),
    (Basic.Cancel("a"), methods.BasicCancel("a")),
    (Basic.Get(queue="a", no_ack=True), methods.BasicGet("a", True)),
    (Basic.Ack(7, True), methods.BasicAck(7, True)),
    (Basic.Nack(7, True, False), methods.BasicNack(7, True, False)),
    (Basic.Reject(7, False), methods.BasicReject(7, False)),
    (Basic.Recover(True), methods.BasicRecover(True)),
    (Basic.RecoverAsync(True), methods.BasicRecoverAsync(True)),
    (Confirm.Select(True), methods.ConfirmSelect(True)),
    (Tx.Select(), methods.TxSelect()),
    (Tx.Commit(), methods.TxCommit()),
    (Tx.Rollback(), methods.TxRollback()),
]


def theirs(ours: type[Method]) -> Any:
    """pika's class for one of our methods."""
    class_id, method_id = ours.INDEX
    return pika.spec.methods[class_id << 16 | method_id]


def parameters(kind: type) -> list[str]:
    return list(inspect.signature(kind).parameters)


class TestTheSameSpecification:
    def test_every_method_of_pika_has_a_counterpart(self) -> None:
        assert {class_id << 16 | method_id for class_id, method_id in METHODS} == set(pika.spec.methods)

    @pytest.mark.parametrize("ours", METHODS.values(), ids=lambda ours: ours.NAME)
    def test_counterparts_have_the_same_name_and_fields(self, ours: type[Method]) -> None:
        assert theirs(ours).NAME.lower().replace(".", "") == ours.NAME.replace("-", "").replace(".", "")
        fields = [field for field in parameters(theirs(ours)) if field not in RESERVED or field in ours.__slots__]
        assert fields == [field for field in ours.__slots__ if field not in CONTENT]

    @pytest.mark.parametrize("ours", METHODS.values(), ids=lambda ours: ours.NAME)
    def test_the_fields_that_are_left_out_are_reserved(self, ours: type[Method]) -> None:
        assert set(parameters(theirs(ours))) - set(ours.__slots__) <= RESERVED

    def test_properties_have_the_same_fields(self) -> None:
        assert list(BasicProperties.__slots__) == parameters(pika.BasicProperties)


class TestMethodsIn:
    @pytest.mark.parametrize(("said", "arrived"), SAID_BY_CLIENTS, ids=lambda each: each.NAME)
    def test_every_method_of_a_client_arrives(self, said: Any, arrived: Method) -> None:
        assert method_in(said, LIMITS) == arrived

    def test_fields_keep_their_values(self) -> None:
        method = Queue.Declare(queue="orders", durable=True, arguments={"a": 1})
        assert method_in(method, LIMITS) == QueueDeclare("orders", durable=True, arguments={"a": 1})

    def test_no_arguments_are_an_empty_table(self) -> None:
        method = Exchange.Declare(exchange="prices", type="direct", arguments=None)
        assert method_in(method, LIMITS) == ExchangeDeclare("prices", "direct")

    def test_flags_arrive_as_flags(self) -> None:
        arrived = method_in(Basic.Ack(7, multiple=1), LIMITS)
        assert arrived == BasicAck(7, multiple=True)
        assert isinstance(arrived, BasicAck)
        assert arrived.multiple is True

    def test_the_program_keeps_its_own_method_and_tables(self) -> None:
        arguments = {"deep": [1]}
        method = Queue.Declare(queue="orders", arguments=arguments)
        arrived = method_in(method, LIMITS)
        arguments["deep"].append(2)
        assert arrived == QueueDeclare("orders", arguments={"deep": [1]})
        assert method.arguments is arguments

    def test_a_login_is_read_as_its_mechanism_wants(self) -> None:
        credentials = b"\x05LOGINS\0\0\0\x03ann\x08PASSWORDS\0\0\0\x06secret"
        arrived = method_in(Connection.StartOk({}, "AMQPLAIN", credentials, "en_US"), LIMITS)
        assert arrived == ConnectionStartOk({}, "AMQPLAIN", {"LOGIN": "ann", "PASSWORD": "secret"})
        broken = method_in(Connection.StartOk({}, "AMQPLAIN", b"\x05LO", "en_US"), LIMITS)
        assert broken == ConnectionStartOk({}, "AMQPLAIN", {})

    def test_a_method_that_fits_no_frame_cannot_be_read(self) -> None:
        method = Queue.Declare(queue="orders", arguments={"a": "x" * 4096})
        arrived = method_in(method, SMALLEST)
        assert isinstance(arrived, Malformed)
        assert "frame_too_large" in arrived.explanation
        assert arrived.explanation.endswith(",4088}")

    @pytest.mark.parametrize(
        "method",
        [
            Queue.Declare(queue="x" * 256),
            Queue.Declare(queue=5),
            Connection.Open(virtual_host="x" * 256),
            Queue.Declare(queue="orders", arguments={"a": object()}),
            Queue.Declare(queue="orders", arguments={"a": 1.5}),
            Queue.Declare(queue="orders", arguments={"a" * 256: 1}),
        ],
        ids=["long name", "no name", "long vhost", "no field value", "float", "long key"],
    )
    def test_what_pika_refuses_to_encode_is_refused_as_pika_does(self, method: Any) -> None:
        with pytest.raises(Exception) as pikas:  # noqa: PT011
            method.encode()
        with pytest.raises(type(pikas.value)) as ours:
            method_in(method, LIMITS)
        assert str(ours.value) == str(pikas.value)


ROUND_TRIPS = [
    ({}, {}),
    ({"bool": True, "int": 5, "none": None}, None),
    ({"text": "Grüße", "octets": b"\x00\xff"}, None),
    ({"long": 2**40, "negative": -(2**40)}, None),
    ({"decimal": decimal.Decimal("3.14")}, None),
    ({"list": [1, "two", [3], {"four": 4}], "table": {"deep": {"deeper": []}}}, None),
    (
        {"at": datetime.datetime(2024, 2, 29, 12, 30, 15, 999999, tzinfo=datetime.timezone.utc)},
        {"at": datetime.datetime(2024, 2, 29, 12, 30, 15, tzinfo=datetime.timezone.utc)},
    ),
]


class TestTables:
    @pytest.mark.parametrize(("headers", "expected"), ROUND_TRIPS, ids=str)
    def test_they_come_back_as_pika_would_have_read_them(
        self, headers: dict[str, Any], expected: dict[str, Any] | None
    ) -> None:
        there = properties_in(pika.BasicProperties(headers=headers), LIMITS)
        assert isinstance(there, BasicProperties)
        back = properties_out(there).headers
        encoded = b"".join(pika.BasicProperties(headers=headers).encode())
        assert back == pika.BasicProperties().decode(encoded).headers
        if expected is None or headers:
            assert {key: _plain(value) for key, value in back.items()} == (expected or headers)

    def test_a_64_bit_number_is_one_on_both_sides(self) -> None:
        there = properties_in(pika.BasicProperties(headers={"a": pika.compat.long(5), "b": 2**40, "c": 5}), LIMITS)
        assert isinstance(there, BasicProperties)
        assert there.headers is not None
        assert [type(value) for value in there.headers.values()] == [LongLong, LongLong, int]
        back = properties_out(there).headers
        assert [type(value) for value in back.values()] == [pika.compat.long, pika.compat.long, int]

    def test_nobodys_later_change_reaches_another(self) -> None:
        headers = {"list": [1], "table": {"a": 1}}
        there = properties_in(pika.BasicProperties(headers=headers), LIMITS)
        assert isinstance(there, BasicProperties)
        headers["list"].append(2)  # type: ignore[attr-defined]
        first, second = properties_out(there).headers, properties_out(there).headers
        first["list"].append(3)
        first["table"]["b"] = 2
        assert second == there.headers == {"list": [1], "table": {"a": 1}}


def _plain(value: Any) -> Any:
    # pika reads timestamps without their zone.
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=datetime.timezone.utc)
    return value


FULL: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "utf-8",
    "headers": {"a": 1},
    "delivery_mode": 2,
    "priority": 5,
    "correlation_id": "correlation",
    "reply_to": "replies",
    "expiration": "1000",
    "message_id": "message",
    "timestamp": 1709208000,
    "type": "order",
    "user_id": "guest",
    "app_id": "shop",
    "cluster_id": "cluster",
}
"""Every property, with a value."""


class TestProperties:
    def test_all_of_them_cross_both_ways(self) -> None:
        there = properties_in(pika.BasicProperties(**FULL), LIMITS)
        assert isinstance(there, BasicProperties)
        assert there == BasicProperties(**FULL)
        assert vars(properties_out(there)) == FULL

    @pytest.mark.parametrize("name", FULL)
    def test_each_crosses_alone(self, name: str) -> None:
        one = {name: FULL[name]}
        assert properties_in(pika.BasicProperties(**one), LIMITS) == BasicProperties(**one)

    def test_none_of_them_are_the_shared_empty_ones(self) -> None:
        assert properties_in(pika.BasicProperties(), LIMITS) is EMPTY_PROPERTIES
        assert properties_out(EMPTY_PROPERTIES) == pika.BasicProperties()

    @pytest.mark.parametrize(
        "properties",
        [
            {"content_type": "Grüße"},
            {"message_id": "x" * 255},
            {"delivery_mode": 0},
            {"priority": 255},
            {"headers": {}},
            {"content_type": ""},
        ],
        ids=str,
    )
    def test_unusual_values_cross_as_they_would_in_bytes(self, properties: dict[str, Any]) -> None:
        encoded = b"".join(pika.BasicProperties(**properties).encode())
        decoded = pika.BasicProperties().decode(encoded)
        there = properties_in(pika.BasicProperties(**properties), LIMITS)
        assert isinstance(there, BasicProperties)
        assert properties_out(there) == decoded

    @pytest.mark.parametrize(
        "properties",
        [
            {"message_id": "x" * 256},
            {"message_id": 5},
            {"delivery_mode": 256},
            {"priority": "high"},
            {"timestamp": "now"},
            {"expiration": 1000},
            {"headers": {"a": object()}},
            {"headers": "none"},
        ],
        ids=", ".join,
    )
    def test_what_pika_refuses_to_encode_is_refused_as_pika_does(self, properties: dict[str, Any]) -> None:
        refused = pika.BasicProperties(**properties)
        with pytest.raises(Exception) as pikas:  # noqa: PT011
            refused.encode()
        with pytest.raises(type(pikas.value)) as ours:
            properties_in(refused, LIMITS)
        assert str(ours.value) == str(pikas.value)

    def test_properties_that_fit_no_frame_cannot_be_read(self) -> None:
        arrived = properties_in(pika.BasicProperties(headers={"a": "x" * 4096}), SMALLEST)
        assert isinstance(arrived, Malformed)
        assert "frame_too_large" in arrived.explanation


class TestContentIn:
    def test_a_publish_carries_properties_and_body(self) -> None:
        method = Basic.Publish(exchange="prices", routing_key="key", mandatory=True)
        arrived = content_in(method, pika.BasicProperties(delivery_mode=2), b"body", LIMITS)
        assert arrived == BasicPublish("prices", "key", True, False, BasicProperties(delivery_mode=2), b"body")

    @pytest.mark.parametrize("body", [bytearray(b"body"), memoryview(b"body")], ids=lambda body: type(body).__name__)
    def test_a_body_arrives_as_bytes_of_its_own(self, body: Any) -> None:
        arrived = content_in(Basic.Publish("", "orders"), pika.BasicProperties(), body, LIMITS)
        assert isinstance(arrived, BasicPublish)
        assert (type(arrived.body), arrived.body) == (bytes, b"body")

    def test_names_may_be_more_than_ascii(self) -> None:
        method = Basic.Publish(exchange="", routing_key="Grüße")
        assert content_in(method, pika.BasicProperties(), b"", LIMITS) == BasicPublish("", "Grüße")

    def test_names_may_not_be_too_long(self) -> None:
        method = Basic.Publish(exchange="", routing_key="x" * 256)
        with pytest.raises(pika.exceptions.ShortStringTooLong):
            content_in(method, pika.BasicProperties(), b"", LIMITS)

    def test_properties_that_fit_no_frame_take_the_publish_along(self) -> None:
        properties = pika.BasicProperties(headers={"a": "x" * 4096})
        arrived = content_in(Basic.Publish("", "orders"), properties, b"", SMALLEST)
        assert isinstance(arrived, Malformed)

    def test_only_a_publish_has_content(self) -> None:
        method = Connection.Open("/")
        assert content_in(method, pika.BasicProperties(), b"", LIMITS) == ConnectionOpen("/")


class TestFramesOut:
    @pytest.mark.parametrize("ours", METHODS.values(), ids=lambda ours: ours.NAME)
    def test_every_method_is_what_pikas_constructor_makes_of_its_fields(self, ours: type[Method]) -> None:
        made = method_out(ours())
        kind = theirs(ours)
        fields = {name: getattr(made, name) for name in parameters(kind)}
        assert type(made) is kind
        assert vars(made) == vars(kind(**fields))

    @pytest.mark.parametrize("kind", [BasicDeliver, BasicGetOk, BasicReturn], ids=lambda kind: kind.NAME)
    def test_content_follows_in_frames_of_its_own(self, kind: Any) -> None:
        method = kind(properties=BasicProperties(delivery_mode=2), body=b"body")
        header, body = content_frames_out(7, method)
        assert [type(frame).__name__ for frame in (header, body)] == ["Header", "Body"]
        assert {header.channel_number, body.channel_number} == {7}
        assert (header.body_size, header.properties) == (4, pika.BasicProperties(delivery_mode=2))
        assert body.fragment == b"body"

    def test_an_empty_body_has_no_frame(self) -> None:
        assert [type(frame).__name__ for frame in content_frames_out(7, BasicDeliver())] == ["Header"]

    def test_fields_keep_their_values(self) -> None:
        method = method_out(BasicAck(7, multiple=True))
        assert (method.delivery_tag, method.multiple) == (7, True)
