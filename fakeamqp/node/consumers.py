"""Consumers, and the round robin in which a queue serves them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fakeamqp.spec.tables import Table

if TYPE_CHECKING:
    from fakeamqp.node.channels import Channel
    from fakeamqp.node.queues import Queue


class Consumer:
    """One basic.consume."""

    __slots__ = ("arguments", "channel", "exclusive", "no_ack", "outstanding", "prefetch_count", "queue", "tag")

    def __init__(
        self,
        tag: str,
        *,
        channel: Channel,
        queue: Queue,
        no_ack: bool,
        exclusive: bool,
        prefetch_count: int,
        arguments: Table,
    ) -> None:
        self.tag = tag
        self.channel = channel
        self.queue = queue
        self.no_ack = no_ack
        self.exclusive = exclusive
        self.prefetch_count = 0 if no_ack else prefetch_count
        """How many deliveries may be outstanding at once; 0 means any number."""
        self.arguments = arguments
        self.outstanding = 0

    def can_take(self) -> bool:
        """Whether neither this consumer's nor its channel's prefetch limit is reached."""
        channel = self.channel
        return (not self.prefetch_count or self.outstanding < self.prefetch_count) and (
            not channel.global_prefetch or channel.outstanding < channel.global_prefetch
        )


class Rotation:
    """A queue's consumers. Whoever is served goes to the back; whoever is found at its limit is parked.

    Source: rabbit_queue_consumers.erl (deliver, block_consumer, unblock).
    """

    __slots__ = ("_active", "_parked")

    def __init__(self) -> None:
        self._active: deque[Consumer] = deque()
        self._parked: list[Consumer] = []

    def __len__(self) -> int:
        return len(self._active) + len(self._parked)

    def __iter__(self) -> Iterator[Consumer]:
        yield from self._active
        yield from self._parked

    def add(self, consumer: Consumer) -> None:
        """A new consumer waits behind all others."""
        self._active.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        if consumer in self._active:
            self._active.remove(consumer)
        else:
            self._parked.remove(consumer)

    def next(self) -> Consumer | None:
        """The consumer to serve now, sent to the back; None if nobody can take anything."""
        active = self._active
        while active:
            consumer = active[0]
            if consumer.can_take():
                active.rotate(-1)
                return consumer
            self._parked.append(active.popleft())
        return None

    def unpark(self, channel: Channel) -> bool:
        """A channel has settled something: its parked consumers that can take again go to the back."""
        if not self._parked:
            return False
        freed = [each for each in self._parked if each.channel is channel and each.can_take()]
        if not freed:
            return False
        self._parked = [each for each in self._parked if each not in freed]
        self._active.extend(freed)
        return True
