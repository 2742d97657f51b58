"""Consumers, and whose turn it is among those of a queue."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakeamqp.spec.tables import Table

if TYPE_CHECKING:
    from fakeamqp.node.queues.queue import Queue
    from fakeamqp.node.state.channel import Channel


class Consumer:
    """One basic.consume."""

    __slots__ = (
        "arguments",
        "channel",
        "exclusive",
        "line",
        "no_ack",
        "number",
        "outstanding",
        "prefetch_count",
        "priority",
        "queue",
        "tag",
    )

    def __init__(
        self,
        tag: str,
        *,
        channel: Channel,
        queue: Queue,
        no_ack: bool,
        exclusive: bool,
        prefetch_count: int,
        priority: int,
        arguments: Table,
        number: int = 0,
    ) -> None:
        self.tag = tag
        self.number = number
        """Which of its channel's consumers it is, in the order of their coming."""
        self.channel = channel
        self.queue = queue
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch_count = 0 if no_ack and not queue.is_quorum else prefetch_count
        """How many deliveries may be outstanding at once; 0 means any number.

        A quorum queue heeds it also where nothing is to be acknowledged: the channel does that in the client's place.
        """
        self.priority = priority
        """Whoever has a higher one is served first."""
        self.arguments = arguments
        self.outstanding = 0
        self.line: deque[Consumer] = deque()
        """Those of its queue and priority that may be served."""

    def can_take(self) -> bool:
        """Whether neither this consumer's nor its channel's prefetch limit is reached."""
        channel = self.channel
        return (not self.prefetch_count or self.outstanding < self.prefetch_count) and (
            # A quorum queue knows nothing of the channel's limit (observed).
            not channel.global_prefetch or channel.outstanding < channel.global_prefetch or self.queue.is_quorum
        )


class Rotation:
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

    def unpark(self, channel: Channel) -> bool:
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


class Succession:
    """The consumers of a queue with a single active consumer: one is served, the others wait to succeed it.

    Quorum queues of 4.0 have another: see quorum_consumers.py. Source: rabbit_amqqueue_process.erl and, of 3.10,
    rabbit_fifo.erl.
    """

    __slots__ = ("_by_priority", "_consumers", "active")

    def __init__(self, *, by_priority: bool) -> None:
        """`by_priority`: whether the highest priority succeeds, or who came first."""
        self._consumers: list[Consumer] = []
        self._by_priority = by_priority
        self.active: Consumer | None = None

    def __len__(self) -> int:
        return len(self._consumers)

    def __iter__(self) -> Iterator[Consumer]:
        return iter(self._consumers)

    def add(self, consumer: Consumer) -> None:
        """A new consumer waits, unless it is the only one."""
        self._consumers.append(consumer)
        self.active = self.active or consumer

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        self._consumers.remove(consumer)
        if consumer is self.active:
            self.active = self._heir()

    def _heir(self) -> Consumer | None:
        if not self._by_priority:
            return next(iter(self), None)
        return max(self._consumers, key=lambda each: each.priority, default=None)

    def next(self) -> Consumer | None:
        """The active consumer, if it can take anything."""
        return self.active if self.active is not None and self.active.can_take() else None

    def park(self, consumer: Consumer) -> None:
        """Whoever was served is at its limit; it stays the active one."""

    def unpark(self, channel: Channel) -> bool:
        """A channel has settled something: whether the active consumer may take again."""
        return self.active is not None and self.active.channel is channel

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages: the active one."""
        return iter(() if self.active is None else (self.active,))
