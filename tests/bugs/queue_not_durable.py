"""The queue is not durable: when the broker dies, it is gone, with every order that was confirmed.

Mended, it is declared durable.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect, ship


def declare_forgettable(channel: Any) -> None:
    channel.queue_declare("orders")


def declare_durable(channel: Any) -> None:
    channel.queue_declare("orders", durable=True)


def place(shop: Shop, order: bytes, declare: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        declare(channel)
        channel.confirm_delivery()
        channel.basic_publish("", "orders", order, PERSISTENT, mandatory=True)
        shop.placed.append(order)


def worker(shop: Shop, declare: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        declare(channel)
        for method, _properties, order in channel.consume("orders"):
            ship(shop, order)
            channel.basic_ack(method.delivery_tag)


def scenario(declare: Any, broker: Broker) -> Shop:
    shop = Shop()
    broker.spawn(place, shop, b"order 1", declare, restart=True)
    broker.spawn(worker, shop, declare, restart=True)
    return shop


BUG = Bug(
    "no durable queue",
    buggy=partial(scenario, declare_forgettable),
    mended=partial(scenario, declare_durable),
    invariant=parts.every_placed_order_is_shipped,
)
