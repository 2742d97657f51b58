"""The queue is durable and its messages are not: when the broker dies, the queue comes back empty.

Mended, they are published as persistent: delivery_mode 2.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect

TRANSIENT = None  # what pika takes where nothing is said


def place(shop: Shop, order: bytes, properties: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "orders", order, properties, mandatory=True)
        shop.placed.append(order)


def scenario(properties: Any, broker: Broker) -> Shop:
    shop = Shop()
    parts.stage("orders")
    broker.spawn(place, shop, b"order 1", properties, restart=True)
    broker.spawn(parts.shipping_worker, shop, restart=True)
    return shop


BUG = Bug(
    "transient messages",
    buggy=partial(scenario, TRANSIENT),
    mended=partial(scenario, PERSISTENT),
    invariant=parts.every_placed_order_is_shipped,
)
