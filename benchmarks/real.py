"""fakeamqp against a real RabbitMQ on the same machine, both through pika."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import pika

import fakeamqp
from benchmarks.program import Program
from benchmarks.timing import Figure, at_least, interleaved, shown

MESSAGES = 150  # short rounds and many, as on a busy machine only a short one is ever undisturbed
ROUNDS = 40


def figures(url: str) -> Iterator[Figure]:
    """How many times faster fakeamqp is than the broker at an AMQP URL."""
    fake = Program(functools.partial(_redirected, fakeamqp.Broker()), MESSAGES, clock=time.perf_counter)
    real = Program(lambda: pika.BlockingConnection(pika.URLParameters(url)), MESSAGES, clock=time.perf_counter)
    version = real.connection._impl.server_properties["version"]
    sides = {
        "publish": (3.0, fake.publish, real.publish),
        "get": (8.0, fake.get, real.get),
        "consume and ack": (2.5, fake.consume_and_ack, real.consume_and_ack),
        "confirmed publish": (6.0, fake.publish_confirmed, real.publish_confirmed),
        "connect and close": (10.0, fake.connect_and_close, real.connect_and_close),
    }
    for name, (least, ours, theirs) in sides.items():
        fake_s, real_s = interleaved(ROUNDS, ours, theirs)
        compared_with = f"RabbitMQ {version}, {shown(real_s)}"
        yield at_least(least, f"real broker: {name}", shown(fake_s), compared_with, real_s / fake_s)
    real.connection.close()


def _redirected(broker: fakeamqp.Broker) -> pika.BlockingConnection:
    with broker:
        return pika.BlockingConnection()
