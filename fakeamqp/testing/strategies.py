"""Hypothesis strategies for what AMQP programs say: names, routing keys, arguments, messages, whole topologies.

Alphabets are small, so that things meet: two messages with one routing key, a binding that matches. Everything shrinks
to what is simplest: the first name, no arguments, an empty body. Needs `pip install fakeamqp[hypothesis]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from fakeamqp.clients.translation.outbound import properties_out
from fakeamqp.spec.properties import BasicProperties

WORDS = ("a", "b", "c")
EXCHANGE_TYPES = ("direct", "fanout", "topic", "headers")
HOUR_MS = 3_600_000

Strategy = st.SearchStrategy


def names(choices: Sequence[str] = ("a", "b", "c")) -> Strategy[str]:
    """Names of queues or exchanges: one of `choices`; shrinks to the first."""
    return st.sampled_from(choices)


def routing_keys(words: Sequence[str] = WORDS, max_words: int = 3) -> Strategy[str]:
    """Routing keys of messages: up to `max_words` of `words`, joined by dots; shrinks to the empty key."""
    return st.lists(st.sampled_from(words), max_size=max_words).map(".".join)


def binding_keys(words: Sequence[str] = WORDS, max_words: int = 3) -> Strategy[str]:
    """Binding keys of topic exchanges: as `routing_keys`, with `*` and `#` among the words."""
    return routing_keys((*words, "*", "#"), max_words)


def field_values(max_leaves: int = 4) -> Strategy[Any]:
    """Values that a header or an argument can have: plain ones, and lists and tables of up to `max_leaves` of them."""
    plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from(WORDS)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
        max_leaves=max_leaves,
    )


def headers(
    keys: Sequence[str] = WORDS, values: Strategy[Any] | None = None, max_size: int = 3
) -> Strategy[dict[str, Any]]:
    """Field tables, as headers and arguments are: up to `max_size` of `keys`, with any value unless told."""
    return st.dictionaries(st.sampled_from(keys), field_values() if values is None else values, max_size=max_size)


def queue_arguments(
    queue_type: str | None = None, dead_letter_exchanges: Sequence[str] = ()
) -> Strategy[dict[str, Any]]:
    """Arguments with which RabbitMQ declares a queue; shrinks to none.

    - queue_type: "classic" or "quorum" alone; None means both. A queue without x-queue-type is a classic one
    - dead_letter_exchanges: names for x-dead-letter-exchange; there is none unless told

    Limits are of a few messages, times to live of an hour.
    """
    optional: dict[str, Strategy[Any]] = {
        "x-max-length": st.integers(0, 3),
        "x-overflow": st.sampled_from(("drop-head", "reject-publish")),
        "x-message-ttl": st.just(HOUR_MS),
        "x-single-active-consumer": st.booleans(),
    }
    if dead_letter_exchanges:
        optional["x-dead-letter-exchange"] = st.sampled_from(dead_letter_exchanges)
    classic = _some({**optional, "x-max-priority": st.integers(1, 3)})
    quorum = _some({**optional, "x-delivery-limit": st.integers(0, 3)})
    by_type = {"classic": classic, "quorum": quorum.map(lambda arguments: {"x-queue-type": "quorum", **arguments})}
    return by_type[queue_type] if queue_type else classic | by_type["quorum"]


def _some(optional: dict[str, Strategy[Any]]) -> Strategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def properties(keys: Sequence[str] = WORDS, persistent: bool | None = None) -> Strategy[Any]:
    """pika.BasicProperties, of those that travel with a message and change nothing of its way; shrinks to none.

    - keys: the names of headers
    - persistent: whether messages are to survive a restart; None means either
    """
    modes: Strategy[int | None] = {
        None: st.sampled_from((None, 1, 2)),
        True: st.just(2),
        False: st.sampled_from((None, 1)),
    }[persistent]
    texts = st.sampled_from((None, *WORDS))
    return st.builds(
        BasicProperties,
        content_type=st.sampled_from((None, "text/plain", "application/json")),
        headers=st.none() | headers(keys),
        delivery_mode=modes,
        priority=st.none() | st.integers(0, 3),
        correlation_id=texts,
        message_id=texts,
        type=texts,
    ).map(properties_out)


@dataclass(frozen=True)
class Message:
    """A message that can be published, more than once if need be; `properties` are pika's."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Any = None
    mandatory: bool = False

    def publish(self, channel: Any) -> None:
        """Publish it on a pika channel. Raises what basic_publish raises."""
        channel.basic_publish(self.exchange, self.routing_key, self.body, self.properties, self.mandatory)


