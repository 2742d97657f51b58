"""A turn: what queues do with commands that cross with other things."""

from __future__ import annotations

import pytest

from fakeamqp.node.operator import commands
from fakeamqp.node.queues.stream import get
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.spec.errors import HardError
from fakeamqp.spec.methods import (
    BasicAck,
    BasicCancel,
    BasicConsume,
    BasicDeliver,
    BasicGet,
    BasicNack,
    BasicPublish,
    BasicQos,
    BasicReject,
    ConfirmSelect,
    QueueDeclare,
    QueueDelete,
)
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import PERSISTENT, QUORUM, SECOND_US, Session, make_node, make_queue

FULL = {"x-max-length": 1, "x-overflow": "reject-publish"}
AT_LEAST_ONCE = {
    **QUORUM,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def declare(session: Session, name: str, **arguments: object) -> None:
    session.call(QueueDeclare(name, durable=True, arguments=dict(arguments)), 0)


def ready(session: Session, name: str) -> list[bytes]:
    return [each.message.body for each in session.node.state.vhosts["/"].queues[name].backlog]


def test_a_stopped_publisher_that_asks_for_no_confirms_hears_nothing() -> None:
    session = Session(make_node())
    declare(session, "orders", **QUORUM, **FULL)
    for body in (b"1", b"2", b"3"):
        session.send(BasicPublish("", "orders", body=body), 0)
    assert ready(session, "orders") == [b"1", b"2"]
    assert session.received() == []


def test_a_delivery_of_a_queue_frees_no_consumer_of_its_tag_at_another() -> None:
    session = Session(make_node())
    for queue in ("one", "two"):
        declare(session, queue)
    session.call(BasicQos(prefetch_count=1), 0)
    session.send(BasicConsume("one", "tag", nowait=True), 0)
    session.send(BasicPublish("", "one", body=b"1"), 0)
    session.send(BasicCancel("tag", nowait=True), 0)
    session.send(BasicConsume("two", "tag", nowait=True), 0)
    for body in (b"2", b"3"):
        session.send(BasicPublish("", "two", body=body), 0)
    session.send(BasicAck(1), 0)
    assert [each.body for each in session.received() if isinstance(each, BasicDeliver)] == [b"1", b"2"]


def test_an_exclusive_queue_goes_with_its_consumer_and_connection() -> None:
    session = Session(make_node())
    session.call(QueueDeclare("mine", exclusive=True), 0)
    session.send(BasicConsume("mine", "tag", nowait=True), 0)
    session.node.disconnect(session.connection, 0)
    assert session.node.state.vhosts["/"].queues == {}
    session.node.check()


@pytest.mark.parametrize("has_new_policy", [False, True])
def test_a_persistent_message_that_kills_its_queue_is_not_confirmed(has_new_policy: bool) -> None:
    session = Session(make_node(version="3.10"))
    declare(session, "orders", **{"x-single-active-consumer": True})
    session.call(BasicQos(prefetch_count=1), 0)
    for tag in ("first", "second"):
        session.send(BasicConsume("orders", tag, nowait=True), 0)
    for body in (b"1", b"2"):
        session.send(BasicPublish("", "orders", properties=PERSISTENT, body=body), 0)
    session.send(BasicCancel("first", nowait=True), 0)
    session.send(ConfirmSelect(), 0)
    session.received()
    if has_new_policy:
        commands.set_policy(session.node.state, PolicyFact("/", "long", ".*", {"max-length": 100}, 0, "queues"))
        session.node.finish_turn()
    session.send(BasicPublish("", "orders", properties=PERSISTENT, body=b"3"), 0)
    assert session.received()[-1] == BasicNack(1, True)
    assert ready(session, "orders") == [b"1", b"2"]
    session.node.check()


class TestDeadLettersThatMustArrive:
    def rejecting(self, sync_interval_us: int = 0, **dead: object) -> Session:
        """A message of "orders" has just been rejected; it is to arrive in "dead"."""
        session = Session(make_node(sync_interval_us=sync_interval_us))
        declare(session, "dead", **QUORUM, **dead)
        declare(session, "orders", **AT_LEAST_ONCE)
        session.send(BasicPublish("", "orders", body=b"1"), 0)
        session.send(BasicGet("orders"), 0)
        session.send(BasicReject(1, False), 0)
        session.received()
        return session

    def test_they_are_kept_until_they_are_safe_elsewhere(self) -> None:
        session = self.rejecting(sync_interval_us=SECOND_US)
        orders = session.node.state.vhosts["/"].queues["orders"]
        assert len(orders.discarded) == 1
        session.node.advance(SECOND_US)
        assert len(orders.discarded) == 0
        assert ready(session, "dead") == [b"1"]

    def test_one_that_is_on_its_way_is_not_sent_again(self) -> None:
        session = self.rejecting(sync_interval_us=500 * SECOND_US)
        orders = session.node.state.vhosts["/"].queues["orders"]
        session.send(BasicPublish("", "orders", body=b"2"), 0)
        session.send(BasicGet("orders"), 0)
        session.send(QueueDelete("dead"), 0)
        session.send(BasicReject(2, False), 0)
        session.node.advance(181 * SECOND_US)
        assert [each.is_sent for each in orders.discarded.values()] == [True, False]

    def test_they_go_with_their_queue(self) -> None:
        session = self.rejecting(sync_interval_us=SECOND_US)
        session.call(QueueDelete("orders"), 0)
        session.node.advance(SECOND_US)
        session.node.check()
        assert ready(session, "dead") == [b"1"]


def test_a_stream_has_nothing_to_get() -> None:
    with pytest.raises(HardError, match="supported by stream queues"):
        get(make_queue("log", arguments={"x-queue-type": "stream"}), False, 0)


def test_what_is_rejected_without_deaths_of_its_own_counts_in_its_dead_letter() -> None:
    session = Session(make_node())
    declare(session, "dead")
    declare(session, "orders", **QUORUM, **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    session.send(BasicPublish("", "orders", properties=BasicProperties(), body=b"1"), 0)
    session.send(BasicGet("orders"), 0)
    session.send(BasicReject(1, False), 0)
    (entry,) = session.node.state.vhosts["/"].queues["dead"].backlog
    assert entry.message.failures == 1
