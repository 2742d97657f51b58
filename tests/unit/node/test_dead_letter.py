"""Dead letters: where they have arrived, and where not yet."""

from __future__ import annotations

from fakeamqp.node.messages.dead_letter import dead_letter
from fakeamqp.node.node import Node
from fakeamqp.spec.methods import QueueBind, QueueDeclare
from tests.unit.node._parts import Session, make_node, message

FULL = {"x-max-length": 0, "x-overflow": "reject-publish"}


def node_with(source: dict[str, str | int], *, is_full: bool = False) -> Node:
    """A node with the queue "source", and "one" and "two" bound to amq.fanout; "two" takes nothing if it is full."""
    node = make_node()
    session = Session(node)
    session.call(QueueDeclare("source", arguments=source), 0)
    for name, arguments in (("one", {}), ("two", FULL if is_full else {})):
        session.call(QueueDeclare(name, arguments=arguments), 0)
        session.call(QueueBind(name, "amq.fanout"), 0)
    return node


def ready(node: Node) -> list[int]:
    """How many messages "one" and "two" have."""
    return [len(node.vhosts["/"].queues[name].backlog) for name in ("one", "two")]


TO_BOTH = {"x-dead-letter-exchange": "amq.fanout"}


def test_a_dead_letter_arrives_in_every_queue() -> None:
    node = node_with(TO_BOTH)
    assert dead_letter(node, node.vhosts["/"].queues["source"], message(), "rejected")
    assert ready(node) == [1, 1]


def test_queues_that_have_it_do_not_get_it_again() -> None:
    node = node_with(TO_BOTH, is_full=True)
    source, arrived = node.vhosts["/"].queues["source"], []
    for _ in range(2):
        assert not dead_letter(node, source, message(), "rejected", arrived)
        assert arrived == ["one"]
    assert ready(node) == [1, 0]


def test_without_an_exchange_or_a_queue_it_arrives_nowhere() -> None:
    for arguments in ({}, {"x-dead-letter-exchange": "missing"}, {"x-dead-letter-exchange": "amq.direct"}):
        node = node_with(arguments)
        assert not dead_letter(node, node.vhosts["/"].queues["source"], message(), "rejected")
        assert ready(node) == [0, 0]


def test_one_that_has_arrived_somewhere_is_done_once_nothing_refuses_it() -> None:
    node = node_with({"x-dead-letter-exchange": "amq.direct"})
    assert dead_letter(node, node.vhosts["/"].queues["source"], message(), "rejected", ["one"])


def test_what_comes_round_by_itself_counts_as_arrived_and_is_gone() -> None:
    node = node_with({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "source"})
    source = node.vhosts["/"].queues["source"]
    assert dead_letter(node, source, message(), "expired")
    assert len(source.backlog) == 0
