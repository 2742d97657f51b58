"""What a node tells whoever watches it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.node import Node
from fakeamqp.node.operator import commands
from fakeamqp.node.state.watching import (
    ACKED,
    DEAD_LETTERED,
    DELAYED,
    DELETED,
    DELIVERED,
    DELIVERY_LIMIT,
    EXPIRED,
    FORGOTTEN,
    MAXLEN,
    PURGED,
    REFUSED,
    REJECTED,
    REPLIED,
    REQUEUED,
    RETURNED,
    ROUTED,
    UNDELIVERABLE,
    Outcome,
)
from fakeamqp.node.words.profile import profile_of
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicDeliver,
    BasicGet,
    BasicNack,
    BasicPublish,
    BasicQos,
    BasicReject,
    ConfirmSelect,
    ExchangeDeclare,
    QueueBind,
    QueueDeclare,
    QueueDelete,
    QueuePurge,
)
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import SECOND_US, Session, make_node

TO_DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


class Watched:
    """A session with a node that is watched."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes, list[str]]] = []
        self.details: list[Mapping[str, Any] | None] = []
        numbers = itertools.count(1)
        node = Node(
            profile_of("4.0"),
            Journal(),
            new_name=lambda: f"{next(numbers):022}",
            connection_numbers=itertools.count(1),
            choose=lambda stream, count: 0,
            watch=self._watch,
        )
        commands.add_vhost(node.state, "/")
        commands.add_user(node.state, "guest", "guest", ())
        commands.set_permissions(node.state, "guest", ".*", ".*", ".*", "/")
        self.node = node
        self.session = Session(node)

    def _watch(self, outcome: Outcome) -> None:
        _, word, message, queues, _, details = outcome
        self.seen.append((word, message.body, [queue.name for queue in queues]))
        self.details.append(details)

    def send(self, *methods: Any, now_us: int = 0) -> None:
        for method in methods:
            self.session.send(method, now_us)

    def publish(self, *bodies: bytes, key: str = "orders", **properties: Any) -> None:
        for body in bodies:
            self.send(BasicPublish("", key, properties=BasicProperties(**properties), body=body))

    def after(self, *methods: Any, now_us: int = 0) -> list[tuple[str, bytes, list[str]]]:
        """What these methods bring about."""
        self.seen.clear()
        self.details.clear()
        self.send(*methods, now_us=now_us)
        return self.seen


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_message_is_routed_delivered_and_acknowledged(watched: Watched) -> None:
    watched.send(QueueDeclare("orders"))
    assert watched.after(BasicPublish("", "orders", body=b"one"), BasicGet("orders"), BasicAck(1)) == [
        (ROUTED, b"one", ["orders"]),
        (DELIVERED, b"one", ["orders"]),
        (ACKED, b"one", ["orders"]),
    ]
    assert watched.details[1] == {"delivery_tag": 1, "redelivered": False}


def test_without_acknowledgement_a_delivery_is_the_last(watched: Watched) -> None:
    watched.send(QueueDeclare("orders"), BasicPublish("", "orders", body=b"one"))
    assert watched.after(BasicGet("orders", no_ack=True)) == [(DELIVERED, b"one", ["orders"])]


def test_what_leads_nowhere_is_returned_if_it_is_mandatory(watched: Watched) -> None:
    routed = (ROUTED, b"one", [])
    assert watched.after(BasicPublish("", "orders", body=b"one")) == [routed]
    assert watched.after(BasicPublish("", "orders", True, body=b"one")) == [routed, (RETURNED, b"one", [])]


def test_what_a_full_queue_refuses_was_routed_there(watched: Watched) -> None:
    full = {"x-max-length": 0, "x-overflow": "reject-publish-dlx", **TO_DEAD}
    watched.send(QueueDeclare("orders", arguments=full), QueueDeclare("dead"))
    assert watched.after(BasicPublish("", "orders", body=b"one")) == [
        (ROUTED, b"one", ["orders"]),
        (REFUSED, b"one", ["orders"]),
        (DEAD_LETTERED, b"one", ["dead"]),
    ]


def test_a_dead_letter_is_refused_by_a_full_queue(watched: Watched) -> None:
    watched.send(QueueDeclare("dead", arguments={"x-max-length": 0, "x-overflow": "reject-publish"}))
    watched.send(QueueDeclare("orders", arguments={"x-max-length": 0, **TO_DEAD}))
    assert watched.after(BasicPublish("", "orders", body=b"one"))[1:] == [
        (MAXLEN, b"one", ["orders"]),
        (DEAD_LETTERED, b"one", ["dead"]),
        (REFUSED, b"one", ["dead"]),
    ]


def test_what_dies_without_a_dead_letter_exchange_is_gone(watched: Watched) -> None:
    watched.send(QueueDeclare("orders", arguments={"x-message-ttl": 1000}), BasicPublish("", "orders", body=b"one"))
    watched.seen.clear()
    watched.node.advance(SECOND_US)
    assert watched.seen == [(EXPIRED, b"one", ["orders"])]


def test_a_dead_letter_exchange_that_is_missing_is_told(watched: Watched) -> None:
    watched.send(QueueDeclare("orders", arguments={"x-max-length": 0, "x-dead-letter-exchange": "missing"}))
    assert watched.after(BasicPublish("", "orders", body=b"one"))[1:] == [
        (MAXLEN, b"one", ["orders"]),
        (UNDELIVERABLE, b"one", ["orders"]),
    ]


