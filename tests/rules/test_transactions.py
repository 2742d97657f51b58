"""tx.select, tx.commit and tx.rollback: what is published in a transaction."""

from __future__ import annotations

from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._helpers import get_all, wait_for
from tests.rules._publishing import Arrivals, message_count, round_trip


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


class TestPublish:
    def test_a_message_is_published_when_the_transaction_commits(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        tx.basic_publish("", queue, b"one")
        tx.basic_publish("", queue, b"two")
        assert message_count(tx, queue) == 0
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one", b"two"]

    def test_a_rolled_back_message_is_gone(self, channel: BlockingChannel, tx: BlockingChannel, queue: str) -> None:
        tx.basic_publish("", queue, b"one")
        tx.tx_rollback()
        tx.tx_commit()
        assert message_count(channel, queue) == 0

    def test_a_channel_stays_transactional(self, channel: BlockingChannel, tx: BlockingChannel, queue: str) -> None:
        tx.basic_publish("", queue, b"one")
        tx.tx_commit()
        tx.basic_publish("", queue, b"two")
        assert message_count(tx, queue) == 1
        tx.tx_rollback()
        tx.basic_publish("", queue, b"three")
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one", b"three"]

    def test_a_transaction_may_be_empty(self, tx: BlockingChannel) -> None:
        assert isinstance(tx.tx_commit().method, pika.spec.Tx.CommitOk)
        assert isinstance(tx.tx_rollback().method, pika.spec.Tx.RollbackOk)

    def test_select_again_keeps_what_is_pending(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        tx.basic_publish("", queue, b"one")
        assert isinstance(tx.tx_select().method, pika.spec.Tx.SelectOk)
        assert message_count(tx, queue) == 0
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one"]

    def test_what_was_published_before_select_is_not_part_of_the_transaction(
        self, connection: pika.BlockingConnection, queue: str
    ) -> None:
        late = connection.channel()
        late.basic_publish("", queue, b"plain")
        late.tx_select()
        late.basic_publish("", queue, b"tx")
        late.tx_rollback()
        assert get_all(late, queue) == [b"plain"]

    def test_messages_take_their_place_in_the_queue_at_commit(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        tx.basic_publish("", queue, b"tx")
        round_trip(tx)
        channel.basic_publish("", queue, b"plain")
        round_trip(channel)
        tx.tx_commit()
        assert get_all(channel, queue) == [b"plain", b"tx"]

    def test_each_channel_has_a_transaction_of_its_own(
        self, connection: pika.BlockingConnection, tx: BlockingChannel, queue: str
    ) -> None:
        other = connection.channel()
        other.tx_select()
        tx.basic_publish("", queue, b"one")
        other.basic_publish("", queue, b"two")
        other.tx_commit()
        tx.tx_rollback()
        assert get_all(connection.channel(), queue) == [b"two"]

    def test_a_committed_message_reaches_a_consumer_on_the_same_channel(self, tx: BlockingChannel, queue: str) -> None:
        received: list[bytes] = []
        tx.basic_consume(queue, lambda _, __, ___, body: received.append(body), auto_ack=True)
        tx.basic_publish("", queue, b"one")
        message_count(tx, queue)
        tx.connection.process_data_events()
        assert received == []
        tx.tx_commit()
        wait_for(tx.connection, lambda: bool(received))
        assert received == [b"one"]

    @pytest.mark.parametrize("end", ["channel", "connection"])
    def test_closing_rolls_back(
        self, connect: Callable[..., pika.BlockingConnection], channel: BlockingChannel, queue: str, end: str
    ) -> None:
        connection = connect()
        tx = connection.channel()
        tx.tx_select()
        tx.basic_publish("", queue, b"one")
        round_trip(tx)
        (tx if end == "channel" else connection).close()
        assert message_count(channel, queue) == 0


class TestRouting:
    """A message is routed when it is published, not when the transaction commits."""

    @pytest.fixture
    def exchange(self, channel: BlockingChannel) -> str:
        channel.exchange_declare("events", "fanout")
        return "events"

    def test_a_binding_that_is_removed_before_commit_still_counts(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str, exchange: str
    ) -> None:
        channel.queue_bind(queue, exchange)
        tx.basic_publish(exchange, "", b"one")
        round_trip(tx)
        channel.queue_unbind(queue, exchange)
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one"]

    def test_a_binding_that_is_made_before_commit_comes_too_late(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str, exchange: str
    ) -> None:
        tx.basic_publish(exchange, "", b"one")
        round_trip(tx)
        channel.queue_bind(queue, exchange)
        tx.tx_commit()
        assert message_count(channel, queue) == 0

    def test_an_exchange_that_is_deleted_before_commit_still_delivers(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str, exchange: str
    ) -> None:
        channel.queue_bind(queue, exchange)
        tx.basic_publish(exchange, "", b"one")
        round_trip(tx)
        channel.exchange_delete(exchange)
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one"]

    def test_a_queue_that_is_declared_before_commit_gets_a_message_for_its_name_in_old_versions(
        self, channel: BlockingChannel, tx: BlockingChannel, version: str
    ) -> None:
        arrivals = Arrivals(tx)
        tx.basic_publish("", "late", b"one", mandatory=True)
        round_trip(tx)
        channel.queue_declare("late")
        tx.tx_commit()
        assert arrivals.log == {"3.10": [("commit-ok",)], "4.0": [("return", "late"), ("commit-ok",)]}[version]
        assert get_all(channel, "late") == {"3.10": [b"one"], "4.0": []}[version]


class TestReturns:
    def test_a_mandatory_message_comes_back_at_commit(self, tx: BlockingChannel) -> None:
        arrivals = Arrivals(tx)
        tx.basic_publish("", "nope", b"one", mandatory=True)
        tx.basic_publish("amq.direct", "nowhere", b"two", mandatory=True)
        round_trip(tx)
        assert arrivals.log == []
        tx.tx_commit()
        assert arrivals.log == [("return", "nope"), ("return", "nowhere"), ("commit-ok",)]

    def test_a_rolled_back_message_does_not_come_back(self, tx: BlockingChannel) -> None:
        arrivals = Arrivals(tx)
        tx.basic_publish("", "nope", b"one", mandatory=True)
        tx.tx_rollback()
        tx.tx_commit()
        assert arrivals.log == [("commit-ok",)]


class TestRefusals:
    @pytest.mark.parametrize("method", ["tx_commit", "tx_rollback"])
    def test_a_channel_without_select_has_no_transaction_to_end(self, channel: BlockingChannel, method: str) -> None:
        with channel_closed(406, "PRECONDITION_FAILED - channel is not transactional"):
            getattr(channel, method)()

    def test_publishing_to_a_missing_exchange_closes_the_channel_before_commit_and_drops_the_rest(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str, vhost: str
    ) -> None:
        tx.basic_publish("", queue, b"one")
        tx.basic_publish("nope", "key", b"two")
        with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
            round_trip(tx)
        assert message_count(channel, queue) == 0

    @pytest.mark.parametrize(
        ("properties", "text"),
        [
            ({"expiration": "x"}, "invalid expiration 'x': no_integer"),
            ({"user_id": "x"}, "user_id property set to 'x' but authenticated user was 'guest'"),
        ],
        ids=["expiration", "user_id"],
    )
    def test_a_bad_property_closes_the_channel_before_commit(
        self, tx: BlockingChannel, queue: str, properties: dict[str, str], text: str
    ) -> None:
        tx.basic_publish("", queue, b"one", pika.BasicProperties(**properties))
        with channel_closed(406, f"PRECONDITION_FAILED - {text}"):
            round_trip(tx)


class TestQueueDeletedBeforeCommit:
    """4.0 refuses to commit a message whose queue is gone, 3.10 looks the queue up by name once more."""

    @pytest.mark.only("3.10")
    def test_the_message_is_dropped(self, channel: BlockingChannel, tx: BlockingChannel, queue: str) -> None:
        channel.queue_declare("other")
        for name in ("other", queue, "other"):
            tx.basic_publish("", name, b"one")
        round_trip(tx)
        channel.queue_delete(queue)
        tx.tx_commit()
        assert message_count(channel, "other") == 2

    @pytest.mark.only("4.0")
    def test_the_channel_is_closed_and_other_queues_get_their_messages(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        channel.queue_declare("other")
        for name in ("other", queue, "other"):
            tx.basic_publish("", name, b"one")
        round_trip(tx)
        channel.queue_delete(queue)
        with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
            tx.tx_commit()
        assert message_count(channel, "other") == 2

    @pytest.mark.only("3.10")
    def test_a_mandatory_message_comes_back(self, channel: BlockingChannel, tx: BlockingChannel, queue: str) -> None:
        arrivals = Arrivals(tx)
        tx.basic_publish("", queue, b"one", mandatory=True)
        round_trip(tx)
        channel.queue_delete(queue)
        tx.tx_commit()
        assert arrivals.log == [("return", queue), ("commit-ok",)]

    @pytest.mark.only("4.0")
    def test_a_mandatory_message_does_not_come_back(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        arrivals = Arrivals(tx)
        tx.basic_publish("", queue, b"one", mandatory=True)
        round_trip(tx)
        channel.queue_delete(queue)
        with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
            tx.tx_commit()
        assert arrivals.log == []

    @pytest.mark.only("3.10")
    def test_a_new_queue_of_that_name_gets_the_message(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        tx.basic_publish("", queue, b"one")
        round_trip(tx)
        channel.queue_delete(queue)
        channel.queue_declare(queue)
        tx.tx_commit()
        assert get_all(channel, queue) == [b"one"]

    @pytest.mark.only("4.0")
    def test_a_new_queue_of_that_name_does_not_get_the_message(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str
    ) -> None:
        tx.basic_publish("", queue, b"one")
        round_trip(tx)
        channel.queue_delete(queue)
        channel.queue_declare(queue)
        with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
            tx.tx_commit()
        assert message_count(channel, queue) == 0

    def test_acks_of_that_transaction_hold(
        self, channel: BlockingChannel, tx: BlockingChannel, queue: str, version: str
    ) -> None:
        channel.queue_declare("other")
        channel.basic_publish("", "other", b"one")
        round_trip(channel)
        tx.basic_ack(tx.basic_get("other")[0].delivery_tag)
        tx.basic_publish("", queue, b"two")
        round_trip(tx)
        channel.queue_delete(queue)
        if version == "3.10":
            tx.tx_commit()
            tx.close()
        else:
            with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
                tx.tx_commit()
        assert message_count(channel, "other") == 0


@pytest.mark.parametrize("mandatory", [False, True])
def test_a_commit_does_not_miss_a_quorum_queue_that_is_gone(
    channel: BlockingChannel, tx: BlockingChannel, version: str, mandatory: bool
) -> None:
    channel.queue_declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    arrivals = Arrivals(tx)
    tx.basic_publish("", "quorum", b"one", mandatory=mandatory)
    tx.queue_declare("quorum", passive=True)
    channel.queue_delete("quorum")
    tx.tx_commit()
    round_trip(tx)
    returned = [("return", "quorum")] if mandatory and version == "3.10" else []
    assert arrivals.log == [*returned, ("commit-ok",)]
