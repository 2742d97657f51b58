"""The direct door: methods in, methods out."""

from __future__ import annotations

import pytest

import fakeamqp
from fakeamqp.spec.methods import (
    BasicGet,
    BasicGetOk,
    BasicPublish,
    ChannelClose,
    ChannelOpen,
    ConfirmSelect,
    ConfirmSelectOk,
    ConnectionBlocked,
    ConnectionClose,
    ConnectionCloseOk,
    ConnectionOpenOk,
    EndOfStream,
    ExchangeDeclare,
    ExchangeDeclareOk,
    Heartbeat,
    QueueDeclare,
    QueueDeclareOk,
)
from fakeamqp.testing.direct import DirectChannel, connect


@pytest.fixture
def broker() -> fakeamqp.Broker:
    return fakeamqp.Broker(users={"ann": "secret"})


@pytest.fixture
def channel(broker: fakeamqp.Broker) -> DirectChannel:
    return connect(broker).channel()


def test_a_call_has_one_answer(channel: DirectChannel) -> None:
    assert channel.call(QueueDeclare("orders")) == QueueDeclareOk("orders", 0, 0)
    channel.send(BasicPublish("", "orders", body=b"one"))
    assert channel.call(BasicGet("orders", no_ack=True)) == BasicGetOk(1, False, "", "orders", 0, body=b"one")


def test_a_call_without_an_answer_is_a_misuse(channel: DirectChannel) -> None:
    with pytest.raises(fakeamqp.Misuse, match=r"basic\.publish was answered 0 times: \[\]; use send and receive"):
        channel.call(BasicPublish("", "nowhere"))


def test_a_call_with_several_answers_is_a_misuse(channel: DirectChannel) -> None:
    assert channel.call(ConfirmSelect()) == ConfirmSelectOk()
    with pytest.raises(fakeamqp.Misuse, match=r"basic\.publish was answered 2 times: \[BasicReturn.*BasicAck"):
        channel.call(BasicPublish("", "nowhere", mandatory=True))


def test_what_was_received_does_not_come_again(channel: DirectChannel) -> None:
    channel.send(QueueDeclare("orders"))
    assert channel.receive() == [QueueDeclareOk("orders", 0, 0)]
    assert channel.receive() == []


def test_channels_have_numbers_of_their_own(broker: fakeamqp.Broker) -> None:
    connection = connect(broker)
    one, seven = connection.channel(), connection.channel(7)
    assert (one.number, seven.number) == (1, 7)
    one.send(QueueDeclare("one"))
    seven.send(QueueDeclare("seven"))
    assert connection.receive() == [(1, QueueDeclareOk("one", 0, 0)), (7, QueueDeclareOk("seven", 0, 0))]


def test_what_arrives_for_another_channel_is_not_passed_over(broker: fakeamqp.Broker) -> None:
    connection = connect(broker)
    one, seven = connection.channel(), connection.channel(7)
    seven.send(QueueDeclare("seven"))
    with pytest.raises(fakeamqp.Misuse, match=r"something arrived for other channels: .*receive from the connection"):
        one.receive()


def test_a_channel_that_does_not_open_is_a_misuse(channel: DirectChannel) -> None:
    with pytest.raises(fakeamqp.Misuse, match=r"channel 1 did not open; the node said .*second 'channel.open' seen"):
        channel.connection.channel(1)


@pytest.mark.parametrize(
    ("user", "password", "virtual_host", "text"),
    [
        ("ann", "wrong", "/", "did not let 'ann' into '/': .*ACCESS_REFUSED - Login was refused"),
        ("guest", "guest", "nowhere", "did not let 'guest' into 'nowhere': .*NOT_ALLOWED - vhost nowhere not found"),
    ],
)
def test_a_refused_connection_is_a_misuse(
    broker: fakeamqp.Broker, user: str, password: str, virtual_host: str, text: str
) -> None:
    with pytest.raises(fakeamqp.Misuse, match=text):
        connect(broker, user, password, virtual_host)


def test_a_refusal_arrives_as_any_other_method(channel: DirectChannel) -> None:
    text = "NOT_FOUND - no queue 'nowhere' in vhost '/'"
    assert channel.call(BasicGet("nowhere")) == ChannelClose(404, text, *BasicGet.INDEX)


def test_what_is_not_supported_raises_and_changes_nothing(channel: DirectChannel) -> None:
    with pytest.raises(fakeamqp.UnsupportedFeature):
        channel.send(ExchangeDeclare("orders", "x-jms-topic"))
    assert channel.call(ExchangeDeclare("orders", "fanout")) == ExchangeDeclareOk()


def test_closing_and_dropping_give_everything_back(broker: fakeamqp.Broker) -> None:
    for farewell in ("close", "drop"):
        connection = connect(broker)
        connection.channel().call(QueueDeclare("mine", exclusive=True))
        assert "mine" in broker.vhost().queues
        getattr(connection, farewell)()
        assert "mine" not in broker.vhost().queues


def test_a_goodbye_is_answered(broker: fakeamqp.Broker) -> None:
    connection = connect(broker)
    connection.send(0, ConnectionClose(200, "Normal shutdown"))
    assert connection.receive() == [(0, ConnectionCloseOk()), (0, EndOfStream())]


def test_heartbeats_may_be_asked_for(broker: fakeamqp.Broker) -> None:
    connection = connect(broker, heartbeat=10)
    broker.advance(5)
    assert connection.receive() == [(0, Heartbeat())]


@pytest.mark.parametrize("method", [ConnectionOpenOk(), ConnectionBlocked(), ChannelOpen()], ids=lambda each: each.NAME)
def test_nonsense_is_refused_by_the_node(broker: fakeamqp.Broker, method: object) -> None:
    connection = connect(broker)
    connection.send(0, method)  # type: ignore[arg-type]
    ((number, close),) = connection.receive()
    assert number == 0
    assert isinstance(close, ConnectionClose)
    assert close.reply_code == 504
