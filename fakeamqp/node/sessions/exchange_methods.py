"""Class exchange, and the binding half of class queue."""

from __future__ import annotations

from fakeamqp.node.messages.late_delivery import replay_history
from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.lifecycle import delete_exchange, unbind_all
from fakeamqp.node.metadata.permissions import check_exchange, check_queue, check_topic
from fakeamqp.node.observers import event_exchange
from fakeamqp.node.queues.declaring import assert_may_use
from fakeamqp.node.routing.exchanges import Exchange, assert_equivalent_exchange
from fakeamqp.node.state.access import Access
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.arguments import parse_alternate_exchange
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact, ExchangeFact
from fakeamqp.node.words.names import exchange_named, refuse_reserved, stripped
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import access_refused, precondition_failed
from fakeamqp.spec.methods import (
    ExchangeBind,
    ExchangeBindOk,
    ExchangeDeclare,
    ExchangeDeclareOk,
    ExchangeDelete,
    ExchangeDeleteOk,
    ExchangeUnbind,
    ExchangeUnbindOk,
    QueueBind,
    QueueBindOk,
    QueueUnbind,
    QueueUnbindOk,
)
from fakeamqp.spec.tables import Table


def declare(state: NodeState, channel: Channel, method: ExchangeDeclare) -> None:
    """exchange.declare."""
    name = stripped(method.exchange)
    vhost = channel.vhost
    if method.passive:
        _refuse_default(name)
        vhost.exchange(name)
    else:
        _declare_actively(state, channel, vhost, name, method)
    if not method.nowait:
        channel.send(ExchangeDeclareOk())


def _declare_actively(
    state: NodeState, channel: Channel, vhost: VirtualHost, name: str, method: ExchangeDeclare
) -> None:
    kind = state.exchange_types.find(method.type)
    _refuse_default(name)
    check_exchange(state.profile, state.access, channel, "configure", name)
    fact = ExchangeFact(
        vhost.name, name, method.type, method.durable, method.auto_delete, method.internal, method.arguments
    )
    existing = vhost.exchanges.get(name)
    if existing is not None:
        assert_equivalent_exchange(existing.fact, fact)
        return
    refuse_reserved("exchange", name)
    alternate = parse_alternate_exchange(method.arguments, exchange_named(name, vhost.name))
    if alternate is not None:
        check_exchange(state.profile, state.access, channel, "read", name)
        check_exchange(state.profile, state.access, channel, "write", alternate)
    kind.check_arguments(method.arguments)
    commit(state, fact, channel.connection.user)


def delete(state: NodeState, channel: Channel, method: ExchangeDelete) -> None:
    """exchange.delete; deleting what does not exist succeeds."""
    name = stripped(method.exchange)
    vhost = channel.vhost
    _refuse_default(name)
    if name.startswith("amq."):
        raise access_refused(f"deletion of system {exchange_named(name, vhost.name)} not allowed")
    check_exchange(state.profile, state.access, channel, "configure", name)
    exchange = vhost.exchanges.get(name)
    if exchange is not None:
        if method.if_unused and exchange.bindings:
            raise precondition_failed(f"{exchange_named(name, vhost.name)} in use")
        delete_exchange(state, exchange, channel.connection.user)
    if not method.nowait:
        channel.send(ExchangeDeleteOk())


def bind_queue(state: NodeState, channel: Channel, method: QueueBind) -> None:
    """queue.bind."""
    queue, routing_key = _queue_and_key(channel, method.queue, method.routing_key)
    destination = Destination("queue", queue)
    _bind(state, channel, method.exchange, destination, routing_key, method.arguments)
    if not method.nowait:
        channel.send(QueueBindOk())


def unbind_queue(state: NodeState, channel: Channel, method: QueueUnbind) -> None:
    """queue.unbind; unbinding what is not bound succeeds."""
    queue, routing_key = _queue_and_key(channel, method.queue, method.routing_key)
    destination = Destination("queue", queue)
    _unbind(state, channel, method.exchange, destination, routing_key, method.arguments)
    channel.send(QueueUnbindOk())


