"""Messages, and their stays in queues."""

from __future__ import annotations

from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import EMPTY_TABLE, Table

NO_EXPIRY_US = 2**62
"""The expiry of an entry that does not expire."""


class Death(Record, frozen=True):
    """Why and where a message died, and how often: one entry of x-death."""

    queue: str
    reason: str
    count: int
    time_s: int
    exchange: str
    routing_keys: tuple[str, ...]
    original_expiration: str | None
    blind_keys: tuple[str, ...] = ()
    """What the publisher's BCC named; told to nobody, but later deaths of the message leave these keys out."""
    written: Table | None = None
    """The entry as a publisher has written it, in 3.10: it stays so until the message dies there again."""
    is_sorted: bool = False
    """Whether the entry's fields are written in alphabetical order; 3.10 does so with all but the first."""


class Message:
    """What was published; one object however many queues it went to. Immutable."""

    __slots__ = ("body", "exchange", "properties", "routing_key")

    further_keys: tuple[str, ...] = ()
    """The other routing keys, of CC and BCC."""
    deaths: tuple[Death, ...] = ()
    """What the broker itself knows of earlier deaths, the latest first."""
    failures: int = 0
    """How often it was rejected in quorum queues of 4.0 that it died in, or returned as a channel was over."""

    def __init__(self, exchange: str, routing_key: str, properties: BasicProperties, body: bytes) -> None:
        self.exchange = exchange
        self.routing_key = routing_key
        self.properties = properties
        self.body = body

    @property
    def is_persistent(self) -> bool:
        """Whether the publisher asked for it to be kept on disk."""
        return self.properties.delivery_mode == 2

    @property
    def routing_keys(self) -> tuple[str, ...]:
        """All keys that the message is routed by, its own first."""
        return (self.routing_key, *self.further_keys)

    def cc(self) -> tuple[str, ...]:
        """The routing keys that the header CC names."""
        listed = (self.properties.headers or EMPTY_TABLE).get("CC")
        return tuple(key for key in listed if isinstance(key, str)) if isinstance(listed, list) else ()


class MessageWithMore(Message):
    """A message with further routing keys or a past. Apart, as most have neither, and a queue may hold millions."""

    __slots__ = ("deaths", "failures", "further_keys")

    def __init__(
        self,
        exchange: str,
        routing_key: str,
        properties: BasicProperties,
        body: bytes,
        further_keys: tuple[str, ...] = (),
        deaths: tuple[Death, ...] = (),
        failures: int = 0,
    ) -> None:
        super().__init__(exchange, routing_key, properties, body)
        self.further_keys = further_keys
        self.deaths = deaths
        self.failures = failures


class Entry:
    """A message's stay in one queue: from routing until it is settled, expires or is purged.

    Of a stream each delivery is an entry as well, as the one in the log stays whatever becomes of it.
    """

    __slots__ = ("expires_us", "is_redelivered", "message", "position", "survives")

    appended_us: int = 0
    """When a stream took it, microseconds."""
    deliveries: int = 0
    """How often a quorum queue's message came back; feeds x-delivery-count."""
    failed_here: int = 0
    """How often a channel was over that had it from a quorum queue."""

    def __init__(self, position: int, message: Message, expires_us: int) -> None:
        self.position = position
        self.message = message
        self.expires_us = expires_us
        self.is_redelivered = False
        self.survives = False
        """Whether the journal holds this entry."""

    def recall(self, deliveries: int, appended_us: int) -> None:
        """A new node has found it on disk, with what else is known there; a classic queue has forgotten that."""

    @property
    def failures(self) -> int:
        """How often a channel was over that had it, or rejected it before; feeds x-delivery-count after death."""
        return self.message.failures + self.failed_here


class QuorumEntry(Entry):
    """A stay in a quorum queue, which counts how often it came back."""

    __slots__ = ("deliveries", "failed_here")

    def __init__(self, position: int, message: Message, expires_us: int) -> None:
        super().__init__(position, message, expires_us)
        self.deliveries = 0
        self.failed_here = 0

    def recall(self, deliveries: int, appended_us: int) -> None:
        """It came back so often."""
        self.deliveries = deliveries


class StreamEntry(Entry):
    """A stay in a stream, which knows when it began."""

    __slots__ = ("appended_us",)

    def __init__(self, position: int, message: Message, expires_us: int, appended_us: int = 0) -> None:
        super().__init__(position, message, expires_us)
        self.appended_us = appended_us

    def recall(self, deliveries: int, appended_us: int) -> None:
        """It has been there since then."""
        self.appended_us = appended_us
