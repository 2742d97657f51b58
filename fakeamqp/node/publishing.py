"""basic.publish: from the method to the queues."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fakeamqp.node.channels import Channel, Publication
from fakeamqp.node.confirms import Awaiting
from fakeamqp.node.exchanges import Exchange, exchange_named
from fakeamqp.node.messages import NO_EXPIRY_US, Message
from fakeamqp.node.names import stripped
from fakeamqp.node.permissions import check_exchange, check_topic
from fakeamqp.node.queues import Queue
from fakeamqp.spec.errors import access_refused, not_implemented, precondition_failed
from fakeamqp.spec.methods import BasicPublish, BasicReturn
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import EMPTY_TABLE, Table, field_type

if TYPE_CHECKING:
    from fakeamqp.node.node import Node

MAX_EXPIRATION_MS = 315_360_000_000
"""Ten years, the most that RabbitMQ takes (rabbit_misc.erl, check_expiry)."""


def publish(node: Node, channel: Channel, method: BasicPublish) -> None:
    """basic.publish."""
    if len(method.body) > node.profile.max_message_size:
        raise precondition_failed(
            f"message size {len(method.body)} is larger than configured max size {node.profile.max_message_size}"
        )
    if method.immediate:
        raise not_implemented("immediate=true")
    exchange = _exchange_to_publish_to(node, channel, method)
    properties = method.properties
    keys: tuple[str, ...] = ()
    if properties is not EMPTY_PROPERTIES:
        properties, keys = _checked_properties(node, channel, properties)
    message = Message(exchange.name, method.routing_key, properties, method.body)
    queues = _route(channel, exchange, message, keys)
    publication = Publication(message, queues, method.mandatory)
    if channel.transaction is not None:
        channel.transaction.publications.append(publication)
        return
    position = deliver(node, channel, publication)
    if channel.confirms:
        node.awaiting.append(Awaiting(position, channel, channel.next_publish_number))
        channel.next_publish_number += 1


def deliver(node: Node, channel: Channel, publication: Publication) -> int:
    """Put a message into its queues, or return it; answers how far the journal must be synced to be safe with it."""
    message = publication.message
    if not publication.queues:
        if publication.mandatory:
            channel.send(
                BasicReturn(312, "NO_ROUTE", message.exchange, message.routing_key, message.properties, message.body)
            )
        return 0
    expires_us = NO_EXPIRY_US
    if message.properties.expiration is not None:
        expires_us = node.now_us + int(message.properties.expiration) * 1000
    position = 0
    for queue in publication.queues:
        entry = queue.enqueue(message, expires_us)
        node.commit_entry(entry)
        if entry.survives:
            position = node.journal.appended
    return position


def _exchange_to_publish_to(node: Node, channel: Channel, method: BasicPublish) -> Exchange:
    name = stripped(method.exchange)
    check_exchange(node, channel, "write", name)
    exchange = channel.connection.world.exchange(name)
    if exchange.fact.internal:
        raise access_refused(f"cannot publish to internal {exchange_named(name, channel.connection.world.name)}")
    check_topic(node, channel, "write", exchange, method.routing_key)
    return exchange


def _route(channel: Channel, exchange: Exchange, message: Message, keys: tuple[str, ...]) -> tuple[Queue, ...]:
    vhost = channel.connection.world
    headers = message.properties.headers or EMPTY_TABLE
    queues = vhost.route(exchange.name, message.routing_key, headers)
    if not keys:
        return queues
    found = dict.fromkeys(queues)
    for key in keys:
        found.update(dict.fromkeys(vhost.route(exchange.name, key, headers)))
    return tuple(found)


def _checked_properties(
    node: Node, channel: Channel, properties: BasicProperties
) -> tuple[BasicProperties, tuple[str, ...]]:
    """Refuse what RabbitMQ refuses; answers the properties as they are delivered, and further routing keys."""
    profile = node.profile
    if not profile.checks_message_before_user_id:
        _check_user_id(node, channel, properties)
    expiration = _checked_expiration(properties.expiration)
    keys = _sender_selected_keys(properties.headers) if properties.headers else ()
    if profile.checks_message_before_user_id:
        _check_user_id(node, channel, properties)
    if profile.delivery_mode_is_checked and properties.delivery_mode not in (None, 1, 2):
        raise precondition_failed(f"invalid message: {{delivery_mode_unknown,{properties.delivery_mode}}}")
    normalised = properties
    if properties.headers and (BCC in properties.headers or profile.sorts_headers):
        names = sorted(properties.headers) if profile.sorts_headers else list(properties.headers)
        normalised = properties.replace(headers={name: properties.headers[name] for name in names if name != BCC})
    if expiration is not None and profile.normalises_expiration:
        normalised = normalised.replace(expiration=str(expiration))
    return normalised, keys


def _check_user_id(node: Node, channel: Channel, properties: BasicProperties) -> None:
    user = channel.connection.user
    if properties.user_id in (None, user) or "impersonator" in node.access.users[user].tags:
        return
    raise precondition_failed(f"user_id property set to '{properties.user_id}' but authenticated user was '{user}'")


def _checked_expiration(expiration: str | None) -> int | None:
    if expiration is None:
        return None
    number = re.match(r"[+-]?[0-9]+", expiration)
    if number is None:
        reason = "no_integer"
    elif number.end() < len(expiration):
        reason = f'{{leftover_string,"{expiration[number.end() :]}"}}'
    elif (value := int(number[0])) < 0:
        reason = f"{{value_negative,{value}}}"
    elif value > MAX_EXPIRATION_MS:
        reason = f"{{value_too_large,{value}}}"
    else:
        return value
    raise precondition_failed(f"invalid expiration '{expiration}': {reason}")


CC = "CC"
BCC = "BCC"


def _sender_selected_keys(headers: Table) -> tuple[str, ...]:
    """The routing keys in CC and BCC. Source: rabbit_basic.erl, header_routes."""
    keys: list[str] = []
    for name in (CC, BCC):
        if name not in headers:
            continue
        value = headers[name]
        if not isinstance(value, list):
            raise precondition_failed(f'invalid message: {{unacceptable_type_in_header,"{name}",{field_type(value)}}}')
        keys += [key for key in value if isinstance(key, str)]
    return tuple(keys)
