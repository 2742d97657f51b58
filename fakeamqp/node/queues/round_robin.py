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

    __slots__ = ("_gone", "_lines", "_parked", "_priorities")

    def __init__(self) -> None:
        self._priorities: list[int] = []
        """The negated priority of each line, ascending."""
        self._lines: list[deque[Consumer]] = []
        self._parked: dict[Consumer, None] = {}
        self._gone: dict[Consumer, None] = {}
        """Those that left, and are in line until that is found out."""

    def __len__(self) -> int:
        return len(self._parked) + sum(map(len, self._lines)) - len(self._gone)

    def __iter__(self) -> Iterator[Consumer]:
        for line in self._lines:
            yield from (each for each in line if each not in self._gone)
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
        """A consumer is gone. It is taken out of its line when half of all in line are gone, or when it is first."""
        if consumer in self._parked:
            del self._parked[consumer]
            return
        self._gone[consumer] = None
        if 2 * len(self._gone) > sum(map(len, self._lines)):
            for line in self._lines:
                there = [each for each in line if each not in self._gone]
                line.clear()
                line.extend(there)
            self._gone.clear()

    def next(self) -> Consumer | None:
        """The consumer to serve now, sent to the back; None if nobody can take anything."""
        for line in self._lines:
            while line:
                consumer = line[0]
                if self._gone and consumer in self._gone:
                    del self._gone[line.popleft()]
                elif consumer.can_take():
                    line.rotate(-1)
                    return consumer
                else:
                    self._parked[line.popleft()] = None
        return None

    def park(self, consumer: Consumer) -> None:
        """Whoever was served last is at its limit and leaves the line, to come back behind all others."""
        consumer.line.pop()
        self._parked[consumer] = None

    def unpark(self, channel: Receiver, settled: Consumer | None) -> bool:
        """Deliveries of a channel, to this consumer, are settled: whoever can take again because of that goes back."""
        if channel.global_prefetch:
            return self.unpark_all(channel)
        if settled not in self._parked or not settled.can_take():
            return False
        del self._parked[settled]
        settled.line.append(settled)
        return True

    def unpark_all(self, channel: Receiver) -> bool:
        """A channel's limits have changed: its parked consumers that can take again go to the back."""
        freed = [each for each in self._parked if each.channel is channel and each.can_take()]
        for consumer in freed:
            del self._parked[consumer]
            consumer.line.append(consumer)
        return bool(freed)

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages: all."""
        return iter(self)
