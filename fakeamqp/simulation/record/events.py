"""Events: what the trace consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fakeamqp.spec.methods import Method
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties

SENT = "sent"
"""A method from a client that has reached the node."""
RECEIVED = "received"
"""A method from the node that a client has read."""
UNHEARD = "unheard"
"""A method from a client that nobody receives: the node is gone, or has given up the connection."""
LATE = "arrives late"
"""The text of a method that was said while the connection was silent: its client had gone on."""
CLOSED = "closed"
"""The node has closed a channel or a connection; its client may not know yet."""
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
KINDS = (SENT, RECEIVED, UNHEARD, CLOSED, EFFECT, CHOICE, FAULT, TIME, TASK, BROKER)

THE_TEST = "the test"
"""Who acts where it is no task."""
HIDDEN = ("client_properties", "server_properties", "response")
"""Fields of methods that nobody wants to read, or should: the last one holds a password."""
LONGEST_BODY = 40

_ARROWS = {SENT: "->", RECEIVED: "<-", UNHEARD: "-x"}


class Event(NamedTuple):
    """One thing that happened. A method or an effect is about a queue, exchange or message, each as a property here."""

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

    @property
    def outcome(self) -> str | None:
        """Of an effect, what became of the message: a word of fakeamqp.simulation.record.outcomes."""
        return None if self.kind != EFFECT or self.details is None else self.details["outcome"]

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are concerned: where a message was, and where it went."""
        found = self._about("queue")
        return (() if found is None else (found,)) + tuple(self._about("queues") or ())

    @property
    def exchange(self) -> str | None:
        """The exchange that is concerned, "" for the default one; of a message, the one that it was published to."""
        found: str | None = self._about("exchange")
        return found

    @property
    def routing_key(self) -> str | None:
        """The routing key of the message, or of the binding."""
        found: str | None = self._about("routing_key")
        return found

    @property
    def body(self) -> bytes | None:
        """The message's body."""
        found: bytes | None = self._about("body")
        return found

    @property
    def properties(self) -> BasicProperties:
        """The message's properties."""
        return self._about("properties") or EMPTY_PROPERTIES

    def _about(self, name: str) -> Any:
        return getattr(self.method, name, None) if self.details is None else self.details.get(name)

    def __str__(self) -> str:
        time = f"{self.at_us / 1e6:10.6f}s"
        if self.method is None:
            return f"{time}  {self.text}"
        who = f"{self.task} " if self.task else ""
        return f"{time}  {who}connection {self.connection}.{self.channel} {_ARROWS[self.kind]} {_shown(self.method)}"


def shown_body(body: bytes) -> str:
    """A body in words, the beginning if it is long."""
    if len(body) <= LONGEST_BODY:
        return repr(body)
    return f"{bytes(body[:LONGEST_BODY])!r}... {len(body)} bytes"


def _shown(method: Method) -> str:
    fields = []
    for name in method.__slots__:
        value = getattr(method, name)
        if value in (None, "", False, {}) or name in HIDDEN:
            continue
        if name == "properties":
            value = {each: getattr(value, each) for each in value.__slots__ if getattr(value, each) is not None} or None
        if value is not None:
            shown = shown_body(value) if name == "body" and len(value) > LONGEST_BODY else repr(value)
            fields.append(f"{name}={shown}")
    return f"{method.NAME} {' '.join(fields)}".rstrip()
