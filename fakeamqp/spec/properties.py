"""The fourteen properties of a message, AMQP 0-9-1 section 4.2.6.1 and class basic."""

from __future__ import annotations

from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table


class BasicProperties(Record):
    """A message's properties; None means that the property is absent. Treat as immutable once published.

    `expiration` is in milliseconds, spelled as a string; `timestamp` in seconds since the epoch.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Table | None = None
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: int | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    cluster_id: str | None = None


EMPTY_PROPERTIES = BasicProperties()
"""What a message published without properties has; shared, so that it costs nothing."""
