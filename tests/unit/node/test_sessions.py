"""How connections and channels begin and end, method by method.

The handshakes were observed on 3.10.8 and 4.0.5, which wait some seconds before they end a stream without a word.
"""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.node import Node
from fakeamqp.node.state.connection import Connection
from fakeamqp.spec.methods import (
    BasicPublish,
    ChannelClose,
    ChannelCloseOk,
    ChannelFlow,
    ChannelFlowOk,
    ChannelOpen,
    ChannelOpenOk,
    ConnectionClose,
    ConnectionCloseOk,
    ConnectionOpen,
    ConnectionOpenOk,
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ConnectionTuneOk,
    EndOfStream,
    Heartbeat,
    Method,
    QueueDeclare,
)
from tests.unit.node._parts import Session, make_node

FAILURES_ARE_TOLD = {"capabilities": {"authentication_failure_close": True}}
START_OK = ConnectionStartOk(FAILURES_ARE_TOLD, "PLAIN", b"\0guest\0guest")
TUNE_OK = ConnectionTuneOk(2047, 131072, 0)
OPEN = ConnectionOpen("/")


@pytest.fixture
def node() -> Node:
    """A node that nobody has talked to."""
    return make_node()


def say(node: Node, connection: Connection, *methods: Method, channel_number: int = 0) -> list[Method]:
    """Send methods; what comes back after the last of them."""
    for method in methods:
        connection.outbox.clear()
        node.handle(connection, channel_number, method, 0)
    return [method for _, method in connection.outbox]


class TestHandshake:
    def test_a_client_goes_from_start_to_open(self, node: Node) -> None:
        connection = node.connect(0)
        ((number, start),) = connection.outbox
        assert number == 0
        assert isinstance(start, ConnectionStart)
        assert start.server_properties["version"] == "4.0.5"
        assert say(node, connection, START_OK) == [ConnectionTune(2047, 131072, 60)]
        assert say(node, connection, TUNE_OK) == []
        assert say(node, connection, OPEN) == [ConnectionOpenOk()]
        assert connection.is_running

    @pytest.mark.parametrize(
        "start_ok",
        [
            ConnectionStartOk(mechanism="EXTERNAL"),
            ConnectionStartOk(mechanism="PLAIN", response=b"guest"),
            ConnectionStartOk(mechanism="AMQPLAIN", response={}),
            ConnectionStartOk({}, "PLAIN", b"\0guest\0wrong"),
        ],
        ids=["unknown mechanism", "bad response", "no login", "wrong password, and failures are not told"],
    )
    def test_the_stream_ends_where_nobody_logs_in(self, node: Node, start_ok: ConnectionStartOk) -> None:
        assert say(node, node.connect(0), start_ok) == [EndOfStream()]
        assert node.state.connections == {}

    def test_old_versions_do_not_know_anonymous_clients(self) -> None:
        anonymous = ConnectionStartOk(mechanism="ANONYMOUS")
        for version, answer in (("3.10", EndOfStream), ("4.0", ConnectionTune)):
            node = make_node(version=version)
            assert [type(method) for method in say(node, node.connect(0), anonymous)] == [answer]

    def test_a_wrong_password_is_told_to_whoever_can_hear_it(self, node: Node) -> None:
        (close,) = say(node, node.connect(0), START_OK.replace(response=b"\0guest\0wrong"))
        assert isinstance(close, ConnectionClose)
        assert (close.reply_code, close.class_id, close.method_id) == (403, 0, 0)

    @pytest.mark.parametrize(
        "tune_ok",
        [
            ConnectionTuneOk(0, 131072, 0),
            ConnectionTuneOk(2048, 131072, 0),
            ConnectionTuneOk(2047, 0, 0),
            ConnectionTuneOk(2047, 4095, 0),
            ConnectionTuneOk(2047, 131073, 0),
        ],
    )
    def test_the_stream_ends_where_a_client_wants_more_than_it_was_offered(
        self, node: Node, tune_ok: ConnectionTuneOk
    ) -> None:
        assert say(node, node.connect(0), START_OK, tune_ok) == [EndOfStream()]

    def test_a_client_may_want_less(self, node: Node) -> None:
        connection = node.connect(0)
        assert say(node, connection, START_OK, ConnectionTuneOk(1, 4096, 0), OPEN) == [ConnectionOpenOk()]
        assert say(node, connection, ChannelOpen(), channel_number=1) == [ChannelOpenOk()]
        text = "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)"
        assert say(node, connection, ChannelOpen(), channel_number=2) == [ConnectionClose(530, text)]

    @pytest.mark.parametrize("said", [(), (START_OK,)], ids=["starting", "tuning"])
    @pytest.mark.parametrize("method", [OPEN, ConnectionClose(), QueueDeclare("orders")], ids=lambda each: each.NAME)
    def test_the_stream_ends_at_any_other_method_early_on(
        self, node: Node, said: tuple[Method, ...], method: Method
    ) -> None:
        assert say(node, node.connect(0), *said, method) == [EndOfStream()]

    @pytest.mark.parametrize(
        "method", [START_OK, ConnectionClose(), QueueDeclare("orders")], ids=lambda each: each.NAME
    )
    def test_any_other_method_before_open_is_refused(self, node: Node, method: Method) -> None:
        text = "CHANNEL_ERROR - unexpected method in connection state opening"
        assert say(node, node.connect(0), START_OK, TUNE_OK, method) == [ConnectionClose(504, text, *method.INDEX)]

    @pytest.mark.parametrize("said", [(), (START_OK,)], ids=["starting", "tuning"])
    def test_the_stream_ends_where_a_channel_is_opened_too_early(self, node: Node, said: tuple[Method, ...]) -> None:
        connection = node.connect(0)
        say(node, connection, *said)
        assert say(node, connection, ChannelOpen(), channel_number=1) == [EndOfStream()]

    def test_heartbeats_are_welcome_at_any_time(self, node: Node) -> None:
        connection = node.connect(0)
        for method in (START_OK, TUNE_OK, OPEN):
            assert say(node, connection, Heartbeat()) == []
            say(node, connection, method)
        assert say(node, connection, Heartbeat()) == []
        assert connection.is_running