def messages(
    exchanges: Strategy[str] | None = None,
    keys: Strategy[str] | None = None,
    bodies: Strategy[bytes] | None = None,
    persistent: bool | None = None,
) -> Strategy[Message]:
    """Messages to publish: to the default exchange, with any of `routing_keys()` and any body, unless told.

    `persistent` is as in `properties`.
    """
    return st.builds(
        Message,
        exchange=st.just("") if exchanges is None else exchanges,
        routing_key=routing_keys() if keys is None else keys,
        body=st.binary(max_size=8) if bodies is None else bodies,
        properties=properties(persistent=persistent),
        mandatory=st.booleans(),
    )


@dataclass(frozen=True)
class Exchange:
    """An exchange of a topology."""

    name: str
    type: str = "direct"
    durable: bool = False


@dataclass(frozen=True)
class Queue:
    """A queue of a topology."""

    name: str
    durable: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    """A binding of a topology, from an exchange to a queue."""

    exchange: str
    queue: str
    routing_key: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Topology:
    """Exchanges, queues, and bindings between them."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def declare(self, channel: Any) -> None:
        """Declare everything on a pika channel, as often as wanted. Raises what pika's methods raise."""
        for exchange in self.exchanges:
            channel.exchange_declare(exchange.name, exchange.type, durable=exchange.durable)
        for queue in self.queues:
            channel.queue_declare(queue.name, durable=queue.durable, arguments=queue.arguments)
        for binding in self.bindings:
            channel.queue_bind(binding.queue, binding.exchange, binding.routing_key, binding.arguments)


@st.composite
def topologies(
    draw: st.DrawFn,
    exchange_names: Sequence[str] = ("exchange-a", "exchange-b"),
    queue_names: Sequence[str] = ("queue-a", "queue-b", "queue-c"),
    exchange_types: Sequence[str] = EXCHANGE_TYPES,
    words: Sequence[str] = WORDS,
    durable: bool | None = None,
    max_bindings: int = 5,
) -> Topology:
    """Topologies that RabbitMQ declares: some of the named exchanges and queues, and bindings among those.

    - words: what routing keys, binding keys and the names of headers are made of
    - durable: whether everything survives a restart; None means either, for each exchange and queue. Quorum queues are
      drawn where a queue is durable
    """
    durabilities = st.booleans() if durable is None else st.just(durable)
    exchanges = tuple(
        Exchange(name, draw(st.sampled_from(exchange_types)), draw(durabilities))
        for name in draw(_some_of(exchange_names))
    )
    queues = tuple(draw(_queue(name, durabilities)) for name in draw(_some_of(queue_names)))
    if not (exchanges and queues):
        return Topology(exchanges, queues)
    bindings = st.lists(
        st.sampled_from(exchanges).flatmap(lambda exchange: _binding(exchange, queues, words)), max_size=max_bindings
    )
    return Topology(exchanges, queues, tuple(draw(bindings)))


def _some_of(choices: Sequence[str]) -> Strategy[list[str]]:
    return st.lists(st.sampled_from(choices), unique=True)


@st.composite
def _queue(draw: st.DrawFn, name: str, durabilities: Strategy[bool]) -> Queue:
    durable = draw(durabilities)
    return Queue(name, durable, draw(queue_arguments(None if durable else "classic")))


def _binding(exchange: Exchange, queues: Sequence[Queue], words: Sequence[str]) -> Strategy[Binding]:
    matches = st.fixed_dictionaries({}, optional={"x-match": st.sampled_from(("all", "any"))})
    plain = st.just(words[0]) | st.integers(0, 3)
    arguments = st.builds(lambda mode, table: table | mode, matches, headers(words, plain))
    return st.builds(
        Binding,
        exchange=st.just(exchange.name),
        queue=st.sampled_from(queues).map(lambda queue: queue.name),
        routing_key=binding_keys(words) if exchange.type == "topic" else routing_keys(words),
        arguments=arguments if exchange.type == "headers" else st.just({}),
    )
