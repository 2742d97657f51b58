"""A worker rejects orders to a dead letter exchange, to which the auditor binds a queue: until then they vanish.

Mended, the worker sees to the queue and its binding before it consumes; declaring them twice does no harm.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker, Faults
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, connect


def declare_orders(channel: Any) -> None:
    channel.exchange_declare("rejected", "fanout", durable=True)
    channel.queue_declare("orders", durable=True, arguments={"x-dead-letter-exchange": "rejected"})


def declare_rejected_too(channel: Any) -> None:
    declare_orders(channel)
    declare_rejected(channel)


def declare_rejected(channel: Any) -> None:
    channel.queue_declare("audit", durable=True)
    channel.queue_bind("audit", "rejected")


def worker(declare: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        declare(channel)
        for method, _properties, _order in channel.consume("orders"):
            channel.basic_reject(method.delivery_tag, requeue=False)  # today it likes none


def auditor(seen: list[bytes]) -> None:
    def on_rejected(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        seen.append(order)
        channel.basic_ack(method.delivery_tag)

    with connect() as connection:
        declare_rejected(connection.channel())
    parts.consume("audit", on_rejected)


def scenario(declare: Any, broker: Broker) -> list[bytes]:
    seen: list[bytes] = []
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        declare_orders(channel)
        channel.basic_publish("", "orders", b"order 1", PERSISTENT, mandatory=True)
    broker.spawn(worker, declare, restart=True)
    broker.spawn(auditor, seen, restart=True)
    return seen


def rejected_orders_are_audited(broker: Broker, seen: list[bytes]) -> None:
    assert b"order 1" in seen, "order 1 was rejected, and the auditor never saw it"


BUG = Bug(
    "dead letter queue not bound",
    buggy=partial(scenario, declare_orders),
    mended=partial(scenario, declare_rejected_too),
    invariant=rejected_orders_are_audited,
    faults=Faults(kill=1, disconnect=1),  # a classic queue dead-letters at most once; a crash may lose it
)
