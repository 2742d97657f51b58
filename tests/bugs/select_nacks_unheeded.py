"""A SelectConnection's confirmation callback counts what RabbitMQ answers, and takes each nack for an ack.

Mended, it looks which of the two has come, and publishes what was refused again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pika

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PARAMETERS, PERSISTENT, Shop


class CountingPublisher:
    """Publishes one order, and tells the customer when RabbitMQ has answered."""

    def __init__(self, shop: Shop, order: bytes) -> None:
        self.shop = shop
        self.order = order
        self.connection = pika.SelectConnection(
            PARAMETERS, on_open_callback=self.on_open, on_close_callback=self.on_closed
        )

    def run(self) -> None:
        self.connection.ioloop.start()

    def on_open(self, connection: Any) -> None:
        connection.channel(on_open_callback=self.on_channel)

    def on_channel(self, channel: Any) -> None:
        self.channel = channel
        channel.confirm_delivery(self.on_answer, callback=lambda _: self.publish())

    def publish(self) -> None:
        self.channel.basic_publish("", "orders", self.order, PERSISTENT, mandatory=True)

    def on_answer(self, frame: Any) -> None:
        self.is_taken()

    def is_taken(self) -> None:
        self.shop.placed.append(self.order)
        self.connection.close()

    def on_closed(self, connection: Any, reason: Exception) -> None:
        self.connection.ioloop.stop()


class HeedingPublisher(CountingPublisher):
    def on_answer(self, frame: Any) -> None:
        if isinstance(frame.method, pika.spec.Basic.Ack):
            self.is_taken()
        else:
            self.connection.ioloop.call_later(1, self.publish)


def program(publisher: Any, shop: Shop, order: bytes) -> None:
    while order not in shop.placed:
        publisher(shop, order).run()


def scenario(publisher: Any, broker: Broker) -> Shop:
    shop = Shop()
    parts.stage("orders", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    for order in (b"order 1", b"order 2"):
        broker.spawn(program, publisher, shop, order, name=f"customer of {order.decode()}", restart=True)
    broker.spawn(parts.shipping_worker, shop, restart=True)
    return shop


BUG = Bug(
    "nack unheeded by a SelectConnection",
    buggy=partial(scenario, CountingPublisher),
    mended=partial(scenario, HeedingPublisher),
    invariant=parts.every_placed_order_is_shipped,
)
