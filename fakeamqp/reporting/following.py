"""From a trace's events to journeys of messages: one function for each method or effect that moves a message.

Effects tell what became of a message, but do not name it: of messages that look the same the oldest is meant, as
queues have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from fakeamqp.node.state import watching
from fakeamqp.reporting.journeys import Hold, Journey, Journeys, Label, Place, Stay, first_label
from fakeamqp.simulation.record import outcomes
from fakeamqp.simulation.record.events import BROKER, EFFECT, FAULT, RECEIVED, SENT, TASK, Event
from fakeamqp.spec import methods

DOWN = ("the broker is stopped", "the broker has crashed")
UP = "the broker is started again"
TASK_BEGINS = ("starts", "starts again")
BREAKS_CONNECTIONS = ("disconnect", "kill")
"""Faults that end a task's connections."""
ENDS = {
    watching.EXPIRED: "expired",
    watching.MAXLEN: "dropped, as the queue was too long",
    watching.REJECTED: "rejected",
    watching.DELIVERY_LIMIT: "given up, as it came back once too often",
    watching.PURGED: "purged",
    watching.DELETED: "gone with its queue",
    watching.FORGOTTEN: "forgotten by its stream",
    outcomes.LOST: "lost when the broker went down",
}
"""Outcomes with which a stay in a queue is over."""
ARRIVES = (watching.ROUTED, watching.DEAD_LETTERED, outcomes.BACK)
"""Outcomes with which a stay begins."""
BY_CLIENT = (watching.ACKED, watching.REQUEUED, watching.REJECTED)
"""Outcomes that a method of a client brings about at once."""


