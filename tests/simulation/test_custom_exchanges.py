"""Exchange types of the user's own: `Broker(exchange_types=...)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker, Misuse


def by_priority(bindings: Sequence[Any], routing_key: str, properties: Any) -> list[Any]:
    """Bindings whose argument `least` is at most the message's priority."""
    return [binding for binding in bindings if binding.arguments["least"] <= (properties.priority or 0)]


def ready(broker: Broker, queue: str) -> list[bytes]:
    return [message.body for message in broker.vhost().queue(queue).messages]


def bind(channel: BlockingChannel, queue: str, key: str = "", **arguments: Any) -> None:
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, "custom", key, arguments)


def publish(channel: BlockingChannel, body: bytes, **properties: Any) -> None:
    channel.basic_publish("custom", "key", body, pika.BasicProperties(delivery_mode=2, **properties))


def channel_of(broker: Broker, kind: str = "x-custom") -> BlockingChannel:
    """A channel, and a durable exchange "custom" of this type."""
    channel = broker.connect().channel()
    channel.exchange_declare("custom", kind, durable=True)
    return channel


def test_a_function_decides_where_messages_go() -> None:
    broker = Broker(exchange_types={"x-by-priority": by_priority})
    channel = channel_of(broker, "x-by-priority")
    bind(channel, "all", least=0)
    bind(channel, "urgent", least=5)
    publish(channel, b"slow", priority=1)
    publish(channel, b"fast", priority=9)
    assert ready(broker, "all") == [b"slow", b"fast"]
    assert ready(broker, "urgent") == [b"fast"]
    assert broker.vhost().exchange("custom").type == "x-by-priority"


def test_it_is_told_all_there_is_to_know() -> None:
    told: list[Any] = []

    def nowhere(*arguments: Any) -> tuple[()]:
        told.append(arguments)
        return ()

    broker = Broker(exchange_types={"x-custom": nowhere})
    channel = channel_of(broker)
    bind(channel, "a", "binding key", least=1)
    channel.exchange_bind("amq.fanout", "custom", "another")
    publish(channel, b"", headers={"h": 1, "CC": ["copy"]}, message_id="m")
    (bindings, key, properties), (_, second_key, _) = told
    assert [(each.destination_kind, each.destination, each.routing_key, each.arguments) for each in bindings] == [
        ("queue", "a", "binding key", {"least": 1}),
        ("exchange", "amq.fanout", "another", {}),
    ]
    assert (key, second_key) == ("key", "copy")
    assert (properties.headers, properties.message_id, properties.priority) == ({"h": 1, "CC": ["copy"]}, "m", None)


def test_it_cannot_change_the_message() -> None:
    def meddle(bindings: Sequence[Any], routing_key: str, properties: Any) -> Sequence[Any]:
        properties.headers["h"] = "changed"
        properties.message_id = "changed"
        return bindings

    broker = Broker(exchange_types={"x-custom": meddle})
    channel = channel_of(broker)
    bind(channel, "a")
    publish(channel, b"", headers={"h": 1})
    (message,) = broker.vhost().queue("a").messages
    assert (message.properties.headers, message.properties.message_id) == ({"h": 1}, None)


def test_it_may_have_a_state_and_return_any_iterable() -> None:
    numbers = iter(range(100))

    def in_turn(bindings: Sequence[Any], routing_key: str, properties: Any) -> Any:
        yield bindings[next(numbers) % len(bindings)]

    broker = Broker(exchange_types={"x-custom": in_turn})
    channel = channel_of(broker)
    for queue in ("a", "b"):
        bind(channel, queue)
    for body in (b"1", b"2", b"3"):
        publish(channel, body)
    assert (ready(broker, "a"), ready(broker, "b")) == ([b"1", b"3"], [b"2"])


def test_it_is_still_there_after_a_restart() -> None:
    broker = Broker(exchange_types={"x-by-priority": by_priority})
    bind(channel_of(broker, "x-by-priority"), "a", least=5)
    broker.crash()
    broker.restart()
    channel = broker.connect().channel()
    publish(channel, b"slow", priority=1)
    publish(channel, b"fast", priority=5)
    assert ready(broker, "a") == [b"fast"]


def test_a_delayed_exchange_can_leave_the_routing_to_it() -> None:
    broker = Broker(exchange_types={"x-by-priority": by_priority})
    channel = broker.connect().channel()
    channel.exchange_declare("custom", "x-delayed-message", arguments={"x-delayed-type": "x-by-priority"})
    bind(channel, "a", least=5)
    publish(channel, b"fast", priority=5, headers={"x-delay": 1000})
    publish(channel, b"slow", priority=1, headers={"x-delay": 1000})
    broker.advance(1)
    assert ready(broker, "a") == [b"fast"]


def test_an_unroutable_message_is_returned() -> None:
    broker = Broker(exchange_types={"x-custom": lambda bindings, routing_key, properties: []})
    channel = channel_of(broker)
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("custom", "key", b"", mandatory=True)


def test_what_it_raises_reaches_the_publisher() -> None:
    def broken(bindings: Sequence[Any], routing_key: str, properties: Any) -> Any:
        raise LookupError(f"no idea about {routing_key}")

    broker = Broker(exchange_types={"x-custom": broken})
    channel = channel_of(broker)
    with pytest.raises(LookupError, match="no idea about key"):
        publish(channel, b"")
    broker.simulation.world.check()
    assert channel.queue_declare("still alive").method.message_count == 0


@pytest.mark.parametrize(
    ("returned", "shown"), [(None, "None"), (True, "True"), ("a", "'a'"), (["a"], "'a'"), ([None], "None")]
)
def test_what_is_no_binding_is_misuse(returned: Any, shown: str) -> None:
    broker = Broker(exchange_types={"x-custom": lambda bindings, routing_key, properties: returned})
    channel = channel_of(broker)
    bind(channel, "a")
    with pytest.raises(Misuse, match=rf"the function of exchange type 'x-custom' must .* it returned {shown}"):
        publish(channel, b"")
    assert ready(broker, "a") == []


@pytest.mark.parametrize(
    "given",
    [5, [], ["x-custom"], {"x-custom": "function"}, {5: by_priority}, {"": by_priority}],
    ids=["number", "empty list", "list", "no function", "no name", "empty name"],
)
def test_names_are_mapped_to_functions(given: Any) -> None:
    with pytest.raises(Misuse, match="exchange_types= takes a mapping of names to functions"):
        Broker(exchange_types=given)


def test_rabbitmqs_own_types_cannot_be_replaced() -> None:
    with pytest.raises(Misuse, match="exchange_types= cannot replace RabbitMQ's own type 'topic'"):
        Broker(exchange_types={"topic": by_priority})
