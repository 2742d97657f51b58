"""A random program over pika, and all that it saw: the same for the same seeds, in whatever process it runs.

As a script, `python -m tests.model._program VERSION BROKER_SEED PROGRAM_SEED...` prints what such programs saw.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions

import fakeamqp

STEPS = 120
EXCHANGES = ("amq.direct", "amq.fanout", "amq.fanout", "amq.fanout", "amq.topic", "amq.headers")
TO_INVOICES = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "invoices"}
DURABLE: dict[str, dict[str, Any]] = {
    "orders": {"x-queue-type": "quorum", "x-delivery-limit": 1, **TO_INVOICES},
    "invoices": {"x-max-priority": 3, "x-max-length": 5},
    "quotes": {"x-message-ttl": 2000, "x-max-length": 2, "x-expires": 60_000, **TO_INVOICES},
    "complaints": {"x-single-active-consumer": True, "x-max-length": 1, "x-overflow": "reject-publish"},
}
"""Durable queues, each with its arguments."""
KEYS = ("a", "b", "a.b", "#")


class Program:
    """Does at random what programs do. `random` decides what; all other chance is the broker's."""

    def __init__(self, broker: fakeamqp.Broker, program_seed: int) -> None:
        self.broker = broker
        self.random = random.Random(program_seed)
        self.seen: list[str] = []
        self.queues: list[str] = []
        self.tags: list[tuple[int, Any]] = []
        self.connect()

    def connect(self) -> None:
        self.connection = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=30))
        self.open_channels()

    def open_channels(self) -> None:
        self.channels = [self.connection.channel() for _ in range(2)]
        self.tags = []

    def step(self) -> None:
        """One thing, and the rest of the program only if it went well."""
        actions: list[Callable[[Any], object]] = [
            self.declare, self.declare_durable, self.bind, self.bind, self.publish, self.publish, self.publish,
            self.consume, self.consume, self.get, self.settle, self.settle, self.listen, self.listen, self.select,
            self.go_down, self.delete,
        ]  # fmt: skip
        action = self.random.choice(actions)
        try:
            self.note(action.__name__, action(self.random.choice(self.channels)))
        except pika.exceptions.AMQPError as error:
            self.note("error", repr(error))
            self.start_over()

    def start_over(self) -> None:
        """With new channels, or with a new connection where that one is gone or goes now."""
        try:
            self.open_channels()
        except pika.exceptions.AMQPError as error:
            self.note("error", repr(error))
            self.connect()

    def note(self, *what: object) -> None:
        self.seen.append(f"{self.broker.now:.6f} {' '.join(map(str, what))}")

    def a_queue(self) -> str:
        return self.random.choice(self.queues[-4:]) if self.queues else "missing"

    def declare(self, channel: Any) -> object:
        """A queue that the broker names."""
        self.queues.append(channel.queue_declare("", auto_delete=self.random.random() < 0.5).method.queue)
        return self.queues[-1]

    def declare_durable(self, channel: Any) -> object:
        name = self.random.choice(tuple(DURABLE))
        self.queues.append(name)
        return channel.queue_declare(name, durable=True, arguments=DURABLE[name])

    def bind(self, channel: Any) -> object:
        arguments = {"h": self.random.choice((1, 2)), "x-match": "any"}
        return channel.queue_bind(self.a_queue(), self.random.choice(EXCHANGES), self.random.choice(KEYS), arguments)

    def publish(self, channel: Any) -> object:
        headers = {name: self.random.choice((1, 2)) for name in ("z", "h", "a")}
        priority, mode = self.random.choice((None, 0, 2)), self.random.choice((1, 2))
        properties = pika.BasicProperties(headers=headers, delivery_mode=mode, priority=priority)
        exchange, key = self.random.choice((("", self.a_queue()), (self.random.choice(EXCHANGES), "a")))
        return channel.basic_publish(exchange, key, str(self.random.random()).encode(), properties)

    def consume(self, channel: Any) -> object:
        channel.basic_qos(prefetch_count=self.random.choice((0, 1, 2)))
        arguments = self.random.choice(({}, {"x-priority": 1}))
        auto_ack = self.random.random() < 0.3
        return channel.basic_consume(self.a_queue(), self.receive, auto_ack=auto_ack, arguments=arguments)

    def receive(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self.note("received", method, sorted((properties.headers or {}).items()), list(properties.headers or {}), body)
        self.tags.append((method.delivery_tag, channel))

    def get(self, channel: Any) -> object:
        method, properties, body = channel.basic_get(self.a_queue())
        if method is not None:
            self.tags.append((method.delivery_tag, channel))
        return method, properties, body

    def settle(self, _: Any) -> object:
        if not self.tags:
            return "nothing"
        tag, channel = self.tags.pop(self.random.randrange(len(self.tags)))
        if self.random.random() < 0.5:
            return channel.basic_ack(tag, multiple=self.random.random() < 0.3)
        return channel.basic_nack(tag, requeue=self.random.random() < 0.7)

    def listen(self, _: Any) -> object:
        return self.connection.process_data_events(self.random.choice((0, 0.5, 20)))

    def select(self, channel: Any) -> object:
        return self.random.choice((channel.confirm_delivery, channel.tx_select))()

    def go_down(self, _: Any) -> object:
        if self.random.random() < 0.8:
            return "not yet"
        self.random.choice((self.broker.stop, self.broker.crash))()
        self.broker.restart()
        return self.connection.process_data_events(0)

    def delete(self, channel: Any) -> object:
        return channel.queue_delete(self.a_queue())


def run(version: str, broker_seed: int, program_seed: int) -> list[str]:
    """Run a program; the trace of all that was said, and what the program saw of it."""
    broker = fakeamqp.Broker(version=version, seed=broker_seed, sync_interval=0.2, trace_limit=None)
    with broker:
        program = Program(broker, program_seed)
        for _ in range(STEPS):
            program.step()
        return [*map(str, broker.trace), *program.seen]


if __name__ == "__main__":
    version, broker_seed, *program_seeds = sys.argv[1:]
    seen = [line for each in program_seeds for line in run(version, int(broker_seed), int(each))]
    sys.stdout.buffer.write("\n".join(seen).encode())
