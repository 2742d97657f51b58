"""A customer is told that all is well as soon as basic_publish returns: the order may still be lost on its way.

Mended, the channel confirms: basic_publish returns when the broker has the order, and raises otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect


def plain_channel(connection: Any) -> Any:
    return connection.channel()


def confirming_channel(connection: Any) -> Any:
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


def place(shop: Shop, orders: list[bytes], open_channel: Any) -> None:
    with connect() as connection:
        channel = open_channel(connection)
        while orders:
            channel.basic_publish("", "orders", orders[0], PERSISTENT)
            shop.placed.append(orders.pop(0))


def scenario(open_channel: Any, broker: Broker) -> Shop:
    shop = Shop()
    parts.stage("orders")
    broker.spawn(place, shop, [b"order 1", b"order 2"], open_channel, restart=True)
    broker.spawn(parts.shipping_worker, shop, restart=True)
    return shop


BUG = Bug(
    "no confirms",
    buggy=partial(scenario, plain_channel),
    mended=partial(scenario, confirming_channel),
    invariant=parts.every_placed_order_is_shipped,
)
