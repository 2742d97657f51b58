"""Every order is shipped, also when shipping fails in the middle and the worker is started again."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.demo import orders


@pytest.mark.parametrize("worker", [orders.hasty_worker, orders.careful_worker])
def test_every_order_is_shipped(amqp_broker: Any, worker: Any) -> None:
    shipped: list[bytes] = []
    failures = [ConnectionError("the carrier does not answer")]

    def ship(order: bytes) -> None:
        if order == b"order 2" and failures:
            raise failures.pop()
        shipped.append(order)

    orders.place(b"order 1", b"order 2", b"order 3")
    with pytest.raises(ConnectionError):
        worker(ship)  # dies at order 2
    amqp_broker.crash()  # and, as luck would have it, the broker as well
    amqp_broker.restart()
    worker(ship)  # the supervisor starts a new one

    assert sorted(shipped) == [b"order 1", b"order 2", b"order 3"]
