"""Methods: every one of AMQP 0-9-1 and RabbitMQ, once, under its numbers."""

from __future__ import annotations

import pytest

from fakeamqp.spec.methods import METHODS, BasicPublish, EndOfStream, Heartbeat, Malformed, Method, QueueDeclare
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties


def test_each_method_has_numbers_of_its_own() -> None:
    indexed = [each for each in Method.__subclasses__() if any(each.INDEX)]
    assert len({each.INDEX for each in indexed}) == len(indexed) == len(METHODS)
    assert all(METHODS[each.INDEX] is each for each in indexed)


def test_each_method_has_a_name_of_its_own() -> None:
    assert len({each.NAME for each in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("kind", [Heartbeat, EndOfStream, Malformed])
def test_what_is_no_method_has_no_numbers(kind: type[Method]) -> None:
    assert kind not in METHODS.values()


@pytest.mark.parametrize("kind", METHODS.values(), ids=lambda kind: kind.NAME)
def test_every_field_has_a_default(kind: type[Method]) -> None:
    assert kind() == kind()


def test_methods_with_content_carry_properties_and_body() -> None:
    with_content = {each.NAME for each in METHODS.values() if {"properties", "body"} <= set(each.__slots__)}
    assert with_content == {"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}


def test_a_method_shows_what_it_says() -> None:
    shown = "QueueDeclare(queue='orders', passive=False, durable=True, exclusive=False, auto_delete=False, "
    assert repr(QueueDeclare("orders", durable=True)) == f"{shown}nowait=False, arguments={{}})"


def test_a_publish_without_properties_shares_the_empty_ones() -> None:
    assert BasicPublish("", "orders").properties is EMPTY_PROPERTIES
    assert BasicProperties() == EMPTY_PROPERTIES
