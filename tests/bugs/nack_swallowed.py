"""A full queue refuses an order, and the program passes over the NackError: the customer is told that all is well.

Mended, it waits, and publishes the order again until the broker has taken it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from pika.exceptions import NackError

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect


def publish_and_shrug(channel: Any, order: bytes) -> None:
    if not is_taken(channel, order):
        print("the broker is busy")


def publish_until_taken(channel: Any, order: bytes) -> None:
    while not is_taken(channel, order):
        time.sleep(1)


def is_taken(channel: Any, order: bytes) -> bool:
    try:
        channel.basic_publish("", "orders", order, PERSISTENT, mandatory=True)
    except NackError:
        return False
    return True


def place(shop: Shop, orders: list[bytes], publish: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        while orders:
            publish(channel, orders[0])
            shop.placed.append(orders.pop(0))


def scenario(publish: Any, broker: Broker) -> Shop:
    shop = Shop()
    parts.stage("orders", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    broker.spawn(place, shop, [b"order 1", b"order 2"], publish, restart=True)
    broker.spawn(parts.shipping_worker, shop, restart=True)
    return shop


BUG = Bug(
    "NackError swallowed",
    buggy=partial(scenario, publish_and_shrug),
    mended=partial(scenario, publish_until_taken),
    invariant=parts.every_placed_order_is_shipped,
)
