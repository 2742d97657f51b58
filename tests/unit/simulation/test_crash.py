"""Crashes: what was safe is kept, and of what was not a part that chance decides, from the front of each queue."""

from __future__ import annotations

import pytest

import fakeamqp
from fakeamqp.spec.methods import (
    BasicAck,
    BasicGet,
    BasicGetOk,
    BasicPublish,
    ConfirmSelect,
    QueueDeclare,
    QueueDelete,
    TxCommit,
    TxSelect,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectChannel, connect

PERSISTENT = BasicProperties(delivery_mode=2)
SYNC_INTERVAL = 1.0
SEEDS = range(20)


def slow_disk(seed: int) -> tuple[fakeamqp.Broker, DirectChannel]:
    """A broker that syncs its disk once a second, and a channel; queues "orders" and "bills" are durable."""
    broker = fakeamqp.Broker(seed=seed, sync_interval=SYNC_INTERVAL)
    channel = connect(broker).channel()
    for queue in ("orders", "bills"):
        channel.call(QueueDeclare(queue, durable=True))
    return broker, channel


def publish(channel: DirectChannel, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        channel.send(BasicPublish("", queue, properties=PERSISTENT, body=body))


def after_crash(broker: fakeamqp.Broker, queue: str = "orders") -> list[bytes]:
    """Crash and restart; what is in a queue then."""
    broker.crash()
    broker.restart()
    broker.simulation.world.check()
    return [message.body for message in broker.vhost().queue(queue).messages]


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


class TestUnsafeMessages:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_first_of_each_queue_are_kept_in_order(self, seed: int) -> None:
        broker, channel = slow_disk(seed)
        for body in numbered(10):
            publish(channel, "orders", body)
            publish(channel, "bills", body)
        orders = after_crash(broker)
        bills = [message.body for message in broker.vhost().queue("bills").messages]
        assert orders == numbered(10)[: len(orders)]
        assert bills == numbered(10)[: len(bills)]

    def test_chance_decides_for_each_queue_how_many(self) -> None:
        found = set()
        for seed in SEEDS:
            broker, channel = slow_disk(seed)
            for queue in ("orders", "bills"):
                publish(channel, queue, *numbered(3))
            found.add((len(after_crash(broker)), len(broker.vhost().queue("bills").messages)))
        assert {orders for orders, _ in found} == {bills for _, bills in found} == {0, 1, 2, 3}
        assert any(orders != bills for orders, bills in found)

    def test_a_seed_loses_the_same_again(self) -> None:
        def lost(seed: int) -> list[bytes]:
            broker, channel = slow_disk(seed)
            publish(channel, "orders", *numbered(1000))
            return after_crash(broker)

        assert lost(7) == lost(7) != lost(8)

    def test_a_graceful_stop_loses_nothing(self) -> None:
        broker, channel = slow_disk(0)
        publish(channel, "orders", *numbered(10))
        broker.stop()
        broker.restart()
        assert [message.body for message in broker.vhost().queue("orders").messages] == numbered(10)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_queue_that_was_deleted_does_not_come_back(self, seed: int) -> None:
        broker, channel = slow_disk(seed)
        publish(channel, "orders", *numbered(3))
        channel.call(QueueDelete("orders"))
        channel.call(QueueDeclare("orders", durable=True))
        assert after_crash(broker) == []


class TestPromises:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_was_confirmed_is_kept(self, seed: int) -> None:
        broker, channel = slow_disk(seed)
        channel.call(ConfirmSelect())
        publish(channel, "orders", *numbered(5))
        broker.advance(SYNC_INTERVAL)
        assert channel.receive() == [BasicAck(5, multiple=True)]
        publish(channel, "orders", b"unconfirmed")
        assert after_crash(broker)[:5] == numbered(5)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_was_committed_is_kept(self, seed: int) -> None:
        broker, channel = slow_disk(seed)
        channel.call(TxSelect())
        publish(channel, "orders", *numbered(5))
        channel.send(TxCommit())
        broker.advance(SYNC_INTERVAL)
        assert len(channel.receive()) == 1
        publish(channel, "orders", b"uncommitted")
        assert after_crash(broker) == numbered(5)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_by_default_whatever_was_published_is_kept(self, seed: int) -> None:
        broker = fakeamqp.Broker(seed=seed)
        channel = connect(broker).channel()
        channel.call(QueueDeclare("orders", durable=True))
        publish(channel, "orders", *numbered(5))
        assert after_crash(broker) == numbered(5)


class TestForgottenAcknowledgements:
    @staticmethod
    def after_ack(seed: int) -> list[bytes]:
        """Three messages are safe, the first is acknowledged, and the node dies at once."""
        broker, channel = slow_disk(seed)
        publish(channel, "orders", *numbered(3))
        broker.advance(SYNC_INTERVAL)
        answer = channel.call(BasicGet("orders"))
        assert isinstance(answer, BasicGetOk)
        channel.send(BasicAck(answer.delivery_tag))
        return after_crash(broker)

    def test_an_acknowledged_message_may_come_back_to_its_old_place(self) -> None:
        found = {tuple(self.after_ack(seed)) for seed in SEEDS}
        assert found == {(b"0", b"1", b"2"), (b"1", b"2")}

    def test_an_acknowledgement_that_is_safe_holds(self) -> None:
        broker, channel = slow_disk(0)
        publish(channel, "orders", *numbered(3))
        channel.call(BasicGet("orders"))
        channel.send(BasicAck(1))
        broker.advance(SYNC_INTERVAL)
        assert after_crash(broker) == [b"1", b"2"]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_kept_message_says_that_it_may_have_been_delivered(self, seed: int) -> None:
        broker, channel = slow_disk(seed)
        publish(channel, "orders", *numbered(3))
        after_crash(broker)
        assert all(message.redelivered for message in broker.vhost().queue("orders").messages)


class TestClients:
    def test_their_streams_break_when_they_have_read_what_was_said(self) -> None:
        broker = fakeamqp.Broker()
        stream = broker.simulation.network.open_stream()
        stream.greet()
        broker.crash()
        assert stream.is_broken
        assert stream.receive() is not None
        assert stream.receive() is None

    def test_what_they_say_to_a_dead_node_is_lost(self) -> None:
        broker, channel = slow_disk(0)
        broker.crash()
        publish(channel, "orders", b"lost")
        broker.restart()
        publish(channel, "orders", b"lost as well")
        assert channel.receive() == []
        assert broker.vhost().queue("orders").messages == ()

    def test_nobody_can_connect_to_a_dead_node(self) -> None:
        broker = fakeamqp.Broker()
        broker.crash()
        assert not broker.is_running
        with pytest.raises(ConnectionRefusedError):
            connect(broker)

    def test_what_was_unconfirmed_is_never_confirmed(self) -> None:
        broker, channel = slow_disk(0)
        channel.call(ConfirmSelect())
        publish(channel, "orders", b"1")
        broker.crash()
        broker.restart()
        broker.advance(2 * SYNC_INTERVAL)
        assert channel.receive() == []


class TestMisuse:
    def test_a_dead_node_cannot_die(self) -> None:
        broker = fakeamqp.Broker()
        broker.crash()
        for kill in (broker.crash, broker.stop):
            with pytest.raises(fakeamqp.Misuse, match=r"the broker is down; call restart\(\)"):
                kill()

    def test_a_running_node_cannot_be_started(self) -> None:
        with pytest.raises(fakeamqp.Misuse, match=r"the broker is running; call stop\(\) or crash\(\)"):
            fakeamqp.Broker().restart()
