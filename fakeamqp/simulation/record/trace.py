"""The trace: what clients and node said to one another, and what befell them, as structured records."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import IO, Any, overload

from fakeamqp.simulation.record.events import (
    BROKER,
    CHOICE,
    CLOSED,
    EFFECT,
    FAULT,
    KINDS,
    LATE,
    RECEIVED,
    SENT,
    TASK,
    TIME,
    UNHEARD,
    Event,
)
from fakeamqp.simulation.record.outcomes import OUTCOMES, told
from fakeamqp.simulation.record.selection import Selection
from fakeamqp.spec.errors import Misuse

__all__ = [
    "BROKER", "CHOICE", "CLOSED", "EFFECT", "FAULT", "KINDS", "LATE", "RECEIVED", "SENT", "TASK", "TIME", "UNHEARD",
    "Event", "Selection", "Trace",
]  # fmt: skip


_OUTCOMES = frozenset(OUTCOMES)


class Trace:
    """The last events, oldest first; `limit` is how many are kept, None for all, 0 for none."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.is_on = limit != 0
        """Whether anything is recorded; who has to make something for that need not otherwise."""
        # Plain tuples, as most are never looked at and an Event takes four times as long to make. One more is kept
        # than asked for, and not shown, so that its presence tells that something was forgotten.
        self._events: deque[tuple[Any, ...]] = deque(maxlen=limit + 1 if limit else limit)
        self.record = self._events.append
        self.owners: dict[int, str] = {}
        """The tasks' names, by the numbers of the connections that they made."""

    def note(self, at_us: int, kind: str, text: str, *, task: str = "", **details: Any) -> None:
        """Record what is no method: `text` in words, `details` as values."""
        self.record((at_us, kind, 0, 0, None, text, details, task))

    def note_closing(self, now_us: int, connection: int, channel: int, reason: str) -> None:
        """Record that the node has closed a channel or, with 0, a connection."""
        what = f"connection {connection}" if not channel else f"channel {connection}.{channel}"
        text = f"the broker closes {what}: {reason}"
        self.record((now_us, CLOSED, connection, channel, None, text, {"reason": reason}))

    @property
    def is_complete(self) -> bool:
        """Whether everything is here that happened since the broker was made, or since the last `clear`."""
        return self.is_on and (self.limit is None or len(self._events) <= self.limit)

    def filter(self, **criteria: Any) -> Selection:
        """Those events that meet all criteria, as they are now; `Selection.filter` tells which criteria there are."""
        return Selection(tuple(self)).filter(**criteria)

    def to_jsonl(self, file: str | os.PathLike[str] | IO[str]) -> None:
        """Write all events as JSON lines to a path or an open text file; `Selection.to_jsonl` tells how they look."""
        self.filter().to_jsonl(file)

    def __iter__(self) -> Iterator[Event]:
        self._assert_is_on()
        owner = self.owners.get
        events = tuple(self._events)
        for each in events if self.is_complete else events[1:]:
            event = told(each) if each[1] in _OUTCOMES else Event(*each)
            yield event._replace(task=owner(event.connection, "")) if event.connection in self.owners else event

    def _assert_is_on(self) -> None:
        if not self.is_on:
            raise Misuse(
                "there is no trace: trace_limit is 0, as it is in explored runs, which are many; to ask it in an "
                "invariant: explore(..., trace_limit=None)"
            )

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> Selection: ...

    def __getitem__(self, index: int | slice) -> Event | Selection:
        """One event by its place, -1 for the last; or those of a slice."""
        return Selection(tuple(self))[index]

    def __len__(self) -> int:
        self._assert_is_on()
        return len(self._events) if self.limit is None else min(len(self._events), self.limit)

    def __repr__(self) -> str:
        return repr(self.filter()).replace("events", "events of the trace", 1)

    def clear(self) -> None:
        """Forget all events."""
        self._events.clear()
