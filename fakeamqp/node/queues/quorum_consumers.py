"""Whose turn it is among the consumers of a quorum queue, where that differs from a classic one's.

Source: rabbit_fifo.erl; the rules have observed it.
"""

from __future__ import annotations

from fakeamqp.node.queues.consumer import Consumer, Receiver
from fakeamqp.node.queues.round_robin import RoundRobin
from fakeamqp.node.queues.single_active import SingleActive

UNLIMITED_PREFETCH = 2000
"""What a quorum queue makes of a prefetch count of 0 (rabbit_quorum_queue.erl)."""


class QuorumRoundRobin(RoundRobin):
    """Who leaves a quorum queue is not taken out of the line, but found gone when its turn comes.

    A new consumer that the queue takes for the same, by its tag and channel, stands where the old one stood: also
    among those of the old one's priority, until it is served. In 4.0 it is the same only while deliveries of the old
    one are unsettled. Source: rabbit_fifo.erl (checkout_one, consumer_key_from_id, uniq_queue_in).
    """

    __slots__ = ("_knows_by_tag",)

    def __init__(self, *, knows_by_tag: bool) -> None:
        """`knows_by_tag`: whether a tag used again on its channel is the same consumer, whatever is unsettled."""
        super().__init__()
        self._knows_by_tag = knows_by_tag

    def add(self, consumer: Consumer) -> None:
        """A new consumer takes the place of the one that it is the same as, or waits behind all others."""
        if self._knows_by_tag:
            self._forget_heads()
        same = [each for each in self._gone if (each.tag, each.channel) == (consumer.tag, consumer.channel)]
        if same and (self._knows_by_tag or consumer.outstanding):
            del self._gone[same[-1]]
            consumer.line = same[-1].line
            consumer.line[consumer.line.index(same[-1])] = consumer
        elif consumer.can_take():
            super().add(consumer)
        else:
            consumer.line = self._line(consumer.priority)
            self._parked[consumer] = None

    def _forget_heads(self) -> None:
        """Whoever is first in line and gone is found out at once."""
        for line in self._lines:
            while line and line[0] in self._gone:
                del self._gone[line.popleft()]
            if line:
                return

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        if consumer in self._parked:
            del self._parked[consumer]
        else:
            self._gone[consumer] = None

    def next(self) -> Consumer | None:
        """The consumer to serve now, sent to the back of its priority; None if nobody can take anything."""
        for line in self._lines:
            while line:
                consumer = line.popleft()
                if consumer in self._gone:
                    del self._gone[consumer]
                elif consumer.can_take():
                    super().add(consumer)
                    return consumer
                else:
                    self._parked[consumer] = None
        return None


class QuorumSingleActive(SingleActive):
    """The consumers of a quorum queue of 4.0 with a single active consumer: of those that wait the first is `_heir`.

    An heir of a higher priority replaces the active consumer. If that has something unsettled, it gets nothing new,
    whatever becomes of the heir, until it has settled everything and waits itself; as its last delivery returns, nobody
    is active until something else happens. Source: rabbit_fifo.erl (activate_next_consumer, update_or_remove_con).
    """

    __slots__ = ("_is_quiescing",)

    def __init__(self) -> None:
        super().__init__(by_priority=True)
        self._is_quiescing = False

    def add(self, consumer: Consumer) -> None:
        """A new consumer waits, and may succeed at once."""
        self._consumers.append(consumer)
        self.activate_next()

    def remove(self, consumer: Consumer) -> None:
        """A consumer is gone."""
        self._consumers.remove(consumer)
        if consumer is self.active:
            self.active = None
            self._is_quiescing = False
        self.activate_next()

    def _heir(self) -> Consumer | None:
        """Of those that wait, who has the highest priority, and then the most credit (sort_waiting)."""
        waiting = [each for each in self._consumers if each is not self.active]
        return max(waiting, key=lambda each: (each.priority, each.prefetch_count or UNLIMITED_PREFETCH), default=None)

    def activate_next(self) -> None:
        """Whoever should be active becomes so. RabbitMQ looks as consumers come and go, and as they settle for good."""
        heir = self._heir()
        if heir is None:
            return
        if self.active is not None and heir.priority <= self.active.priority:
            return
        self._is_quiescing = self.active is not None and self.active.outstanding > 0
        if not self._is_quiescing:
            self.active = heir

    def next(self) -> Consumer | None:
        """The active consumer, if it can take anything."""
        return None if self._is_quiescing else super().next()

    def unpark_all(self, channel: Receiver) -> bool:
        """A channel has settled something: whether the active consumer may take again."""
        is_active = super().unpark_all(channel)
        if is_active and self._is_quiescing and self.active is not None and not self.active.outstanding:
            self.active = None
            self._is_quiescing = False
        return is_active
