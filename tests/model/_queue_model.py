"""A slow model of queues and those who hold their messages: lists, searched from end to end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class ModelMessage:
    """A message in one queue; `position` tells the order of arrival."""

    number: int
    persistent: bool
    ttl_ms: int | None
    expires_us: int | None = None
    position: int = 0
    redelivered: bool = False
    returns: int = 0
    """How often it came back."""

    @property
    def body(self) -> bytes:
        return str(self.number).encode()

    def is_expired(self, now_us: int) -> bool:
        return self.expires_us is not None and self.expires_us <= now_us


@dataclass(eq=False)
class ModelQueue:
    """One queue: `returned` are ready and were taken before, `arrivals` are ready and never were."""

    name: str
    durable: bool
    is_quorum: bool
    returns_to_back: bool
    """Whether a message that its consumer returns goes behind all others."""
    delivery_limit: int | None = None
    """How often a message may come back."""
    returned: list[ModelMessage] = field(default_factory=list)
    arrivals: list[ModelMessage] = field(default_factory=list)
    count: int = 0
    """How many messages ever came."""

    @property
    def ready(self) -> list[ModelMessage]:
        return [*self.returned, *self.arrivals]

    def enqueue(self, message: ModelMessage, now_us: int) -> None:
        """A new message comes; its time begins to run."""
        if message.ttl_ms is not None:
            message.expires_us = now_us + message.ttl_ms * 1000
        self.count += 1
        message.position = self.count
        self.arrivals.append(message)

    def remove(self, message: ModelMessage) -> None:
        (self.returned if message in self.returned else self.arrivals).remove(message)

    def expire_heads(self, now_us: int) -> None:
        while self.ready and self.ready[0].is_expired(now_us):
            self.remove(self.ready[0])

    def take_back(self, message: ModelMessage, *, may_go_to_back: bool) -> None:
        """A message that was taken is ready again."""
        message.redelivered = True
        message.returns += 1
        if self.delivery_limit is not None and message.returns > self.delivery_limit:
            return
        if may_go_to_back and self.returns_to_back:
            self.arrivals.append(message)
            return
        self.returned.append(message)
        if not self.is_quorum:
            self.returned.sort(key=lambda each: each.position)

    def purge(self) -> int:
        count = len(self.ready)
        self.returned, self.arrivals = [], []
        return count


@dataclass(eq=False)
class ModelConsumer:
    """One consumer."""

    tag: str
    queue: ModelQueue
    no_ack: bool
    prefetch: int
    outstanding: int = 0

    def can_take(self) -> bool:
        return self.no_ack or not self.prefetch or self.outstanding < self.prefetch


@dataclass(eq=False)
class Held:
    """A delivery that somebody has not settled; `consumer_tag` is empty after a get."""

    tag: int
    message: ModelMessage
    queue: ModelQueue
    consumer_tag: str


@dataclass(eq=False)
class ModelChannel:
    """One channel."""

    consumers: dict[str, ModelConsumer] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    last_tag: int = 0
    prefetch: int = 0
    mode: str = "plain"
    confirmed: int = 0
    publishes: list[tuple[ModelQueue, ModelMessage]] = field(default_factory=list)
    """What tx.commit will publish."""
    settlements: list[tuple[list[Held], bool]] = field(default_factory=list)
    """What tx.commit will settle, each with whether it is requeued."""

    def next_tag(self) -> int:
        self.last_tag += 1
        return self.last_tag

    def hold(self, tag: int, message: ModelMessage, queue: ModelQueue, consumer_tag: str) -> None:
        """A delivery that wants to be acknowledged."""
        self.held = dict(sorted([*self.held.items(), (tag, Held(tag, message, queue, consumer_tag))]))

    def pick(self, tag: int, multiple: bool) -> list[Held]:
        """The deliveries that a client's tag means: that one, or all up to it; tag 0 means all."""
        wanted = [each for each in self.held if each == tag or (multiple and (each <= tag or tag == 0))]
        return [self.held.pop(each) for each in wanted]

    def settle(self, deliveries: list[Held], requeue: bool) -> None:
        """Deliveries are settled; those of one queue and consumer together, by the consumer's tag."""
        for each in sorted(deliveries, key=lambda each: (each.consumer_tag, each.tag)):
            # Credit belongs to a tag: a new consumer gets what an old one's delivery frees (observed).
            consumer = self.consumers.get(each.consumer_tag)
            if consumer is not None and consumer.queue is each.queue:
                consumer.outstanding -= consumer.outstanding > 0 or not each.queue.is_quorum
            if requeue:
                each.queue.take_back(each.message, may_go_to_back=True)

    def decide(self, deliveries: list[Held], requeue: bool) -> None:
        """What tx.commit will settle: in one go with what was decided alike just before."""
        if self.settlements and self.settlements[-1][1] == requeue:
            deliveries = [*self.settlements.pop()[0], *deliveries]
        self.settlements.append((deliveries, requeue))

    def commit(self, now_us: int) -> None:
        """tx.commit: at a quorum queue what is settled comes before what is published."""
        for queue, message in self.publishes:
            if not queue.is_quorum:
                queue.enqueue(message, now_us)
        for deliveries, requeue in self.settlements:
            self.settle(deliveries, requeue)
        for queue, message in self.publishes:
            if queue.is_quorum:
                queue.enqueue(message, now_us)
        self.publishes, self.settlements = [], []

    def roll_back(self) -> None:
        """tx.rollback."""
        for deliveries, _ in self.settlements:
            self.held |= {each.tag: each for each in deliveries}
        self.held = dict(sorted(self.held.items()))
        self.publishes, self.settlements = [], []

    def close(self) -> None:
        """The channel ends, and what it held is ready again."""
        for each in self.unsettled:
            each.queue.take_back(each.message, may_go_to_back=False)
        vars(self).update(vars(ModelChannel()))

    @property
    def unsettled(self) -> list[Held]:
        """All that it holds, what a transaction will settle included."""
        return [*self.held.values(), *(each for deliveries, _ in self.settlements for each in deliveries)]


def restart(queue: ModelQueue, unsettled: list[Held], *, graceful: bool) -> None:
    """A durable queue after an outage: what is kept is ready in the order of arrival.

    A quorum queue knows what was returned before, and what was out returns behind it.
    """
    held = [each.message for each in unsettled if each.queue is queue]
    for message in held:
        message.redelivered = True
        message.returns += 1
    if queue.is_quorum:
        queue.returned += held
        return
    kept = [each for each in (*queue.ready, *held) if each.persistent]
    if not graceful:
        for message in kept:  # a classic queue that was killed no longer knows, and says so of all
            message.redelivered = True
    queue.returned, queue.arrivals = [], sorted(kept, key=lambda each: each.position)
