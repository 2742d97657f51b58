"""Faults as values: what goes wrong around a program, when, and how often it may in a search.

A `Fault` prints as the command of `broker.faults` that makes it. When it strikes is told by a step of the tasks
(`at`), or by a method that is about to be sent (`before`) or has arrived (`after`); otherwise it strikes at once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from fakeamqp.node.sessions.dispatch import CHANNEL_METHODS, CONNECTION_METHODS
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.world.life import assert_is_a_loss
from fakeamqp.spec.errors import REPLY_NAMES, Misuse

TAKES: dict[str, tuple[str, ...]] = {
    "crash": ("before", "after", "seconds", "lose"),
    "stop": ("before", "after", "seconds"),
    "disconnect": ("before", "after", "task"),
    "partition": ("before", "after", "task", "seconds"),
    "refuse": ("before", "after", "seconds"),
    "slow": ("before", "after", "task", "seconds"),
    "alarm": ("before", "after", "seconds"),
    "kill": ("before", "after", "task"),
    "stall": ("before", "after", "task", "seconds"),
    "close_channel": ("before", "after", "task", "code", "text"),
    "cancel_consumer": ("before", "after", "task", "queue"),
    "nack": ("task",),
    "lose_confirm": ("task",),
    "redeliver": ("task", "queue", "times"),
    "reorder": ("task", "queue"),
}
"""What can go wrong, and what each takes; all take `at` and, where they wait for a method, `task` and `occurrence`."""

OF_A_TASK = tuple(kind for kind, takes in TAKES.items() if "task" in takes)
"""Faults that strike one task, or a connection of it."""
OF_THE_NEXT = ("nack", "lose_confirm", "redeliver", "reorder")
"""Faults that wait for the next publish, confirm or delivery, from the time on when they are asked for."""
OF_A_STREAM = ("disconnect", "partition", "slow", "close_channel", "cancel_consumer")
"""Faults that strike a connection; drawn by a search, the one that a task is about to use."""
NEEDS_SECONDS = ("refuse", "slow", "stall")
"""Faults that do not make sense without an end."""

CHANNEL_CODES = (311, 313, 403, 404, 405, 406)
"""What a node closes a channel with; all other errors close the connection. AMQP 0-9-1 section 1.1."""

METHODS_OF_CHANNELS = frozenset(each.NAME for each in CHANNEL_METHODS) - {"channel.open", "malformed"}
"""What a client may say on an open channel."""
SENT_METHODS = METHODS_OF_CHANNELS | {
    "channel.open",
    "channel.close-ok",
    "connection.close-ok",
    "heartbeat",
    *(method.NAME for _, method in CONNECTION_METHODS),
}
"""What a client may say."""


@dataclass(frozen=True, repr=False)
class Fault:
    """One thing that goes wrong."""

    kind: str
    """A key of TAKES."""
    at: int | None = None
    """The step of the tasks before which it strikes, from 1."""
    before: str | None = None
    """The method before whose sending it strikes, such as "basic.ack": what is lost then never arrives."""
    after: str | None = None
    """The method after whose arrival it strikes, before its answer is read."""
    task: str | None = None
    """The task that it strikes; for `before` and `after` also whose method it must be. By default any."""
    occurrence: int = 1
    """Which of the methods that fit, from 1: of those that `before` or `after` names; else of the publishes, confirms
    or deliveries that the fault waits for."""
    seconds: float | None = None
    """How long it lasts, in virtual seconds; None for ever, or until it is mended by hand."""
    lose: str = "by chance"
    """What a crash loses of the records that are on their way to the disk: "nothing", "everything", "by chance"."""
    code: int = 406
    """What a channel is closed with: one of CHANNEL_CODES."""
    text: str = ""
    """What the node says when it closes a channel, behind the code's name."""
    queue: str | None = None
    """The queue whose consumers or deliveries are meant; by default any."""
    times: int = 2
    """How often a delivery comes again although it was acknowledged."""

    def __post_init__(self) -> None:
        if self.kind not in TAKES:
            raise Misuse(f"there is no fault {self.kind!r}; there are {', '.join(TAKES)}")
        self._check_moment()
        self._check_fields()
        assert_is_a_loss(self.lose)
        if self.code not in CHANNEL_CODES:
            raise Misuse(
                f"code= is what closes a channel, one of {', '.join(map(str, CHANNEL_CODES))}: not {self.code}"
            )
        if self.times < 1:
            raise Misuse(f"times= is how often a delivery comes again, at least 1, not {self.times}")
        if self.seconds is not None:
            to_us(self.seconds)
        elif self.kind in NEEDS_SECONDS:
            raise Misuse(f"{self.kind} takes seconds=, how long it lasts in virtual time")

    def _check_moment(self) -> None:
        if sum(each is not None for each in (self.at, self.before, self.after)) > 1:
            raise Misuse("a fault strikes once: give one of at=, before= and after=")
        if self.at is not None and self.at < 1:
            raise Misuse(f"steps are counted from 1, not {self.at}")
        if self.occurrence < 1:
            raise Misuse(f"occurrences are counted from 1, not {self.occurrence}")
        if self.occurrence > 1 and not (self.method or self.kind in OF_THE_NEXT):
            raise Misuse("occurrence= says which method is meant: give before= or after= as well")
        if self.method is not None and self.method not in SENT_METHODS:
            raise Misuse(f"no client sends {self.method!r}; name a method as in AMQP, such as 'basic.publish'")
        if self.kind == "close_channel" and self.method is not None and self.method not in METHODS_OF_CHANNELS:
            raise Misuse(f"{self.method} is said where there is no channel to close; name what is said on an open one")

    def _check_fields(self) -> None:
        takes = ("at", "occurrence", *TAKES[self.kind], *(("task",) if self.method else ()))
        for field in fields(self)[1:]:
            if getattr(self, field.name) != field.default and field.name not in takes:
                raise Misuse(f"{self.kind} takes no {field.name}=; it takes {', '.join(takes)}")

    def __repr__(self) -> str:
        given = [(field.name, getattr(self, field.name), field.default) for field in fields(self)[1:]]
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value, default in given if value != default)})"

    @property
    def method(self) -> str | None:
        """The method that it strikes before or after."""
        return self.before or self.after

    @property
    def reply(self) -> str:
        """The text that closes a channel, in RabbitMQ's form."""
        return f"{self.code} {REPLY_NAMES[self.code]}{' - ' if self.text else ''}{self.text}"


