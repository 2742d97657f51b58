"""The disk: what outlives a node.

Topology and users are written through, as RabbitMQ answers a declaration only once its metadata store has it.
Messages go through a tail of pending records: `sync` folds it in, a crash keeps only a part of it. Positions count
records; whoever must not speak before something is safe waits until `synced` has reached its position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from fakeamqp.node.kernel.message import Entry, Message
from fakeamqp.node.words.facts import Fact, Key, QueueFact, key_of

QueueKey: TypeAlias = tuple[str, str]
"""Virtual host and name."""


class Order(NamedTuple):
    """In which order the messages of a quorum queue leave, as far as their positions do not tell."""

    returned: tuple[int, ...]
    """Positions of what was returned, or was out: it leaves before all else."""
    left: int
    """How many arrivals have left; see QuorumBacklog."""


class QueueStore:
    """One queue's messages on disk, by position."""

    __slots__ = ("deliveries", "discarded", "entries", "key", "order")

    def __init__(self, key: QueueKey) -> None:
        self.key = key
        self.entries: dict[int, tuple[Message, int, int]] = {}
        """The message, its expiry, and when a stream took it, both in microseconds."""
        self.deliveries: dict[int, int] = {}
        """How often a message has come back, counting a delivery that is still out; absent if it never left."""

        self.discarded: dict[int, str] = {}
        """Why a message has died that still waits to be dead-lettered."""
        self.order = Order((), 0)
        """In which order a queue's messages leave that is restored from a log of all that has happened."""

    def add(self, position: int, kept: tuple[Message, int, int]) -> None:
        """A message is there."""
        self.entries[position] = kept

    def mark(self, position: int, deliveries: int) -> None:
        """A message is out, or came back."""
        self.deliveries[position] = deliveries

    def discard(self, position: int, reason: str) -> None:
        """A message has died, but is not dead-lettered yet."""
        self.discarded[position] = reason

    def remove(self, position: int, _: None) -> None:
        """A message is gone."""
        self.discarded.pop(position, None)
        self.entries.pop(position, None)
        self.deliveries.pop(position, None)


class DelayedMessage(NamedTuple):
    """A message that an exchange has set aside until its time comes."""

    vhost: str
    exchange: str
    message: Message
    due_us: int


Record: TypeAlias = tuple[QueueStore, Callable[[QueueStore, int, Any], None], int, Any]
"""One pending change: the store, what to do to it, the message's position, and what else that needs."""


class Journal:
    """Live facts and messages, and the tail that is not safe yet."""

    def __init__(self) -> None:
        self.facts: dict[Key, Fact] = {}
        self.stores: dict[QueueKey, QueueStore] = {}
        self.delayed: dict[int, DelayedMessage] = {}
        """Messages that were set aside, by number; written through, as topology is."""
        self._delayed_before = 0
        self.tail: list[Record] = []
        self.synced = 0
        """How many message records are safe, or lost for good."""
        self.was_shut_down = False
        """Whether the node said goodbye before it went."""

    @property
    def appended(self) -> int:
        """How many message records were ever written, safe or not."""
        return self.synced + len(self.tail)

    def put(self, fact: Fact) -> None:
        """A fact holds from now on."""
        self.facts[key_of(fact)] = fact

    def delete(self, fact: Fact) -> None:
        """A fact holds no longer; a queue takes its messages along."""
        if self.facts.pop(key_of(fact), None) is not None and isinstance(fact, QueueFact):
            # Its records stay in the tail, as positions count them; they change a store that nobody reads any more.
            self.stores.pop((fact.vhost, fact.name), None)

    def delay(self, message: DelayedMessage) -> int:
        """A message is set aside; answers its number in `delayed`."""
        self._delayed_before += 1
        self.delayed[self._delayed_before] = message
        return self._delayed_before

    def store(self, key: QueueKey) -> QueueStore:
        """A queue's messages; an empty store if there were none."""
        found = self.stores.get(key)
        if found is None:
            found = self.stores[key] = QueueStore(key)
        return found

    def add_entry(self, store: QueueStore, entry: Entry) -> None:
        """A message is in a queue."""
        self.tail.append((store, QueueStore.add, entry.position, (entry.message, entry.expires_us, entry.appended_us)))
        if entry.deliveries:
            self.mark_entry(store, entry, entry.deliveries)

    def mark_entry(self, store: QueueStore, entry: Entry, deliveries: int) -> None:
        """A message has been handed to somebody, or has come back."""
        self.tail.append((store, QueueStore.mark, entry.position, deliveries))

    def discard_entry(self, store: QueueStore, entry: Entry, reason: str) -> None:
        """A message has died, and waits to be dead-lettered."""
        self.tail.append((store, QueueStore.discard, entry.position, reason))

    def remove_entry(self, store: QueueStore, entry: Entry) -> None:
        """A message has left its queue."""
        self.tail.append((store, QueueStore.remove, entry.position, None))

    def sync(self) -> None:
        """Make the whole tail safe."""
        for store, change, position, what in self.tail:
            change(store, position, what)
        self.synced += len(self.tail)
        self.tail.clear()

    def pending(self) -> dict[QueueKey, int]:
        """How many records each queue has in the tail."""
        counts: dict[QueueKey, int] = {}
        for store, *_ in self.tail:
            counts[store.key] = counts.get(store.key, 0) + 1
        return counts

    def lose_tail(self, kept: Mapping[QueueKey, int]) -> None:
        """A crash: of each queue's pending records only the first `kept` ones reached the disk, none by default."""
        left = dict(kept)
        for store, change, position, what in self.tail:
            if left.get(store.key, 0) > 0:
                left[store.key] -= 1
                change(store, position, what)
        self.synced += len(self.tail)
        self.tail.clear()
