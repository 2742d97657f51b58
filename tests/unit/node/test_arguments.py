"""Arguments: what is understood, what RabbitMQ refuses, and what fakeamqp does not have."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.queues.consumer_arguments import UNSUPPORTED_CONSUMER_ARGUMENTS
from fakeamqp.node.words.arguments import (
    assert_equivalent,
    assert_equivalent_arguments,
    parse_alternate_exchange,
)
from fakeamqp.spec.errors import SoftError, UnsupportedFeature
from fakeamqp.spec.methods import (
    BasicConsume,
    QueueDeclare,
    QueueDeclareOk,
)
from tests.unit.node._parts import Session, make_node

QUEUE = "queue 'orders' in vhost '/'"


class TestUnsupported:
    """What RabbitMQ can and fakeamqp cannot do changes nothing, and says so."""

    @pytest.mark.parametrize("argument", sorted(UNSUPPORTED_CONSUMER_ARGUMENTS))
    def test_consumer_arguments(self, argument: str) -> None:
        session = Session(make_node())
        session.call(QueueDeclare("orders"), 0)
        with pytest.raises(UnsupportedFeature, match=f"consumer of queue 'orders' in vhost '/': .*{argument}"):
            session.send(BasicConsume("orders", arguments={argument: 1}), 0)
        assert session.call(QueueDeclare("orders"), 0) == QueueDeclareOk("orders", 0, 0)


class TestAlternateExchange:
    def test_it_is_a_name(self) -> None:
        assert parse_alternate_exchange({"alternate-exchange": "lost"}, "exchange 'prices' in vhost '/'") == "lost"
        assert parse_alternate_exchange({}, "exchange 'prices' in vhost '/'") is None

    @pytest.mark.parametrize(("value", "kind"), [(5, "signedint"), (None, "void")])
    def test_anything_else_is_refused(self, value: Any, kind: str) -> None:
        with pytest.raises(SoftError, match=f"invalid type '{kind}' for arg 'alternate-exchange' in exchange"):
            parse_alternate_exchange({"alternate-exchange": value}, "exchange 'prices' in vhost '/'")


class TestEquivalence:
    def test_the_same_again_is_fine(self) -> None:
        assert_equivalent("'true'", "'true'", "durable", QUEUE)
        assert_equivalent_arguments({}, {}, "key", QUEUE)
        assert_equivalent_arguments({"key": "text"}, {"key": b"text"}, "key", QUEUE)

    @pytest.mark.parametrize(
        ("existing", "received", "text"),
        [
            ({"key": "a"}, {"key": "b"}, "received 'b' but current is 'a'"),
            ({"key": "a"}, {}, "received none but current is the value 'a' of type 'longstr'"),
            ({}, {"key": 5}, "received the value '5' of type 'signedint' but current is none"),
        ],
    )
    def test_a_difference_is_told_with_both_sides(
        self, existing: dict[str, Any], received: dict[str, Any], text: str
    ) -> None:
        with pytest.raises(SoftError) as refused:
            assert_equivalent_arguments(existing, received, "key", QUEUE)
        assert refused.value.text == f"PRECONDITION_FAILED - inequivalent arg 'key' for {QUEUE}: {text}"