@dataclass(frozen=True, repr=False)
class Faults:
    """How often each may strike in one run of a search; see the commands of `broker.faults` for what they are."""

    crash: int = 0
    stop: int = 0
    disconnect: int = 0
    partition: int = 0
    refuse: int = 0
    slow: int = 0
    alarm: int = 0
    kill: int = 0
    stall: int = 0
    nack: int = 0
    lose_confirm: int = 0
    close_channel: int = 0
    redeliver: int = 0
    cancel_consumer: int = 0
    reorder: int = 0
    tasks: Collection[str] | None = None
    """The names of the tasks at whose steps faults strike; by default any."""

    def __post_init__(self) -> None:
        for kind in TAKES:
            if getattr(self, kind) < 0:
                raise Misuse(f"{kind}= is how often that may go wrong, not {getattr(self, kind)}")
        if isinstance(self.tasks, str) or not all(isinstance(name, str) for name in self.tasks or ()):
            raise Misuse(f'tasks= takes names of tasks, such as {{"worker"}}, not {self.tasks!r}')
        if self.tasks is not None:
            object.__setattr__(self, "tasks", tuple(sorted(self.tasks)))  # an order that no hash decides

    def __repr__(self) -> str:
        given = [f"{kind}={getattr(self, kind)}" for kind in self.kinds]
        aimed = [] if self.tasks is None else [f"tasks={self.tasks!r}"]
        return f"Faults({', '.join([*given, *aimed])})"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those that may strike at all."""
        return tuple(field.name for field in fields(self) if field.name in TAKES and getattr(self, field.name))
