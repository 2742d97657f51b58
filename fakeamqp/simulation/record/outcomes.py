"""What became of messages: how the trace takes it down, and how it tells of it.

Recording keeps what the node hands over as it is; words and values are made when somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.node import Node
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.state import watching
from fakeamqp.node.state.watching import (
    ACKED,
    DEAD_LETTERED,
    DEATHS,
    DELAYED,
    DELETED,
    DELIVERED,
    DELIVERY_LIMIT,
    EXPIRED,
    FORGOTTEN,
    MAXLEN,
    PURGED,
    REFUSED,
    REJECTED,
    REPLIED,
    REQUEUED,
    RETURNED,
    ROUTED,
    UNDELIVERABLE,
)
from fakeamqp.simulation.record.events import EFFECT, Event, shown_body

LOST = "lost"
"""It is not there any more, now that the node is gone."""
KEPT = "kept"
"""A queue's messages that the next node will find; one event for all of a queue."""
BACK = "back"
"""A client was done with it, but that never reached the disk: the next node will have it again."""

OUTCOMES = (
    ROUTED, RETURNED, REPLIED, DELAYED, REFUSED, DELIVERED, ACKED, REQUEUED, *DEATHS, DEAD_LETTERED, UNDELIVERABLE,
    PURGED, DELETED, FORGOTTEN, LOST, KEPT, BACK,
)  # fmt: skip
"""All words for what becomes of messages."""


def told(recorded: watching.Outcome) -> Event:
    """The event that a node, or `tell_of_losses`, has told of."""
    at_us, outcome, message, queues, channel, more = recorded
    names = [queue.name for queue in queues]
    vhost = "" if channel is None else channel.vhost.name
    details: dict[str, Any] = {
        "outcome": outcome,
        "vhost": queues[0].fact.vhost if queues else vhost,
        "queue": None,
        "queues": [],
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "body": message.body,
        "properties": message.properties,
    }
    if outcome in (ROUTED, DEAD_LETTERED):
        details["queues"] = names
    elif names:
        details["queue"] = names[0]
    details |= more or {}
    connection_id, number = (0, 0) if channel is None else (channel.connection.id, channel.number)
    text = _TEXTS[outcome](details, connection_id, number)
    return Event(at_us, EFFECT, connection_id, number, None, text, details)


def tell_of_losses(node: Node, journal: Journal, watch: watching.Watch) -> None:
    """Report which messages were lost, kept, or will reappear, as the node is gone."""
    for vhost in node.state.vhosts.values():
        for queue in vhost.queues.values():
            _tell_of_losses(queue, journal, watch, node.state.now_us)


def _tell_of_losses(queue: Queue, journal: Journal, watch: watching.Watch, now_us: int) -> None:
    store = journal.stores.get(queue.key)
    on_disk = {} if store is None else store.entries
    held = chain(queue.backlog, queue.unacked.values(), (each.entry for each in queue.discarded.values()))
    there = {entry.position: entry.message for entry in held}
    for position in sorted(there):
        if position not in on_disk:
            watch((now_us, LOST, there[position], (queue,), None, None))
    for position in sorted(on_disk):
        if position not in there:
            watch((now_us, BACK, on_disk[position][0], (queue,), None, None))
    kept = [on_disk[position][0] for position in sorted(on_disk) if position in there]
    if kept:
        watch((now_us, KEPT, kept[0], (queue,), None, {"bodies": [message.body for message in kept]}))


# -- words -------------------------------------------------------------------------------------------------------------


def shown_message(details: Mapping[str, Any]) -> str:
    """A message in words: its body, and where it was published to."""
    exchange = f"exchange {details['exchange']!r}" if details["exchange"] else "the default exchange"
    return f"{shown_body(details['body'])} to {exchange} with key {details['routing_key']!r}"


def shown_queues(names: list[str] | tuple[str, ...]) -> str:
    """Queues in words."""
    return ", ".join(map(repr, names)) or "no queue"


def _routed(details: Mapping[str, Any], connection: int, channel: int) -> str:
    return f"{shown_message(details)} is routed to {shown_queues(details['queues'])}"


def _delivered(details: Mapping[str, Any], connection: int, channel: int) -> str:
    again = ", again" if details["redelivered"] else ""
    return (
        f"{shown_body(details['body'])} goes from {details['queue']!r} to connection {connection}.{channel} "
        f"as delivery {details['delivery_tag']}{again}"
    )


def _dead_lettered(details: Mapping[str, Any], connection: int, channel: int) -> str:
    circle = details["in_circle"]
    ended = f"; it has been in {shown_queues(circle)} before, where its way ends" if circle else ""
    return (
        f"{shown_message(details)} is a dead letter of {details['queue']!r} ({details['reason']}), "
        f"routed to {shown_queues(details['queues'])}{ended}"
    )


def _delayed(details: Mapping[str, Any], connection: int, channel: int) -> str:
    return f"{shown_message(details)} is set aside until {details['until_us'] / 1e6:.6f}s"


def _undeliverable(details: Mapping[str, Any], connection: int, channel: int) -> str:
    exchange = details["dead_letter_exchange"]
    return (
        f"{shown_body(details['body'])} of {details['queue']!r} is gone: there is no dead letter exchange {exchange!r}"
    )


def _in_words(words: str) -> Any:
    def text(details: Mapping[str, Any], connection: int, channel: int) -> str:
        return words.format(
            body=shown_body(details["body"]),
            message=shown_message(details),
            queue=repr(details["queue"]),
            channel=f"{connection}.{channel}",
            count=len(details.get("bodies", ())),
        )

    return text


_TEXTS = {
    ROUTED: _routed,
    RETURNED: _in_words("{message} is returned to its publisher"),
    REPLIED: _in_words("{message} is a direct reply to connection {channel}"),
    DELAYED: _delayed,
    REFUSED: _in_words("{message} is refused by {queue}, which has no room for it"),
    DELIVERED: _delivered,
    ACKED: _in_words("{body} of {queue} is acknowledged by connection {channel}"),
    REQUEUED: _in_words("{body} is back in {queue}"),
    EXPIRED: _in_words("{body} has expired in {queue}"),
    MAXLEN: _in_words("{body} is dropped from {queue}, which is too long"),
    REJECTED: _in_words("{body} of {queue} is rejected"),
    DELIVERY_LIMIT: _in_words("{body} came back to {queue} once too often"),
    DEAD_LETTERED: _dead_lettered,
    UNDELIVERABLE: _undeliverable,
    PURGED: _in_words("{body} is purged from {queue}"),
    DELETED: _in_words("{body} is gone with its queue {queue}"),
    FORGOTTEN: _in_words("{body} is kept by stream {queue} no longer"),
    LOST: _in_words("{body} of {queue} is lost"),
    KEPT: _in_words("{queue} keeps {count} of its messages"),
    BACK: _in_words("{body} will be in {queue} again, though a client was done with it"),
}
