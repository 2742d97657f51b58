"""Answers that wait for the disk: publisher confirms and tx.commit-ok."""

from __future__ import annotations

import pytest

import fakeamqp
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicConsumeOk,
    BasicDeliver,
    BasicGet,
    BasicNack,
    BasicPublish,
    BasicReturn,
    ChannelClose,
    ChannelCloseOk,
    ConfirmSelect,
    ConnectionClose,
    Method,
    QueueDeclare,
    QueueDelete,
    QueueDeleteOk,
    TxCommit,
    TxCommitOk,
    TxSelect,
)
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.testing.direct import DirectChannel, connect

PERSISTENT = BasicProperties(delivery_mode=2)
SYNC_INTERVAL = 0.2


@pytest.fixture
def broker() -> fakeamqp.Broker:
    """A broker that syncs its disk five times in a second."""
    return fakeamqp.Broker(sync_interval=SYNC_INTERVAL)


@pytest.fixture
def channel(broker: fakeamqp.Broker) -> DirectChannel:
    """A channel in confirm mode; the queues "orders" and "bills" are durable, "quotes" is not."""
    channel = connect(broker).channel()
    for queue in ("orders", "bills", "quotes"):
        channel.call(QueueDeclare(queue, durable=queue != "quotes"))
    channel.call(ConfirmSelect())
    return channel


def publish(channel: DirectChannel, queue: str = "orders", properties: BasicProperties = PERSISTENT) -> list[Method]:
    """Publish one message; what comes back at once."""
    channel.send(BasicPublish("", queue, properties=properties))
    return channel.receive()


def after_sync(broker: fakeamqp.Broker, channel: DirectChannel) -> list[Method]:
    """What comes when the disk has synced."""
    broker.advance(SYNC_INTERVAL)
    return channel.receive()


