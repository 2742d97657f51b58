"""Dead letters: where they have arrived, and where not yet."""

from __future__ import annotations

from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry
from fakeamqp.node.messages.dead_letter import dead_letter
from fakeamqp.node.node import Node
from fakeamqp.node.queues.effects import Discarded
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
    return [len(node.state.vhosts["/"].queues[name].backlog) for name in ("one", "two")]


TO_BOTH = {"x-dead-letter-exchange": "amq.fanout"}


def send(node: Node, reason: str = "rejected", arrived: tuple[str, ...] = ()) -> Discarded:
    """Dead-letter a message of "source" that must arrive; what became of it."""
    discarded = Discarded(Entry(0, message(), NO_EXPIRY_US), reason)
    discarded.arrived = list(arrived)
    dead_letter(node.state, node.state.vhosts["/"].queues["source"], message(), reason, 0, discarded)
    node.finish_turn()
    return discarded


def test_a_dead_letter_arrives_in_every_queue() -> None:
    node = node_with(TO_BOTH)
    assert (send(node).arrived, ready(node)) == (["one", "two"], [1, 1])


def test_queues_that_have_it_do_not_get_it_again() -> None:
    node = node_with(TO_BOTH, is_full=True)
    discarded = send(node)
    assert (discarded.arrived, discarded.is_refused) == (["one"], True)
    assert send(node, arrived=("one",)).arrived == ["one"]
    assert ready(node) == [1, 0]


def test_without_an_exchange_or_a_queue_it_arrives_nowhere() -> None:
    for arguments in ({}, {"x-dead-letter-exchange": "missing"}, {"x-dead-letter-exchange": "amq.direct"}):
        node = node_with(arguments)
        assert send(node).arrived == []
        assert ready(node) == [0, 0]


def test_what_comes_round_by_itself_counts_as_arrived_and_is_gone() -> None:
    node = node_with({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "source"})
    discarded = send(node, "expired")
    assert (discarded.arrived, discarded.is_refused) == (["source"], False)
    assert len(node.state.vhosts["/"].queues["source"].backlog) == 0
