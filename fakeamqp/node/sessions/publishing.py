"""basic.publish: from the method to the queues."""

from __future__ import annotations

import re

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.messages.arrivals import arrive
from fakeamqp.node.messages.reply_to import REPLY_TO, address_for_replies, deliver_replies
from fakeamqp.node.metadata.permissions import check_exchange, check_topic
from fakeamqp.node.observers.firehose import copy_publish
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.access import Access
from fakeamqp.node.state.connection import Channel, Publication
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.receipts import Awaiting, Receipt
from fakeamqp.node.state.watching import RETURNED, Watch
from fakeamqp.node.words import erlang
from fakeamqp.node.words.names import exchange_named
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import access_refused, not_implemented, precondition_failed
from fakeamqp.spec.methods import BasicPublish, BasicReturn
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import Table, field_type

MAX_EXPIRATION_MS = 315_360_000_000
"""Ten years, the most that RabbitMQ takes (rabbit_misc.erl, check_expiry)."""


CC = "CC"
BCC = "BCC"


def publish(state: NodeState, channel: Channel, method: BasicPublish) -> None:
    """basic.publish."""
    if len(method.body) > state.profile.max_message_size:
        raise precondition_failed(
            f"message size {len(method.body)} is larger than configured max size {state.profile.max_message_size}"
        )
    if method.immediate:
        raise not_implemented("immediate=true")
    vhost = channel.vhost
    exchange = vhost.exchanges.get(method.exchange)
    if exchange is None or exchange.fact.internal or ("write", "exchange", method.exchange) not in channel.permitted:
        exchange = _exchange_to_publish_to(state.profile, state.access, channel, method)
    if method.properties is EMPTY_PROPERTIES and not state.access.topic_permissions:
        message = Message(exchange.name, method.routing_key, EMPTY_PROPERTIES, method.body)
    else:
        message = _checked_message(state.profile, state.access, channel, exchange, method)
    queues = vhost.route(exchange.name, message)
    if not exchange.name and state.reply_channels and (message.further_keys or not queues):
        deliver_replies(state, message)
    if vhost.is_traced:
        copy_publish(state, channel, message, queues)
    if message.properties.headers:
        for queue in queues:
            queue.type.check_headers(message.properties.headers, state.profile)
    if channel.transaction is not None:
        names = tuple(queue.name for queue in queues) if exchange.name else message.routing_keys
        channel.transaction.publications.append(Publication(message, queues, names, method.mandatory))
        return
    receipt = None
    if channel.confirms:
        receipt = Receipt()
        state.awaiting.append(Awaiting(receipt, channel, channel.next_publish_number))
        channel.next_publish_number += 1
    arrive(state, queues, message, channel, receipt)
    if method.mandatory and not queues:
        give_back(state.now_us, state.watch, channel, message)


def give_back(now_us: int, watch: Watch | None, channel: Channel, message: Message) -> None:
    """basic.return of a mandatory message that led nowhere."""
    if watch is not None:
        watch((now_us, RETURNED, message, (), channel, None))
    channel.send(BasicReturn(312, "NO_ROUTE", message.exchange, message.routing_key, message.properties, message.body))


def _exchange_to_publish_to(profile: Profile, access: Access, channel: Channel, method: BasicPublish) -> Exchange:
    name = method.exchange  # with its line ends, unlike elsewhere (observed)
    check_exchange(profile, access, channel, "write", name)
    exchange = channel.vhost.exchange(name)
    if exchange.fact.internal:
        raise access_refused(f"cannot publish to internal {exchange_named(name, channel.vhost.name)}")
    return exchange


def _checked_message(
    profile: Profile, access: Access, channel: Channel, exchange: Exchange, method: BasicPublish
) -> Message:
    """The message that a publish brings, where there is something in it to check."""
    properties = method.properties
    keys: tuple[str, ...] = ()
    if access.topic_permissions and (not profile.checks_message_before_user or properties is EMPTY_PROPERTIES):
        check_topic(profile, access, channel, "write", exchange, method.routing_key)
    if properties is not EMPTY_PROPERTIES:
        properties, keys = _checked_properties(profile, access, channel, exchange, method)
    if keys:
        return MessageWithMore(exchange.name, method.routing_key, properties, method.body, keys)
    return Message(exchange.name, method.routing_key, properties, method.body)


def _checked_properties(
    profile: Profile, access: Access, channel: Channel, exchange: Exchange, method: BasicPublish
) -> tuple[BasicProperties, tuple[str, ...]]:
    """Refuse what RabbitMQ refuses, in its order; answers the properties as they are delivered, and further keys."""
    normalised = properties = method.properties
    if properties.reply_to == REPLY_TO:
        normalised = properties.replace(reply_to=address_for_replies(channel))
    if not profile.checks_message_before_user:
        _check_user_id(access, channel, properties)
    expiration = _checked_expiration(properties.expiration)
    keys = sender_selected_keys(properties.headers) if properties.headers else ()
    if profile.checks_message_before_user:
        for key in (method.routing_key, *keys) if access.topic_permissions else ():
            check_topic(profile, access, channel, "write", exchange, key)
        _check_user_id(access, channel, properties)
    if profile.delivery_mode_is_checked and properties.delivery_mode not in (None, 1, 2):
        raise precondition_failed(f"invalid message: {{delivery_mode_unknown,{properties.delivery_mode}}}")
    if properties.headers and (BCC in properties.headers or profile.sorts_headers):
        names = sorted(properties.headers, key=erlang.binary) if profile.sorts_headers else list(properties.headers)
        normalised = normalised.replace(headers={name: properties.headers[name] for name in names if name != BCC})
    if expiration is not None and profile.normalises_expiration:
        normalised = normalised.replace(expiration=str(expiration))
    return normalised, keys


def _check_user_id(access: Access, channel: Channel, properties: BasicProperties) -> None:
    user = channel.connection.user
    if properties.user_id in (None, user) or "impersonator" in access.users[user].tags:
        return
    raise precondition_failed(f"user_id property set to '{properties.user_id}' but authenticated user was '{user}'")


def _checked_expiration(expiration: str | None) -> int | None:
    if expiration is None:
        return None
    number = re.match(r"[+-]?[0-9]+", expiration)
    start = f"invalid expiration '{expiration}': "
    if number is None:
        raise precondition_failed(f"{start}no_integer")
    if number.end() < len(expiration):
        leftover = erlang.string(expiration[number.end() :])
        raise precondition_failed(erlang.pair(start, "leftover_string", leftover))
    value = int(number[0])
    if not 0 <= value <= MAX_EXPIRATION_MS:
        raise precondition_failed(erlang.pair(start, "value_negative" if value < 0 else "value_too_large", str(value)))
    return value


def sender_selected_keys(headers: Table, names: tuple[str, ...] = (CC, BCC)) -> tuple[str, ...]:
    """The routing keys in CC and BCC. Source: rabbit_basic.erl, header_routes."""
    keys: list[str] = []
    for name in names:
        if name not in headers:
            continue
        value = headers[name]
        if not isinstance(value, list):
            raise precondition_failed(f'invalid message: {{unacceptable_type_in_header,"{name}",{field_type(value)}}}')
        keys += [key for key in value if isinstance(key, str)]
    return tuple(keys)
