"""Exchanges of type x-delayed-message, as the plugin's documentation and source have them.

The plugin comes with no RabbitMQ, and no real broker has confirmed these tests.
"""

from __future__ import annotations

import decimal
from typing import Any

import pytest

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.message import Message
from fakeamqp.node.node import Node
from fakeamqp.node.operator import commands
from fakeamqp.node.routing.delayed_exchange import MAX_DELAY_MS, delay_of
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.errors import HardError
from fakeamqp.spec.methods import (
    BasicAck,
    BasicGet,
    BasicGetOk,
    BasicPublish,
    BasicReturn,
    ChannelClose,
    ConfirmSelect,
    ConnectionClose,
    ExchangeBind,
    ExchangeDeclare,
    ExchangeDeclareOk,
    ExchangeDelete,
    QueueBind,
    QueueDeclare,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong
from tests.unit.node._parts import Session, make_node

MS = 1000
SECOND = 1000 * MS


def declare(session: Session, kind: Any = "direct", name: str = "later", **arguments: Any) -> Any:
    """Declare an x-delayed-message exchange; the answer."""
    given = {"x-delayed-type": kind, **{key.replace("_", "-"): value for key, value in arguments.items()}}
    return session.call(ExchangeDeclare(name, "x-delayed-message", durable=True, arguments=given), 0)


def bind(session: Session, exchange: str = "later", key: str = "key", queue: str = "orders", **arguments: Any) -> None:
    session.send(QueueDeclare(queue, durable=True), 0)
    session.send(QueueBind(queue, exchange, key, arguments=arguments), 0)
    session.received()


def publish(
    session: Session, body: bytes, delay: Any, at_us: int = 0, exchange: str = "later", **properties: Any
) -> None:
    headers = properties.pop("headers", {}) | {"x-delay": delay}
    session.send(
        BasicPublish(exchange, "key", properties=BasicProperties(headers=headers, **properties), body=body), at_us
    )


def got(session: Session, at_us: int, queue: str = "orders") -> list[bytes]:
    """The bodies that are in a queue at this time."""
    found = []
    while isinstance(answer := session.call(BasicGet(queue, no_ack=True), at_us), BasicGetOk):
        found.append(answer.body)
    return found


@pytest.fixture
def session() -> Session:
    """A session with an exchange "later" that routes as a direct one, and a queue "orders" bound to it."""
    session = Session(make_node())
    declare(session)
    bind(session)
    return session


class TestDeclaration:
    @pytest.mark.parametrize("kind", [5, None, True, ["direct"]])
    def test_another_type_must_be_named(self, kind: Any) -> None:
        answer = declare(Session(make_node()), kind)
        text = "Invalid argument, 'x-delayed-type' must be an existing exchange type"
        assert (answer.reply_code, answer.reply_text) == (406, f"PRECONDITION_FAILED - {text}")

    def test_it_cannot_be_left_out(self) -> None:
        answer = Session(make_node()).call(ExchangeDeclare("later", "x-delayed-message"), 0)
        assert isinstance(answer, ChannelClose)
        assert answer.reply_code == 406

    def test_it_cannot_be_the_type_itself(self) -> None:
        answer = declare(Session(make_node()), "x-delayed-message")
        text = "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"
        assert (answer.reply_code, answer.reply_text) == (406, f"PRECONDITION_FAILED - {text}")

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            ("3.10", ConnectionClose(503, "COMMAND_INVALID - unknown exchange type 'x-none'", 40, 10)),
            ("4.0", ChannelClose(406, "PRECONDITION_FAILED - unknown exchange type 'x-none'", 40, 10)),
        ],
    )
    def test_it_must_exist(self, version: str, expected: Any) -> None:
        assert declare(Session(make_node(version=version)), "x-none") == expected

    def test_arguments_are_checked_as_that_type_checks_them(self) -> None:
        answer = declare(Session(make_node()), "x-consistent-hash", hash_property="foo")
        assert answer.reply_text == "PRECONDITION_FAILED - Unsupported property: foo"

    def test_bindings_are_checked_as_that_type_checks_them(self) -> None:
        session = Session(make_node())
        declare(session, "x-consistent-hash")
        session.call(QueueDeclare("orders"), 0)
        answer = session.call(QueueBind("orders", "later", "0"), 0)
        assert isinstance(answer, ChannelClose)
        assert answer.reply_text == "PRECONDITION_FAILED - The binding key must be greater than 0"

    def test_in_a_redeclaration_it_is_neither_compared_nor_checked(self, session: Session) -> None:
        assert declare(session, "fanout") == ExchangeDeclareOk()
        assert declare(session, 5) == ExchangeDeclareOk()


