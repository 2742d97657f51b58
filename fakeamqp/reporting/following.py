"""From a trace's events to journeys of messages: one function for each method that moves a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fakeamqp.reporting.journeys import Hold, Journey, Journeys, Place, Stay, deaths_of
from fakeamqp.simulation.trace import BROKER, FAULT, RECEIVED, SENT, TASK, Event
from fakeamqp.spec import methods

DOWN = ("the broker is stopped", "the broker has crashed")
UP = "the broker is started again"
TASK_BEGINS = ("starts", "starts again")
BREAKS_CONNECTIONS = ("disconnect", "kill")
"""Faults that end a task's connections."""


@dataclass
class ChannelState:
    """What is under way on one channel."""

    consumers: dict[str, tuple[Place, bool]] = field(default_factory=dict)
    """By consumer tag: the queue, and whether deliveries need no acknowledgement."""
    nameless: list[tuple[Place, bool]] = field(default_factory=list)
    """Consumers whose tags the broker is to make."""
    gets: list[tuple[Place, bool]] = field(default_factory=list)
    """Each basic.get that waits for its answer: the queue, and whether the message needs no acknowledgement."""
    unsettled: dict[int, tuple[Journey, Stay, Hold]] = field(default_factory=dict)
    """By delivery tag."""
    published: list[Journey] | None = None
    """In confirm mode: what was published, for number 1 first."""
    confirmed_up_to: int = 0


