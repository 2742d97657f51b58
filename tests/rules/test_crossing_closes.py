"""Closes that cross: a client closes a channel or a connection while RabbitMQ closes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.amqp_object import Method
from pika.spec import Basic, Channel, Queue

from tests.expect import channel_closed, connection_closed
from tests.rules._raw import Refusal, Wire
from tests.rules.test_pika_select import assert_reply, run
from tests.target import Target

NO_EXCHANGE = "NOT_FOUND - no exchange 'nope' in vhost '{}'"
UNKNOWN_TAG = "PRECONDITION_FAILED - unknown delivery tag 99"


def publish_to_nowhere(channel: BlockingChannel) -> None:
    channel.basic_publish("nope", "key", b"body")


def ack_the_unknown(channel: BlockingChannel) -> None:
    channel.basic_ack(99)


MISTAKES = pytest.mark.parametrize(
    ("mistake", "code", "text"), [(publish_to_nowhere, 404, NO_EXCHANGE), (ack_the_unknown, 406, UNKNOWN_TAG)]
)
"""What RabbitMQ closes a channel for, although the client waits for no answer."""


@MISTAKES
def test_a_channel_that_both_sides_close_was_closed_by_the_broker(
    connection: pika.BlockingConnection,
    channel: BlockingChannel,
    vhost: str,
    mistake: Callable[[BlockingChannel], None],
    code: int,
    text: str,
) -> None:
    with channel_closed(code, text.format(vhost)):
        mistake(channel)
        channel.close()
    assert connection.is_open
    again = connection.channel()
    assert again.channel_number == channel.channel_number
    assert again.queue_declare("q").method.queue == "q"


@MISTAKES
def test_leaving_a_with_block_meets_the_brokers_close(
    connection: pika.BlockingConnection,
    vhost: str,
    mistake: Callable[[BlockingChannel], None],
    code: int,
    text: str,
) -> None:
    with channel_closed(code, text.format(vhost)), connection.channel() as channel:
        mistake(channel)
    assert connection.is_open
    assert connection.channel().is_open


@MISTAKES
def test_a_connection_closes_all_the_same_when_the_broker_closes_a_channel(
    connection: pika.BlockingConnection,
    channel: BlockingChannel,
    mistake: Callable[[BlockingChannel], None],
    code: int,
    text: str,
) -> None:
    mistake(channel)
    connection.close()
    assert connection.is_closed
    assert channel.is_closed


def test_a_select_connection_lives_when_both_sides_close_its_channel(target: Target) -> None:
    reasons: list[BaseException] = []

    def on_channel(channel: pika.channel.Channel) -> None:
        if reasons:
            channel.connection.close()
            return
        channel.add_on_close_callback(on_channel_closed)
        channel.basic_publish("nope", "key", b"body")
        channel.close()

    def on_channel_closed(channel: pika.channel.Channel, reason: BaseException) -> None:
        reasons.append(reason)
        channel.connection.channel(on_open_callback=on_channel)

    _, end = run(target.parameters(), on_channel)
    assert_reply(reasons[0], pika.exceptions.ChannelClosedByBroker, 404, NO_EXCHANGE.format(target.vhost))
    assert_reply(end, pika.exceptions.ConnectionClosedByClient, 200, "Normal shutdown")


def test_a_connection_that_both_sides_close_was_closed_by_the_broker(
    connection: pika.BlockingConnection, channel: BlockingChannel
) -> None:
    wire = Wire(connection)
    with connection_closed(503, "COMMAND_INVALID - unimplemented method"):
        wire.send(Queue.DeclareOk("q", 0, 0))
        connection.close()
    assert connection.is_closed


# -- method by method, on a channel that pika knows nothing of ----------------------------


HELD = 9


class Held(Wire):
    """A connection with an open channel that pika knows nothing of: what is said there, the test says and hears."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        super().__init__(connection)
        self.heard: list[type[Method]] = []
        """What RabbitMQ has said on that channel."""
        self._process = self._impl._process_frame
        self._impl._process_frame = self._hear
        self.say(Channel.Open())
        self.wait_for(Channel.OpenOk)

    def _hear(self, frame: Any) -> None:
        if frame.channel_number == HELD:
            self.heard.append(type(frame.method))
        else:
            self._process(frame)

    def say(self, method: Method, body: bytes | None = None) -> None:
        """Send one method there."""
        self.send(method, HELD, body)

    def provoke(self) -> None:
        """Have RabbitMQ close the channel; its close has not been read yet."""
        self.say(Basic.Publish(exchange="nope", routing_key="key"), b"body")

    def refusal(self, method: Method) -> Refusal:
        """Send a method there that makes RabbitMQ close the connection; what it says then."""
        return self.connection_refusal(method, HELD)

    def wait_for(self, *heard: type[Method]) -> None:
        """Return once RabbitMQ has said just this on that channel."""
        for _ in range(500):  # pika does not return early for what it does not see
            if len(self.heard) >= len(heard):
                break
            self.connection.process_data_events(time_limit=0.02)
        self.channel.basic_qos(prefetch_count=1)  # a round trip: what else it said has arrived as well
        assert self.heard == [*heard]
        self.heard.clear()


