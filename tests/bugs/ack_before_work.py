"""A worker acknowledges an order and then ships it: if it dies in between, nobody ever ships that order.

Mended, it acknowledges last: what a dead worker had not acknowledged, the broker gives to the next one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import OnMessage, Shop, ship


def hasty(shop: Shop) -> OnMessage:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        channel.basic_ack(method.delivery_tag)
        ship(shop, order)

    return on_order


def careful(shop: Shop) -> OnMessage:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        ship(shop, order)
        channel.basic_ack(method.delivery_tag)

    return on_order


def scenario(worker: Any, broker: Broker) -> Shop:
    shop = Shop(placed=[b"order 1", b"order 2"])
    parts.stage("orders", *shop.placed)
    broker.spawn(parts.consume, "orders", worker(shop), name="worker", restart=True)
    return shop


BUG = Bug(
    "acknowledged before the work is done",
    buggy=partial(scenario, hasty),
    mended=partial(scenario, careful),
    invariant=parts.every_placed_order_is_shipped,
)
