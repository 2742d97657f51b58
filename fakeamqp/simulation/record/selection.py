"""Selections of events: some of the trace's, to count, to look at, and to narrow further."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import IO, Any, overload

from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.record.events import KINDS, Event
from fakeamqp.simulation.record.outcomes import OUTCOMES
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import METHODS

MOST_SHOWN = 30
METHOD_NAMES = tuple(method.NAME for method in METHODS.values())

Words = str | Collection[str]


class Selection(Sequence[Event]):
    """Some events, oldest first. It cannot be changed, and what happens later does not enter it."""

    __slots__ = ("_criteria", "_events")

    def __init__(self, events: Iterable[Event], criteria: str = "") -> None:
        self._events = tuple(events)
        self._criteria = criteria
        """How it was made, in words."""

    def filter(
        self,
        *,
        kind: Words | None = None,
        method: Words | None = None,
        outcome: Words | None = None,
        queue: str | None = None,
        exchange: str | None = None,
        routing_key: str | None = None,
        body: bytes | str | None = None,
        connection: int | None = None,
        channel: int | None = None,
        task: str | None = None,
        since: float | None = None,
    ) -> Selection:
        """Those of the events that meet all criteria.

        - kind, method, outcome: one or several: of KINDS ("sent", "received", "effect", ...), of AMQP's names
          ("basic.publish"), and of the words for what became of a message ("routed", "dead-lettered", ...)
        - queue: a method that names it, or an effect on a message that was in it or came to it
        - exchange, routing_key, body: of a method, or of the message that an effect befell; text is a UTF-8 body
        - connection, channel: their numbers
        - task: the name of the task that spoke or heard
        - since: seconds of virtual time

        Raises Misuse for a kind, method or outcome that there is not.
        """
        _check("kind", kind, KINDS)
        _check("method", method, METHOD_NAMES)
        _check("outcome", outcome, OUTCOMES)
        tests: dict[str, tuple[Any, Callable[[Event], bool]]] = {
            "kind": (kind, lambda event: event.kind in _words(kind)),
            "method": (method, lambda event: event.method is not None and event.method.NAME in _words(method)),
            "outcome": (outcome, lambda event: event.outcome in _words(outcome)),
            "queue": (queue, lambda event: queue in event.queues),
            "exchange": (exchange, lambda event: event.exchange == exchange),
            "routing_key": (routing_key, lambda event: event.routing_key == routing_key),
            "body": (body, lambda event: event.body == as_body(body)),
            "connection": (connection, lambda event: event.connection == connection),
            "channel": (channel, lambda event: event.channel == channel),
            "task": (task, lambda event: event.task == task),
            "since": (since, lambda event: event.at_us >= to_us(since or 0)),
        }
        chosen = {name: test for name, test in tests.items() if test[0] is not None}
        found = [event for event in self._events if all(meets(event) for _, meets in chosen.values())]
        words = ", ".join(f"{name}={value!r}" for name, (value, _) in chosen.items())
        return Selection(found, ", ".join(filter(None, (self._criteria, words))))

    def to_jsonl(self, file: str | os.PathLike[str] | IO[str]) -> None:
        """Write the events to a path or an open text file, a JSON object on each line, with these keys:

        - at_us: virtual time in microseconds
        - kind, connection, channel, task, text: as in `Event`
        - method: AMQP's name, such as "basic.publish"; null where nothing was said
        - fields: the method's fields by name, but for the properties of client and server, and for passwords
        - details: what text tells, by name; of an effect that is outcome, vhost, queue, queues, exchange, routing_key,
          body, properties, and what else belongs to this outcome

        Bytes, such as bodies, are {"text": ...} where they are UTF-8, else {"base64": ...}. Of properties and headers
        those stand there that are set. A timestamp is text as ISO 8601 has it; a decimal, and a number that JSON has
        not, is text as Python prints it.
        """
        from fakeamqp.simulation.record.jsonl import line_of  # here, as importing fakeamqp may not take long

        opened = open(file, "w", encoding="utf-8") if isinstance(file, str | os.PathLike) else nullcontext(file)  # noqa: SIM115
        with opened as target:
            for event in self._events:
                target.write(line_of(event) + "\n")

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Selection: ...
    def __getitem__(self, index: int | slice) -> Event | Selection:
        return Selection(self._events[index], self._criteria) if isinstance(index, slice) else self._events[index]

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __repr__(self) -> str:
        made = f" ({self._criteria})" if self._criteria else ""
        left_out = len(self._events) - MOST_SHOWN
        lines = [f"{len(self._events)} events{made}{':' if self._events else ''}"]
        if left_out > 0:
            lines.append(f"  ... {left_out} before")
        return "\n".join([*lines, *(f"  {event}" for event in self._events[-MOST_SHOWN:])])


def as_body(body: bytes | str | None) -> bytes | None:
    """A body as it is published."""
    return body.encode() if isinstance(body, str) else body


def _words(value: Words | None) -> Collection[str]:
    return (value,) if isinstance(value, str) else value or ()


def _check(what: str, value: Words | None, known: Collection[str]) -> None:
    for word in _words(value):
        if word not in known:
            import difflib  # here, as importing fakeamqp may not take long

            nearest = difflib.get_close_matches(str(word), known, n=5, cutoff=0.4) or known
            raise Misuse(f"no event has {what} {word!r}; there is {', '.join(map(repr, nearest))}")
