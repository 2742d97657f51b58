"""Orders go to an exchange before any queue is bound to it: the broker drops them, and confirms that it did.

Mended, they are mandatory: what reaches no queue comes back as an UnroutableError, and is published again later.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from pika.exceptions import UnroutableError

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect, ship


def publish_blindly(channel: Any, order: bytes) -> None:
    channel.basic_publish("shop", "order", order, PERSISTENT)


def publish_mandatory(channel: Any, order: bytes) -> None:
    while not has_reached_a_queue(channel, order):
        time.sleep(1)


def has_reached_a_queue(channel: Any, order: bytes) -> bool:
    try:
        channel.basic_publish("shop", "order", order, PERSISTENT, mandatory=True)
    except UnroutableError:
        return False
    return True


def place(shop: Shop, order: bytes, publish: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        publish(channel, order)
        shop.placed.append(order)


def worker(shop: Shop) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        channel.queue_bind("orders", "shop", "order")
        for method, _properties, order in channel.consume("orders"):
            ship(shop, order)
            channel.basic_ack(method.delivery_tag)


def scenario(publish: Any, broker: Broker) -> Shop:
    shop = Shop()
    with connect() as connection:
        connection.channel().exchange_declare("shop", "direct", durable=True)
    broker.spawn(place, shop, b"order 1", publish, restart=True)
    broker.spawn(worker, shop, restart=True)
    return shop


BUG = Bug(
    "mandatory missing",
    buggy=partial(scenario, publish_blindly),
    mended=partial(scenario, publish_mandatory),
    invariant=parts.every_placed_order_is_shipped,
)
