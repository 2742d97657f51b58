"""Which event is drawn as which mark, and which are left out of the picture."""

from __future__ import annotations

from typing import NamedTuple

from fakeamqp.node.state import watching
from fakeamqp.reporting.following import DOWN, TASK_BEGINS, UP
from fakeamqp.simulation.record import events, outcomes
from fakeamqp.simulation.record.events import BROKER, CHOICE, EFFECT, RECEIVED, SENT, TASK, TIME, UNHEARD, Event
from fakeamqp.spec import methods


class Symbol(NamedTuple):
    """A mark's looks: the id of its drawing in the template, its colour's class, and what the legend says."""

    drawing: str
    colour: str
    meaning: str


PUBLISH = Symbol("publish", "plain", "publishes")
DELIVERY = Symbol("delivery", "plain", "receives a message")
REDELIVERY = Symbol("redelivery", "warning", "receives it again")
ACK = Symbol("ack", "good", "acknowledges")
GIVEN_BACK = Symbol("back", "warning", "gives back")
REJECT = Symbol("reject", "bad", "rejects")
CONFIRM = Symbol("confirm", "good", "gets a confirm")
REFUSED = Symbol("refused", "bad", "negative confirm, or returned")
CONSUME = Symbol("consume", "plain", "begins to consume")
NOTHING = Symbol("nothing", "quiet", "asks for a message, or finds none")
SETUP = Symbol("setup", "quiet", "declares, binds, sets up")
CONNECT = Symbol("connect", "good", "connects")
CLOSE = Symbol("close", "quiet", "closes, cancels")
CLOSED = Symbol("trouble", "bad", "closed by the broker")
TASK_STARTS = Symbol("start", "good", "task starts")
TASK_ENDS = Symbol("end", "quiet", "task is through")
TASK_DIES = Symbol("death", "bad", "task dies or fails")
FAULTY = Symbol("trouble", "bad", "fault")
CRASH = Symbol("death", "bad", "broker crashes or stops")
RESTART = Symbol("start", "good", "broker starts again")
OPERATOR = Symbol("operator", "plain", "operator")
GONE = Symbol("refused", "bad", "message expires, is dropped or lost")
SET_ASIDE = Symbol("outcome", "warning", "message set aside, or back from the disk")
OTHER = Symbol("other", "quiet", "another method")

QUIET = (methods.Heartbeat, methods.EndOfStream, methods.ConnectionStart, methods.ConnectionTune, methods.ChannelOpen)
"""Methods that tell nobody anything when they come, as they always do."""

ACCOMPANYING = (
    watching.ROUTED, watching.RETURNED, watching.REPLIED, watching.DELIVERED, watching.ACKED, watching.REQUEUED,
    watching.REJECTED, watching.DEAD_LETTERED, outcomes.KEPT,
)  # fmt: skip
"""Effects that need no mark of their own: a method has one, or bars and lines show it."""

_METHODS: dict[tuple[str, type[methods.Method]], Symbol] = {
    (SENT, methods.BasicPublish): PUBLISH,
    (RECEIVED, methods.BasicDeliver): DELIVERY,
    (RECEIVED, methods.BasicGetOk): DELIVERY,
    (RECEIVED, methods.BasicGetEmpty): NOTHING,
    (SENT, methods.BasicGet): NOTHING,
    (SENT, methods.BasicAck): ACK,
    (SENT, methods.BasicNack): GIVEN_BACK,
    (SENT, methods.BasicReject): GIVEN_BACK,
    (SENT, methods.BasicRecover): GIVEN_BACK,
    (RECEIVED, methods.BasicAck): CONFIRM,
    (RECEIVED, methods.BasicNack): REFUSED,
    (RECEIVED, methods.BasicReturn): REFUSED,
    (SENT, methods.BasicConsume): CONSUME,
    (SENT, methods.BasicCancel): CLOSE,
    (RECEIVED, methods.BasicCancel): CLOSED,
    (SENT, methods.ConnectionOpen): CONNECT,
    (SENT, methods.ConnectionClose): CLOSE,
    (SENT, methods.ChannelClose): CLOSE,
    (RECEIVED, methods.ConnectionClose): CLOSED,
    (RECEIVED, methods.ChannelClose): CLOSED,
}
_SETUP = ("exchange.", "queue.", "basic.qos", "confirm.", "tx.")


def is_drawn(event: Event) -> bool:
    """Whether an event has a mark: no handshakes, no answers that say nothing new, no time and no chance."""
    if event.method is None:
        return event.kind not in (TIME, CHOICE) and event.outcome not in ACCOMPANYING
    if isinstance(event.method, QUIET):
        return False
    return not event.method.NAME.endswith("-ok") or isinstance(event.method, methods.BasicGetOk)


def symbol_of(event: Event) -> Symbol:
    """What an event looks like."""
    method = event.method
    if method is None:
        return _symbol_without_method(event)
    if event.kind == UNHEARD:
        return FAULTY
    found = _METHODS.get((event.kind, type(method)))
    if found is DELIVERY and getattr(method, "redelivered", False):
        return REDELIVERY
    if found is GIVEN_BACK and not getattr(method, "requeue", True):
        return REJECT
    if found is None:
        return SETUP if method.NAME.startswith(_SETUP) else OTHER
    return found


def _symbol_without_method(event: Event) -> Symbol:
    if event.kind == events.CLOSED:
        return CLOSED
    if event.kind == BROKER:
        return CRASH if event.text in DOWN else RESTART if event.text == UP else OPERATOR
    if event.kind == TASK:
        if event.text.endswith(TASK_BEGINS):
            return TASK_STARTS
        return TASK_ENDS if event.text.endswith("is through") else TASK_DIES
    if event.kind == EFFECT:
        return SET_ASIDE if event.outcome in (watching.DELAYED, outcomes.BACK) else GONE
    return FAULTY


def stands_with(event: Event, before: Event | None) -> bool:
    """Whether an event shares the column of the one before it: the same befalls many messages at once."""
    return (
        before is not None
        and event.kind == EFFECT == before.kind
        and (event.outcome, event.at_us)
        == (
            before.outcome,
            before.at_us,
        )
    )
