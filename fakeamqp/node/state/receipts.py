"""What becomes of a message that somebody waits to hear of, and the answers that wait for the journal."""

from __future__ import annotations

from typing import NamedTuple

from fakeamqp.node.state.connection import Channel
from fakeamqp.spec.methods import TxCommit
from fakeamqp.spec.records import Record


class Receipt:
    """What the queues have made of one publish."""

    __slots__ = ("is_refused", "is_stopped", "position")

    def __init__(self) -> None:
        self.position = 0
        """How far the journal must be synced for the message to be safe."""
        self.is_refused = False
        """Whether a queue had no room."""
        self.is_stopped = False
        """Whether a quorum queue had told its publisher before to stop."""

    def taken(self, queue: str, position: int) -> None:
        """A queue has it."""
        self.position = max(self.position, position)

    def is_safe(self, synced: int) -> bool:
        """Whether all queues have it, where they keep it for good; the journal is synced so far."""
        return self.position <= synced and not (self.is_refused or self.is_stopped)

    def refused(self) -> None:
        """A queue had no room."""
        self.is_refused = True


class Awaiting(NamedTuple):
    """A publisher's confirm to come."""

    receipt: Receipt
    channel: Channel
    publish_number: int


class Commit(Record):
    """A tx.commit that waits until its queues have all that it sent them, and then for the journal."""

    channel: Channel
    method: TxCommit
    receipts: list[Receipt]
    has_lost_queue: bool
    """Whether a queue is gone that a message was published to."""
    position: int | None = None
    """How far the journal must be synced; None before that is known."""
