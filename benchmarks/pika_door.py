"""The pika door, against pika over a broker that does nothing: what is left is what fakeamqp adds to pika."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pika

import fakeamqp
from benchmarks import null_broker
from benchmarks.program import Program
from benchmarks.timing import Figure, Round, at_most, interleaved, shown

MESSAGES = 1000
CONNECTIONS = 30
ROUNDS = 25
MOST_RATIOS = {
    "connect_and_close": 1.5,
    "get": 1.4,
    "consume_and_ack": 1.35,
    "publish": 1.75,
    "publish_confirmed": 1.75,
    "open_and_close_channel": 1.0,
}


def figures() -> Iterator[Figure]:
    """Medians of rounds that take turns: of a program redirected as in tests, and of one that talks to nobody."""
    with null_broker.without_bytes():
        idle = Program(functools.partial(null_broker.connect, MESSAGES), MESSAGES, CONNECTIONS)
    broker = fakeamqp.Broker()
    with broker:
        program = Program(pika.BlockingConnection, MESSAGES, CONNECTIONS)
    for row, most in MOST_RATIOS.items():
        redirected = functools.partial(_within, lambda: broker, getattr(program, row))
        alone = functools.partial(_within, null_broker.without_bytes, getattr(idle, row))
        spent_s, null_s = interleaved(ROUNDS, redirected, alone, choose=statistics.median)
        name, compared_with = f"pika: {row.replace('_', ' ')}", f"pika over nothing, {shown(null_s)}"
        yield at_most(most, name, shown(spent_s), compared_with, spent_s / null_s)


def _within(context: Callable[[], AbstractContextManager[object]], measure: Round) -> float:
    with context():
        return measure()