CLOSE = Channel.Close(0, "", 0, 0)
SECOND_OPEN = "CHANNEL_ERROR - second 'channel.open' seen"
NOT_OPEN = "CHANNEL_ERROR - expected 'channel.open'"


@pytest.fixture
def held(connection: pika.BlockingConnection) -> Held:
    return Held(connection)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_each_close_that_crosses_the_brokers_is_answered(held: Held, times: int) -> None:
    held.provoke()
    for _ in range(times):
        held.say(CLOSE)
    held.wait_for(Channel.Close, *[Channel.CloseOk] * times)


def test_the_channel_number_is_free_once_the_brokers_close_is_answered(held: Held) -> None:
    held.provoke()
    held.say(CLOSE)
    held.wait_for(Channel.Close, Channel.CloseOk)
    held.say(Channel.CloseOk())
    held.say(Channel.Open())
    held.say(Queue.Declare(queue="q"))
    held.wait_for(Channel.OpenOk, Queue.DeclareOk)


def test_an_answer_to_a_close_does_not_free_the_number_of_a_channel_that_the_broker_closed(held: Held) -> None:
    held.provoke()
    held.say(CLOSE)
    held.wait_for(Channel.Close, Channel.CloseOk)
    assert held.refusal(Channel.Open()) == Refusal(504, SECOND_OPEN, (20, 10))


def test_a_channel_that_the_broker_closes_cannot_be_opened_before_its_close_is_answered(held: Held) -> None:
    held.provoke()
    held.wait_for(Channel.Close)
    assert held.refusal(Channel.Open()) == Refusal(504, SECOND_OPEN, (20, 10))


@pytest.mark.parametrize("is_crossed", [False, True])
def test_what_is_under_way_on_a_channel_that_the_broker_closes_is_discarded(held: Held, is_crossed: bool) -> None:
    other = held.channel
    held.provoke()
    if is_crossed:
        held.say(CLOSE)
    held.say(Queue.Declare(queue="q"))
    held.provoke()
    held.wait_for(*[Channel.Close, Channel.CloseOk][: 1 + is_crossed])
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="404"):
        other.queue_declare("q", passive=True)


@pytest.mark.parametrize("is_crossed", [False, True])
def test_a_close_is_answered_once(held: Held, is_crossed: bool) -> None:
    held.provoke()
    if is_crossed:
        held.say(CLOSE)
    held.wait_for(*[Channel.Close, Channel.CloseOk][: 1 + is_crossed])
    held.say(Channel.CloseOk())
    assert held.refusal(Channel.CloseOk()) == Refusal(504, NOT_OPEN, (20, 41))


def test_a_close_behind_the_answer_finds_no_channel(held: Held) -> None:
    held.provoke()
    held.wait_for(Channel.Close)
    held.say(Channel.CloseOk())
    assert held.refusal(CLOSE) == Refusal(504, NOT_OPEN, (20, 40))


def test_a_connection_closes_while_a_channel_of_it_is_closed_by_both_sides(held: Held) -> None:
    held.provoke()
    held.say(CLOSE)
    held.wait_for(Channel.Close, Channel.CloseOk)
    held.connection.close()
    assert held.connection.is_closed
    assert held.heard == []
