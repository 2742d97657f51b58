"""What queues hold in the end, compared with what was seen to go there: it fills in what the trace does not say."""

from __future__ import annotations

from collections.abc import Iterable

from fakeamqp.reporting.journeys import Journey, Journeys, Label, Place, Stay, first_label
from fakeamqp.simulation.snapshots import VirtualHostSnapshot


def close_with(journeys: Journeys, vhosts: Iterable[VirtualHostSnapshot], outages: list[int], end: int) -> None:
    """What is there and was not seen to come has come; what is not there any more has gone.

    Where a message is missing and the trace does not say why, an outage explains it if there was one; else it has left
    unseen by event number `end`.
    """
    for vhost in vhosts:
        for queue in vhost.queues.values():
            place = Place(vhost.name, queue.name)
            missing = journeys.open_stays(place)
            for message in (*queue.unacked, *queue.messages):
                label = (*first_label(message.exchange, message.routing_key, message.properties), message.body)
                known = next((pair for pair in missing if _looks(pair[0], label)), None)
                if known is None:
                    _has_arrived(journeys, place, label, end)
                else:
                    missing.remove(known)
            if queue.type != "stream":
                _have_left([stay for _, stay in missing], outages, end)


def _looks(journey: Journey, label: Label) -> bool:
    return (journey.exchange.name, journey.routing_key, journey.body) == label


def _has_arrived(journeys: Journeys, place: Place, label: Label, end: int) -> None:
    for journey in journeys.labelled(place.vhost, label):
        if journey.stay_in(place) is None:
            left = [stay.until for stay in journey.stays if stay.until is not None]
            since = max(left) if left else journey.published
            journey.stays.append(Stay(place, end if since is None else since))
            return


def _have_left(missing: list[Stay], outages: list[int], end: int) -> None:
    for stay in missing:
        last = max([stay.since, *(hold.since if hold.until is None else hold.until for hold in stay.holds)])
        outage = next((each for each in outages if each >= last), None)
        stay.until = end if outage is None else outage
        stay.outcome = "has left, unseen" if outage is None else "lost with the broker's memory"
        for hold in stay.holds:
            if hold.until is None:
                hold.until, hold.outcome = stay.until, stay.outcome
