"""Which types of exchange a node has."""

from __future__ import annotations

import pytest

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.routing.registry import UNSUPPORTED_EXCHANGE_TYPES
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import ExchangeFact
from fakeamqp.spec.errors import Misuse, UnsupportedFeature
from fakeamqp.spec.methods import ExchangeDeclare, ExchangeDeclareOk
from fakeamqp.spec.properties import EMPTY_PROPERTIES
from tests.unit.node._parts import Session, make_node, make_types


@pytest.mark.parametrize("kind", sorted(UNSUPPORTED_EXCHANGE_TYPES))
def test_what_fakeamqp_has_not_changes_nothing_and_says_so(kind: str) -> None:
    session = Session(make_node())
    with pytest.raises(UnsupportedFeature, match=f"no exchange type '{kind}'; it has direct, fanout"):
        session.send(ExchangeDeclare("prices", kind), 0)
    assert session.call(ExchangeDeclare("prices", "fanout"), 0) == ExchangeDeclareOk()


@pytest.mark.parametrize("kind", ["direct", "x-random", "x-delayed-message", "x-jms-topic"])
def test_no_type_of_rabbitmqs_can_be_replaced(kind: str) -> None:
    with pytest.raises(Misuse, match=f"cannot replace RabbitMQ's own type '{kind}'; choose another name"):
        make_types(custom={kind: lambda bindings, routing_key, message: []})


def test_what_an_older_version_has_not_is_free() -> None:
    make_types("3.10", {"x-local-random": lambda bindings, routing_key, message: []}).find("x-local-random")


def test_a_type_of_the_users_own_is_asked_for_each_key() -> None:
    asked: list[tuple[list[str], str, bytes]] = []

    def first(bindings: list[Binding], routing_key: str, message: Message) -> list[Binding]:
        asked.append(([binding.routing_key for binding in bindings], routing_key, message.body))
        return bindings[:1]

    fact = ExchangeFact("/", "prices", "x-first", True, False, False, {})
    index = make_types(custom={"x-first": first}).make_index(fact)
    one, two = (Binding("prices", Destination("queue", name), name, {}) for name in ("one", "two"))
    index.add(one)
    index.add(two)
    message = MessageWithMore("prices", "a", EMPTY_PROPERTIES, b"body", further_keys=("b",))
    assert index.route(message) == [one.destination, one.destination]
    assert asked == [(["one", "two"], "a", b"body"), (["one", "two"], "b", b"body")]
    assert not index.is_cacheable
