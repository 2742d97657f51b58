"""Without a prefetch limit the first worker gets all orders: while it hangs at one, the others wait with it.

Mended, prefetch_count=1: the other worker, who has nothing to do, ships them.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from fakeamqp import Broker, Faults
from tests.bugs import parts
from tests.bugs.bug import Bug

UNLIMITED = 0
SOON_SECONDS = 30

Shipped = dict[bytes, float]
"""When each order was shipped, in seconds since the shop was opened."""


def worker(shipped: Shipped, opened: float, prefetch_count: int) -> None:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        time.sleep(60 if order == b"piano" else 1)
        shipped.setdefault(order, time.monotonic() - opened)
        channel.basic_ack(method.delivery_tag)

    parts.consume("orders", on_order, prefetch_count=prefetch_count)


def scenario(prefetch_count: int, broker: Broker) -> Shipped:
    shipped: Shipped = {}
    parts.stage("orders", b"piano", b"book")
    opened = broker.now
    for name in ("worker 1", "worker 2"):
        broker.spawn(worker, shipped, opened, prefetch_count, name=name, restart=True)
    return shipped


def books_are_shipped_soon(broker: Broker, shipped: Shipped) -> None:
    assert shipped[b"book"] < SOON_SECONDS, f"a book was shipped after {shipped[b'book']:.0f} seconds"


BUG = Bug(
    "prefetch 0 and a worker that hangs",
    buggy=partial(scenario, UNLIMITED),
    mended=partial(scenario, 1),
    invariant=books_are_shipped_soon,
    faults=Faults(kill=1),  # with both workers at the piano, which a lost connection can bring about, no limit helps,
)
