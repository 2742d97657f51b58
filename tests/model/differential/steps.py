"""Programs as values: a list of steps, each of which prints as the Python that makes it."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from fakeamqp.spec.methods import Method
from fakeamqp.spec.records import Record

CONNECTIONS = (0, 1)
CHANNELS = (1, 2)
PLACES = tuple((connection, channel) for connection in CONNECTIONS for channel in CHANNELS)
"""Where a step may be made: connection and channel number."""

SERVER_NAMED = "?"
"""`?1`, `?2`, ... stand for the queues that the broker named, in the order of their making."""
REPLY_ADDRESS = "!"
"""`!1`, `!2`, ... stand for the addresses of direct replies, in the order in which they were seen."""
USERS = ("guest", "somebody")
"""Whose each connection is."""


class SetPolicy(Record):
    """The operator sets a policy or an operator policy."""

    name: str = ""
    pattern: str = ""
    definition: dict[str, Any] = {}  # noqa: RUF012  # as of all records: nobody changes it
    apply_to: str = "all"
    priority: int = 0
    is_operator: bool = False


class ClearPolicy(Record):
    """The operator clears one. Where there is none, the step is left out."""

    name: str = ""
    is_operator: bool = False


class SetPermissions(Record):
    """The operator sets what the second connection's user may do."""

    configure: str = ".*"
    write: str = ".*"
    read: str = ".*"


class SetTopicPermissions(Record):
    """The operator sets which routing keys the second connection's user may use on a topic exchange."""

    exchange: str = "amq.topic"
    write: str = ".*"
    read: str = ".*"


class Pass(Record):
    """So many seconds pass: in reality on a real broker."""

    seconds: float = 0.0


class Restart(Record):
    """The node stops gracefully, and is started again."""


Command: TypeAlias = SetPolicy | ClearPolicy | SetPermissions | SetTopicPermissions | Pass | Restart
"""What no channel does, whatever the channel that a step names."""


class Step(NamedTuple):
    """One method that a program sends on one of its channels, or a command of the operator's.

    `held` says which delivery an ack, nack or reject means, counted from the oldest that the channel has not settled;
    None means the method's own delivery tag. A step that means a delivery where none is held is left out. So a
    program keeps its sense when steps before are taken away.
    """

    connection: int
    channel: int
    method: Method | Command
    held: int | None = None

    def __repr__(self) -> str:
        held = "" if self.held is None else f", held={self.held}"
        return f"Step({self.connection}, {self.channel}, {brief(self.method)}{held})"


Program = tuple[Step, ...]


def printed(program: Program) -> str:
    """The program as Python, one line for each step."""
    return "\n".join(["program = (", *(f"    {step!r}," for step in program), ")"])


def brief(record: object) -> str:
    """A record as Python, without the fields that are as by default."""
    kind = type(record)
    plain = kind()
    fields = [(name, getattr(record, name)) for name in kind.__slots__]  # type: ignore[attr-defined]
    said = [
        f"{name}={brief(value) if name == 'properties' else repr(value)}"
        for name, value in fields
        if value != getattr(plain, name)
    ]
    return f"{kind.__name__}({', '.join(said)})"
