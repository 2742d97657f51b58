"""What a queue asks of its host."""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.spec.records import Record


class Deliver(Record):
    """Effect: hand this entry to this consumer."""

    consumer: Consumer
    entry: Entry


class GiveUp(Record):
    """Effect: the queue has let go of an entry for good; `reason` is x-death's word for it."""

    entry: Entry
    reason: str
    failures: int = 0
    """Failed deliveries carried into the dead letter."""


class WakeAt(Record):
    """Effect: run the queue again at this time, microseconds."""

    at_us: int


class SettledAtOnce(Record):
    """Effect: this consumer acknowledges nothing, so that its channel tells the queue that it has done so."""

    consumer: Consumer


class Unused(Record):
    """Effect: the last consumer of an auto-delete queue is gone."""


class Replaced(Record):
    """Effect: an entry has come back as a new one, behind all others."""

    old: Entry
    new: Entry


class Forget(Record):
    """Effect: a stream keeps this entry no longer, whoever may have read it."""

    entry: Entry


Effect: TypeAlias = Deliver | GiveUp | WakeAt | SettledAtOnce | Unused | Replaced | Forget
"""What a queue asks of its host."""


class Discarded:
    """An entry that died, and whose dead letter must arrive: it waits until every queue that gets it has it safe."""

    __slots__ = ("arrived", "entry", "failures", "is_refused", "is_sent", "position", "reason")

    def __init__(self, entry: Entry, reason: str, failures: int = 0) -> None:
        self.entry = entry
        self.reason = reason
        self.failures = failures
        self.arrived: list[str] = []
        """The queues that have it; a node that starts again does not know them any more."""
        self.is_refused = False
        """Whether it could not go everywhere, the last time that it was sent."""
        self.is_sent = False
        """Whether it is on its way."""
        self.position = 0
        """How far the journal must be synced for it to be safe where it arrived."""

    def taken(self, queue: str, position: int) -> None:
        """A queue has it."""
        self.arrived.append(queue)
        self.position = max(self.position, position)

    def refused(self) -> None:
        """A queue had no room for it."""
        self.is_refused = True
