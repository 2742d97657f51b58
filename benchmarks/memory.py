"""What a queued message takes, and what it costs to put one back deep inside a queue."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, at_most, interleaved, seconds_each, shown
from fakeamqp.spec.methods import BasicGet, BasicNack, BasicPublish, QueueDeclare
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import connect

MESSAGES = 1_000_000
MOST_BYTES = 600
SMALL, LARGE = 1_000, 100_000
REQUEUED = 200
ROUNDS = 10
MOST_GROWTH = 5.0
"""log 100,000 / log 1,000 is 1.7, and memory outside the caches takes its part; in proportion it would be 100."""


def bytes_each(durable: bool, delivery_mode: int | None) -> float:
    """What Python allocates for each of a million messages, less the octets of its body, by tracemalloc.

    Every message has a method, properties and body of its own, as if each had been published by itself.
    """
    connection = connect(fakeamqp.Broker())
    connection.channel().call(QueueDeclare("work", durable=durable))
    octets = 0
    tracemalloc.start()
    for number in range(MESSAGES):
        body = b"%d" % number
        octets += len(body)
        properties = BasicProperties(delivery_mode=delivery_mode)
        connection.send(1, BasicPublish("", "work", properties=properties, body=body))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (taken - octets) / MESSAGES


class RequeueRounds:
    """Messages that one client holds, every second of which it has put back already, in random order."""

    def __init__(self, messages: int, seed: int = 0) -> None:
        self._connection = connect(fakeamqp.Broker())
        self._connection.channel().call(QueueDeclare("work"))
        for _ in range(messages):
            self._connection.send(1, BasicPublish("", "work"))
            self._connection.send(1, BasicGet("work"))
        self._connection.receive()
        self._tags = random.Random(seed).sample(range(1, messages + 1), messages)
        self._put_back(messages // 2)

    def requeue(self) -> float:
        """Put some more back, wherever they were."""
        return seconds_each(REQUEUED, lambda: self._put_back(REQUEUED))

    def _put_back(self, count: int) -> None:
        for _ in range(count):
            self._connection.send(1, BasicNack(self._tags.pop()))


def figures() -> Iterator[Figure]:
    """Bytes against the target, and the cost of a requeue in a long queue against a short one."""
    for name, durable, delivery_mode in (("transient", False, None), ("persistent", True, 2)):
        taken = bytes_each(durable, delivery_mode)
        measured = f"{taken:.0f} bytes"
        compared_with = f"{MOST_BYTES} bytes"
        yield at_most(1, f"memory: {name} message", measured, compared_with, taken / MOST_BYTES, "beyond its body")
    deep = RequeueRounds(LARGE)
    large_s, small_s = interleaved(ROUNDS, deep.requeue, lambda: RequeueRounds(SMALL).requeue())
    name, compared_with = f"requeue: inside {LARGE:,}", f"inside {SMALL:,}, {shown(small_s)}"
    yield at_most(MOST_GROWTH, name, shown(large_s), compared_with, large_s / small_s)