@dataclass
class ChannelState:
    """What is under way on one channel."""

    automatic: dict[str, bool] = field(default_factory=dict)
    """By consumer tag: whether deliveries need no acknowledgement."""
    nameless: list[bool] = field(default_factory=list)
    """The same for consumers whose tags the broker is to make."""
    gets: list[tuple[Place, bool]] = field(default_factory=list)
    """Each basic.get that waits for its answer: the queue, and whether the message needs no acknowledgement."""
    deliveries: dict[int, tuple[Journey, Stay, Hold]] = field(default_factory=dict)
    """By delivery tag."""
    unrouted: list[Journey] = field(default_factory=list)
    """Published, but the node has not said where to; in a transaction that comes later."""
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
        """By event: the queue that it takes from, or that it happened in."""
        self.queues: dict[Place, None] = {}
        """Every queue that was spoken of, in that order."""
        self._streams: set[Place] = set()
        self._vhosts: dict[int, str] = {}
        self._owners: dict[int, str] = {}
        """By connection: the task that made it."""
        self._channels: dict[tuple[int, int], ChannelState] = {}
        self._index = 0
        self._arriving: Journey | None = None
        """The message that was routed last."""
        self._cause: int | None = None
        """The method that the node is at work on."""

    def read(self, events: Iterable[Event]) -> None:
        """Follow all of them."""
        for self._index, event in enumerate(events):
            if event.kind == EFFECT:
                self._befalls(event)
                continue
            self._cause = self._index if event.kind == SENT else None
            if event.kind == BROKER and event.text in DOWN:
                self._end_connections(list(self._owners), "the broker went down")
            elif event.kind in (FAULT, TASK):
                self._task_ends(event)
            handle = _HANDLERS.get((event.kind, type(event.method)))
            if handle is not None:
                handle(self, event, self._channel(event), event.method)

    # -- connections, channels, queues --------------------------------------------------------------------------------

    def _channel(self, event: Event) -> ChannelState:
        return self._channels.setdefault((event.connection, event.channel), ChannelState())

    def _queue(self, event: Event, name: str) -> Place:
        place = Place(self._vhosts.get(event.connection, "/"), name)
        if name:
            self.queues.setdefault(place)
        return place

    def _open_connection(self, event: Event, _: ChannelState, method: Any) -> None:
        self._vhosts[event.connection] = method.virtual_host
        self._owners[event.connection] = event.task

    def _name_queue(self, event: Event, _: ChannelState, method: Any) -> None:
        place = self._queue(event, method.queue)
        if (getattr(method, "arguments", None) or {}).get("x-queue-type") == "stream":
            self._streams.add(place)

    def _close_channel(self, event: Event, _: ChannelState, method: Any) -> None:
        self._bring_back(self._channels.pop((event.connection, event.channel)), "its channel ended")

    def _close_connection(self, event: Event, _: ChannelState, method: Any) -> None:
        self._end_connections([event.connection], "its connection ended")

    def _end_connections(self, connections: list[int], why: str) -> None:
        for connection, number in list(self._channels):
            if connection in connections:
                self._bring_back(self._channels.pop((connection, number)), why)

    def _task_ends(self, event: Event) -> None:
        """A task's connections end with some faults, and with the task."""
        fault = (event.details or {}).get("fault")
        ends = fault in BREAKS_CONNECTIONS if fault else not event.text.endswith(TASK_BEGINS)
        if ends and event.task:
            mine = [each for each, owner in self._owners.items() if owner == event.task]
            self._end_connections(mine, "its connection ended")

    def _bring_back(self, channel: ChannelState, why: str) -> None:
        for _, stay, hold in channel.deliveries.values():
            if hold.until is None and stay.until is None:
                stay.bring_back(self._index, f"back, as {why}")

    # -- what clients say and hear ------------------------------------------------------------------------------------

    def _publish(self, event: Event, channel: ChannelState, method: Any) -> None:
        vhost = self._vhosts.get(event.connection, "/")
        label = (vhost, method.exchange, method.routing_key, method.body)
        journey = self.journeys.begin(label, self._index, event.connection)
        self._concern(self._index, journey)
        channel.unrouted.append(journey)
        if channel.published is not None:
            channel.published.append(journey)

    def _select_confirms(self, _: Event, channel: ChannelState, method: Any) -> None:
        if channel.published is None:
            channel.published = []

    def _confirm(self, _: Event, channel: ChannelState, method: Any) -> None:
        first = channel.confirmed_up_to if method.multiple else max(method.delivery_tag - 1, 0)
        for journey in (channel.published or [])[first : method.delivery_tag]:
            if journey.confirmed is None:
                journey.confirmed = self._index
                self._concern(self._index, journey)
        if method.multiple:
            channel.confirmed_up_to = method.delivery_tag

    def _return(self, event: Event, _: ChannelState, method: Any) -> None:
        vhost = self._vhosts.get(event.connection, "/")
        for journey in self.journeys.labelled((vhost, method.exchange, method.routing_key, method.body)):
            if not journey.stays:
                self._concern(self._index, journey)
                return

    def _consume(self, event: Event, channel: ChannelState, method: Any) -> None:
        self._queue(event, method.queue)
        if method.consumer_tag:
            channel.automatic[method.consumer_tag] = method.no_ack
        else:
            channel.nameless.append(method.no_ack)

    def _consume_ok(self, _: Event, channel: ChannelState, method: Any) -> None:
        if method.consumer_tag not in channel.automatic and channel.nameless:
            channel.automatic[method.consumer_tag] = channel.nameless.pop(0)

    def _get(self, event: Event, channel: ChannelState, method: Any) -> None:
        channel.gets.append((self._queue(event, method.queue), method.no_ack))

    def _get_empty(self, _: Event, channel: ChannelState, method: Any) -> None:
        if channel.gets:
            self.places[self._index] = channel.gets.pop(0)[0]

    def _get_ok(self, _: Event, channel: ChannelState, method: Any) -> None:
        self._read(channel, method, channel.gets.pop(0)[1] if channel.gets else False)

    def _deliver(self, _: Event, channel: ChannelState, method: Any) -> None:
        self._read(channel, method, channel.automatic.get(method.consumer_tag, False))

    def _read(self, channel: ChannelState, method: Any, is_automatic: bool) -> None:
        """A client reads what the node has sent before."""
        if method.delivery_tag not in channel.deliveries:
            return
        journey, stay, hold = channel.deliveries[method.delivery_tag]
        hold.received = self._index
        self.places[self._index] = stay.queue
        self._concern(self._index, journey)
        if is_automatic and stay.is_in_stream:
            hold.until, hold.outcome = self._index, "no acknowledgement needed"
        elif is_automatic:
            stay.end(self._index, "no acknowledgement needed")

    # -- what becomes of messages in the node -------------------------------------------------------------------------

    def _befalls(self, event: Event) -> None:
        details = event.details or {}
        outcome, vhost = details["outcome"], details["vhost"]
        for name in event.queues:
            self.queues.setdefault(Place(vhost, name))
        if outcome == watching.ROUTED:
            self._routed(event, details)
        elif outcome == watching.DEAD_LETTERED:
            self._dead_lettered(details, Place(vhost, details["queue"]))
        elif outcome == outcomes.BACK:
            self._returns_from_disk(details, Place(vhost, details["queue"]))
        elif outcome == watching.REFUSED:
            self._refused(Place(vhost, details["queue"]))
        elif outcome == watching.UNDELIVERABLE:
            self.places[self._index] = Place(vhost, details["queue"])
        elif details["queue"] is not None and outcome != outcomes.KEPT:
            self._moves(event, outcome, details, Place(vhost, details["queue"]))

    def _routed(self, event: Event, details: Any) -> None:
        label = _label(details)
        waiting = self._channel(event).unrouted if event.connection else []
        journey = next((each for each in waiting if each.label == label), None)
        if journey is not None:
            waiting.remove(journey)
        else:  # it was set aside by an exchange, or the broker itself has made it
            alike = self.journeys.labelled(label)
            journey = next((each for each in alike if not each.stays), None) or self.journeys.begin(label, None, 0)
        self._enter_all(journey, details)
        self._arriving = journey

    def _refused(self, queue: Place) -> None:
        """A queue to which a message was routed just now does not take it; of dead letters it was never told."""
        self.places[self._index] = queue
        stay = None if self._arriving is None else self._arriving.stay_in(queue)
        if self._arriving is not None and stay is not None and stay.until is None:
            stay.end(stay.since, "refused, as the queue had no room")
            self._concern(self._index, self._arriving)

    def _enter_all(self, journey: Journey, details: Any, source: Stay | None = None) -> None:
        for name in details["queues"]:
            self._enter(journey, Place(details["vhost"], name), details, source)
        self._concern(self._index, journey)

    def _enter(self, journey: Journey, queue: Place, details: Any, source: Stay | None = None) -> Stay:
        since = self._index if details["outcome"] in ARRIVES else 0  # what was there before the trace begins
        stay = Stay(queue, since, details["properties"], queue in self._streams, source)
        self.journeys.enter(journey, stay)
        return stay

    def _dead_lettered(self, details: Any, queue: Place) -> None:
        journey, source = self._left(details, queue)
        self._enter_all(journey, details, source)
        self._arriving = None

    def _returns_from_disk(self, details: Any, queue: Place) -> None:
        journey, source = self._left(details, queue)
        self._concern(self._index, journey)
        self._enter(journey, queue, details, source)

    def _left(self, details: Any, queue: Place) -> tuple[Journey, Stay | None]:
        """The message of this kind that was the last to leave a queue."""
        label = _first_label(details)
        stays = [(journey, journey.stay_in(queue)) for journey in self.journeys.labelled(label)]
        left = [(journey, stay) for journey, stay in stays if stay is not None and stay.until is not None]
        if not left:
            return self.journeys.begin(label, None, 0), None
        return max(left, key=lambda pair: pair[1].until or 0)

    def _moves(self, event: Event, outcome: str, details: Any, queue: Place) -> None:
        self.places[self._index] = queue
        journey, stay = self._found(event, outcome, details, queue)
        self._concern(self._index, journey)
        if outcome in BY_CLIENT and self._cause is not None:
            self._concern(self._cause, journey)
        if outcome == watching.DELIVERED:
            hold = Hold(event.connection, self._index)
            stay.holds.append(hold)
            self._channel(event).deliveries[details["delivery_tag"]] = (journey, stay, hold)
        elif outcome == watching.REQUEUED:
            stay.bring_back(self._index, "given back")
        elif outcome == watching.ACKED:
            self._acked(event, details, stay)
        elif outcome in ENDS:
            stay.end(self._index, ENDS[outcome])

    def _acked(self, event: Event, details: Any, stay: Stay) -> None:
        if not stay.is_in_stream:
            stay.end(self._index, "acknowledged")
        elif details["delivery_tag"] in self._channel(event).deliveries:
            hold = self._channel(event).deliveries[details["delivery_tag"]][2]
            hold.until, hold.outcome = self._index, "acknowledged"

    def _found(self, event: Event, outcome: str, details: Any, queue: Place) -> tuple[Journey, Stay]:
        """The message that something befalls, and its stay in the queue."""
        if outcome == watching.ACKED:
            delivered = self._channel(event).deliveries.get(details["delivery_tag"])
            if delivered is not None:
                return delivered[:2]
        label = _first_label(details)
        alike = self.journeys.alike_inside(queue, label, details["properties"])
        was_held = outcome in BY_CLIENT or outcome == watching.DELIVERY_LIMIT
        was_delivered = details.get("redelivered", False)
        if alike:
            return min(alike, key=lambda pair: (pair[1].is_held != was_held, bool(pair[1].holds) != was_delivered))
        journey = self.journeys.begin(label, None, 0)
        return journey, self._enter(journey, queue, details)

    def _concern(self, event: int, journey: Journey) -> None:
        concerned = self.concerned.setdefault(event, [])
        if journey not in concerned:
            concerned.append(journey)


def _label(details: Any) -> Label:
    return details["vhost"], details["exchange"], details["routing_key"], details["body"]


def _first_label(details: Any) -> Label:
    return first_label(*_label(details), details["properties"])


_HANDLERS: dict[tuple[str, type], Callable[[Follower, Event, ChannelState, Any], None]] = {
    (SENT, methods.ConnectionOpen): Follower._open_connection,
    (SENT, methods.ConnectionClose): Follower._close_connection,
    (RECEIVED, methods.ConnectionClose): Follower._close_connection,
    (RECEIVED, methods.EndOfStream): Follower._close_connection,
    (SENT, methods.ChannelClose): Follower._close_channel,
    (RECEIVED, methods.ChannelClose): Follower._close_channel,
    (SENT, methods.QueueDeclare): Follower._name_queue,
    (RECEIVED, methods.QueueDeclareOk): Follower._name_queue,
    (SENT, methods.QueueBind): Follower._name_queue,
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
}
