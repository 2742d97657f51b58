"""The node: time, turns, heartbeats, and how it goes down and comes up again."""

from __future__ import annotations

import pytest

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.state.queue_commands import TimePasses
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicConsumeOk,
    BasicDeliver,
    BasicGet,
    BasicGetEmpty,
    BasicGetOk,
    BasicPublish,
    ConnectionClose,
    EndOfStream,
    Heartbeat,
    QueueDeclare,
    QueueDeclareOk,
)
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import PERSISTENT, SECOND_US, Session, make_node

SHUTDOWN = ConnectionClose(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")


def expiring(milliseconds: int) -> BasicProperties:
    return BasicProperties(expiration=str(milliseconds))


class TestExpiry:
    """A message with an expiration, in a queue that nobody reads."""

    @pytest.mark.parametrize(("now_us", "count"), [(999_999, 1), (1_000_000, 0)])
    def test_a_message_expires_at_its_time(self, now_us: int, count: int) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        session.send(BasicPublish("", "orders", properties=expiring(1000)), 0)
        assert session.node.next_deadline() == SECOND_US
        assert session.call(QueueDeclare("orders"), now_us) == QueueDeclareOk("orders", count, 0)

    def test_it_is_gone_as_soon_as_time_has_passed_even_if_nobody_asks(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders", durable=True), 0)
        session.send(BasicPublish("", "orders", properties=expiring(1000).replace(delivery_mode=2)), 0)
        session.node.advance(SECOND_US)
        assert len(session.node.state.vhosts["/"].queues["orders"].backlog) == 0
        assert session.node.state.journal.store(("/", "orders")).entries == {}
        session.node.check()

    def test_each_message_goes_at_its_own_time(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        for milliseconds in (1000, 2000, 2000, 3000):
            session.send(BasicPublish("", "orders", properties=expiring(milliseconds)), 0)
        counts = []
        while (deadline := session.node.next_deadline()) is not None:
            session.node.advance(deadline)
            counts.append((deadline // SECOND_US, len(session.node.state.vhosts["/"].queues["orders"].backlog)))
        assert counts == [(1, 3), (2, 1), (3, 0)]

    def test_a_message_that_expires_at_once_is_delivered_to_nobody(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        session.send(BasicPublish("", "orders", properties=expiring(0)), 0)
        assert session.call(BasicGet("orders"), 0) == BasicGetEmpty()

    def test_a_taken_message_does_not_expire_and_what_is_behind_it_does(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        for milliseconds in (1000, 5000, 2000):
            session.send(BasicPublish("", "orders", properties=expiring(milliseconds)), 0)
        for _ in range(2):
            assert isinstance(session.call(BasicGet("orders"), 0), BasicGetOk)
        assert session.node.next_deadline() == 2 * SECOND_US
        session.node.advance(10 * SECOND_US)
        queue = session.node.state.vhosts["/"].queues["orders"]
        assert queue.wake_timer is None
        assert (len(queue.backlog), len(queue.unacked)) == (0, 2)


class TestTime:
    def test_time_does_not_run_backwards(self) -> None:
        node = make_node()
        node.advance(5)
        node.advance(3)
        assert node.state.now_us == 5

    def test_whatever_is_due_happens_before_a_method_is_heard(self) -> None:
        session = Session(make_node(sync_interval_us=10))
        session.call(QueueDeclare("orders", durable=True), 0)
        session.send(BasicPublish("", "orders", properties=PERSISTENT), 0)
        assert session.node.state.journal.synced == 0
        session.send(Heartbeat(), 10, channel_number=0)
        assert session.node.state.journal.synced == 1


class TestHeartbeats:
    def test_the_server_beats_twice_in_an_interval(self) -> None:
        session = Session(make_node(), heartbeat=10)
        for second in (5, 10, 15, 20):
            session.node.advance(second * SECOND_US - 1)
            assert session.received() == []
            session.node.advance(second * SECOND_US)
            assert session.received() == [Heartbeat()]
            session.send(Heartbeat(), second * SECOND_US, channel_number=0)

    def test_heartbeats_do_not_pile_up(self) -> None:
        session = Session(make_node(), heartbeat=10)
        session.node.advance(20 * SECOND_US)
        assert session.received() == [Heartbeat()]

    def test_a_client_that_is_silent_for_two_intervals_is_given_up(self) -> None:
        session = Session(make_node(), heartbeat=10)
        session.node.advance(20 * SECOND_US)
        assert session.node.state.connections
        session.received()
        session.node.advance(25 * SECOND_US)
        assert session.received() == [EndOfStream()]
        assert session.node.state.connections == {}
        assert session.node.next_deadline() is None

    def test_whatever_a_client_says_shows_that_it_is_alive(self) -> None:
        session = Session(make_node(), heartbeat=10)
        for second in range(15, 100, 15):
            session.send(QueueDeclare("orders"), second * SECOND_US)
        assert session.connection.is_running

    def test_clients_may_be_kept_alive(self) -> None:
        session = Session(make_node(), heartbeat=10)
        session.node.keep_alive(100 * SECOND_US)
        session.node.advance(100 * SECOND_US)
        assert session.connection.is_running

    def test_a_client_that_is_cut_off_is_not_kept_alive(self) -> None:
        node = make_node()
        cut_off, other = Session(node, heartbeat=10), Session(node, heartbeat=10)
        node.keep_alive(100 * SECOND_US, [cut_off.connection])
        node.advance(100 * SECOND_US)
        assert list(node.state.connections.values()) == [other.connection]

    def test_without_heartbeats_nobody_waits(self) -> None:
        assert Session(make_node()).node.next_deadline() is None


class TestTheEnd:
    def test_a_lost_clients_deliveries_are_ready_again(self) -> None:
        node = make_node()
        lost, other = Session(node), Session(node)
        lost.call(QueueDeclare("orders"), 0)
        lost.send(BasicPublish("", "orders", body=b"order"), 0)
        assert lost.call(BasicGet("orders"), 0) == BasicGetOk(1, False, "", "orders", 0, body=b"order")
        other.call(BasicConsume("orders", "other"), 0)
        node.disconnect(lost.connection, 0)
        node.disconnect(lost.connection, 0)
        assert other.received() == [BasicDeliver("other", 1, True, "", "orders", body=b"order")]
        node.check()

    def test_every_client_is_told_of_a_shutdown(self) -> None:
        node = make_node()
        sessions = [Session(node), Session(node)]
        node.shut_down(0)
        assert [session.received() for session in sessions] == [[SHUTDOWN, EndOfStream()]] * 2
        assert node.state.connections == {}

    def test_a_client_that_had_not_opened_is_just_dropped(self) -> None:
        node = make_node()
        connection = node.connect(0)
        connection.outbox.clear()
        node.shut_down(0)
        assert list(connection.outbox) == [(0, EndOfStream())]

    def test_a_shutdown_leaves_nothing_pending(self) -> None:
        session = Session(make_node(sync_interval_us=SECOND_US))
        session.call(QueueDeclare("orders", durable=True), 0)
        session.send(BasicPublish("", "orders", properties=PERSISTENT, body=b"order"), 0)
        session.node.shut_down(0)
        assert session.node.state.journal.tail == []
        assert session.node.state.journal.was_shut_down


class TestComingUpAgain:
    def restarted(self, journal: Journal) -> Session:
        return Session(make_node(journal))

    def test_a_new_node_holds_what_the_journal_kept(self) -> None:
        journal = Journal()
        session = self.restarted(journal)
        session.call(QueueDeclare("orders", durable=True), 0)
        for body in (b"1", b"2"):
            session.send(BasicPublish("", "orders", properties=PERSISTENT, body=body), 0)
        session.node.shut_down(0)
        session = self.restarted(journal)
        assert session.call(QueueDeclare("orders", passive=True), 0) == QueueDeclareOk("orders", 2, 0)
        assert not journal.was_shut_down
        session.node.check()

    def test_new_messages_come_behind_those_that_were_kept(self) -> None:
        journal = Journal()
        session = self.restarted(journal)
        session.call(QueueDeclare("orders", durable=True), 0)
        session.send(BasicPublish("", "orders", properties=PERSISTENT, body=b"old"), 0)
        session.node.shut_down(0)
        session = self.restarted(journal)
        session.send(BasicPublish("", "orders", properties=PERSISTENT, body=b"new"), 0)
        bodies = [session.call(BasicGet("orders", no_ack=True), 0).body for _ in range(2)]  # type: ignore[attr-defined]
        assert bodies == [b"old", b"new"]


class TestTurns:
    def test_what_one_method_sets_in_motion_comes_in_order(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        for body in (b"1", b"2"):
            session.send(BasicPublish("", "orders", body=body), 0)
        session.send(BasicConsume("orders", "consumer"), 0)
        assert session.received() == [
            BasicConsumeOk("consumer"),
            BasicDeliver("consumer", 1, False, "", "orders", body=b"1"),
            BasicDeliver("consumer", 2, False, "", "orders", body=b"2"),
        ]
        session.send(BasicAck(2, multiple=True), 0)
        assert session.received() == []
        session.node.check()

    def test_an_unfinished_turn_is_noticed(self) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        session.node.state.line.append(TimePasses(session.node.state.vhosts["/"].queues["orders"]))
        with pytest.raises(AssertionError):
            session.node.check()
