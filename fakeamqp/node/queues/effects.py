"""What a queue asks of its host."""

from __future__ import annotations

from typing import TypeAlias

from fakeamqp.node.queues.consumers import Consumer
from fakeamqp.node.state.message import Entry
from fakeamqp.spec.records import Record


class Deliver(Record):
    """Effect: hand this entry to this consumer."""

    consumer: Consumer
    entry: Entry


class GiveUp(Record):
    """Effect: the queue has no room or no time for this entry any more; `reason` is x-death's word for it."""

    entry: Entry
    reason: str


class Discarded(Record):
    """An entry that died, and whose dead letter has not yet arrived everywhere."""

    entry: Entry
    reason: str
    arrived: list[str]
    """The queues that have it; a node that starts again does not know them any more."""


class WakeAt(Record):
    """Effect: run the queue again at this time, microseconds."""

    at_us: int


class SettledAtOnce(Record):
    """Effect: a quorum queue's consumer acknowledges nothing, so that its channel has done so with what it got."""

    consumer: Consumer


class Unused(Record):
    """Effect: the last consumer of an auto-delete queue is gone."""


class Forget(Record):
    """Effect: a stream keeps this entry no longer, whoever may have read it."""

    entry: Entry


Effect: TypeAlias = Deliver | GiveUp | WakeAt | SettledAtOnce | Unused | Forget
