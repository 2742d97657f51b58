"""Small pools of everything that methods are made of, so that what is drawn at random hits what exists."""

from __future__ import annotations

import datetime
import decimal
import random
from typing import Any

from hypothesis import strategies as st

from fakeamqp.node.sessions.dispatch import CHANNEL_METHODS
from fakeamqp.spec.methods import (
    METHODS,
    BasicAck,
    BasicConsume,
    BasicGet,
    BasicNack,
    BasicPublish,
    BasicReject,
    ConnectionStart,
    Heartbeat,
    Malformed,
    Method,
    QueueDeclare,
    QueueDelete,
)
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import LongLong, Table

VHOSTS = ("/", "other", "missing")
USERS = ("guest", "worker", "nobody")
LONG = "ü" * 120

NAMES = (
    "a",
    "b",
    "c",
    "a",
    "b",
    "c",
    "a",
    "b",
    "c",
    "",
    "amq.direct",
    "amq.topic",
    "amq.headers",
    "amq.mine",
    "a\nb",
    LONG,
)
NUMBERS = (-1, 0, 1, 2, 3, 7, 255, 4096, 2**16 - 1, 2**31, 2**63, 2**64 - 1)
TEXTS = ("", "one", "two", "ü", "x" * 255)
TABLES: tuple[Table, ...] = (
    {},
    {},
    {},
    {"x-queue-type": "quorum"},
    {"x-queue-type": "stream"},
    {"x-stream-offset": "first"},
    {"x-stream-offset": 1, "x-stream-filter": "a"},
    {"alternate-exchange": "a"},
    {"x-match": "any", "a": 5},
    {"x-match": "nonsense"},
    {"CC": ["a", "b"]},
    {"BCC": ["c", 5], "a": 5, "z": LongLong(5)},
    {"CC": 5},
    {"a": [1, {"b": None}], "b": {"c": 1.5}},
)
PROPERTIES = (
    EMPTY_PROPERTIES,
    BasicProperties(delivery_mode=2),
    BasicProperties(expiration="1000", headers={"a": 5}),
    BasicProperties(expiration="0", delivery_mode=2),
    BasicProperties(headers={"CC": ["a", "b"], "BCC": ["c"]}, user_id="guest"),
    BasicProperties(headers={"CC": 5}),
    BasicProperties(expiration="5x"),
    BasicProperties(user_id="nobody"),
    BasicProperties(delivery_mode=7, priority=255, reply_to="amq.rabbitmq.reply-to"),
)
QUEUE_ARGUMENTS: dict[str, Table] = {
    "a": {},
    "b": {"x-queue-type": "quorum"},
    "c": {},
    "d": {"x-queue-type": "stream"},
    "brief": {
        "x-message-ttl": 1000,
        "x-max-length": 3,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "full",
    },
    "full": {"x-max-priority": 5, "x-max-length": 2, "x-overflow": "reject-publish-dlx", "x-dead-letter-exchange": "a"},
    "single": {"x-single-active-consumer": True, "x-max-length-bytes": 1500, "x-expires": 20_000},
    "safe": {
        "x-queue-type": "quorum",
        "x-delivery-limit": 1,
        "x-max-length": 3,
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "brief",
    },
}
"""The queues that well-behaved clients declare, and how."""

RESPONSES = (
    b"\0guest\0guest",
    b"\0worker\0secret",
    b"\0guest\0wrong",
    b"",
    b"\0",
    b"\0\0\0\0",
    b"x\0guest\0guest",
    b"\xff\xfe",
    {"LOGIN": "guest", "PASSWORD": "guest"},
    {"LOGIN": 5, "PASSWORD": None},
    {},
)
CLIENT_PROPERTIES: tuple[Table, ...] = (
    {},
    {"capabilities": {"consumer_cancel_notify": True, "authentication_failure_close": True}},
    {"capabilities": "nonsense"},
)

BY_NAME: dict[str, tuple[Any, ...]] = {
    "queue": NAMES,
    "exchange": NAMES,
    "source": NAMES,
    "destination": NAMES,
    "routing_key": ("a", "b", "c", "a.b", "#", "*.b", "", "amq.gen-x", "amq.rabbitmq.reply-to"),
    "type": ("direct", "fanout", "topic", "headers", "", "nonsense", "x-random"),
    "consumer_tag": TEXTS,
    "virtual_host": VHOSTS,
    "mechanism": ("PLAIN", "AMQPLAIN", "ANONYMOUS", "EXTERNAL", ""),
    "response": RESPONSES,
    "client_properties": CLIENT_PROPERTIES,
    "channel_max": (0, 1, 2, 2047, 2048, 65535),
    "frame_max": (0, 4095, 4096, 131072, 131073),
    "heartbeat": (0, 1, 60, 65535),
    "properties": PROPERTIES,
    "body": (b"", b"one", b"x" * 1000),
    "delivery_tag": (0, 1, 1, 2, 2, 3, 3, 4, 5, *NUMBERS),
    "prefetch_count": (0, 1, 2, 3, *NUMBERS),
    "prefetch_size": (0, 0, 0, 0, 0, 1),
    "durable": (True, True, False),
    "active": (True, True, False),
} | dict.fromkeys(
    ("passive", "immediate", "internal", "exclusive", "auto_delete", "nowait"),
    (False, False, False, False, False, True),
)
BY_TYPE: dict[str, tuple[Any, ...]] = {
    "bool": (False, True),
    "int": NUMBERS,
    "str": TEXTS,
    "bytes": (b"", b"PLAIN", b"\xff"),
    "Table": TABLES,
}

