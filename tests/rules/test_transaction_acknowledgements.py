"""basic.ack, basic.nack and basic.reject in a transaction."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, publish, wait_until_ready
from tests.rules._helpers import get_all, wait_for
from tests.rules._publishing import message_count, round_trip


@pytest.fixture
def tx(connection: pika.BlockingConnection) -> BlockingChannel:
    """A transactional channel."""
    channel = connection.channel()
    channel.tx_select()
    return channel


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def fill(channel: BlockingChannel, queue: str, *bodies: bytes) -> None:
    for body in bodies:
        channel.basic_publish("", queue, body)
    round_trip(channel)


def get_tags(channel: BlockingChannel, queue: str, count: int) -> list[int]:
    return [channel.basic_get(queue)[0].delivery_tag for _ in range(count)]


def test_an_ack_counts_at_commit(connection: pika.BlockingConnection, channel: BlockingChannel, queue: str) -> None:
    fill(channel, queue, b"one", b"two")
    for expected in (b"one", b"two"):
        tx = connection.channel()
        tx.tx_select()
        method, _, body = tx.basic_get(queue)
        assert body == expected
        tx.basic_ack(method.delivery_tag)
        tx.tx_commit()
        tx.close()
    assert message_count(channel, queue) == 0


@pytest.mark.parametrize("rollback", [False, True])
def test_an_ack_that_is_not_committed_leaves_the_message_to_requeue(
    channel: BlockingChannel, tx: BlockingChannel, queue: str, rollback: bool
) -> None:
    fill(channel, queue, b"one", b"two")
    tx.basic_ack(tx.basic_get(queue)[0].delivery_tag)
    if rollback:
        tx.tx_rollback()
    tx.close()
    method, _, body = channel.basic_get(queue)
    assert (method.redelivered, body) == (True, b"one")


def test_rollback_does_not_deliver_again_and_the_ack_can_be_repeated(
    connection: pika.BlockingConnection, channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one")
    (tag,) = get_tags(tx, queue, 1)
    tx.basic_ack(tag)
    tx.tx_rollback()
    assert message_count(tx, queue) == 0
    tx.basic_ack(tag)
    tx.tx_commit()
    tx.close()
    assert message_count(channel, queue) == 0


def test_after_rollback_messages_are_unacknowledged_in_their_old_order(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"1", b"2", b"3", b"4")
    tags = get_tags(tx, queue, 3)
    tx.basic_ack(tags[1], multiple=True)
    tx.tx_rollback()
    tx.basic_nack(0, multiple=True)
    tx.tx_commit()
    assert get_all(channel, queue) == [b"1", b"2", b"3", b"4"]


def test_an_ack_cannot_be_repeated_within_a_transaction(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one")
    (tag,) = get_tags(tx, queue, 1)
    tx.basic_ack(tag)
    tx.basic_ack(tag)
    with channel_closed(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}"):
        round_trip(tx)
    assert get_all(channel, queue) == [b"one"]


def test_an_unknown_tag_is_refused_before_commit(tx: BlockingChannel) -> None:
    tx.basic_ack(7)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 7"):
        round_trip(tx)


@pytest.mark.parametrize("method", ["basic_nack", "basic_reject"])
def test_a_message_is_requeued_at_commit(
    channel: BlockingChannel, tx: BlockingChannel, queue: str, method: str
) -> None:
    fill(channel, queue, b"one")
    getattr(tx, method)(get_tags(tx, queue, 1)[0], requeue=True)
    assert message_count(tx, queue) == 0
    tx.tx_commit()
    assert get_all(channel, queue) == [b"one"]


@pytest.mark.parametrize("method", ["basic_nack", "basic_reject"])
def test_a_message_is_discarded_at_commit(
    channel: BlockingChannel, tx: BlockingChannel, queue: str, method: str
) -> None:
    fill(channel, queue, b"one", b"two")
    getattr(tx, method)(get_tags(tx, queue, 1)[0], requeue=False)
    tx.tx_commit()
    tx.close()
    assert get_all(channel, queue) == [b"two"]


def test_a_rolled_back_rejection_can_become_a_requeue(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one")
    (tag,) = get_tags(tx, queue, 1)
    tx.basic_reject(tag, requeue=False)
    tx.tx_rollback()
    tx.basic_nack(tag, requeue=True)
    tx.tx_commit()
    assert get_all(channel, queue) == [b"one"]


def test_acks_and_requeues_of_one_transaction_each_hold(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"1", b"2", b"3")
    tags = get_tags(tx, queue, 3)
    tx.basic_nack(tags[2])
    tx.basic_nack(tags[0])
    tx.basic_ack(tags[1])
    tx.tx_commit()
    assert get_all(channel, queue) == [b"1", b"3"]


def test_what_was_got_with_auto_ack_is_not_part_of_the_transaction(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one")
    assert tx.basic_get(queue, auto_ack=True)[2] == b"one"
    tx.tx_rollback()
    tx.close()
    assert message_count(channel, queue) == 0


def test_an_ack_makes_room_for_the_next_delivery_at_commit(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one", b"two")
    received: list[bytes] = []
    tx.basic_qos(prefetch_count=1)
    tx.basic_consume(queue, lambda _, __, ___, body: received.append(body))
    wait_for(tx.connection, lambda: bool(received))
    tx.basic_ack(1)
    assert message_count(tx, queue) == 1
    tx.connection.process_data_events()
    assert received == [b"one"]
    tx.tx_commit()
    wait_for(tx.connection, lambda: len(received) == 2)
    assert received == [b"one", b"two"]


def test_recover_leaves_out_what_the_transaction_acknowledged(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    fill(channel, queue, b"one", b"two")
    tags = get_tags(tx, queue, 2)
    tx.basic_ack(tags[0])
    tx.basic_recover(requeue=True)
    tx.tx_commit()
    tx.close()
    assert get_all(channel, queue) == [b"two"]


def test_publishes_and_acks_of_one_transaction_commit_together(
    channel: BlockingChannel, tx: BlockingChannel, queue: str
) -> None:
    channel.queue_declare("done")
    fill(channel, queue, b"one")
    tx.basic_ack(get_tags(tx, queue, 1)[0])
    tx.basic_publish("", "done", b"one")
    tx.tx_commit()
    tx.close()
    assert (get_all(channel, queue), get_all(channel, "done")) == ([], [b"one"])


def test_what_was_decided_in_an_open_transaction_returns_to_a_quorum_queue_in_the_order_of_delivery(
    channel: BlockingChannel,
) -> None:
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    publish(channel.connection, "quorum", b"1", b"2", b"3")
    consumer = Consumer(channel.connection.channel(), "quorum")
    consumer.channel.tx_select()
    assert consumer.take(3) == [b"1", b"2", b"3"]
    consumer.channel.basic_nack(consumer.methods[1].delivery_tag, requeue=True)
    consumer.channel.close()
    wait_until_ready(channel, "quorum", 3)
    assert get_all(channel, "quorum") == [b"1", b"2", b"3"]


@pytest.mark.parametrize("arguments", [{}, {"x-max-length": 3}], ids=str)
def test_what_a_transaction_publishes_is_delivered_before_what_it_returns(
    channel: BlockingChannel, tx: BlockingChannel, arguments: dict[str, int]
) -> None:
    channel.queue_declare("orders", durable=True, arguments=arguments)
    publish(channel.connection, "orders", b"returned")
    consumer = Consumer(tx, "orders")
    assert consumer.take(1) == [b"returned"]
    tx.basic_publish("", "orders", b"published")
    tx.basic_reject(consumer.methods[0].delivery_tag)
    tx.tx_commit()
    assert consumer.take(2) == [b"published", b"returned"]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_a_transaction_returns_in_one_go_is_delivered_again_in_its_old_order(
    channel: BlockingChannel, tx: BlockingChannel, kind: str
) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": kind})
    publish(channel.connection, "orders", b"1", b"2")
    consumer = Consumer(tx, "orders")
    assert consumer.take(2) == [b"1", b"2"]
    for method in reversed(consumer.methods):
        tx.basic_reject(method.delivery_tag)
    tx.tx_commit()
    assert consumer.take(2) == [b"1", b"2"]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_a_transaction_returns_with_an_ack_in_between_is_delivered_again_bit_by_bit(
    channel: BlockingChannel, tx: BlockingChannel, kind: str
) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": kind})
    publish(channel.connection, "orders", b"1", b"2", b"3")
    consumer = Consumer(tx, "orders")
    assert consumer.take(3) == [b"1", b"2", b"3"]
    first, second, third = (method.delivery_tag for method in consumer.methods)
    tx.basic_reject(second)
    tx.basic_ack(third)
    tx.basic_reject(first)
    tx.tx_commit()
    assert consumer.take(2) == [b"2", b"1"]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_what_a_transaction_rejects_is_dead_lettered_in_the_order_of_delivery(
    channel: BlockingChannel, tx: BlockingChannel, kind: str
) -> None:
    channel.queue_declare("dead")
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": kind, **dead})
    publish(channel.connection, "orders", b"1", b"2", b"3")
    tags = get_tags(tx, "orders", 3)
    for index in (1, 2, 0):
        tx.basic_reject(tags[index], requeue=False)
    tx.tx_commit()
    wait_until_ready(channel, "dead", 3)
    assert get_all(channel, "dead") == [b"1", b"2", b"3"]
