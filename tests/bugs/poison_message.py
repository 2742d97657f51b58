"""An order that cannot be read kills each worker that gets it, and comes back for the next: no other is ever shipped.

Mended, the worker rejects what it cannot read, and a dead letter exchange puts that aside.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import OnMessage, Shop, ship


def fragile(shop: Shop) -> OnMessage:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        ship(shop, read(order))
        channel.basic_ack(method.delivery_tag)

    return on_order


def robust(shop: Shop) -> OnMessage:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        try:
            readable = read(order)
        except UnicodeDecodeError:
            channel.basic_reject(method.delivery_tag, requeue=False)
        else:
            ship(shop, readable)
            channel.basic_ack(method.delivery_tag)

    return on_order


def read(order: bytes) -> bytes:
    return order.decode("ascii").encode()


def scenario(worker: Any, broker: Broker) -> Shop:
    shop = Shop(placed=[b"order 2"])
    parts.stage("unreadable")
    aside = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "unreadable"}
    parts.stage("orders", b"order \xff", *shop.placed, arguments=aside)
    broker.spawn(parts.consume, "orders", worker(shop), name="worker", restart=True)
    return shop


BUG = Bug(
    "poison message",
    buggy=partial(scenario, fragile),
    mended=partial(scenario, robust),
    invariant=parts.every_placed_order_is_shipped,
    failure="Livelock",
    settings={"max_steps": 300},
)
