"""Connections and their channels: what a node remembers of each."""

from __future__ import annotations

import enum
from collections import deque
from typing import Literal, NamedTuple, TypeAlias, cast

from fakeamqp.node.kernel.message import Entry, Message
from fakeamqp.node.kernel.timers import Timer
from fakeamqp.node.queues.consumer import Consumer, Receiver
from fakeamqp.node.queues.queue import Queue, Registrations, Unacked
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.spec.errors import SoftError, not_found, precondition_failed
from fakeamqp.spec.methods import Method
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table

CHANNEL_MAX = 2047
FRAME_MAX = 131072
HEARTBEAT_S = 60
FRAME_MIN_SIZE = 4096
"""Below this no peer may negotiate, AMQP 0-9-1 section 4.2.3."""


FIRST_PORT = 49151
"""Clients are numbered from the first ephemeral port on."""
IDLE_US = 1_000_000
"""After this a channel process hibernates (rabbit_channel.erl, handle_pre_hibernate)."""


class Phase(enum.Enum):
    """How far a connection has come."""

    STARTING = "starting"
    TUNING = "tuning"
    OPENING = "opening"
    RUNNING = "running"
    CLOSING = "closing"
    """The server has sent connection.close and waits for close-ok."""
    CLOSED = "closed"


Outcome: TypeAlias = Literal["acknowledged", "rejected", "requeued"]
"""What a client decided about a delivery."""
ACKNOWLEDGED: Outcome = "acknowledged"
REJECTED: Outcome = "rejected"
REQUEUED: Outcome = "requeued"


class Settlement(Record):
    """What a client decided about deliveries in a transaction."""

    deliveries: list[Unacked]
    outcome: Outcome


class Publication(Record):
    """A message on its way: where it goes was decided when it was published."""

    message: Message
    queues: tuple[Queue, ...]
    names: tuple[str, ...]
    """The queues' names; of the default exchange also those that do not exist."""
    mandatory: bool


class Transaction:
    """What a transactional channel holds back until tx.commit."""

    __slots__ = ("publications", "settlements")

    def __init__(self) -> None:
        self.publications: list[Publication] = []
        self.settlements: list[Settlement] = []

    def settle(self, deliveries: list[Unacked], outcome: Outcome) -> None:
        """Deliveries will be settled at commit: in one go with those before that have the same outcome.

        Then they go in the order of their tags (rabbit_channel.erl, ack_cons; observed).
        """
        if self.settlements and self.settlements[-1].outcome is outcome:
            together = self.settlements[-1].deliveries
            is_in_order = not (together and deliveries) or together[-1].delivery_tag < deliveries[0].delivery_tag
            together.extend(deliveries)
            if not is_in_order:
                together.sort(key=lambda each: each.delivery_tag)
        else:
            self.settlements.append(Settlement(deliveries, outcome))


class ReplyConsumer(NamedTuple):
    """A channel's consumer of direct replies, and the address at which it gets them."""

    tag: str
    address: str