def bind_exchange(state: NodeState, channel: Channel, method: ExchangeBind) -> None:
    """exchange.bind, RabbitMQ's extension: a binding from exchange to exchange."""
    destination = Destination("exchange", stripped(method.destination))
    _bind(state, channel, method.source, destination, method.routing_key, method.arguments)
    if not method.nowait:
        channel.send(ExchangeBindOk())


def unbind_exchange(state: NodeState, channel: Channel, method: ExchangeUnbind) -> None:
    """exchange.unbind; unbinding what is not bound succeeds."""
    destination = Destination("exchange", stripped(method.destination))
    _unbind(state, channel, method.source, destination, method.routing_key, method.arguments)
    if not method.nowait:
        channel.send(ExchangeUnbindOk())


def _queue_and_key(channel: Channel, queue: str, routing_key: str) -> tuple[str, str]:
    # An empty queue name is the queue declared last, and with an empty key as well the key is its name too.
    meant = stripped(channel.queue_meant(queue))
    return meant, meant if not queue and not routing_key else routing_key


def _bind(
    state: NodeState, channel: Channel, source: str, destination: Destination, routing_key: str, arguments: Table
) -> None:
    source = stripped(source)
    vhost = channel.vhost
    _check_binding(state.profile, state.access, channel, source, destination, routing_key)
    exchange = vhost.exchange(source)
    queue = vhost.queue(destination.name) if destination.kind == "queue" else None
    if queue is None:
        vhost.exchange(destination.name)
    binding = Binding(source, destination, routing_key, arguments)
    check_binding = state.exchange_types.find(exchange.fact.type).check_binding
    check_binding(exchange.fact, binding, vhost.kind_of(destination))
    if queue is not None:
        assert_may_use(queue.fact, channel.connection.id)
    fact = BindingFact(vhost.name, binding)
    if not vhost.has_binding(binding):
        _add_binding(state, channel, exchange, fact)
    elif state.profile.binding_again_is_an_event:
        event_exchange.tell_of_commit(state, fact, fact, channel.connection.user)


def _add_binding(state: NodeState, channel: Channel, exchange: Exchange, fact: BindingFact) -> None:
    if state.profile.history_comes_before_binding:
        replay_history(state, exchange, fact.binding.destination)
        commit(state, fact, channel.connection.user)
    else:
        commit(state, fact, channel.connection.user)
        replay_history(state, exchange, fact.binding.destination)


def _unbind(
    state: NodeState, channel: Channel, source: str, destination: Destination, routing_key: str, arguments: Table
) -> None:
    source = stripped(source)
    vhost = channel.vhost
    _check_binding(state.profile, state.access, channel, source, destination, routing_key)
    binding = Binding(source, destination, routing_key, arguments)
    if not vhost.has_binding(binding):
        return
    if destination.kind == "queue":
        assert_may_use(vhost.queue(destination.name).fact, channel.connection.id)
    unbind_all(state, vhost, [binding], channel.connection.user)


def _check_binding(
    profile: Profile, access: Access, channel: Channel, source: str, destination: Destination, routing_key: str
) -> None:
    # Source: rabbit_channel.erl, binding_action: write on the destination, read on the source.
    if destination.kind == "queue":
        check_queue(profile, access, channel, "write", destination.name)
    else:
        check_exchange(profile, access, channel, "write", destination.name)
        _refuse_default(destination.name)
    _refuse_default(source)
    check_exchange(profile, access, channel, "read", source)
    exchange = channel.vhost.exchanges.get(source)
    if exchange is not None:
        check_topic(profile, access, channel, "read", exchange, routing_key)


def _refuse_default(exchange: str) -> None:
    if not exchange:
        raise access_refused("operation not permitted on the default exchange")
