"""A worker consumes with auto_ack: the broker forgets an order, and all others on their way, as soon as it is sent.

Mended, the worker acknowledges each order itself, when it is shipped.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import Shop, connect, ship


def trusting_worker(shop: Shop) -> None:
    with connect() as connection:
        channel = connection.channel()
        for _method, _properties, order in channel.consume("orders", auto_ack=True):
            ship(shop, order)


def careful_worker(shop: Shop) -> None:
    with connect() as connection:
        channel = connection.channel()
        for method, _properties, order in channel.consume("orders"):
            ship(shop, order)
            channel.basic_ack(method.delivery_tag)


def scenario(worker: Any, broker: Broker) -> Shop:
    shop = Shop(placed=[b"order 1", b"order 2"])
    parts.stage("orders", *shop.placed)
    broker.spawn(worker, shop, restart=True)
    return shop


BUG = Bug(
    "auto_ack",
    buggy=partial(scenario, trusting_worker),
    mended=partial(scenario, careful_worker),
    invariant=parts.every_placed_order_is_shipped,
)
