"""The trace: what clients and node said to one another, and what befell them, as structured records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fakeamqp.spec.methods import Method

SENT = "sent"
"""A method from a client that has reached the node."""
RECEIVED = "received"
"""A method from the node that a client has read."""
EFFECT = "effect"
"""What became of a message in the node."""
CHOICE = "choice"
"""Something that could have been otherwise."""
FAULT = "fault"
"""Something that went wrong on purpose."""
TIME = "time"
"""Virtual time has jumped."""
TASK = "task"
"""A task began, ended, died or was started again."""
BROKER = "broker"
"""The node came or went, or an operator has spoken."""
KINDS = (SENT, RECEIVED, EFFECT, CHOICE, FAULT, TIME, TASK, BROKER)

_ARROWS = {SENT: "->", RECEIVED: "<-"}


class Event(NamedTuple):
    """One thing that happened."""

    at_us: int
    """Virtual time, microseconds."""
    kind: str
    """One of KINDS."""
    connection: int
    """The connection's number, from 1; 0 where none is concerned."""
    channel: int
    method: Method | None
    """What was said; None where nothing was, then `text` tells."""
    text: str = ""
    details: Mapping[str, Any] | None = None
    """What `text` tells, as values."""
    task: str = ""
    """Name of the task that has spoken, has heard or is concerned; empty where it was no task."""

    def __str__(self) -> str:
        time = f"{self.at_us / 1e6:10.6f}s"
        if self.method is None:
            return f"{time}  {self.text}"
        who = f"{self.task} " if self.task else ""
        return f"{time}  {who}connection {self.connection}.{self.channel} {_ARROWS[self.kind]} {_shown(self.method)}"


def _shown(method: Method) -> str:
    fields = []
    for name in method.__slots__:
        value = getattr(method, name)
        if value in (None, "", False, {}) or name in ("client_properties", "server_properties", "response"):
            continue
        if name == "properties":
            set_ones = {each: getattr(value, each) for each in value.__slots__ if getattr(value, each) is not None}
            value = set_ones or None
        elif name == "body" and len(value) > 40:
            value = f"{bytes(value[:40])!r}... {len(value)} bytes"
        if value is not None:
            fields.append(f"{name}={value!r}" if name != "body" or isinstance(value, bytes) else f"body={value}")
    return f"{method.NAME} {' '.join(fields)}".rstrip()


class Trace:
    """The last events, oldest first; `limit` is how many are kept, None for all, 0 for none."""

    def __init__(self, limit: int | None) -> None:
        # Plain tuples, as most are never looked at and an Event takes four times as long to make.
        self._events: deque[tuple[Any, ...]] = deque(maxlen=limit)
        self.record = self._events.append
        self.is_on = limit != 0
        self.owners: dict[int, str] = {}
        """The tasks' names, by the numbers of the connections that they made."""

    def note(self, at_us: int, kind: str, text: str, *, task: str = "", **details: Any) -> None:
        """Record what is no method: `text` in words, `details` as values."""
        self.record((at_us, kind, 0, 0, None, text, details, task))

    def __iter__(self) -> Iterator[Event]:
        owner = self.owners.get
        for each in tuple(self._events):
            event = Event(*each)
            yield event._replace(task=owner(event.connection, "")) if event.connection in self.owners else event

    def __len__(self) -> int:
        return len(self._events)

    def clear(self) -> None:
        """Forget all events."""
        self._events.clear()
