"""A queue's ready entries in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from sortedcontainers import SortedDict, SortedKeyList

from fakeamqp.node.kernel.journal import Order
from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.queues.log import Log

HIGHEST_NORMAL_PRIORITY = 4


def _position(entry: Entry) -> int:
    return entry.position


class Line:
    """Ready entries of one priority by position, which is the order of arrival.

    Arrivals append to a deque. What comes back goes to its old place: whatever was ever taken came before all that
    was never taken, so that returned entries are a sorted list before the deque, and both ends stay cheap.
    """

    __slots__ = ("_arrivals", "_came_back", "_returned", "append", "unseen_head")

    def __init__(self) -> None:
        self._returned: SortedKeyList[Entry] = SortedKeyList(key=_position)
        self._arrivals: deque[Entry] = deque()
        self._came_back = 0
        """How many are not arrivals: usually none, and then the deque is all that matters."""
        self.append = self._arrivals.append
        """append(entry): a new entry, whose position is above every other."""
        self.unseen_head: Entry | None = None
        """Nobody overtakes here."""

    def __len__(self) -> int:
        return len(self._arrivals) + self._came_back

    def __iter__(self) -> Iterator[Entry]:
        yield from self._returned
        yield from self._arrivals

    def put_back(self, entry: Entry) -> None:
        """An entry that was taken returns to its old place, in O(log n)."""
        self._returned.add(entry)
        self._came_back += 1

    def head(self) -> Entry | None:
        """The entry that leaves next."""
        if self._came_back:
            first: Entry = self._returned[0]
            return first
        return self._arrivals[0] if self._arrivals else None

    def pop(self) -> Entry:
        """Take the head; raises IndexError where there is none."""
        if not self._came_back:
            return self._arrivals.popleft()
        self._came_back -= 1
        first: Entry = self._returned.pop(0)
        return first

    def clear(self) -> list[Entry]:
        """Take everything, in order."""
        entries = list(self)
        self._returned.clear()
        self._arrivals.clear()
        self._came_back = 0
        return entries

    def check(self) -> None:
        """The order holds, and whatever was returned comes before whatever was never taken."""
        positions = [entry.position for entry in self]
        assert positions == sorted(set(positions)), positions
        assert self._came_back == len(self._returned)


class PriorityBacklog:
    """Ready entries of a queue with priorities: the highest first, and a line for each."""

    __slots__ = ("_count", "_filled", "_lines", "_max_priority", "unseen_head")

    def __init__(self, max_priority: int) -> None:
        self._max_priority = max_priority
        self._lines: SortedDict[int, Line] = SortedDict()
        """By negated priority; a line that has become empty stays, as it will be wanted again."""
        self._filled = 0
        """A bit for each priority of which there is something."""
        self._count = 0
        self.unseen_head: Entry | None = None
        """A head that came before others that were there first, and that nobody has looked at since.

        RabbitMQ looks at a new head's time only where the queue was empty (rabbit_amqqueue_process.erl).
        """

    def _line_for(self, entry: Entry) -> Line:
        """The line that an entry is about to join."""
        priority = min(entry.message.properties.priority or 0, self._max_priority)
        if -priority not in self._lines:
            self._lines[-priority] = Line()
        self._filled |= 1 << priority
        self._count += 1
        line: Line = self._lines[-priority]
        return line

    def _first_line(self) -> Line | None:
        if not self._filled:
            return None
        line: Line = self._lines[1 - self._filled.bit_length()]
        return line

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for line in self._lines.values():
            yield from line

    def append(self, entry: Entry) -> None:
        """A new entry; its position is above every other."""
        self._line_for(entry).append(entry)
        if self._count > 1 and self.head() is entry:
            self.unseen_head = entry

    def put_back(self, entry: Entry) -> None:
        """An entry that was taken returns to its old place."""
        self._line_for(entry).put_back(entry)
        self.unseen_head = None

    def head(self) -> Entry | None:
        """The entry that leaves next."""
        line = self._first_line()
        return None if line is None else line.head()

    def pop(self) -> Entry:
        """Take the head; raises IndexError where there is none."""
        line = self._first_line()
        if line is None:
            raise IndexError("pop from an empty backlog")
        self.unseen_head = None
        entry = line.pop()
        self._count -= 1
        if not line:
            self._filled &= ~(1 << (self._filled.bit_length() - 1))
        return entry

    def clear(self) -> list[Entry]:
        """Take everything, in order."""
        self.unseen_head = None
        self._count = self._filled = 0
        return [entry for line in self._lines.values() for entry in line.clear()]

    def check(self) -> None:
        """Every line is in order, and the counts are right."""
        for line in self._lines.values():
            line.check()
        assert self._count == sum(map(len, self._lines.values()))
        assert self._filled == sum(1 << -priority for priority, line in self._lines.items() if line)


class QuorumBacklog:
    """Ready entries of a quorum queue: first what was returned, in the order of returning, then arrivals.

    With levels, as 4.0 has them, arrivals above priority 4 are high: two of them leave, then a normal one if it came
    before the next high one. Every arrival that leaves is counted for that, also while there is no choice.
    Source: rabbit_fifo_q.erl; observed.
    """

    __slots__ = ("_has_levels", "_high", "_left", "_normal", "_returned", "unseen_head")

    def __init__(self, *, has_levels: bool) -> None:
        self._has_levels = has_levels
        self.unseen_head: Entry | None = None
        """Nobody who overtakes here goes unnoticed."""
        self._returned: deque[Entry] = deque()
        self._high: deque[Entry] = deque()
        self._normal: deque[Entry] = deque()
        self._left = 0

    def __len__(self) -> int:
        return len(self._returned) + len(self._high) + len(self._normal)

    def __iter__(self) -> Iterator[Entry]:
        yield from self._returned
        high, normal = deque(self._high), deque(self._normal)
        left = self._left
        while high or normal:
            yield self._next(high, normal, left).popleft()
            left += 1

    @staticmethod
    def _next(high: deque[Entry], normal: deque[Entry], left: int) -> deque[Entry]:
        if not high or (normal and left % 3 == 2 and normal[0].position < high[0].position):
            return normal
        return high

    def append(self, entry: Entry) -> None:
        """A new entry."""
        is_high = self._has_levels and (entry.message.properties.priority or 0) > HIGHEST_NORMAL_PRIORITY
        (self._high if is_high else self._normal).append(entry)

    def put_back(self, entry: Entry) -> None:
        """An entry that was taken returns behind those that did so earlier, before all arrivals."""
        self._returned.append(entry)

    def head(self) -> Entry | None:
        """The entry that leaves next."""
        line = self._returned or self._next(self._high, self._normal, self._left)
        return line[0] if line else None

    def pop(self) -> Entry:
        """Take the head; raises IndexError where there is none."""
        if self._returned:
            return self._returned.popleft()
        entry = self._next(self._high, self._normal, self._left).popleft()
        self._left += 1
        return entry

    def clear(self) -> list[Entry]:
        """Take everything, in order."""
        entries = list(self)
        for part in (self._returned, self._high, self._normal):
            part.clear()
        self._left = 0  # as after a purge (observed)
        return entries

    def order(self, out: Iterable[int]) -> Order:
        """How it goes on after a restart, where these positions are out, and come back."""
        return Order((*(each.position for each in self._returned), *out), self._left)

    def restore(self, order: Order) -> None:
        """Go on in this order; all entries are new."""
        places = {position: place for place, position in enumerate(order.returned)}
        self._left = order.left
        for name in ("_high", "_normal"):
            line: deque[Entry] = getattr(self, name)
            self._returned += [each for each in line if each.position in places]
            setattr(self, name, deque(each for each in line if each.position not in places))
        self._returned = deque(sorted(self._returned, key=lambda each: places[each.position]))

    def check(self) -> None:
        """Every line is in order."""
        for line in (self._high, self._normal):
            assert [each.position for each in line] == sorted(each.position for each in line)


Backlog: TypeAlias = Line | PriorityBacklog | QuorumBacklog | Log
"""A queue's ready entries; of a stream, its log."""
