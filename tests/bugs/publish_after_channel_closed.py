"""An audit record goes to an exchange that is not there yet, which closes the channel: the order after it is lost.

Mended, the order has a channel of its own, and is told as placed when the broker has confirmed it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pika.exceptions import AMQPError

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, Shop, connect


def publish_on_one_channel(connection: Any, order: bytes) -> None:
    channel = connection.channel()
    channel.basic_publish("audit", "", b"somebody orders " + order)
    channel.basic_publish("", "orders", order, PERSISTENT)


def publish_on_two_channels(connection: Any, order: bytes) -> None:
    connection.channel().basic_publish("audit", "", b"somebody orders " + order)
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", "orders", order, PERSISTENT, mandatory=True)


def web_server(shop: Shop, order: bytes, publish: Any) -> None:
    try:
        with connect() as connection:
            publish(connection, order)
            shop.placed.append(order)
    except AMQPError as error:
        print(f"500 Internal Server Error: {error}")


def auditor(audited: list[bytes]) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.exchange_declare("audit", "fanout")
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "audit")
        for _method, _properties, record in channel.consume(queue, auto_ack=True):
            audited.append(record)


def scenario(publish: Any, broker: Broker) -> Shop:
    shop = Shop()
    parts.stage("orders")
    broker.spawn(web_server, shop, b"order 1", publish)
    broker.spawn(auditor, [], restart=True)
    broker.spawn(parts.shipping_worker, shop, restart=True)
    return shop


BUG = Bug(
    "publish after the channel was closed",
    buggy=partial(scenario, publish_on_one_channel),
    mended=partial(scenario, publish_on_two_channels),
    invariant=parts.every_placed_order_is_shipped,
)