SENSIBLE: dict[str, tuple[Any, ...]] = {
    "queue": tuple(QUEUE_ARGUMENTS),
    "exchange": ("", "", "a", "b", "c"),
    "routing_key": (*QUEUE_ARGUMENTS, "a.b"),
    "consumer_tag": ("",),
    "delivery_tag": (1, 2, 3, 4),
    "arguments": ({}, {}, {"x-priority": 5}),
    "properties": (*PROPERTIES[:4], BasicProperties(priority=9, delivery_mode=2)),
    "durable": (True,),
} | dict.fromkeys(("immediate", "passive", "exclusive", "auto_delete", "if_unused", "if_empty"), (False,))
"""What rarely goes wrong."""


def choices(kind: type[Method], field: str) -> tuple[Any, ...]:
    return BY_NAME[field] if field in BY_NAME else BY_TYPE[kind.__annotations__[field]]


def examples(kind: type[Method], count: int, sensible: bool = False) -> list[Method]:
    """Some methods of a class. A whole method is then one choice of Hypothesis, so that a run has room for many."""
    chance = random.Random(kind.NAME)
    pools = {field: choices(kind, field) for field in kind.__slots__} | (SENSIBLE if sensible else {})
    made = [kind(*(chance.choice(pools[field]) for field in kind.__slots__)) for _ in range(count)]
    if sensible and kind is QueueDeclare:
        made = [each.replace(arguments=QUEUE_ARGUMENTS[each.queue]) for each in made]
    return made


def examples_of(kinds: list[type[Method]], sensible: bool = False) -> st.SearchStrategy[Method]:
    pool = [method for kind in kinds for method in examples(kind, 100, sensible)]
    return st.integers(0, len(pool) - 1).map(lambda index: pool[index])


values = st.recursive(
    st.sampled_from(
        (
            *(None, True, 0, -1, 5, LongLong(5), 2**40, 1.5, "", "a", "quorum", "classic", "all", "any", b"\xff"),
            decimal.Decimal("1.5"),
            datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        )
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=2),
    max_leaves=3,
)
argument_names = st.sampled_from(
    (
        *("x-queue-type", "x-match", "alternate-exchange", "a", "b", "CC", "BCC", "x-priority", "x-message-ttl"),
        *("x-expires", "x-max-length", "x-dead-letter-exchange", "x-overflow", "x-max-priority", "x-delivery-limit"),
        *("x-single-active-consumer", "x-whatever"),
    )
)
tables = st.dictionaries(argument_names, values, max_size=3)
properties = st.builds(
    BasicProperties,
    headers=st.none() | tables,
    delivery_mode=st.sampled_from((None, 1, 2, 0, 255)),
    priority=st.sampled_from((None, 0, 5, 255)),
    expiration=st.sampled_from((None, None, "0", "1000", "+5", "", "-1", "5x", "9" * 30)),
    user_id=st.sampled_from((None, None, "guest", "nobody")),
    reply_to=st.sampled_from((None, "a", "amq.rabbitmq.reply-to")),
    timestamp=st.sampled_from((None, 0, 2**63)),
)


def methods_of(kind: type[Method]) -> st.SearchStrategy[Method]:
    """A method of this class, with whatever arguments."""
    drawn = {"arguments": tables, "properties": properties, "client_properties": tables}
    fields = {each: drawn[each] if each in drawn else st.sampled_from(choices(kind, each)) for each in kind.__slots__}
    return st.builds(kind, **fields)


every_method = st.one_of([methods_of(kind) for kind in (*METHODS.values(), Heartbeat, Malformed)])
messaging_methods = examples_of(
    [
        *(QueueDeclare, QueueDelete, BasicPublish, BasicPublish, BasicGet, BasicGet, BasicConsume),
        *(BasicAck, BasicAck, BasicNack, BasicReject),
    ],
    sensible=True,
)
channel_methods = examples_of([kind for kind in CHANNEL_METHODS if kind in METHODS.values() and kind.INDEX[0] != 20])
handshake_methods = examples_of([kind for kind in METHODS.values() if kind.INDEX[0] == ConnectionStart.INDEX[0]])
