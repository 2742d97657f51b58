"""Two workers that ship orders, as somebody would write them for RabbitMQ: one has a bug, one is mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika

URL = "amqp://guest:guest@rabbitmq.example/"
PERSISTENT = pika.BasicProperties(delivery_mode=2)

Ship = Callable[[bytes], None]


def place(*orders: bytes) -> None:
    """Publish orders, safely: a durable queue, persistent messages, confirmed."""
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        channel.confirm_delivery()
        for order in orders:
            channel.basic_publish("", "orders", order, PERSISTENT, mandatory=True)


def hasty_worker(ship: Ship) -> None:
    """Ship orders until there are none. It acknowledges an order before it has shipped it."""

    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        channel.basic_ack(method.delivery_tag)
        ship(order)

    _consume(on_order)


def careful_worker(ship: Ship) -> None:
    """Ship orders until there are none, and acknowledge each when it is done."""

    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        ship(order)
        channel.basic_ack(method.delivery_tag)

    _consume(on_order)


def _consume(on_order: Callable[[Any, Any, Any, bytes], None]) -> None:
    with pika.BlockingConnection(pika.URLParameters(URL)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders", durable=True)
        channel.basic_qos(prefetch_count=1)
        for method, properties, order in channel.consume("orders", inactivity_timeout=30):
            if method is None:
                break
            on_order(channel, method, properties, order)
