"""The trace: what clients and node said to one another, and what befell them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from fakeamqp.spec.methods import Method


class Event(NamedTuple):
    """One thing that happened. `method` is None where no method was sent; then `what` tells."""

    at_us: int
    connection: int
    channel: int
    what: str
    """"->" from the client, "<-" to the client, or words."""
    method: Method | None

    def __str__(self) -> str:
        time = f"{self.at_us / 1e6:10.6f}s"
        if self.method is None:
            return f"{time}  {self.what}"
        return f"{time}  connection {self.connection}.{self.channel} {self.what} {_shown(self.method)}"


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
    """The last events, oldest first; `limit` is how many are kept, None for all."""

    def __init__(self, limit: int | None) -> None:
        # Plain tuples, as most are never looked at and an Event takes four times as long to make.
        self._events: deque[tuple[int, int, int, str, Method | None]] = deque(maxlen=limit)
        self.record = self._events.append

    def __iter__(self) -> Iterator[Event]:
        return (Event(*each) for each in tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    def clear(self) -> None:
        """Forget all events."""
        self._events.clear()
