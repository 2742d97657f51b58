"""A worker holds an order for ten seconds and requeues it, but the queue's messages live for five: it is gone.

Mended, the queue has no time to live; orders that are too old are for the worker to refuse.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import Shop

RETRY_AFTER_SECONDS = 10
SHORT_LIVED = {"x-message-ttl": 5_000}
LONG_LIVED: dict[str, Any] = {}


class Carrier:
    """Does not answer the first call."""

    def __init__(self) -> None:
        self.calls = 0

    def collect(self) -> None:
        self.calls += 1
        if self.calls == 1:
            raise TimeoutError


def worker(shop: Shop, carrier: Carrier) -> None:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        try:
            carrier.collect()
        except TimeoutError:
            time.sleep(RETRY_AFTER_SECONDS)
            channel.basic_nack(method.delivery_tag, requeue=True)
        else:
            shop.shipped.append(order)
            channel.basic_ack(method.delivery_tag)

    parts.consume("orders", on_order)


def scenario(arguments: dict[str, Any], broker: Broker) -> Shop:
    shop = Shop(placed=[b"order 1"])
    parts.stage("orders", *shop.placed, arguments=arguments)
    broker.spawn(worker, shop, Carrier(), restart=True)
    return shop


BUG = Bug(
    "time to live shorter than the retry",
    buggy=partial(scenario, SHORT_LIVED),
    mended=partial(scenario, LONG_LIVED),
    invariant=parts.every_placed_order_is_shipped,
)
