"""What the generator may put into arguments and properties: one row for each, which is all it takes to add one."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from fakeamqp.spec.properties import BasicProperties

FAR_MS = 10_000_000
"""So far away that no program lives to see it."""


class Row(NamedTuple):
    """A name, how often it is given, and the values it is given."""

    name: str
    probability: float
    values: tuple[Any, ...]


QUEUE_ARGUMENTS = (
    Row("x-queue-type", 0.5, ("classic", *["quorum"] * 6, "wrong")),
    Row("x-message-ttl", 0.08, (0, FAR_MS, -1)),
    Row("x-expires", 0.03, (FAR_MS, 0)),
    Row("x-max-length", 0.12, (0, 1, 2, 3, -1)),
    Row("x-max-length-bytes", 0.05, (0, 3, 5)),
    Row("x-overflow", 0.08, ("drop-head", "reject-publish", "reject-publish-dlx", "wrong")),
    Row("x-dead-letter-exchange", 0.2, ("", "amq.fanout", "amq.direct", "e1", "missing")),
    Row("x-dead-letter-routing-key", 0.1, ("q1", "q2", "a")),
    Row("x-dead-letter-strategy", 0.03, ("at-most-once", "at-least-once", "wrong")),
    Row("x-max-priority", 0.08, (1, 2, 10, 0, 256)),
    Row("x-single-active-consumer", 0.1, (True, True, False, "wrong")),
    Row("x-delivery-limit", 0.08, (0, 1, 2, -1)),
    Row("x-queue-mode", 0.02, ("lazy", "default")),
    Row("x-nothing-known", 0.02, (1,)),
)
CONSUMER_ARGUMENTS = (Row("x-priority", 0.15, (1, 2, -1, "wrong")),)
EXCHANGE_ARGUMENTS = (Row("alternate-exchange", 0.2, ("amq.fanout", "e1", "e2", "missing")),)
POLICIES = (
    Row("max-length", 0.2, (0, 1, 2)),
    Row("max-length-bytes", 0.1, (0, 3, 5)),
    Row("message-ttl", 0.1, (FAR_MS,)),  # not 0, which a policy may bring to a queue that has messages without it
    Row("expires", 0.05, (FAR_MS,)),
    Row("overflow", 0.15, ("drop-head", "reject-publish", "reject-publish-dlx")),
    Row("dead-letter-exchange", 0.25, ("", "amq.fanout", "amq.direct", "e1", "missing")),
    Row("dead-letter-routing-key", 0.15, ("q1", "q2", "a")),
    Row("dead-letter-strategy", 0.05, ("at-most-once", "at-least-once")),
    Row("delivery-limit", 0.15, (0, 1, 2)),
    Row("queue-mode", 0.05, ("lazy", "default")),
    Row("alternate-exchange", 0.2, ("amq.fanout", "e1", "e2", "missing")),
)
OPERATOR_POLICIES = (
    Row("max-length", 0.4, (0, 1, 2)),
    Row("max-length-bytes", 0.2, (0, 3, 5)),
    Row("message-ttl", 0.2, (FAR_MS,)),
    Row("expires", 0.1, (FAR_MS,)),
)
BINDING_ARGUMENTS = (
    Row("x-match", 0.4, ("all", "any", "all-with-x", "any-with-x")),
    Row("h", 0.3, (1, 2, "1", True)),
    Row("x-h", 0.2, (1, 2)),
)
HEADERS = (
    Row("h", 0.3, (1, 2, "1", True)),
    Row("x-h", 0.2, (1, 2)),
    Row("z", 0.1, (None, 2**40, [1, "a"], {"b": 1, "a": 2})),
    Row("CC", 0.1, (["a"], ["q1", "a.b"], ["q2"], "wrong", [1])),
    Row("BCC", 0.1, (["a"], ["q3"], [])),
)
PROPERTIES = (
    Row("delivery_mode", 0.5, (1, 2)),
    Row("priority", 0.15, (0, 1, 2, 9)),
    # Not "0": a quorum queue may still hand out what expires within the same millisecond; the rules speak of it.
    Row("expiration", 0.1, (str(FAR_MS), str(FAR_MS), "wrong")),
    Row("correlation_id", 0.1, ("1",)),
    Row("reply_to", 0.1, ("q1",)),
    Row("type", 0.1, ("order",)),
    Row("timestamp", 0.1, (1_700_000_000,)),
    Row("user_id", 0.03, ("guest", "somebody")),
)


def drawn(rows: tuple[Row, ...], chance: random.Random) -> dict[str, Any]:
    """Some of the rows, each with one of its values."""
    return {row.name: chance.choice(row.values) for row in rows if chance.random() < row.probability}


def drawn_properties(chance: random.Random) -> BasicProperties:
    """A message's properties; often there are none."""
    if chance.random() < 0.4:
        return BasicProperties()
    headers = drawn(HEADERS, chance)
    return BasicProperties(headers=headers or None, **drawn(PROPERTIES, chance))
