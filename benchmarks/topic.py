"""A topic exchange with many random bindings.

A key is four words of the same 1,000 and a number of its own. A binding's pattern is such a key with `*` for the
number; each word is `*` as well one time in thirty, and in one pattern of ten some word is `#`. Each pattern leads to
one of 1,000 queues. Keys are made to match one of the patterns, chosen at random; what else they match is chance.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

import fakeamqp
from benchmarks.timing import Figure, bare_append, interleaved, within
from fakeamqp.spec.methods import BasicPublish, ExchangeDeclare, QueueBind, QueueDeclare
from fakeamqp.testing.direct import connect

SIZES = (10, 100, 1_000, 10_000, 100_000)
QUEUES = 1_000
WORDS = [f"word{number}" for number in range(1_000)]
KEYS = 1_000
ROUNDS = 5
NEW_KEY_S = 60e-6
REPEATED_KEY_S = 3e-6


class Point(NamedTuple):
    """Medians, in seconds for one publish, with a number of bindings, and how many of them a key matched."""

    bindings: int
    new_key_s: float
    repeated_key_s: float
    append_s: float
    matches: float


class TopicRounds:
    """Rounds of publishes to a topic exchange; bindings are added in between."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._broker = fakeamqp.Broker()
        self._connection = connect(self._broker)
        self._patterns: list[list[str]] = []
        self._numbers = itertools.count()
        channel = self._connection.channel()
        channel.call(ExchangeDeclare("events", "topic"))
        for number in range(QUEUES):
            channel.call(QueueDeclare(f"queue{number}"))

    def grow(self, bindings: int) -> None:
        """Bind until there are this many."""
        for number in range(len(self._patterns), bindings):
            pattern = self._pattern()
            self._patterns.append(pattern)
            self._connection.send(1, QueueBind(f"queue{number % QUEUES}", "events", ".".join(pattern), True))

    def new_keys(self) -> float:
        """The median of publishes with keys that were never used."""
        return self._median([self._key() for _ in range(KEYS)])

    def repeated_keys(self) -> float:
        """The median of publishes with keys that were just used."""
        keys = [self._key() for _ in range(KEYS)]
        self._median(keys)
        return self._median(keys)

    def matches(self) -> float:
        """How many queues a random key leads to, on average."""
        before = self._queued()
        self._median([self._key() for _ in range(KEYS)])
        return (self._queued() - before) / KEYS

    def _queued(self) -> int:
        return sum(len(queue.messages) for queue in self._broker.list_queues())

    def _median(self, keys: list[str]) -> float:
        spent = []
        for key in keys:
            method = BasicPublish("events", key, body=b"small body")
            began = time.perf_counter_ns()
            self._connection.send(1, method)
            spent.append(time.perf_counter_ns() - began)
        return statistics.median(spent) / 1e9

    def _key(self) -> str:
        words = [self._random.choice(WORDS) if word in "*#" else word for word in self._random.choice(self._patterns)]
        return ".".join((*words[:-1], str(next(self._numbers))))

    def _pattern(self) -> list[str]:
        words = [word if self._random.random() >= 1 / 30 else "*" for word in self._random.choices(WORDS, k=4)]
        if self._random.random() < 0.1:
            words[self._random.randrange(4)] = "#"
        return [*words, "*"]


def curve() -> Iterator[Point]:
    """The cost of a publish as bindings grow from 10 to 100,000."""
    rounds = TopicRounds()
    for size in SIZES:
        rounds.grow(size)
        new_s, repeated_s, append_s = interleaved(ROUNDS, rounds.new_keys, rounds.repeated_keys, bare_append)
        yield Point(size, new_s, repeated_s, append_s, rounds.matches())


def figures(points: list[Point]) -> Iterator[Figure]:
    """What a publish costs with the most bindings."""
    last = points[-1]
    name = f"topic: {last.bindings:,} bindings"
    yield within(NEW_KEY_S, f"{name}, new key", last.new_key_s, last.append_s)
    yield within(REPEATED_KEY_S, f"{name}, repeated key", last.repeated_key_s, last.append_s)
