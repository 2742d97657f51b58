"""The disk: what outlives a node.

Topology and users are written through, as RabbitMQ answers a declaration only once its metadata store has it.
Messages go through a tail of pending records: `sync` folds it in, a crash keeps only a part of it. Positions count
records; whoever must not speak before something is safe waits until `synced` has reached its position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fakeamqp.node.facts import Fact, Key, QueueFact, key_of
from fakeamqp.node.messages import Entry, Message


class KeptEntry(NamedTuple):
    """What the disk knows of an entry."""

    message: Message
    expires_us: int


QueueKey = tuple[str, str]
"""Virtual host and name."""


class QueueStore:
    """One queue's messages on disk, by position."""

    __slots__ = ("deliveries", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, KeptEntry] = {}
        self.deliveries: dict[int, int] = {}
        """Positions that had been handed to a consumer, and how often they came back."""


class _Record(NamedTuple):
    """One pending change of one queue's messages."""

    queue: QueueKey
    apply: Callable[[QueueStore, int, KeptEntry | int | None], None]
    position: int
    what: KeptEntry | int | None


def _add(store: QueueStore, position: int, what: KeptEntry | int | None) -> None:
    assert isinstance(what, KeptEntry)
    store.entries[position] = what


def _remove(store: QueueStore, position: int, what: KeptEntry | int | None) -> None:
    store.entries.pop(position, None)
    store.deliveries.pop(position, None)


def _mark_delivered(store: QueueStore, position: int, what: KeptEntry | int | None) -> None:
    assert isinstance(what, int)
    store.deliveries[position] = what


class Journal:
    """Live facts and messages, and the tail that is not safe yet."""

    def __init__(self) -> None:
        self.facts: dict[Key, Fact] = {}
        self.stores: dict[QueueKey, QueueStore] = {}
        self.tail: list[_Record] = []
        self.synced = 0
        """How many message records are safe."""
        self.was_shut_down = False
        """Whether the node said goodbye before it went."""

    @property
    def appended(self) -> int:
        """How many message records were ever written, safe or not."""
        return self.synced + len(self.tail)

    def put(self, fact: Fact) -> None:
        """A fact holds from now on."""
        self.facts[key_of(fact)] = fact
        if isinstance(fact, QueueFact):
            self.stores.setdefault((fact.vhost, fact.name), QueueStore())

    def delete(self, fact: Fact) -> None:
        """A fact holds no longer; a queue takes its messages along."""
        if self.facts.pop(key_of(fact), None) is not None and isinstance(fact, QueueFact):
            queue = (fact.vhost, fact.name)
            del self.stores[queue]
            kept = [record for record in self.tail if record.queue != queue]
            self.synced += len(self.tail) - len(kept)  # positions go on counting what is gone
            self.tail = kept

    def add_entry(self, queue: QueueKey, entry: Entry) -> None:
        """A message is in a queue."""
        self.tail.append(_Record(queue, _add, entry.position, KeptEntry(entry.message, entry.expires_us)))

    def remove_entry(self, queue: QueueKey, entry: Entry) -> None:
        """A message has left its queue."""
        self.tail.append(_Record(queue, _remove, entry.position, None))

    def mark_delivered(self, queue: QueueKey, entry: Entry) -> None:
        """A message has been handed to somebody."""
        self.tail.append(_Record(queue, _mark_delivered, entry.position, entry.deliveries))

    def sync(self) -> None:
        """Make the whole tail safe."""
        for queue, apply, position, what in self.tail:
            apply(self.stores[queue], position, what)
        self.synced += len(self.tail)
        self.tail.clear()

    def pending(self) -> dict[QueueKey, int]:
        """How many records each queue has in the tail."""
        counts: dict[QueueKey, int] = {}
        for record in self.tail:
            counts[record.queue] = counts.get(record.queue, 0) + 1
        return counts

    def lose_tail(self, kept: dict[QueueKey, int]) -> None:
        """A crash: of each queue's pending records only the first `kept` ones reached the disk, none by default."""
        left = dict(kept)
        for queue, apply, position, what in self.tail:
            if left.get(queue, 0) > 0:
                left[queue] -= 1
                apply(self.stores[queue], position, what)
        self.synced += len(self.tail)
        self.tail.clear()
