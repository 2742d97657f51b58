"""Connections: what a node remembers of each, and the way there, from protocol header to connection.open-ok."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING

from fakeamqp.spec.methods import Method
from fakeamqp.spec.tables import Table

if TYPE_CHECKING:
    from fakeamqp.node.state.channel import Channel
    from fakeamqp.node.state.timers import Timer
    from fakeamqp.node.state.vhost import VirtualHost

CHANNEL_MAX = 2047
FRAME_MAX = 131072
HEARTBEAT_S = 60
FRAME_MIN_SIZE = 4096
"""Below this no peer may negotiate, AMQP 0-9-1 section 4.2.3."""


FIRST_PORT = 49151
"""Clients are numbered from the first ephemeral port on."""


class Phase(enum.Enum):
    """How far a connection has come."""

    STARTING = "starting"
    TUNING = "tuning"
    OPENING = "opening"
    RUNNING = "running"
    CLOSING = "closing"
    """The server has sent connection.close and waits for close-ok."""
    CLOSED = "closed"


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
