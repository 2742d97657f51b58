"""Exchanges that route by chance: the broker's seed decides."""

from __future__ import annotations

import pytest

from fakeamqp import Broker


def drawn(broker: Broker, exchanges: tuple[str, ...] = ("dice",), kind: str = "x-random") -> list[str]:
    """Which of ten queues each of thirty messages to the first of these exchanges went to."""
    channel = broker.connect().channel()
    for exchange in exchanges:
        channel.exchange_declare(exchange, kind)
        for number in range(10):
            channel.queue_declare(f"{exchange}-{number}")
            channel.queue_bind(f"{exchange}-{number}", exchange, "")
    for number in range(30):
        for exchange in exchanges:
            channel.basic_publish(exchange, "", str(number).encode())
    owners = {
        int(message.body): queue.name
        for queue in broker.list_queues()
        for message in queue.messages
        if message.exchange == exchanges[0]
    }
    return [owners[number] for number in range(30)]


@pytest.mark.parametrize("kind", ["x-random", "x-local-random"])
def test_a_seed_repeats_the_choices(kind: str) -> None:
    assert drawn(Broker(seed=1), kind=kind) == drawn(Broker(seed=1), kind=kind)


@pytest.mark.parametrize("kind", ["x-random", "x-local-random"])
def test_another_seed_makes_others(kind: str) -> None:
    assert drawn(Broker(seed=1), kind=kind) != drawn(Broker(seed=2), kind=kind)


def test_the_choices_of_another_exchange_shift_none() -> None:
    assert drawn(Broker(seed=1), ("dice", "coin")) == drawn(Broker(seed=1))
