"""Small pools of everything that methods are made of, so that what is drawn at random hits what exists."""

from __future__ import annotations

import datetime
import decimal

from hypothesis import strategies as st

from fakeamqp.node.dispatch import CHANNEL_METHODS, CONNECTION_METHODS
from fakeamqp.spec.methods import METHODS, BasicPublish, Heartbeat, Malformed, Method
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.spec.tables import LongLong

VHOSTS = ("/", "other", "missing")
USERS = ("guest", "worker", "nobody")

names = st.sampled_from(("", "a", "b", "c", "amq.direct", "amq.topic", "amq.headers", "amq.mine", "a\nb", "ü" * 120))
keys = st.sampled_from(("", "a", "b", "a.b", "#", "*.b", "amq.gen-x", "amq.rabbitmq.reply-to"))
numbers = st.sampled_from((-1, 0, 1, 2, 3, 7, 255, 4096, 2**16 - 1, 2**31, 2**63, 2**64 - 1))
texts = st.sampled_from(("", "one", "two", "ü", "x" * 255))

values = st.recursive(
    st.sampled_from(
        (
            None, True, 0, -1, 5, LongLong(5), 2**40, 1.5, "", "a", "quorum", "classic", "all", "any", b"\xff",
            decimal.Decimal("1.5"), datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        )
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)  # fmt: skip
argument_names = st.sampled_from(
    (
        "x-queue-type", "x-match", "alternate-exchange", "a", "b", "CC", "BCC", "x-priority", "x-message-ttl",
        "x-expires", "x-max-length", "x-dead-letter-exchange", "x-overflow", "x-max-priority",
        "x-single-active-consumer", "x-delivery-limit", "x-whatever",
    )
)  # fmt: skip
good_arguments = st.sampled_from(
    (
        {},
        {"x-queue-type": "quorum"},
        {"alternate-exchange": "a"},
        {"x-match": "any", "a": 5},
        {"CC": ["a", "b"]},
        {"BCC": ["c"], "a": 5},
    )
)
tables = good_arguments | st.dictionaries(argument_names, values, max_size=3)

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
responses = st.sampled_from(
    (
        b"\0guest\0guest", b"\0worker\0secret", b"\0guest\0wrong", b"", b"\0", b"\0\0\0\0", b"x\0guest\0guest",
        b"\xff\xfe", {"LOGIN": "guest", "PASSWORD": "guest"}, {"LOGIN": 5, "PASSWORD": None}, {},
    )
)  # fmt: skip
client_properties = st.sampled_from(
    (
        {},
        {"capabilities": {"consumer_cancel_notify": True, "authentication_failure_close": True}},
        {"capabilities": "nonsense"},
    )
)

BY_NAME: dict[str, st.SearchStrategy[object]] = {
    "queue": names,
    "exchange": names,
    "source": names,
    "destination": names,
    "routing_key": keys,
    "type": st.sampled_from(("direct", "fanout", "topic", "headers", "", "nonsense", "x-random")),
    "consumer_tag": texts,
    "virtual_host": st.sampled_from(VHOSTS),
    "mechanism": st.sampled_from(("PLAIN", "AMQPLAIN", "ANONYMOUS", "EXTERNAL", "")),
    "response": responses,
    "client_properties": client_properties,
    "channel_max": st.sampled_from((0, 1, 2, 2047, 2048, 65535)),
    "frame_max": st.sampled_from((0, 4095, 4096, 131072, 131073)),
    "heartbeat": st.sampled_from((0, 1, 60, 65535)),
    "properties": properties,
    "body": st.sampled_from((b"", b"one", b"x" * 1000)),
    "delivery_tag": st.sampled_from((0, 1, 1, 2, 3)) | numbers,
    "prefetch_count": st.integers(0, 3) | numbers,
    "prefetch_size": st.sampled_from((0, 0, 0, 1)),
    "passive": st.sampled_from((False, False, False, True)),
    "immediate": st.sampled_from((False, False, False, True)),
}
BY_TYPE: dict[str, st.SearchStrategy[object]] = {
    "bool": st.booleans(),
    "int": numbers,
    "str": texts,
    "bytes": st.sampled_from((b"", b"PLAIN", b"\xff")),
    "Table": tables,
}


def methods_of(kind: type[Method]) -> st.SearchStrategy[Method]:
    """A method of this class, with whatever arguments."""
    kinds = kind.__annotations__
    fields = {each: BY_NAME[each] if each in BY_NAME else BY_TYPE[kinds[each]] for each in kind.__slots__}
    return st.builds(kind, **fields)


_by_class = {kind: methods_of(kind) for kind in METHODS.values()}
every_method = st.one_of([*_by_class.values(), methods_of(Heartbeat), methods_of(Malformed)])
channel_methods = st.one_of([_by_class[kind] for kind in CHANNEL_METHODS if kind in _by_class])
handshake_methods = st.one_of([_by_class[kind] for _, kind in CONNECTION_METHODS if kind in _by_class])
publishes = _by_class[BasicPublish]
