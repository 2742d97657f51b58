"""Consumers, as a queue knows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from fakeamqp.node.words.facts import QueueFact
from fakeamqp.spec.tables import EMPTY_TABLE, Table


class Receiver:
    """A channel, as far as a queue knows it: how many deliveries it may have outstanding in all."""

    __slots__ = ("global_prefetch", "outstanding")

    def __init__(self) -> None:
        self.global_prefetch = 0
        """basic.qos with global: for all of the channel's consumers together; 0 is unlimited."""
        self.outstanding = 0
        """Deliveries that count against `global_prefetch`."""


class Consumer:
    """One basic.consume."""

    __slots__ = (
        "arguments",
        "channel",
        "exclusive",
        "heeds_global_prefetch",
        "is_gone",
        "line",
        "no_ack",
        "number",
        "outstanding",
        "prefetch_count",
        "priority",
        "queue",
        "surplus",
        "tag",
    )

    def __init__(
        self,
        tag: str,
        *,
        channel: Receiver,
        queue: QueueFact,
        no_ack: bool,
        exclusive: bool,
        prefetch_count: int,
        priority: int = 0,
        arguments: Table = EMPTY_TABLE,
        number: int = 0,
        heeds_global_prefetch: bool = True,
    ) -> None:
        self.tag = tag
        self.number = number
        """Which of its channel's consumers it is, in the order of their coming."""
        self.channel = channel
        self.queue = queue
        """Which queue it consumes from."""
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch_count = prefetch_count
        """How many deliveries may be outstanding at once; 0 means any number."""
        self.priority = priority
        """Whoever has a higher one is served first."""
        self.arguments = arguments
        self.heeds_global_prefetch = heeds_global_prefetch
        self.outstanding = 0
        """Deliveries that count against `prefetch_count`."""
        self.is_gone = False
        """Whether its channel has forgotten it, and the queue is about to hear of that."""
        self.surplus = 0
        """Credit that it got twice, by which `outstanding` may go below zero."""
        self.line: deque[Consumer] = deque()
        """Those of its queue and priority that may be served."""

    def can_take(self) -> bool:
        """Whether it is there, and neither its own nor its channel's prefetch limit is reached."""
        channel = self.channel
        return (
            (not self.prefetch_count or self.outstanding < self.prefetch_count)
            and (
                not channel.global_prefetch
                or channel.outstanding < channel.global_prefetch
                or not self.heeds_global_prefetch
            )
            and not self.is_gone
        )


class Consumers(Protocol):
    """A queue's consumers, and whose turn it is."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Consumer]: ...

    def add(self, consumer: Consumer) -> None:
        """A new consumer came."""

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""

    def next(self) -> Consumer | None:
        """The consumer to serve now; None if nobody can take anything."""

    def park(self, consumer: Consumer) -> None:
        """Whoever was served last is at its limit."""

    def unpark(self, channel: Receiver, settled: Consumer | None) -> bool:
        """Deliveries of a channel, to this consumer, are settled: whether somebody may take more because of that."""

    def unpark_all(self, channel: Receiver) -> bool:
        """A channel's limits have changed: whether one of its consumers may take more because of that."""

    def served(self) -> Iterator[Consumer]:
        """The consumers that get messages."""