class TestTheEnd:
    def test_a_goodbye_is_the_last_a_client_hears(self, node: Node) -> None:
        session = Session(node)
        session.send(ConnectionClose(200, "Normal shutdown"), 0, channel_number=0)
        assert session.received() == [ConnectionCloseOk(), EndOfStream()]
        session.send(ConnectionClose(200, "Normal shutdown"), 0, channel_number=0)
        assert session.received() == []

    def test_a_refused_client_is_heard_until_it_agrees(self, node: Node) -> None:
        session = Session(node)
        session.send(ConnectionOpen("/"), 0, channel_number=0)
        session.received()
        session.send(QueueDeclare("orders"), 0)
        session.send(ChannelOpen(), 0, channel_number=2)
        assert session.received() == []
        assert not node.state.vhosts["/"].queues
        session.send(ConnectionClose(), 0, channel_number=0)  # it has crossed
        assert session.received() == [ConnectionCloseOk()]
        session.send(ConnectionCloseOk(), 0, channel_number=0)
        assert session.received() == [EndOfStream()]

    def test_a_method_that_no_client_may_send_is_refused(self, node: Node) -> None:
        session = Session(node)
        close = session.call(ChannelOpenOk(), 0)
        assert close == ConnectionClose(503, "COMMAND_INVALID - unimplemented method", *ChannelOpenOk.INDEX)

    def test_a_method_on_a_channel_that_is_not_open_is_refused(self, node: Node) -> None:
        session = Session(node)
        session.send(QueueDeclare("orders"), 0, channel_number=7)
        (close,) = session.received()
        assert close == ConnectionClose(504, "CHANNEL_ERROR - expected 'channel.open'", *QueueDeclare.INDEX)


class TestChannels:
    def test_a_closed_channel_is_deaf_until_the_client_agrees(self, node: Node) -> None:
        session = Session(node)
        close = session.call(BasicPublish("nowhere", ""), 0)
        assert isinstance(close, ChannelClose)
        assert close.reply_code == 404
        session.send(QueueDeclare("orders"), 0)
        session.send(ChannelClose(), 0)  # it has crossed
        assert session.received() == [ChannelCloseOk()]
        session.send(ChannelCloseOk(), 0)
        assert session.call(ChannelOpen(), 0) == ChannelOpenOk()

    def test_flow_goes_on(self, node: Node) -> None:
        session = Session(node)
        assert session.call(ChannelFlow(active=True), 0) == ChannelFlowOk(active=True)


class TestReplyTexts:
    @pytest.mark.parametrize("length", [1, 200])
    @pytest.mark.parametrize("version", ["3.10", "4.0"])
    def test_a_long_text_is_cut_to_what_a_short_string_holds(self, version: str, length: int) -> None:
        session = Session(make_node(version=version))
        close: Any = session.call(BasicPublish("x" * length, ""), 0)
        text = f"NOT_FOUND - no exchange '{'x' * length}' in vhost '/'"
        assert close.reply_text == (text if len(text) <= 255 else f"{text[:252]}...")

    def test_old_versions_cut_any_text(self) -> None:
        session = Session(make_node(version="3.10"))
        close: Any = session.call(BasicPublish("é" * 120, ""), 0)
        assert close.reply_code == 404
        assert len(close.reply_text.encode()) <= 255
        assert close.reply_text.endswith("éé...")

    def test_newer_versions_fail_to_cut_what_is_not_ascii(self) -> None:
        session = Session(make_node(version="4.0"))
        assert session.call(BasicPublish("é" * 120, ""), 0) == ConnectionClose(541, "INTERNAL_ERROR")