class Follower:
    """Reads a trace's events in order."""

    def __init__(self) -> None:
        self.journeys = Journeys()
        self.concerned: dict[int, list[Journey]] = {}
        """By event: the messages that it is about."""
        self.places: dict[int, Place] = {}
        """By event: the queue that it takes from."""
        self.queues: dict[Place, None] = {}
        """Every queue that was spoken of, in that order."""
        self.vhosts: dict[int, str] = {}
        """By connection."""
        self.outages: list[int] = []
        self._owners: dict[int, str] = {}
        """By connection: the task that made it."""
        self._channels: dict[tuple[int, int], ChannelState] = {}
        self._index = 0

    def read(self, events: Iterable[Event]) -> None:
        """Follow all of them."""
        for self._index, event in enumerate(events):
            if event.kind == BROKER and event.text in DOWN:
                self._node_is_gone()
            elif event.kind in (FAULT, TASK):
                self._befall(event)
            elif event.method is not None and event.kind in (SENT, RECEIVED):
                handle = _HANDLERS.get((event.kind, type(event.method)))
                if handle is not None:
                    handle(self, event, self._channel(event), event.method)

    # -- what is around messages ------------------------------------------------------------------------------------

    def vhost(self, connection: int) -> str:
        """The virtual host of a connection; "/" where it was opened before the trace begins."""
        return self.vhosts.get(connection, "/")

    def _channel(self, event: Event) -> ChannelState:
        return self._channels.setdefault((event.connection, event.channel), ChannelState())

    def _queue(self, event: Event, name: str) -> Place:
        place = Place(self.vhost(event.connection), name)
        if name:
            self.queues.setdefault(place)
        return place

    def _open_connection(self, event: Event, _: ChannelState, method: Any) -> None:
        self.vhosts[event.connection] = method.virtual_host
        self._owners[event.connection] = event.task

    def _name_queue(self, event: Event, _: ChannelState, method: Any) -> None:
        self._queue(event, method.queue)

    def _purge(self, event: Event, _: ChannelState, method: Any) -> None:
        for _, stay in self.journeys.open_stays(self._queue(event, method.queue)):
            if not stay.is_held:
                stay.until, stay.outcome = self._index, "purged"

    def _delete_queue(self, event: Event, _: ChannelState, method: Any) -> None:
        for _, stay in self.journeys.open_stays(self._queue(event, method.queue)):
            stay.until, stay.outcome = self._index, "deleted with its queue"

    def _close_connection(self, event: Event, _: ChannelState, method: Any) -> None:
        self._end_connections([event.connection])

    def _end_connections(self, connections: list[int]) -> None:
        for connection, number in list(self._channels):
            if connection in connections:
                self._bring_back(self._channels.pop((connection, number)), "came back, as its connection ended")

    def _befall(self, event: Event) -> None:
        """A task's connections end with a fault, and with the task."""
        fault = (event.details or {}).get("fault")
        ends = fault in BREAKS_CONNECTIONS if fault else not event.text.endswith(TASK_BEGINS)
        if ends and event.task:
            self._end_connections([each for each, owner in self._owners.items() if owner == event.task])

    def _close_channel(self, event: Event, channel: ChannelState, method: Any) -> None:
        self._bring_back(channel, "came back, as its channel ended")
        self._channels.pop((event.connection, event.channel), None)

    def _node_is_gone(self) -> None:
        self.outages.append(self._index)
        for channel in self._channels.values():
            self._bring_back(channel, "the broker went down")
        self._channels.clear()

    def _bring_back(self, channel: ChannelState, outcome: str) -> None:
        for _, _, hold in channel.unsettled.values():
            hold.until, hold.outcome = self._index, outcome
        channel.unsettled.clear()

    # -- publishing -------------------------------------------------------------------------------------------------

    def _publish(self, event: Event, channel: ChannelState, method: Any) -> None:
        vhost = self.vhost(event.connection)
        journey = self.journeys.begin(vhost, method, self._index, event.connection)
        self._concern(journey)
        named = Place(vhost, method.routing_key)
        if not method.exchange and named in self.queues:
            journey.stays.append(Stay(named, self._index))
        if channel.published is not None:
            channel.published.append(journey)

    def _select_confirms(self, _: Event, channel: ChannelState, method: Any) -> None:
        if channel.published is None:
            channel.published = []

    def _confirm(self, _: Event, channel: ChannelState, method: Any) -> None:
        published = channel.published or []
        first = channel.confirmed_up_to if method.multiple else method.delivery_tag - 1
        for journey in published[max(first, 0) : method.delivery_tag]:
            if journey.confirmed is None:
                journey.confirmed = self._index
                self._concern(journey)
        if method.multiple:
            channel.confirmed_up_to = method.delivery_tag

    def _return(self, event: Event, _: ChannelState, method: Any) -> None:
        for journey in self.journeys.like(self.vhost(event.connection), method):
            if journey.returned is None and not journey.stays:
                journey.returned = self._index
                self._concern(journey)
                return

    # -- delivering -------------------------------------------------------------------------------------------------

    def _consume(self, event: Event, channel: ChannelState, method: Any) -> None:
        consumer = (self._queue(event, method.queue), method.no_ack)
        if method.consumer_tag:
            channel.consumers[method.consumer_tag] = consumer
        else:
            channel.nameless.append(consumer)

    def _consume_ok(self, _: Event, channel: ChannelState, method: Any) -> None:
        if method.consumer_tag not in channel.consumers and channel.nameless:
            channel.consumers[method.consumer_tag] = channel.nameless.pop(0)

    def _get(self, event: Event, channel: ChannelState, method: Any) -> None:
        channel.gets.append((self._queue(event, method.queue), method.no_ack))

    def _get_empty(self, _: Event, channel: ChannelState, method: Any) -> None:
        if channel.gets:
            self.places[self._index] = channel.gets.pop(0)[0]

    def _get_ok(self, event: Event, channel: ChannelState, method: Any) -> None:
        if channel.gets:
            self._arrive(event, channel, method, *channel.gets.pop(0))

    def _deliver(self, event: Event, channel: ChannelState, method: Any) -> None:
        if method.consumer_tag in channel.consumers:
            self._arrive(event, channel, method, *channel.consumers[method.consumer_tag])

    def _arrive(self, event: Event, channel: ChannelState, method: Any, queue: Place, no_ack: bool) -> None:
        self.places[self._index] = queue
        journey, stay = self._found(event, method, queue)
        self._concern(journey)
        if stay.is_held:
            stay.holds[-1].until, stay.holds[-1].outcome = self._index, "came back, unseen"
        hold = Hold(event.connection, self._index)
        stay.holds.append(hold)
        if no_ack:
            hold.until = stay.until = self._index
            hold.outcome = stay.outcome = "needed no acknowledgement"
        else:
            channel.unsettled[method.delivery_tag] = (journey, stay, hold)

    def _found(self, event: Event, method: Any, queue: Place) -> tuple[Journey, Stay]:
        """The message that a delivery carries, and its stay in the queue: the one that fits best, of those the oldest.

        A message that was seen in the queue goes before one that may have gone there; one with the same past before
        one that was, or was not yet, delivered; one that nobody holds before one that somebody seems to hold.
        """
        alike = self.journeys.like(queue.vhost, method)
        known = [(journey, stay) for journey in alike if (stay := journey.stay_in(queue)) and stay.until is None]
        if known:
            return min(known, key=lambda pair: (pair[1].is_held, bool(pair[1].holds) != method.redelivered))
        for journey in alike:
            if journey.stay_in(queue) is None:
                return journey, self._enter(journey, queue, method)
        if alike:  # a stream gives a message as often as it is asked for
            return alike[-1], self._enter(alike[-1], queue, method)
        journey = self.journeys.begin(queue.vhost, method, None, 0)
        return journey, self._enter(journey, queue, method)

    def _enter(self, journey: Journey, queue: Place, method: Any) -> Stay:
        since = self._index if journey.published is None else journey.published
        deaths = deaths_of(method.properties)
        if deaths:
            source = journey.stay_in(Place(queue.vhost, str(deaths[0].get("queue"))))
            if source is not None:
                source.until = self._index if source.until is None else source.until
                source.outcome = f"dead-lettered: {deaths[0].get('reason')}"
                since = source.until
        stay = Stay(queue, since)
        journey.stays.append(stay)
        return stay

    # -- settling ---------------------------------------------------------------------------------------------------

    def _ack(self, _: Event, channel: ChannelState, method: Any) -> None:
        self._settle(channel, method.delivery_tag, method.multiple, "acknowledged", stays=False)

    def _nack(self, _: Event, channel: ChannelState, method: Any) -> None:
        outcome = "given back" if method.requeue else "rejected"
        self._settle(channel, method.delivery_tag, method.multiple, outcome, stays=method.requeue)

    def _reject(self, _: Event, channel: ChannelState, method: Any) -> None:
        outcome = "given back" if method.requeue else "rejected"
        self._settle(channel, method.delivery_tag, False, outcome, stays=method.requeue)

    def _recover(self, _: Event, channel: ChannelState, method: Any) -> None:
        self._settle(channel, 0, True, "given back", stays=True)

    def _settle(self, channel: ChannelState, tag: int, multiple: bool, outcome: str, *, stays: bool) -> None:
        tags = [each for each in channel.unsettled if each == tag or (multiple and (each < tag or not tag))]
        for each in tags:
            journey, stay, hold = channel.unsettled.pop(each)
            hold.until, hold.outcome = self._index, outcome
            if not stays:
                stay.until, stay.outcome = self._index, outcome
            self._concern(journey)

    def _concern(self, journey: Journey) -> None:
        self.concerned.setdefault(self._index, []).append(journey)


