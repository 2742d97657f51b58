"""What the generator may put into arguments and properties: one row for each, which is all it takes to add one."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from fakeamqp.spec.properties import BasicProperties

FAR_MS = 10_000_000
"""So far away that no program lives to see it."""
SHORT_MS = 2000
"""A time that is over when time passes in a program, and not before; given in programs in which it does."""


REPLY_TO = "amq.rabbitmq.reply-to"
"""What consumers of direct replies consume from."""


class Row(NamedTuple):
    """A name, how often it is given, and the values it is given."""

    name: str
    probability: float
    values: tuple[Any, ...]


QUEUE_ARGUMENTS = (
    Row("x-queue-type", 0.5, ("classic", *["quorum"] * 7, "stream", "stream", "wrong")),
    Row("x-message-ttl", 0.1, (0, SHORT_MS, SHORT_MS, FAR_MS, -1)),
    Row("x-expires", 0.03, (FAR_MS, SHORT_MS, 0)),
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
HOP_ARGUMENTS = (Row("x-queue-type", 0.4, ("quorum",)),)
FULL_ARGUMENTS = (
    Row("x-queue-type", 0.4, ("quorum",)),
    Row("x-dead-letter-exchange", 0.4, ("", "amq.fanout")),
    Row("x-dead-letter-routing-key", 0.3, ("q1", "q2")),
)
CONSUMER_ARGUMENTS = (
    Row("x-priority", 0.15, (1, 2, -1, "wrong")),
    Row("x-stream-offset", 0.08, ("first", "next", 0, 1, "wrong")),
)
EXCHANGE_ARGUMENTS = (
    Row("alternate-exchange", 0.2, ("amq.fanout", "e1", "e2", "missing")),
    Row("x-recent-history-length", 0.08, (1, 2, 0, "wrong")),
    Row("hash-header", 0.05, ("h",)),
)
POLICIES = (
    Row("max-length", 0.2, (0, 1, 2)),
    Row("max-length-bytes", 0.1, (0, 3, 5)),
    # Not 0, which a policy may bring to a queue that has messages without it.
    Row("message-ttl", 0.1, (FAR_MS, SHORT_MS)),
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
    Row("h", 0.35, (1, 2, "1", True, None, {"a": 1}, [1])),
    Row("x-h", 0.2, (1, 2)),
    Row("z", 0.1, (None, {"b": 1, "a": 2}, [1, "a"])),
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
    Row("expiration", 0.12, ("0", str(SHORT_MS), str(SHORT_MS), str(FAR_MS), "wrong")),
    Row("correlation_id", 0.1, ("1",)),
    Row("reply_to", 0.12, ("q1", REPLY_TO)),
    Row("type", 0.1, ("order",)),
    Row("timestamp", 0.1, (1_700_000_000,)),
    Row("user_id", 0.03, ("guest", "somebody")),
)


def drawn(rows: tuple[Row, ...], chance: random.Random, *, is_timed: bool = False) -> dict[str, Any]:
    """Some of the rows, each with one of its values; times are short only where time passes in the program."""
    found = {row.name: chance.choice(row.values) for row in rows if chance.random() < row.probability}
    return found if is_timed else {name: _lasting(value) for name, value in found.items()}


def _lasting(value: Any) -> Any:
    """A long time instead of a short one."""
    if value == SHORT_MS:
        return FAR_MS
    return str(FAR_MS) if value == str(SHORT_MS) else value


def drawn_properties(chance: random.Random, *, is_timed: bool = False) -> BasicProperties:
    """A message's properties; often there are none."""
    if chance.random() < 0.4:
        return BasicProperties()
    headers = drawn(HEADERS, chance)
    return BasicProperties(headers=headers or None, **drawn(PROPERTIES, chance, is_timed=is_timed))
