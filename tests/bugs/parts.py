"""What the programs here have in common: plain pika code, as a small shop would have written it once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pika

PARAMETERS = pika.URLParameters("amqp://guest:guest@rabbitmq.example/")
PERSISTENT = pika.BasicProperties(delivery_mode=2)

OnMessage = Callable[[Any, Any, Any, bytes], None]
"""What pika calls with (channel, method, properties, body)."""


@dataclass
class Shop:
    """The outer world, which no crash undoes."""

    placed: list[bytes] = field(default_factory=list)
    """Orders whose customers were told that all is well."""
    shipped: list[bytes] = field(default_factory=list)
    """What the carrier has collected."""


class Database(sqlite3.Connection):
    """A database server, which no crash undoes either; it is closed when nobody knows it any more."""

    def __init__(self, *tables: str) -> None:
        super().__init__(":memory:")
        for table in tables:
            self.execute(f"CREATE TABLE {table}")

    def __del__(self) -> None:
        self.close()


def connect() -> pika.BlockingConnection:
    """A connection to the shop's broker."""
    return pika.BlockingConnection(PARAMETERS)


def stage(queue: str, *messages: bytes, properties: Any = PERSISTENT, arguments: Any = None) -> None:
    """What is there when a program begins: a durable queue, with messages that are safe."""
    with connect() as connection:
        channel = connection.channel()
        channel.queue_declare(queue, durable=True, arguments=arguments)
        channel.confirm_delivery()
        for message in messages:
            channel.basic_publish("", queue, message, properties, mandatory=True)


def consume(queue: str, on_message: OnMessage, *, prefetch_count: int = 1) -> None:
    """Give `on_message` what comes, for ever."""
    with connect() as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=prefetch_count)
        channel.basic_consume(queue, on_message)
        channel.start_consuming()


def shipping_worker(shop: Shop) -> None:
    """Ship each order, and acknowledge it when that is done."""

    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        ship(shop, order)
        channel.basic_ack(method.delivery_tag)

    consume("orders", on_order)


def ship(shop: Shop, order: bytes) -> None:
    """The carrier takes a second to collect an order."""
    time.sleep(1)
    shop.shipped.append(order)


def every_placed_order_is_shipped(broker: Any, shop: Shop) -> None:
    """An invariant: at least once, as no program here can do better without the carrier's help."""
    missing = [order for order in shop.placed if order not in shop.shipped]
    assert not missing, f"placed and never shipped: {missing}"
