"""Whose turn it is among a queue's consumers with x-single-active-consumer: one is served, the others wait."""

from __future__ import annotations

from collections.abc import Iterator

from fakeamqp.node.queues.consumer import Consumer, Receiver


class SingleActive:
    """The consumers of a queue with a single active consumer: one is served, the others wait to succeed it.

    Quorum queues of 4.0 have another: see quorum_consumers.py. Source: rabbit_amqqueue_process.erl and, of 3.10,
    rabbit_fifo.erl.
    """

    __slots__ = ("_by_priority", "_consumers", "active", "is_stalled")

    def __init__(self, *, by_priority: bool) -> None:
        """`by_priority`: whether the highest priority succeeds, or who came first."""
        self._consumers: list[Consumer] = []
        self._by_priority = by_priority
        self.active: Consumer | None = None
        self.is_stalled = False
        """Whether the queue has not looked since the active consumer was cancelled: see classic.py."""

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
        if self.active is None or self.is_stalled or not self.active.can_take():
            return None
        return self.active

    def park(self, consumer: Consumer) -> None:
        """Whoever was served is at its limit; it stays the active one."""

    def unpark(self, channel: Receiver, settled: Consumer | None) -> bool:
        """A channel has settled something: whether the active consumer may take again."""
        return self.unpark_all(channel)

    def unpark_all(self, channel: Receiver) -> bool:
        """A channel's limits have changed: whether the active consumer may take again."""
        return self.active is not None and self.active.channel is channel

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages: the active one."""
        return iter(() if self.active is None else (self.active,))