class TestRouting:
    def test_a_message_without_delay_is_routed_at_once(self, session: Session) -> None:
        session.send(BasicPublish("later", "key", body=b"now"), 0)
        session.send(BasicPublish("later", "another", body=b"elsewhere"), 0)
        assert got(session, 0) == [b"now"]

    def test_a_delayed_message_comes_when_its_delay_is_over(self, session: Session) -> None:
        publish(session, b"late", 500)
        assert got(session, 500 * MS - 1) == []
        assert got(session, 500 * MS) == [b"late"]

    def test_messages_come_in_the_order_of_their_time(self, session: Session) -> None:
        for delay in (500, 100, 300, 200, 100, 400):
            publish(session, str(delay).encode(), delay)
        publish(session, b"later published", 150, at_us=100 * MS)
        expected = [b"100", b"100", b"200", b"later published", b"300", b"400", b"500"]
        assert got(session, SECOND) == expected

    @pytest.mark.parametrize("version", ["3.10", "4.0"])
    def test_the_header_is_negative_afterwards(self, version: str) -> None:
        session = Session(make_node(version=version))
        declare(session)
        bind(session)
        publish(session, b"late", 500, headers={"z": 1, "a": 2})
        answer = session.call(BasicGet("orders"), SECOND)
        assert isinstance(answer, BasicGetOk)
        assert answer.properties.headers == {"a": 2, "x-delay": -500, "z": 1}
        assert list(answer.properties.headers) == ["a", "x-delay", "z"]
        assert isinstance(answer.properties.headers["x-delay"], LongLong) == (version == "4.0")
        assert (answer.exchange, answer.routing_key, answer.redelivered) == ("later", "key", False)

    @pytest.mark.parametrize("delay", [0, -5, MAX_DELAY_MS + 1, True, None, [5], decimal.Decimal(5), float("inf")])
    def test_what_is_no_delay_leaves_message_and_header_alone(self, session: Session, delay: Any) -> None:
        publish(session, b"now", delay)
        answer = session.call(BasicGet("orders"), 0)
        assert isinstance(answer, BasicGetOk)
        assert answer.properties.headers == {"x-delay": delay}

    def test_bindings_count_that_exist_when_the_delay_is_over(self, session: Session) -> None:
        publish(session, b"late", 500)
        bind(session, queue="new")
        session.received()
        assert got(session, SECOND, "new") == [b"late"]

    def test_the_named_type_routes(self) -> None:
        session = Session(make_node())
        declare(session, "topic")
        bind(session, key="k*")
        bind(session, key="*", queue="any")
        publish(session, b"late", 500)
        assert (got(session, SECOND), got(session, SECOND, "any")) == ([], [b"late"])

    def test_further_routing_keys_are_not_forgotten(self, session: Session) -> None:
        bind(session, key="copy", queue="copies")
        publish(session, b"late", 500, headers={"BCC": ["copy"]})
        assert got(session, SECOND, "copies") == [b"late"]

    def test_a_message_from_another_exchange_is_delayed(self, session: Session) -> None:
        session.call(ExchangeBind("later", "amq.fanout"), 0)
        publish(session, b"late", 500, exchange="amq.fanout")
        assert got(session, 0) == []
        answer = session.call(BasicGet("orders"), SECOND)
        assert isinstance(answer, BasicGetOk)
        assert answer.exchange == "amq.fanout"

    def test_a_message_is_not_delayed_again_by_what_it_passes_later(self, session: Session) -> None:
        declare(session, "fanout", "behind")
        bind(session, "behind", queue="end")
        session.call(ExchangeBind("behind", "later", "key"), 0)
        publish(session, b"late", 500)
        assert got(session, 500 * MS, "end") == [b"late"]

    def test_time_to_live_begins_when_the_delay_is_over(self, session: Session) -> None:
        publish(session, b"late", 500, expiration="200")
        assert got(session, 600 * MS) == [b"late"]
        publish(session, b"too late", 500, at_us=SECOND, expiration="200")
        session.node.advance(1600 * MS)
        assert got(session, 1800 * MS) == []

    def test_a_history_is_passed_on_to_new_bindings(self) -> None:
        session = Session(make_node())
        declare(session, "x-recent-history")
        session.send(BasicPublish("later", "key", body=b"remembered"), 0)
        bind(session)
        assert got(session, 0) == [b"remembered"]


