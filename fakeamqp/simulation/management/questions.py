"""Answer why a message goes where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.operator import commands
from fakeamqp.node.sessions.publishing import BCC, sender_selected_keys
from fakeamqp.node.state.watching import DEAD_LETTERED, ROUTED
from fakeamqp.simulation.record.events import Event
from fakeamqp.simulation.record.outcomes import shown_queues
from fakeamqp.simulation.record.selection import Selection, as_body
from fakeamqp.simulation.record.trace import EFFECT, SENT
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import AMQPError, Misuse
from fakeamqp.spec.properties import EMPTY_PROPERTIES, BasicProperties
from fakeamqp.spec.tables import copy_table

if TYPE_CHECKING:
    from fakeamqp.simulation.management.explaining import Explanation

PUBLISH = "basic.publish"


class Questions:
    """Why a message goes where it goes."""

    def __init__(self, world: World) -> None:
        self._world = world

    def explain(
        self,
        routing_key: str,
        exchange: str = "",
        headers: Mapping[str, Any] | None = None,
        *,
        body: bytes | str = b"",
        vhost: str = "/",
    ) -> Explanation:
        """Why a message would go where it would go, and why not elsewhere, if it were published now; print it.

        Nothing is published, no chance is drawn, and functions of `exchange_types` are not called. Its `queues` are
        where the message would go; `exchanges` says of every binding on the way whether it leads on, and why. Raises
        Misuse if there is no such exchange or virtual host.
        """
        from fakeamqp.simulation.management.explaining import explain  # here, as importing fakeamqp may not take long

        properties = EMPTY_PROPERTIES if headers is None else BasicProperties(headers=copy_table(dict(headers)))
        with self._world.lock:
            node = self._world.running_node("explain")
            message = _message(exchange, routing_key, properties, as_body(body) or b"")
            return explain(node, commands.existing_vhost(node.state.vhosts, vhost), message)

    def explain_published(
        self, event: Event | None = None, *, body: bytes | str | None = None, message_id: str | None = None
    ) -> Explanation:
        """As `explain`, of a message that was published: the last one of this body or message_id, or an event's.

        `event` is of the trace: a basic.publish, or what became of a message. The answer is about the bindings and
        queues that there are now; where the message went otherwise then, `notes` says so. Raises Misuse where the trace
        has no such message.
        """
        from fakeamqp.simulation.management.explaining import explain

        with self._world.lock:
            node = self._world.running_node("explain_published")
            found = _last_published(self._world.trace.filter(), body, message_id) if event is None else event
            if found.exchange is None or found.routing_key is None or found.body is None:
                raise Misuse(f"explain_published takes an event that is about a message, not {found}")
            routed = _routing_of(self._world.trace.filter(kind=EFFECT, outcome=ROUTED), found)
            message = _message(found.exchange, found.routing_key, found.properties, found.body)
            details = found.details or (None if routed is None else routed.details)
            name = "/" if details is None else details["vhost"]
            explanation = explain(node, commands.existing_vhost(node.state.vhosts, name), message)
            went = [] if routed is None or routed.details is None else routed.details["queues"]
            if routed is None or set(went) == set(explanation.queues):
                return explanation
            then = f"when it was published, at {routed.at_us / 1e6:g} s, it went to {shown_queues(went)}"
            return explanation.replace(notes=(then,))


def _message(exchange: str, routing_key: str, properties: BasicProperties, body: bytes) -> Message:
    """A message as a client's becomes one: keys in CC and BCC count, and BCC is not seen by anybody."""
    if not properties.headers:
        return Message(exchange, routing_key, properties, body)
    try:
        keys = sender_selected_keys(properties.headers)
    except AMQPError as error:
        raise Misuse(f"RabbitMQ refuses such headers: {error}") from None
    headers = {name: value for name, value in properties.headers.items() if name != BCC}
    return MessageWithMore(exchange, routing_key, properties.replace(headers=headers), body, keys)


def _last_published(events: Selection, body: bytes | str | None, message_id: str | None) -> Event:
    if body is None and message_id is None:
        raise Misuse("explain_published needs an event, a body or a message_id")
    published = events.filter(kind=SENT, method=PUBLISH, body=body)
    found = [event for event in published if message_id in (None, event.properties.message_id)]
    if not found:
        what = f"body {body!r}" if message_id is None else f"message_id {message_id!r}"
        raise Misuse(f"the trace has no message of {what} that was published; it has {events.filter(method=PUBLISH)!r}")
    return found[-1]


def _routing_of(routed: Selection, event: Event) -> Event | None:
    """Where the message of an event was routed: the first that fits, from then on for what was published."""
    if event.outcome in (ROUTED, DEAD_LETTERED):
        return event
    for each in routed:
        is_same = (each.exchange, each.routing_key) == (event.exchange, event.routing_key) and each.body == event.body
        if is_same and (event.kind != SENT or (each.at_us >= event.at_us and each.connection == event.connection)):
            return each
    return None