_HANDLERS: dict[tuple[str, type[methods.Method]], Callable[[Follower, Event, ChannelState, Any], None]] = {
    (SENT, methods.ConnectionOpen): Follower._open_connection,
    (SENT, methods.ConnectionClose): Follower._close_connection,
    (RECEIVED, methods.ConnectionClose): Follower._close_connection,
    (RECEIVED, methods.EndOfStream): Follower._close_connection,
    (SENT, methods.ChannelClose): Follower._close_channel,
    (RECEIVED, methods.ChannelClose): Follower._close_channel,
    (SENT, methods.QueueDeclare): Follower._name_queue,
    (RECEIVED, methods.QueueDeclareOk): Follower._name_queue,
    (SENT, methods.QueueBind): Follower._name_queue,
    (SENT, methods.QueuePurge): Follower._purge,
    (SENT, methods.QueueDelete): Follower._delete_queue,
    (SENT, methods.BasicPublish): Follower._publish,
    (SENT, methods.ConfirmSelect): Follower._select_confirms,
    (RECEIVED, methods.BasicAck): Follower._confirm,
    (RECEIVED, methods.BasicNack): Follower._confirm,
    (RECEIVED, methods.BasicReturn): Follower._return,
    (SENT, methods.BasicConsume): Follower._consume,
    (RECEIVED, methods.BasicConsumeOk): Follower._consume_ok,
    (SENT, methods.BasicGet): Follower._get,
    (RECEIVED, methods.BasicGetEmpty): Follower._get_empty,
    (RECEIVED, methods.BasicGetOk): Follower._get_ok,
    (RECEIVED, methods.BasicDeliver): Follower._deliver,
    (SENT, methods.BasicAck): Follower._ack,
    (SENT, methods.BasicNack): Follower._nack,
    (SENT, methods.BasicReject): Follower._reject,
    (SENT, methods.BasicRecover): Follower._recover,
    (SENT, methods.BasicRecoverAsync): Follower._recover,
}
