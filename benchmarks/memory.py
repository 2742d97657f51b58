"""What a queued message takes, and what it costs to put one back deep inside a queue."""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, at_most, interleaved, seconds_each, shown
from fakeamqp.spec.methods import BasicGet, BasicNack, BasicPublish, QueueDeclare
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.testing.direct import connect

MESSAGES = 200_000
MOST_BYTES = {"ready, transient": 240, "ready, persistent": 300, "unacknowledged": 400}
SMALL, LARGE = 1_000, 100_000
REQUEUED = 200
ROUNDS = 10
MOST_GROWTH = 5.0
"""log 100,000 / log 1,000 is 1.7, and memory outside the caches takes its part; in proportion it would be 100."""


def bytes_each(state: str) -> float:
    """What Python allocates for each of many messages, less the objects of their bodies, by tracemalloc.

    Every message has a method and a body of its own, as if each had been published by itself. There is no trace.
    """
    is_persistent = state == "ready, persistent"
    connection = connect(fakeamqp.Broker(trace_limit=0))
    connection.channel().call(QueueDeclare("work", durable=is_persistent))
    properties = BasicProperties(delivery_mode=2) if is_persistent else EMPTY_PROPERTIES
    bodies = 0
    tracemalloc.start()
    for number in range(MESSAGES):
        body = b"%d" % number
        bodies += sys.getsizeof(body)
        connection.send(1, BasicPublish("", "work", properties=properties, body=body))
        if state == "unacknowledged":
            connection.send(1, BasicGet("work"))
            connection.receive()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (taken - bodies) / MESSAGES


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
    for state, most in MOST_BYTES.items():
        taken = bytes_each(state)
        yield at_most(
            1, f"memory: a message {state}", f"{taken:.0f} bytes", f"{most} bytes", taken / most, "beyond its body"
        )
    deep = RequeueRounds(LARGE)
    large_s, small_s = interleaved(ROUNDS, deep.requeue, lambda: RequeueRounds(SMALL).requeue())
    name, compared_with = f"requeue: inside {LARGE:,}", f"inside {SMALL:,}, {shown(small_s)}"
    yield at_most(MOST_GROWTH, name, shown(large_s), compared_with, large_s / small_s)
