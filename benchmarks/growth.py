"""What one step costs as there is more of everything: each row from 10 to 100,000, and the exponent that fits it.

A cost that stays the same has the exponent 0; one that grows as much as what is there has 1. What is measured is one
step, so that work that has to be done for each of many has the exponent 0 as well.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import fakeamqp
from benchmarks.timing import Figure, at_most, shown
from fakeamqp.spec.methods import (
    BasicAck,
    BasicCancel,
    BasicConsume,
    BasicGet,
    BasicPublish,
    BasicQos,
    ConfirmSelect,
    ExchangeDeclare,
    Method,
    QueueBind,
    QueueDeclare,
    TxSelect,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectConnection, connect

SIZES = (10, 100, 1_000, 10_000, 100_000)
STEPS = 200
ROUNDS = 3
"""How often the smaller sizes are measured; the best counts."""
MOST_EXPONENT = 0.25
"""What memory outside the caches and logarithms may make of 0."""
BARS = "▁▂▃▄▅▆▇█"
PERSISTENT = BasicProperties(delivery_mode=2)


def _connected(**options: float) -> DirectConnection:
    connection = connect(fakeamqp.Broker(trace_limit=0, **options))  # type: ignore[arg-type]
    connection.channel()
    return connection


def _each(connection: DirectConnection, methods: Sequence[Method]) -> float:
    """Seconds for each of some methods, sent one after the other."""
    send = connection.send
    began = time.process_time()
    for method in methods:
        send(1, method)
    return (time.process_time() - began) / len(methods)


def _send(connection: DirectConnection, *methods: Method) -> None:
    for method in methods:
        connection.send(1, method)
    connection.receive()


def ack_in_transaction(size: int) -> float:
    """basic.ack, one by one, of many deliveries in a transaction."""
    connection = _connected()
    _send(connection, QueueDeclare("work"), TxSelect())
    publisher = connection.channel(2)
    for _ in range(size):
        publisher.send(BasicPublish("", "work"))
        connection.send(1, BasicGet("work"))
    return _each(connection, [BasicAck(tag) for tag in range(1, size + 1)])


def publish_unconfirmed(size: int) -> float:
    """basic.publish with confirms, of which many wait for the disk."""
    connection = _connected(sync_interval=1)
    _send(connection, QueueDeclare("work", durable=True), ConfirmSelect())
    return _each(connection, [BasicPublish("", "work", properties=PERSISTENT)] * size)


def close_beside_queues(size: int) -> float:
    """The end of a connection with an exclusive queue, where others have many queues."""
    broker = fakeamqp.Broker(trace_limit=0)
    connection = connect(broker)
    connection.channel()
    _send(connection, *(QueueDeclare(f"queue{number}") for number in range(size)))
    others = [connect(broker) for _ in range(STEPS)]
    for each in others:
        each.channel().call(QueueDeclare(exclusive=True))
    began = time.process_time()
    for each in others:
        each.close()
    return (time.process_time() - began) / STEPS


def ack_beside_parked(size: int) -> float:
    """basic.ack, and the delivery that follows, where the channel has many consumers at their limit."""
    connection = _connected()
    _send(connection, QueueDeclare("work"), BasicQos(prefetch_count=1))
    _send(connection, *(BasicConsume("work", str(number), nowait=True) for number in range(size)))
    _send(connection, *[BasicPublish("", "work")] * (size + STEPS))
    return _each(connection, [BasicAck(tag) for tag in range(1, min(size, STEPS) + 1)])


def cancel_among_consumers(size: int) -> float:
    """basic.cancel of one of many consumers of a queue."""
    connection = _connected()
    _send(connection, QueueDeclare("work"))
    _send(connection, *(BasicConsume("work", str(number), nowait=True) for number in range(size)))
    leaving = random.Random(size).sample(range(size), size // 2)
    return _each(connection, [BasicCancel(str(number)) for number in leaving])


def publish_to_headers_exchange(size: int) -> float:
    """basic.publish to a headers exchange with many bindings, one of which matches."""
    connection = _connected()
    _send(connection, ExchangeDeclare("events", "headers"), QueueDeclare("work"))
    wanted = ({"x-match": "all", "kind": "order", "number": number} for number in range(size))
    _send(connection, *(QueueBind("work", "events", arguments=each, nowait=True) for each in wanted))
    numbers = random.Random(size).choices(range(size), k=STEPS)
    headers = [BasicProperties(headers={"kind": "order", "number": number}) for number in numbers]
    return _each(connection, [BasicPublish("events", properties=each) for each in headers])


def publish_new_keys(size: int) -> float:
    """basic.publish to a fanout exchange, with a routing key of its own each time."""
    connection = _connected()
    _send(connection, ExchangeDeclare("events", "fanout"), QueueDeclare("work"), QueueBind("work", "events"))
    return _each(connection, [BasicPublish("events", str(number)) for number in range(size)])


def fan_out(size: int) -> float:
    """What each of many queues costs that a message of a new routing key goes to."""
    connection = _connected()
    _send(connection, ExchangeDeclare("events", "fanout"))
    for number in range(size):
        _send(connection, QueueDeclare(f"queue{number}"), QueueBind(f"queue{number}", "events"))
    return _each(connection, [BasicPublish("events", str(number)) for number in range(3)]) / size


def get_from_expiring(size: int) -> float:
    """basic.get from an empty queue with x-expires, again and again."""
    connection = _connected()
    _send(connection, QueueDeclare("work", arguments={"x-expires": 60_000}))
    return _each(connection, [BasicGet("work")] * size)


def get_by_priority(size: int) -> float:
    """basic.get from a queue with many messages of 256 priorities."""
    connection = _connected()
    _send(connection, QueueDeclare("work", arguments={"x-max-priority": 255}))
    properties = [BasicProperties(priority=number) for number in range(256)]
    chosen = random.Random(size).choices(properties, k=size)
    _send(connection, *(BasicPublish("", "work", properties=each) for each in chosen))
    return _each(connection, [BasicGet("work", no_ack=True)] * min(size, 10_000))


ROWS: dict[str, Callable[[int], float]] = {
    "ack in a transaction of N": ack_in_transaction,
    "publish, N confirms wait": publish_unconfirmed,
    "close beside N queues": close_beside_queues,
    "ack, N consumers parked": ack_beside_parked,
    "cancel one of N consumers": cancel_among_consumers,
    "headers, N bindings": publish_to_headers_exchange,
    "fanout, N new keys": publish_new_keys,
    "fanout, each of N queues": fan_out,
    "get with x-expires, N times": get_from_expiring,
    "get of 256 priorities, N": get_by_priority,
}


class Curve(NamedTuple):
    """What a step costs at each of SIZES, seconds."""

    name: str
    costs_s: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """The slope of a straight line through the logarithms, from 100 on, as what comes before is mostly overhead."""
        points = [(math.log(size), math.log(cost)) for size, cost in zip(SIZES, self.costs_s, strict=True)][1:]
        middle_x, middle_y = (sum(each) / len(points) for each in zip(*points, strict=True))
        slope = sum((x - middle_x) * (y - middle_y) for x, y in points)
        return slope / sum((x - middle_x) ** 2 for x, _ in points)


def curves() -> Iterator[Curve]:
    """Each row's curve."""
    gc.disable()  # it looks at everything there is now and then, which has nothing to do with the step
    try:
        for name, cost_of in ROWS.items():
            costs = (min(cost_of(size) for _ in range(ROUNDS if size < SIZES[-2] else 1)) for size in SIZES)
            yield Curve(name, tuple(costs))
            gc.collect()
    finally:
        gc.enable()


def as_text(found: Sequence[Curve]) -> str:
    """One line for each curve, with a bar for each size."""
    lines = [f"{'one step':28}" + "".join(f"{size:>10,}" for size in SIZES) + "            exponent"]
    for each in found:
        bars = "".join(BARS[min(int(8 * cost / max(each.costs_s)), 7)] for cost in each.costs_s)
        costs = "".join(f"{shown(cost):>10}" for cost in each.costs_s)
        lines.append(f"{each.name:28}{costs}   {bars} {each.exponent:>9.2f}")
    return "\n".join(lines)


def figures(found: Sequence[Curve]) -> Iterator[Figure]:
    """The exponents."""
    for each in found:
        exponent = max(each.exponent, 0.0)
        yield at_most(MOST_EXPONENT, f"growth: {each.name}", f"exponent {each.exponent:.2f}", "", exponent)
