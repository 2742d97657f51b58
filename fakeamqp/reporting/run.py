"""A run as the report sees it: the trace, the messages followed through it, and what the broker holds in the end."""

from __future__ import annotations

from functools import cached_property

from fakeamqp.reporting.following import Follower
from fakeamqp.reporting.journeys import Journey, Journeys, Place
from fakeamqp.reporting.marks import is_drawn
from fakeamqp.reporting.words import tell, who
from fakeamqp.simulation.management.listings import Listings
from fakeamqp.simulation.record.events import Event
from fakeamqp.simulation.record.snapshots import VirtualHostSnapshot
from fakeamqp.simulation.world.world import World

MOST_EVENTS = 2000
"""How many of the last events are shown."""


class Run:
    """What has happened to a broker up to now."""

    def __init__(self, world: World, most_events: int = MOST_EVENTS) -> None:
        self.world = world
        self.events: list[Event] = list(world.trace)
        self.vhosts: list[VirtualHostSnapshot] = Listings(world).vhosts() if world.node is not None else []
        self.first = max(len(self.events) - most_events, 0)
        """The first event that is shown."""
        self._follower = Follower()
        self._follower.read(self.events)

    @property
    def journeys(self) -> Journeys:
        """All messages."""
        return self._follower.journeys

    def place(self, index: int) -> Place | None:
        """The queue that an event takes from, or that it happened in."""
        return self._follower.places.get(index)

    def concerned(self, index: int) -> list[Journey]:
        """The messages that an event is about."""
        return self._follower.concerned.get(index, [])

    @property
    def shown(self) -> range:
        """The events that are shown, by their numbers."""
        return range(self.first, len(self.events))

    @cached_property
    def drawn(self) -> list[int]:
        """Those that have a mark in the picture."""
        return [index for index in self.shown if is_drawn(self.events[index])]

    @cached_property
    def queues(self) -> list[Place]:
        """Every queue that was spoken of or is there, in that order."""
        there = [Place(vhost.name, name) for vhost in self.vhosts for name in vhost.queues]
        stays = [stay.queue for journey in self.journeys.all for stay in journey.stays]
        return list(dict.fromkeys((*self._follower.queues, *there, *stays)))

    @cached_property
    def owners(self) -> dict[int, str]:
        """By connection: the task that it belongs to, or nothing."""
        found: dict[int, str] = {}
        for event in self.events:
            if event.connection:
                found[event.connection] = event.task or found.get(event.connection, "")
        return found

    def sentence(self, index: int) -> str:
        """An event in words, without its subject."""
        return tell(self.events[index], self.concerned(index), self.place(index))

    def subject(self, index: int) -> str:
        """Whose event it is."""
        event = self.events[index]
        return who(event, self.owners.get(event.connection, ""))