def test_a_circle_ends_where_it_began(watched: Watched) -> None:
    circle = {"x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}
    watched.send(QueueDeclare("orders", arguments=circle))
    assert watched.after(BasicPublish("", "orders", body=b"one"))[1:] == [
        (MAXLEN, b"one", ["orders"]),
        (DEAD_LETTERED, b"one", []),
    ]
    assert watched.details[-1] == {"queue": "orders", "vhost": "/", "reason": "maxlen", "in_circle": ["orders"]}


def test_a_rejected_message_dies_and_a_requeued_one_comes_back(watched: Watched) -> None:
    watched.send(QueueDeclare("orders"), BasicPublish("", "orders", body=b"one"), BasicGet("orders"))
    assert watched.after(BasicNack(1, requeue=True)) == [(REQUEUED, b"one", ["orders"])]
    watched.send(BasicGet("orders"))
    assert watched.after(BasicReject(2, requeue=False)) == [(REJECTED, b"one", ["orders"])]


def test_what_came_back_too_often_dies(watched: Watched) -> None:
    quorum = {"x-queue-type": "quorum", "x-delivery-limit": 0}
    watched.send(QueueDeclare("orders", durable=True, arguments=quorum))
    watched.send(BasicPublish("", "orders", body=b"one"), BasicGet("orders"))
    assert watched.after(BasicNack(1, requeue=True)) == [
        (REQUEUED, b"one", ["orders"]),
        (DELIVERY_LIMIT, b"one", ["orders"]),
    ]


def test_what_is_purged_or_deleted_is_told_of(watched: Watched) -> None:
    watched.send(QueueDeclare("orders"))
    watched.publish(b"one", b"two")
    watched.send(BasicGet("orders"))
    assert watched.after(QueuePurge("orders")) == [(PURGED, b"two", ["orders"])]
    watched.publish(b"three")
    assert watched.after(QueueDelete("orders")) == [(DELETED, b"three", ["orders"]), (DELETED, b"one", ["orders"])]


def test_a_stream_forgets_and_its_messages_are_acknowledged(watched: Watched) -> None:
    stream = {"x-queue-type": "stream", "x-max-length-bytes": 1, "x-stream-max-segment-size-bytes": 1}
    watched.send(QueueDeclare("log", durable=True, arguments=stream), BasicQos(prefetch_count=1))
    watched.send(BasicPublish("", "log", body=b"one"))
    consumed = watched.after(BasicConsume("log", "consumer", arguments={"x-stream-offset": "first"}))
    assert consumed == [(DELIVERED, b"one", ["log"])]
    assert watched.after(BasicAck(1)) == [(ACKED, b"one", ["log"])]
    for _ in range(3):
        watched.send(BasicPublish("", "log", body=b"x" * 100_000))
    assert (FORGOTTEN, b"one", ["log"]) in watched.seen


def test_a_delayed_message_is_set_aside_and_routed_later(watched: Watched) -> None:
    watched.send(ExchangeDeclare("late", "x-delayed-message", arguments={"x-delayed-type": "fanout"}))
    watched.send(QueueDeclare("orders"), QueueBind("orders", "late", ""))
    delayed = BasicPublish("late", "", properties=BasicProperties(headers={"x-delay": 1000}), body=b"one")
    assert watched.after(delayed) == [(DELAYED, b"one", []), (ROUTED, b"one", [])]
    assert watched.details[0] == {"vhost": "/", "until_us": SECOND_US}
    watched.node.advance(SECOND_US)
    assert watched.seen[2:] == [(ROUTED, b"one", ["orders"])]


def test_a_direct_reply_is_told_of(watched: Watched) -> None:
    watched.send(BasicConsume("amq.rabbitmq.reply-to", no_ack=True))
    (address,) = watched.node.state.reply_channels
    assert watched.after(BasicPublish("", address, body=b"one"))[0] == (REPLIED, b"one", [])


def test_where_nobody_watches_the_same_happens() -> None:
    session = Session(make_node())
    full = {"x-max-length": 0, "x-overflow": "reject-publish"}
    session.send(QueueDeclare("orders", arguments=full), 0)
    session.send(ConfirmSelect(), 0)
    session.send(BasicPublish("", "orders", body=b"one"), 0)
    assert isinstance(session.received()[-1], BasicNack)
    session.send(BasicConsume("amq.rabbitmq.reply-to", "replies", no_ack=True), 0)
    (address,) = session.node.state.reply_channels
    session.received()
    session.send(BasicPublish("", address, body=b"two"), 0)
    assert [method.body for method in session.received() if isinstance(method, BasicDeliver)] == [b"two"]


def test_what_the_node_closes_is_told_with_the_reason() -> None:
    closed: list[tuple[int, int, int, str]] = []
    watched = Watched()
    watched.node.state.watch_closing = lambda *told: closed.append(told)
    watched.send(BasicPublish("nowhere", "key", body=b"order"), now_us=5)
    watched.session.send(BasicPublish("", "key", body=b"order"), 6, channel_number=7)
    assert closed == [
        (5, 1, 1, "404 NOT_FOUND - no exchange 'nowhere' in vhost '/'"),
        (6, 1, 0, "504 CHANNEL_ERROR - expected 'channel.open'"),
    ]


def test_so_are_missed_heartbeats() -> None:
    closed: list[tuple[int, int, int, str]] = []
    watched = Watched()
    watched.node.state.watch_closing = lambda *told: closed.append(told)
    Session(watched.node, heartbeat=30)
    watched.node.advance(200_000_000)
    assert closed == [(75_000_000, 2, 0, "missed heartbeats from client, timeout: 30s")]
