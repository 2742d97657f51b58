"""Every order is shipped, whoever goes first, and also when the broker crashes or a program dies at any moment."""

from __future__ import annotations

from typing import Any

import pytest

import fakeamqp
from fakeamqp.demo import orders


@pytest.mark.parametrize("worker", [orders.hasty_worker, orders.careful_worker])
def test_every_order_is_shipped(worker: Any) -> None:
    def scenario(broker: fakeamqp.Broker) -> list[bytes]:
        shipped: list[bytes] = []
        broker.spawn(orders.place, b"order 1", b"order 2", name="shop", restart=True)
        broker.spawn(worker, shipped.append, name="worker", restart=True)
        return shipped

    def every_order_is_shipped(broker: fakeamqp.Broker, shipped: list[bytes]) -> None:
        assert sorted(set(shipped)) == [b"order 1", b"order 2"]

    fakeamqp.explore(scenario, every_order_is_shipped, runs=300, faults=fakeamqp.Faults(crash=1, kill=1))