class TestConfirms:
    def test_a_persistent_message_is_confirmed_when_it_is_on_disk(
        self, broker: fakeamqp.Broker, channel: DirectChannel
    ) -> None:
        assert publish(channel) == []
        broker.advance(SYNC_INTERVAL - 0.001)
        assert channel.receive() == []
        broker.advance(0.001)
        assert channel.receive() == [BasicAck(1)]

    def test_the_interval_begins_with_the_first_message_that_waits(
        self, broker: fakeamqp.Broker, channel: DirectChannel
    ) -> None:
        publish(channel)
        broker.advance(0.15)
        publish(channel)
        broker.advance(0.05)
        assert channel.receive() == [BasicAck(2, multiple=True)]
        assert after_sync(broker, channel) == []

    def test_messages_after_a_sync_wait_for_the_next(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        publish(channel)
        assert after_sync(broker, channel) == [BasicAck(1)]
        assert publish(channel) == []
        assert after_sync(broker, channel) == [BasicAck(2)]

    def test_the_disk_may_be_done_earlier(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        publish(channel)
        broker.sync()
        assert channel.receive() == [BasicAck(1)]
        broker.sync()
        assert after_sync(broker, channel) == []

    def test_all_that_waited_for_one_sync_is_confirmed_by_one_ack(
        self, broker: fakeamqp.Broker, channel: DirectChannel
    ) -> None:
        for _ in range(5):
            publish(channel)
        assert after_sync(broker, channel) == [BasicAck(5, multiple=True)]

    @pytest.mark.parametrize(
        ("queue", "properties"),
        [("orders", EMPTY_PROPERTIES), ("quotes", PERSISTENT), ("nowhere", PERSISTENT)],
        ids=["transient message", "transient queue", "no queue"],
    )
    def test_what_does_not_go_to_disk_is_confirmed_at_once(
        self, channel: DirectChannel, queue: str, properties: BasicProperties
    ) -> None:
        assert publish(channel, queue, properties) == [BasicAck(1)]

    def test_confirms_overtake_those_that_wait(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        publish(channel)
        assert publish(channel, "quotes") == [BasicAck(2)]
        publish(channel)
        assert after_sync(broker, channel) == [BasicAck(3, multiple=True)]

    def test_a_returned_message_is_confirmed_after_its_return(self, channel: DirectChannel) -> None:
        channel.send(BasicPublish("", "nowhere", mandatory=True, body=b"order"))
        assert channel.receive() == [BasicReturn(312, "NO_ROUTE", "", "nowhere", body=b"order"), BasicAck(1)]

    def test_each_channel_gets_its_own(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        other = connect(broker).channel()
        other.call(ConfirmSelect())
        publish(channel)
        publish(other)
        publish(channel)
        broker.advance(SYNC_INTERVAL)
        assert channel.receive() == [BasicAck(2, multiple=True)]
        assert other.receive() == [BasicAck(1)]

    def test_a_closed_channel_hears_nothing_more(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        publish(channel)
        assert channel.call(ChannelClose()) == ChannelCloseOk()
        assert after_sync(broker, channel) == []

    def test_a_deleted_queue_confirms_nothing_that_went_elsewhere(
        self, broker: fakeamqp.Broker, channel: DirectChannel
    ) -> None:
        publish(channel, "orders")
        publish(channel, "bills")
        assert channel.call(QueueDelete("bills")) == QueueDeleteOk(1)
        assert after_sync(broker, channel) == [BasicAck(2, multiple=True)]

    def test_what_waits_for_the_disk_is_delivered_meanwhile(
        self, broker: fakeamqp.Broker, channel: DirectChannel
    ) -> None:
        channel.send(BasicConsume("orders", "consumer", no_ack=True))
        assert channel.receive() == [BasicConsumeOk("consumer")]
        assert publish(channel) == [BasicDeliver("consumer", 1, False, "", "orders", PERSISTENT)]
        assert after_sync(broker, channel) == [BasicAck(1)]

    def test_by_default_nothing_waits(self) -> None:
        channel = connect(fakeamqp.Broker()).channel()
        channel.call(QueueDeclare("orders", durable=True))
        channel.call(ConfirmSelect())
        assert publish(channel) == [BasicAck(1)]


class TestRefusals:
    """What a full queue refuses is told at once, whatever still waits for the disk."""

    @pytest.fixture(autouse=True)
    def full(self, channel: DirectChannel) -> None:
        """A durable queue that takes one message."""
        arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.call(QueueDeclare("full", durable=True, arguments=arguments))

    def test_a_refusal_overtakes_what_waits(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        assert publish(channel, "full") == []
        assert publish(channel, "full") == [BasicNack(2)]
        assert publish(channel, "orders") == []
        assert after_sync(broker, channel) == [BasicAck(3, multiple=True)]

    def test_a_refusal_alone_is_marked_as_multiple(self, broker: fakeamqp.Broker, channel: DirectChannel) -> None:
        publish(channel, "full")
        after_sync(broker, channel)
        assert publish(channel, "full") == [BasicNack(2, multiple=True)]


class TestCommits:
    @pytest.fixture
    def tx(self, broker: fakeamqp.Broker) -> DirectChannel:
        """A transactional channel."""
        channel = connect(broker).channel()
        channel.call(QueueDeclare("orders", durable=True))
        channel.call(TxSelect())
        return channel

    def test_a_commit_is_answered_when_it_is_on_disk(self, broker: fakeamqp.Broker, tx: DirectChannel) -> None:
        publish(tx)
        publish(tx)
        tx.send(TxCommit())
        assert tx.receive() == []
        assert len(broker.vhost().queue("orders").messages) == 2
        assert after_sync(broker, tx) == [TxCommitOk()]

    def test_an_empty_commit_is_answered_at_once(self, tx: DirectChannel) -> None:
        assert tx.call(TxCommit()) == TxCommitOk()

    def test_a_client_must_be_silent_until_its_commit_is_answered(
        self, broker: fakeamqp.Broker, tx: DirectChannel
    ) -> None:
        # Observed on 3.10.8 and 4.0.5.
        publish(tx)
        tx.send(TxCommit())
        tx.send(BasicGet("orders"))
        text = "CHANNEL_ERROR - unexpected command while processing 'tx.commit'"
        assert tx.connection.receive() == [(0, ConnectionClose(504, text, *BasicGet.INDEX))]
        assert len(broker.vhost().queue("orders").messages) == 1

    def test_a_client_may_close_its_channel_before_its_commit_is_answered(
        self, broker: fakeamqp.Broker, tx: DirectChannel
    ) -> None:
        publish(tx)
        tx.send(TxCommit())
        assert tx.call(ChannelClose()) == ChannelCloseOk()
        assert after_sync(broker, tx) == []
        assert len(broker.vhost().queue("orders").messages) == 1

    def test_a_commit_may_follow_the_answer_to_the_last(self, broker: fakeamqp.Broker, tx: DirectChannel) -> None:
        for _ in range(2):
            publish(tx)
            tx.send(TxCommit())
            assert after_sync(broker, tx) == [TxCommitOk()]

    def test_confirms_are_not_mixed_up_with_commits(
        self, broker: fakeamqp.Broker, channel: DirectChannel, tx: DirectChannel
    ) -> None:
        publish(channel)
        publish(tx)
        tx.send(TxCommit())
        broker.advance(SYNC_INTERVAL)
        assert channel.receive() == [BasicAck(1)]
        assert tx.receive() == [TxCommitOk()]
