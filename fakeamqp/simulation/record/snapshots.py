"""Snapshots: what a broker holds at one moment, as immutable values to assert on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.metadata.policies import set_for
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.connection import channel_of
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.bindings import Binding
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table, copy_table

Found = TypeVar("Found")
Value = TypeVar("Value", covariant=True)


class FrozenMapping(Mapping[str, Value]):
    """A mapping that nobody can change; unlike types.MappingProxyType it can be copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Value]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Value:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


class MessageSnapshot(Record, frozen=True):
    """A message in a queue."""

    body: bytes
    properties: BasicProperties
    exchange: str
    routing_key: str
    redelivered: bool


class ConsumerSnapshot(Record, frozen=True):
    """A consumer of a queue."""

    tag: str
    queue: str
    connection: str
    channel: int
    exclusive: bool
    no_ack: bool
    prefetch_count: int
    """0 means no limit."""
    unacked: int
    """Deliveries that it has not settled."""
    active: bool
    """Whether it gets messages now: of a queue with a single active consumer one does, of others all."""
    arguments: Mapping[str, Any]


class QueueSnapshot(Record, frozen=True):
    """A queue: `messages` are ready, `unacked` are with somebody, oldest first; in a stream all are `messages`."""

    name: str
    type: str
    """"classic", "quorum" or "stream"."""
    durable: bool
    exclusive: bool
    auto_delete: bool
    arguments: Mapping[str, Any]
    messages: tuple[MessageSnapshot, ...]
    unacked: tuple[MessageSnapshot, ...]
    consumers: tuple[ConsumerSnapshot, ...]
    policy: str | None
    """The name of the policy that matches it."""
    operator_policy: str | None
    settings: Mapping[str, Any]
    """What its arguments and policies come to, by their names without x-: of what is set, the values that hold."""


class ExchangeSnapshot(Record, frozen=True):
    """An exchange."""

    name: str
    type: str
    durable: bool
    auto_delete: bool
    internal: bool
    arguments: Mapping[str, Any]
    policy: str | None
    """The name of the policy that matches it."""


class BindingSnapshot(Record, frozen=True):
    """A binding; `destination_kind` is "queue" or "exchange"."""

    source: str
    destination_kind: str
    destination: str
    routing_key: str
    arguments: Mapping[str, Any]


class VirtualHostSnapshot(Record, frozen=True):
    """A virtual host. The default exchange's bindings, of every queue by its name, are understood, not listed."""

    name: str
    queues: Mapping[str, QueueSnapshot]
    exchanges: Mapping[str, ExchangeSnapshot]
    bindings: tuple[BindingSnapshot, ...]

    def queue(self, name: str) -> QueueSnapshot:
        """One queue; raises Misuse if there is none."""
        return _named(self.queues, name, "queue", self.name)

    def exchange(self, name: str) -> ExchangeSnapshot:
        """One exchange, "" for the default one; raises Misuse if there is none."""
        return _named(self.exchanges, name, "exchange", self.name)


def _named(found: Mapping[str, Found], name: str, kind: str, vhost: str) -> Found:
    if name not in found:
        there = ", ".join(repr(each) for each in found if not each.startswith("amq.")) or "none"
        raise Misuse(f"no {kind} {name!r} in virtual host {vhost!r}; there is {there}")
    return found[name]


def vhost_snapshot(vhost: VirtualHost) -> VirtualHostSnapshot:
    """A virtual host as it is now."""
    return VirtualHostSnapshot(
        name=vhost.name,
        queues=FrozenMapping({name: queue_snapshot(queue) for name, queue in vhost.queues.items()}),
        exchanges=FrozenMapping({name: exchange_snapshot(exchange) for name, exchange in vhost.exchanges.items()}),
        bindings=tuple(binding_snapshot(fact.binding) for fact in vhost.bindings()),
    )


def queue_snapshot(queue: Queue) -> QueueSnapshot:
    """A queue as it is now."""
    fact = queue.fact
    unacked = sorted(queue.unacked.values(), key=lambda entry: entry.position)
    active = list(queue.consumers.served())
    return QueueSnapshot(
        name=fact.name,
        type=queue.settings.queue_type,
        durable=fact.durable,
        exclusive=fact.owner is not None,
        auto_delete=fact.auto_delete,
        arguments=_settings(fact.arguments),
        messages=tuple(_message_snapshot(entry) for entry in queue.backlog),
        unacked=tuple(_message_snapshot(entry) for entry in unacked),
        consumers=tuple(consumer_snapshot(consumer, active=consumer in active) for consumer in queue.consumers),
        policy=_name(queue.policy),
        operator_policy=_name(queue.operator_policy),
        settings=FrozenMapping(set_for(queue)),
    )


def exchange_snapshot(exchange: Exchange) -> ExchangeSnapshot:
    """An exchange as it is now."""
    fact = exchange.fact
    return ExchangeSnapshot(
        name=fact.name,
        type=fact.type,
        durable=fact.durable,
        auto_delete=fact.auto_delete,
        internal=fact.internal,
        arguments=_settings(fact.arguments),
        policy=_name(exchange.policy),
    )


def binding_snapshot(binding: Binding) -> BindingSnapshot:
    """A binding."""
    kind, name = binding.destination
    return BindingSnapshot(binding.source, kind, name, binding.routing_key, _settings(binding.arguments))


def consumer_snapshot(consumer: Consumer, *, active: bool) -> ConsumerSnapshot:
    """A consumer as it is now."""
    channel = channel_of(consumer)
    return ConsumerSnapshot(
        tag=consumer.tag,
        queue=consumer.queue.name,
        connection=channel.connection.name,
        channel=channel.number,
        exclusive=consumer.exclusive,
        no_ack=consumer.no_ack,
        prefetch_count=consumer.prefetch_count,
        unacked=consumer.outstanding,
        active=active,
        arguments=_settings(consumer.arguments),
    )


def _message_snapshot(entry: Entry) -> MessageSnapshot:
    message = entry.message
    properties = copied_properties(message.properties)
    return MessageSnapshot(message.body, properties, message.exchange, message.routing_key, entry.is_redelivered)


def copied_properties(properties: BasicProperties) -> BasicProperties:
    """Properties that may be changed without harm to the message."""
    headers = properties.headers
    return properties.replace(headers=None if headers is None else copy_table(headers))


def _settings(arguments: Table) -> Mapping[str, Any]:
    return FrozenMapping(copy_table(arguments))


def _name(policy: PolicyFact | None) -> str | None:
    return None if policy is None else policy.name