class Channel(Receiver):
    """One open channel."""

    __slots__ = (
        "_settled_below",
        "ack_timer",
        "confirms",
        "connection",
        "consumer_prefetch",
        "consumers",
        "heard_us",
        "is_closing",
        "is_committing",
        "last_queue",
        "next_consumer_number",
        "next_delivery_tag",
        "next_publish_number",
        "number",
        "opened_us",
        "permitted",
        "permitted_topics",
        "registrations",
        "reply_consumer",
        "transaction",
        "unacked",
        "vhost",
    )

    def __init__(self, connection: Connection, number: int, now_us: int = 0) -> None:
        super().__init__()
        self.connection = connection
        self.vhost = cast("VirtualHost", connection.vhost)  # an open connection's: no other has channels
        self.number = number
        self.is_closing = False
        """The server has closed it and waits for the client's close-ok."""
        self.consumers: dict[str, Consumer] = {}
        self.unacked: dict[int, Unacked] = {}
        """By delivery tag, in their order."""
        self._settled_below = 1
        """No delivery of a lower tag is unacknowledged."""
        self.next_delivery_tag = 1
        self.next_consumer_number = 1
        self.consumer_prefetch = 0
        """basic.qos without global: for consumers to come."""
        self.confirms = False
        self.next_publish_number = 1
        self.registrations: Registrations = {}
        """What it knows of the quorum queues that it has published to."""
        self.transaction: Transaction | None = None
        self.is_committing = False
        """A tx.commit waits for the journal, and with it whatever the client may say."""
        self.last_queue = ""
        """The queue declared last, which an empty queue name means."""
        self.permitted: dict[tuple[str, str, str], None] = {}
        """(permission, kind, name) that were checked and granted, oldest first."""
        self.permitted_topics: dict[tuple[str, str, str], None] = {}
        """(permission, exchange, routing key) that were checked and granted, oldest first."""
        self.opened_us = now_us
        self.ack_timer: Timer | None = None
        """Looks whether the oldest delivery should have been acknowledged."""
        self.reply_consumer: ReplyConsumer | None = None
        """The consumer of direct replies."""
        self.heard_us = now_us
        """When the client last sent something on this channel."""

    def queue_meant(self, name: str) -> str:
        """The queue that a method means: an empty name is the one declared last; raises 404 if there was none.

        basic.consume, basic.get and queue.purge take the name as it is; other methods strip it (observed).
        """
        if name:
            return name
        if not self.last_queue:
            raise not_found("no previously declared queue")
        return self.last_queue

    def hear(self, now_us: int) -> None:
        """The client sends something, after some time; an idle channel has forgotten what it was granted."""
        if now_us - self.heard_us > IDLE_US:
            self.permitted.clear()
            self.permitted_topics.clear()
        self.heard_us = now_us

    def send(self, method: Method) -> None:
        """Queue a method for the client."""
        self.connection.outbox.append((self.number, method))

    def hold(self, queue: Queue, entry: Entry, consumer: Consumer | None, now_us: int) -> int:
        """Remember a delivery until it is acknowledged; returns its delivery tag."""
        tag = self.next_delivery_tag
        self.next_delivery_tag = tag + 1
        self.unacked[tag] = Unacked(tag, queue, entry, consumer, now_us)
        return tag

    def next_tag(self) -> int:
        """A fresh delivery tag."""
        tag = self.next_delivery_tag
        self.next_delivery_tag += 1
        return tag

    def pick(self, delivery_tag: int, multiple: bool) -> list[Unacked]:
        """Take the deliveries that an acknowledgement names, oldest first; raises 406 where one is unknown.

        Tag 0 with multiple means all; multiple wants the named tag itself to be outstanding (observed).
        """
        unacked = self.unacked
        if not multiple:
            found = unacked.pop(delivery_tag, None)
            if found is None:
                raise unknown_delivery_tag(delivery_tag)
            return [found]
        if delivery_tag == 0:
            picked = list(unacked.values())
            unacked.clear()
            return picked
        if delivery_tag not in unacked:
            raise unknown_delivery_tag(delivery_tag)
        # By their numbers: to find the first key of a dict again and again takes longer each time.
        tags = [tag for tag in range(self._settled_below, delivery_tag + 1) if tag in unacked]
        self._settled_below = delivery_tag + 1
        return [unacked.pop(tag) for tag in tags]

    def unpick(self, deliveries: list[Unacked]) -> None:
        """Deliveries that were picked wait for an acknowledgement again."""
        self.unacked.update((each.delivery_tag, each) for each in deliveries)
        self.unacked = dict(sorted(self.unacked.items()))
        self._settled_below = min((self._settled_below, *(each.delivery_tag for each in deliveries)))

    def held(self) -> list[Unacked]:
        """All deliveries that are not settled for good, oldest first: also those decided in a transaction."""
        held = [*self.unacked.values()]
        if self.transaction is not None and self.transaction.settlements:
            held += [each for settlement in self.transaction.settlements for each in settlement.deliveries]
            held.sort(key=lambda each: each.delivery_tag)
        return held

    def check(self) -> None:
        """What must hold between turns."""
        assert list(self.unacked) == sorted(self.unacked)
        assert all(tag >= self._settled_below for tag in self.unacked)
        held = [each for each in self.unacked.values() if each.consumer is not None]
        for tag, consumer in self.consumers.items():
            assert consumer.tag == tag
            assert consumer.channel is self
            if self.transaction is None:
                assert consumer.outstanding <= sum(each.consumer.tag == tag for each in held if each.consumer)


class Connection:
    """One client connection as the node sees it."""

    __slots__ = (
        "channel_max",
        "channels",
        "client_properties",
        "heard_us",
        "heartbeat_us",
        "held",
        "id",
        "mechanism",
        "name",
        "outbox",
        "phase",
        "port",
        "timer",
        "user",
        "vhost",
    )

    def __init__(self, number: int) -> None:
        self.id = number
        self.port = FIRST_PORT + number
        """The client's."""
        self.name = f"127.0.0.1:{self.port} -> 127.0.0.1:5672"
        self.mechanism = ""
        """How the client logs in."""
        self.phase = Phase.STARTING
        self.outbox: deque[tuple[int, Method]] = deque()
        """(channel number, method), oldest first: what the client has still to read."""
        self.channels: dict[int, Channel] = {}
        self.client_properties: Table = {}
        self.user = ""
        self.vhost: VirtualHost | None = None
        self.channel_max = CHANNEL_MAX
        self.heartbeat_us = 0
        self.heard_us = 0
        """When the client was last heard of."""
        self.held: list[tuple[int, Method]] | None = None
        """What a client has sent that is not read while the node is short of something; None if it is not blocked."""
        self.timer: Timer | None = None

    @property
    def is_running(self) -> bool:
        """Whether the connection is open for use."""
        return self.phase is Phase.RUNNING

    def send(self, method: Method) -> None:
        """Queue a method on channel 0."""
        self.outbox.append((0, method))

    def can(self, capability: str) -> bool:
        """Whether the client announced a capability in its client properties."""
        capabilities = self.client_properties.get("capabilities")
        return isinstance(capabilities, dict) and capabilities.get(capability) is True


def unknown_delivery_tag(delivery_tag: int) -> SoftError:
    """406 for a tag that is not outstanding on this channel."""
    return precondition_failed(f"unknown delivery tag {delivery_tag}")


def channel_of(consumer: Consumer) -> Channel:
    """The channel that a consumer is on."""
    channel = consumer.channel
    assert isinstance(channel, Channel)
    return channel
