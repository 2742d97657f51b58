"""Messages, and their stays in queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.spec.properties import BasicProperties

if TYPE_CHECKING:
    from fakeamqp.node.queues import Queue

NO_EXPIRY_US = 2**62
"""The expiry of an entry that does not expire."""


class Message:
    """What was published; one object however many queues it went to. Immutable."""

    __slots__ = ("body", "exchange", "properties", "routing_key")

    def __init__(self, exchange: str, routing_key: str, properties: BasicProperties, body: bytes) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.properties = properties
        self.body = body

    @property
    def is_persistent(self) -> bool:
        """Whether the publisher asked for it to be kept on disk."""
        return self.properties.delivery_mode == 2


class Entry:
    """A message's stay in one queue: from routing until it is settled, expires or is purged."""

    __slots__ = ("deliveries", "expires_us", "is_redelivered", "message", "position", "queue", "survives")

    def __init__(self, queue: Queue, position: int, message: Message, expires_us: int) -> None:
        self.queue = queue
        self.position = position
        self.message = message
        self.expires_us = expires_us
        self.is_redelivered = False
        self.deliveries = 0
        """How often a quorum queue's message came back; feeds x-delivery-count."""
        self.survives = False
        """Whether the journal holds this entry."""
