"""A slow model of one queue with settings of every kind: lists, and whoever was served is told from outside."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What a queue is declared with; None where nothing is said."""

    version: str
    kind: str
    ttl_ms: int | None
    max_length: int | None
    overflow: str
    max_priority: int | None
    single_active: bool
    delivery_limit: int | None

    def arguments(self) -> dict[str, Any]:
        said = {
            "x-queue-type": self.kind,
            "x-message-ttl": self.ttl_ms,
            "x-max-length": self.max_length,
            "x-overflow": self.overflow,
            "x-max-priority": self.max_priority,
            "x-single-active-consumer": self.single_active or None,
            "x-delivery-limit": self.delivery_limit,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def is_quorum(self) -> bool:
        return self.kind == "quorum"


@dataclass(eq=False)
class ModelMessage:
    """A message; `position` tells the order of arrival."""

    body: bytes
    priority: int
    expires_us: int | None
    position: int
    redelivered: bool = False
    returns: int = 0


@dataclass(eq=False)
class ModelConsumer:
    """A consumer; `channel` is the number of its channel."""

    tag: str
    channel: int
    prefetch: int
    priority: int
    outstanding: int = 0
    surplus: int = 0
    """By how much `outstanding` may be below zero."""
    age: int = 0
    """How many there were before."""

    def can_take(self) -> bool:
        return not self.prefetch or self.outstanding < self.prefetch


@dataclass(eq=False)
class ModelQueue:
    """The queue, its consumers in the order in which they came, and what it has given up."""

    settings: Settings
    ready: list[ModelMessage] = field(default_factory=list)
    consumers: list[ModelConsumer] = field(default_factory=list)
    active: ModelConsumer | None = None
    is_quiescing: bool = False
    """Whether the active consumer of a quorum queue of 4.0 only settles what it has."""
    is_stalled: bool = False
    """Whether a classic queue of 3.10 has not looked since its active consumer was cancelled."""
    dead: list[tuple[bytes, str]] = field(default_factory=list)
    count: int = 0
    consumers_ever: int = 0
    known: list[int] = field(default_factory=list)
    """The channels that have published to a quorum queue."""
    blocked: list[int] = field(default_factory=list)
    """Those of them that it refuses."""

    # -- who publishes ------------------------------------------------------------------------------------------------

    def is_over(self, more: int = 0) -> bool:
        limit = self.settings.max_length
        return limit is not None and len(self.ready) + more > limit

    def refuses(self, channel: int) -> bool:
        """Whether a publish is refused; a dead letter of it is noted."""
        if self.settings.overflow == "drop-head":
            return False
        if self.settings.is_quorum:
            if channel not in self.known:
                self.known.append(channel)
                if self.is_over():
                    self.blocked.append(channel)
            return channel in self.blocked
        return self.is_over(1)

    def publish(self, body: bytes, priority: int, now_us: int) -> None:
        self.is_stalled = False
        self.count += 1
        ttl_ms = self.settings.ttl_ms
        expires_us = None if ttl_ms is None else now_us + ttl_ms * 1000
        self.ready.append(ModelMessage(body, priority, expires_us, self.count))
        self.sort()

    def sort(self) -> None:
        """A classic queue's order; that of a quorum queue is what came of each step."""
        if not self.settings.is_quorum:
            most = self.settings.max_priority or 0
            self.ready.sort(key=lambda each: (-min(each.priority, most), each.position))

    # -- who consumes -------------------------------------------------------------------------------------------------

    def add(self, consumer: ModelConsumer) -> None:
        self.is_stalled = False
        self.consumers.append(consumer)
        self.consumers_ever += 1
        consumer.age = self.consumers_ever
        if self.replaces:
            self.activate()
        else:
            self.active = self.active or consumer

    def remove(self, consumer: ModelConsumer, *, is_cancelled: bool = False) -> None:
        self.consumers.remove(consumer)
        if self.settings.version == "3.10" and not self.settings.is_quorum:
            is_left_alone = self.is_stalled or (self.active is consumer and bool(self.ready and self.consumers))
            self.is_stalled = is_cancelled and is_left_alone
        if self.active is consumer:
            self.is_quiescing = False
            self.active = None if self.replaces else self.heir()
        if self.replaces:
            self.activate()

    @property
    def replaces(self) -> bool:
        """Whether a higher priority may replace the active consumer."""
        return self.settings.single_active and self.settings.is_quorum and self.settings.version == "4.0"

    def activate(self) -> None:
        """Of a quorum queue of 4.0: who comes, goes or settles for good may change who is active."""
        waiting = [each for each in self.consumers if each is not self.active]
        heir = max(waiting, key=lambda each: (each.priority, each.prefetch), default=None)
        if heir is not None and (self.active is None or heir.priority > self.active.priority):
            self.is_quiescing = self.active is not None and self.active.outstanding > 0
            self.active = self.active if self.is_quiescing else heir

    def free(self, channel: int, tag: str) -> None:
        """A delivery is settled. Credit belongs to a tag: a new consumer gets what an old one's frees (observed)."""
        for each in self.consumers:
            if (each.channel, each.tag) == (channel, tag):
                each.outstanding -= each.outstanding > -each.surplus or not self.settings.is_quorum
        if self.is_quiescing and self.active is not None and not self.active.outstanding:
            self.active, self.is_quiescing = None, False

    def free_once_more(self, channel: int, tag: str, message: ModelMessage) -> None:
        """In 3.10 what returns once too often frees its consumer twice, also beyond what that began with."""
        limit = self.settings.delivery_limit
        if (
            self.settings.is_quorum
            and self.settings.version == "3.10"
            and limit is not None
            and message.returns >= limit
        ):
            for each in self.consumers:
                each.surplus += (each.channel, each.tag) == (channel, tag)
            self.free(channel, tag)

    def heir(self) -> ModelConsumer | None:
        """Who is the single active consumer next."""
        if self.settings.is_quorum and self.settings.version == "3.10":
            return self.consumers[0] if self.consumers else None
        return max(self.consumers, key=lambda each: each.priority, default=None)

    def candidates(self) -> list[ModelConsumer]:
        """Who may be served now."""
        if not self.settings.single_active:
            able = [each for each in self.consumers if each.can_take()]
            return [each for each in able if each.priority == max(other.priority for other in able)]
        is_idle = self.is_quiescing or self.is_stalled
        return [self.active] if self.active and self.active.can_take() and not is_idle else []

    # -- what becomes of messages --------------------------------------------------------------------------------------

    def run(self, served: dict[bytes, ModelConsumer], now_us: int, *, requeued: bool = False) -> list[ModelMessage]:
        """Let the queue do all it can; `served` says who got what. What was handed out."""
        handed_out: list[ModelMessage] = []
        died_before = len(self.dead)
        if requeued and not self.settings.is_quorum:
            self.trim()
        while self.ready:
            head = self.ready[0]
            is_expired = head.expires_us is not None and head.expires_us <= now_us
            may_be_served = not is_expired or (head.expires_us == now_us and not head.redelivered)
            candidates = self.candidates() if may_be_served else []
            if candidates:
                consumer = served[head.body]
                assert consumer in candidates, f"{head.body!r} went to {consumer}"
                consumer.outstanding += 1
                handed_out.append(self.ready.pop(0))
            elif self.settings.is_quorum and head.expires_us is not None and head.expires_us < now_us:
                self.die(self.ready.pop(0), "expired")  # also where there are too many
            elif not self.trim(at_most=1):
                if not is_expired:
                    break
                self.die(self.ready.pop(0), "expired")
        assert len(handed_out) == len(served), f"{served} served, and not just {handed_out}"
        if self.settings.is_quorum:
            self.put_latest_drops_first(died_before)
        if self.settings.is_quorum and self.settings.overflow == "reject-publish":
            if self.is_over():
                self.blocked = list(self.known)
            elif self.settings.max_length is not None and len(self.ready) <= self.settings.max_length * 0.8:
                self.blocked = []
        return handed_out

    def trim(self, at_most: int = 1000) -> bool:
        """Drop heads; whether any was."""
        dropped = 0
        while self.settings.overflow == "drop-head" and self.is_over() and dropped < at_most:
            self.die(self.ready.pop(0), "maxlen")
            dropped += 1
        return dropped > 0

    def put_latest_drops_first(self, died_before: int) -> None:
        """What a quorum queue drops together is dead-lettered latest first, and so is what it drops after that."""
        together = self.dead[died_before:]
        for reason, deaths in itertools.groupby(together, key=lambda each: each[1]):
            several = list(deaths)
            self.dead[died_before : died_before + len(several)] = several[::-1] if reason == "maxlen" else several
            died_before += len(several)

    def die(self, message: ModelMessage, reason: str) -> None:
        self.dead.append((message.body, reason))

    def take_back(self, message: ModelMessage, *, by_client: bool) -> None:
        """A message that was out is ready again, or dies of it."""
        self.is_stalled = False
        message.redelivered = True
        message.returns += 1
        settings = self.settings
        limit = settings.delivery_limit
        if limit is None and settings.version == "4.0":
            limit = 20
        if settings.is_quorum and limit is not None and message.returns > limit:
            self.die(message, "delivery_limit")
        elif settings.is_quorum and settings.version == "3.10" and limit is None and by_client:
            self.count += 1
            message.position, message.redelivered = self.count, True
            self.ready.append(message)
        elif settings.is_quorum:
            returned = [each for each in self.ready if each.position < 0]
            message.position = -1 - message.position if message.position > 0 else message.position
            self.ready.insert(len(returned), message)
        else:
            self.ready.append(message)
            self.sort()

    def take_back_all(self, held: dict[int, tuple[ModelMessage, ModelConsumer | None]]) -> None:
        """A channel is over that held these deliveries, by tag."""
        for message in self.in_order_of_return(held):
            self.take_back(message, by_client=False)

    def in_order_of_return(self, held: dict[int, tuple[ModelMessage, ModelConsumer | None]]) -> list[ModelMessage]:
        """What a channel held, by tag, in the order in which it returns: a quorum queue goes through its consumers.

        It does so by tag in 3.10, where that of a get is its delivery tag, and by age in 4.0, gets last.
        """
        ages: dict[str, int] = {}
        for _, consumer in held.values():
            if consumer is not None:
                ages[consumer.tag] = min(ages.get(consumer.tag, consumer.age), consumer.age)

        def turn(tag: int) -> tuple[int, str]:
            consumer = held[tag][1]
            if self.settings.version == "3.10":
                return 0, str(tag) if consumer is None else consumer.tag
            return (self.consumers_ever + 1, str(tag)) if consumer is None else (ages[consumer.tag], "")

        return [held[tag][0] for tag in sorted(held, key=turn)]

    def restart(self, held: list[ModelMessage], *, graceful: bool) -> None:
        """The node went down and is back; nobody is there any more."""
        self.consumers, self.active, self.is_quiescing, self.known, self.blocked = [], None, False, [], []
        self.is_stalled = False
        for message in held:
            message.redelivered = True
            message.returns += 1
        if self.settings.is_quorum:
            for message in held:
                message.position = min(message.position, -1 - message.position)
            returned = [each for each in self.ready if each.position < 0]
            self.ready = [*returned, *held, *self.ready[len(returned) :]]
            return
        self.ready += held
        for message in self.ready:
            message.redelivered = message.redelivered or not graceful
        self.sort()