class TestPublishers:
    def test_a_delayed_message_is_confirmed_at_once(self, session: Session) -> None:
        session.call(ConfirmSelect(), 0)
        publish(session, b"late", 500)
        assert session.received() == [BasicAck(1, False)]

    def test_a_mandatory_message_is_returned_and_comes_nevertheless(self, session: Session) -> None:
        headers = {"x-delay": 500}
        publication = BasicPublish("later", "key", mandatory=True, properties=BasicProperties(headers=headers))
        returned = session.call(publication, 0)
        assert isinstance(returned, BasicReturn)
        assert (returned.reply_code, returned.properties.headers) == (312, headers)
        assert got(session, SECOND) == [b""]

    def test_a_message_goes_to_the_alternate_exchange_meanwhile(self) -> None:
        session = Session(make_node())
        declare(session, alternate_exchange="amq.fanout")
        bind(session)
        bind(session, "amq.fanout", queue="lost")
        publish(session, b"late", 500)
        assert got(session, 0, "lost") == [b"late"]
        assert got(session, SECOND) == [b"late"]

    @pytest.mark.parametrize("delay", ["", "soon", "5.0", "5 "])
    def test_text_that_is_no_integer_ends_the_connection(self, session: Session, delay: str) -> None:
        publish(session, b"late", delay)
        assert session.received() == [ConnectionClose(541, "INTERNAL_ERROR", 0, 0)]


class TestDelay:
    @pytest.mark.parametrize(
        ("value", "on_3_10", "on_4_0"),
        [(5, 5, 5), (LongLong(5), 5, 5), ("5", 5, 5), ("+5", 5, 5), ("-5", -5, -5), (b"5", 0, 5), (5.9, 5, 5)],
    )
    def test_numbers_and_their_spellings_are_delays(self, value: Any, on_3_10: int, on_4_0: int) -> None:
        message = Message("later", "key", BasicProperties(headers={"x-delay": value}), b"")
        assert (delay_of(message, PROFILES["3.10"]), delay_of(message, PROFILES["4.0"])) == (on_3_10, on_4_0)

    def test_octets_that_are_no_integer_are_bad_where_octets_are_text(self) -> None:
        message = Message("later", "key", BasicProperties(headers={"x-delay": b"soon"}), b"")
        assert delay_of(message, PROFILES["3.10"]) == 0
        with pytest.raises(HardError):
            delay_of(message, PROFILES["4.0"])

    def test_without_headers_there_is_none(self) -> None:
        assert delay_of(Message("later", "key", BasicProperties(), b""), PROFILES["4.0"]) == 0


class TestEnds:
    """What outlives what."""

    @pytest.mark.parametrize("is_crash", [True, False])
    @pytest.mark.parametrize("delivery_mode", [None, 2])
    def test_what_is_delayed_survives_the_node(self, is_crash: bool, delivery_mode: int | None) -> None:
        journal = Journal()
        session = Session(make_node(journal))
        declare(session)
        bind(session)
        publish(session, b"later", 900, delivery_mode=delivery_mode)
        publish(session, b"late", 500, delivery_mode=delivery_mode)
        if is_crash:
            journal.lose_tail({})
        else:
            session.node.shut_down(100 * MS)
        session = Session(make_node(journal), 200 * MS)
        assert got(session, 400 * MS) == []
        assert got(session, 500 * MS) == [b"late"]
        assert got(session, 900 * MS) == [b"later"]

    def test_what_was_due_while_the_node_was_down_comes_at_once_in_its_order(self) -> None:
        journal = Journal()
        session = Session(make_node(journal))
        declare(session)
        bind(session)
        publish(session, b"later", 900)
        publish(session, b"late", 500)
        assert got(Session(make_node(journal), 10 * SECOND), 10 * SECOND) == [b"late", b"later"]

    def test_an_exchange_that_is_gone_takes_its_messages_along(self, session: Session) -> None:
        publish(session, b"late", 500)
        session.call(ExchangeDelete("later"), 0)
        session.node.advance(SECOND)
        assert not session.node.state.journal.delayed
        declare(session)
        bind(session)
        assert got(session, SECOND) == []

    def test_so_does_a_virtual_host(self, session: Session) -> None:
        node: Node = session.node
        publish(session, b"late", 500)
        commands.delete_vhost(node.state, "/")
        node.advance(SECOND)
        assert not node.state.journal.delayed

    def test_an_exchange_that_was_made_anew_delivers_for_the_old_one(self, session: Session) -> None:
        publish(session, b"late", 500)
        session.call(ExchangeDelete("later"), 0)
        declare(session, "fanout")
        bind(session, key="any")
        assert got(session, SECOND) == [b"late"]
