"""Whose turn it is among a queue's consumers: one after the other."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator

from fakeamqp.node.queues.consumer import Consumer, Receiver


class RoundRobin:
    """A queue's consumers. Whoever is served goes to the back; whoever is found at its limit is parked.

    Those of a higher priority are served first, each priority in a rotation of its own.
    Source: rabbit_queue_consumers.erl (deliver, block_consumer, unblock).
    """

    __slots__ = ("_lines", "_parked", "_priorities")

    def __init__(self) -> None:
        self._priorities: list[int] = []
        """The negated priority of each line, ascending."""
        self._lines: list[deque[Consumer]] = []
        self._parked: list[Consumer] = []

    def __len__(self) -> int:
        return len(self._parked) + sum(map(len, self._lines))

    def __iter__(self) -> Iterator[Consumer]:
        for line in self._lines:
            yield from line
        yield from self._parked

    def _line(self, priority: int) -> deque[Consumer]:
        index = bisect.bisect_left(self._priorities, -priority)
        if self._priorities[index : index + 1] != [-priority]:
            self._priorities.insert(index, -priority)
            self._lines.insert(index, deque())
        return self._lines[index]

    def add(self, consumer: Consumer) -> None:
        """A new consumer waits behind all others of its priority."""
        consumer.line = self._line(consumer.priority)
        consumer.line.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        if consumer in self._parked:
            self._parked.remove(consumer)
        else:
            consumer.line.remove(consumer)

    def next(self) -> Consumer | None:
        """The consumer to serve now, sent to the back; None if nobody can take anything."""
        for line in self._lines:
            while line:
                consumer = line[0]
                if consumer.can_take():
                    line.rotate(-1)
                    return consumer
                self._parked.append(line.popleft())
        return None

    def park(self, consumer: Consumer) -> None:
        """Whoever was served last is at its limit and leaves the line, to come back behind all others."""
        consumer.line.pop()
        self._parked.append(consumer)

    def unpark(self, channel: Receiver) -> bool:
        """A channel has settled something: its parked consumers that can take again go to the back."""
        parked = self._parked
        if not parked:
            return False
        freed = [each for each in parked if each.channel is channel and each.can_take()]
        if len(freed) == len(parked):
            parked.clear()
        elif freed:
            self._parked = [each for each in parked if each not in freed]
        for consumer in freed:
            consumer.line.append(consumer)
        return bool(freed)

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages: all."""
        return iter(self)
