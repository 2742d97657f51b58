"""A queue's ready entries in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from sortedcontainers import SortedKeyList

from fakeamqp.node.messages import Entry


def _position(entry: Entry) -> int:
    return entry.position


class Backlog:
    """Ready entries by position, which is the order of arrival.

    Arrivals append to a deque. What comes back goes to its old place: whatever was ever taken came before all that
    was never taken, so that returned entries are a sorted list before the deque, and both ends stay cheap. A quorum
    queue puts what comes back in the order of returning instead, also before all that was never taken.
    """

    __slots__ = ("_arrivals", "_came_back", "_first", "_returned", "append")

    def __init__(self) -> None:
        self._returned: SortedKeyList[Entry] = SortedKeyList(key=_position)
        self._first: deque[Entry] = deque()
        self._arrivals: deque[Entry] = deque()
        self._came_back = 0
        """How many are not arrivals: usually none, and then the deque is all that matters."""
        self.append = self._arrivals.append
        """append(entry): a new entry, whose position is above every other."""

    def __len__(self) -> int:
        return len(self._arrivals) + self._came_back

    def __iter__(self) -> Iterator[Entry]:
        yield from self._returned
        yield from self._first
        yield from self._arrivals

    def put_back(self, entry: Entry) -> None:
        """An entry that was taken returns to its old place, in O(log n)."""
        self._returned.add(entry)
        self._came_back += 1

    def put_first(self, entry: Entry) -> None:
        """An entry that was taken returns behind those that did so earlier, before all arrivals."""
        self._first.append(entry)
        self._came_back += 1

    def head(self) -> Entry | None:
        """The entry that leaves next."""
        if self._came_back:
            first: Entry = (self._returned or self._first)[0]
            return first
        return self._arrivals[0] if self._arrivals else None

    def pop(self) -> Entry:
        """Take the head; raises IndexError where there is none."""
        if not self._came_back:
            return self._arrivals.popleft()
        self._came_back -= 1
        if self._first:
            return self._first.popleft()
        first: Entry = self._returned.pop(0)
        return first

    def clear(self) -> list[Entry]:
        """Take everything, in order."""
        entries = list(self)
        for part in (self._returned, self._first, self._arrivals):
            part.clear()
        self._came_back = 0
        return entries

    def check(self) -> None:
        """The order holds, and whatever was returned comes before whatever was never taken."""
        positions = [entry.position for entry in (*self._returned, *self._arrivals)]
        assert positions == sorted(positions), positions
        assert not (self._returned and self._first), "a queue either keeps old places or the order of returning"
        assert self._came_back == len(self._returned) + len(self._first)
        ids = {entry.position for entry in self}
        assert len(ids) == len(self), "two entries at one position"
