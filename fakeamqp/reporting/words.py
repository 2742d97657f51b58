"""Events in words, for people who read what happened and not what was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fakeamqp.reporting.journeys import Journey, Place
from fakeamqp.simulation.record.events import CHOICE, CLOSED, EFFECT, FAULT, RECEIVED, SENT, TASK, UNHEARD, Event
from fakeamqp.spec import methods

SHOWN_BODY = 60


_OTHERS = {CLOSED: "broker", CHOICE: "chance", FAULT: "fault", EFFECT: "broker"}


def who(event: Event, owner: str) -> str:
    """Who speaks or hears: a task, or a connection; `owner` is the task that the connection belongs to, if it does."""
    if event.kind in _OTHERS:
        return _OTHERS[event.kind]
    connection = f"connection {event.connection}" if event.connection else "broker"
    return event.task or owner or connection


def tell(event: Event, journeys: Sequence[Journey] = (), queue: Place | None = None) -> str:
    """An event as a sentence without its subject; of `journeys`, which come from `queue`."""
    method = event.method
    if method is None:
        subject = f"{event.task} " if event.kind == TASK else "the broker " if event.kind == CLOSED else ""
        return event.text.removeprefix(subject)
    in_vain = ", which nobody receives" if event.kind == UNHEARD else ""
    sentence = _SENTENCES.get((SENT if in_vain else event.kind, type(method)))
    if sentence is not None:
        origin = "" if queue is None else f" from {named_queue(queue.name)}"
        return f"{sentence(method, numbered(journeys), origin)}{in_vain}"
    return f"{'is told' if event.kind == RECEIVED else 'says'} {method.NAME}{in_vain}"


def numbered(journeys: Sequence[Journey]) -> str:
    """Messages by their numbers."""
    if not journeys:
        return "a message"
    numbers = ", ".join(str(journey.number) for journey in journeys[:5])
    more = f" and {len(journeys) - 5} more" if len(journeys) > 5 else ""
    return f"message{'s' if len(journeys) > 1 else ''} {numbers}{more}"


def shown_body(body: bytes) -> str:
    """A body as people would write it, shortened."""
    try:
        text = bytes(body).decode("utf-8")
        shown = f"“{text}”" if text.isprintable() else repr(text)
    except UnicodeDecodeError:
        shown = repr(bytes(body))
    return shown if len(shown) <= SHOWN_BODY else f"{shown[:SHOWN_BODY]}… ({len(body)} bytes)"


def named_queue(name: str) -> str:
    """A queue by its name."""
    return f"queue {name!r}" if name else "the queue declared last"


def named_exchange(name: str) -> str:
    """An exchange by its name."""
    return f"exchange {name!r}" if name else "the default exchange"


def _traits(method: Any, *names: str) -> str:
    set_ones = [name.replace("_", "-") for name in names if getattr(method, name)]
    arguments = [f"{name}={value!r}" for name, value in (getattr(method, "arguments", None) or {}).items()]
    return "".join(f", {each}" for each in (*set_ones, *arguments))


def _content(method: Any, message: str) -> str:
    return f"{message} {shown_body(method.body)}"


def _declare_exchange(method: Any, *_: str) -> str:
    verb = "asks for" if method.passive else "declares"
    traits = _traits(method, "durable", "auto_delete", "internal")
    return f"{verb} the {method.type} {named_exchange(method.exchange)}{traits}"


def _declare_queue(method: Any, *_: str) -> str:
    verb = "asks for" if method.passive else "declares"
    name = named_queue(method.queue) if method.queue else "a queue that the broker names"
    return f"{verb} {name}{_traits(method, 'durable', 'exclusive', 'auto_delete')}"


def _publish(method: Any, message: str, _: str) -> str:
    where = (
        f"{named_exchange(method.exchange)} with routing key {method.routing_key!r}"
        if method.exchange
        else f"{named_queue(method.routing_key)}, by the default exchange"
    )
    persistent = ", persistent" if method.properties.delivery_mode == 2 else ""
    return f"publishes {_content(method, message)} to {where}{persistent}{_traits(method, 'mandatory')}"


def _deliver(method: Any, message: str, origin: str) -> str:
    again = ", redelivered" if method.redelivered else ""
    return f"receives {_content(method, message)}{origin}{again}, delivery tag {method.delivery_tag}"


def _settled(verb: str) -> Callable[[Any, str, str], str]:
    def sentence(method: Any, message: str, _: str) -> str:
        up_to = "everything up to " if getattr(method, "multiple", False) else ""
        back = ""
        if hasattr(method, "requeue"):
            back = ", back into the queue" if method.requeue else ", for good"
        return f"{verb} {message}{back} ({up_to}delivery tag {method.delivery_tag})"

    return sentence


def _closed(who_closes: str, what: str) -> Callable[[Any, str, str], str]:
    def sentence(method: Any, *_: str) -> str:
        reason = "" if method.reply_code in (0, 200) else f": {method.reply_code} {method.reply_text}"
        return f"{who_closes} the {what}{reason}"

    return sentence


def _bound(verb: str, preposition: str) -> Callable[[Any, str, str], str]:
    def sentence(method: Any, *_: str) -> str:
        if hasattr(method, "queue"):
            destination, source = named_queue(method.queue), method.exchange
        else:
            destination, source = named_exchange(method.destination), method.source
        key = f"with key {method.routing_key!r}{_traits(method)}"
        return f"{verb} {destination} {preposition} {named_exchange(source)} {key}"

    return sentence


_SENTENCES: dict[tuple[str, type[methods.Method]], Callable[[Any, str, str], str]] = {
    ("sent", methods.ConnectionOpen): lambda method, *_: f"connects to virtual host {method.virtual_host!r}",
    ("sent", methods.ConnectionClose): _closed("closes", "connection"),
    ("received", methods.ConnectionClose): _closed("is told that the broker closes", "connection"),
    ("received", methods.ConnectionBlocked): lambda method, *_: f"is told to wait with publishing: {method.reason}",
    ("received", methods.ConnectionUnblocked): lambda *_: "is told that it may publish again",
    ("received", methods.EndOfStream): lambda *_: "sees the end of its connection",
    ("sent", methods.ChannelOpen): lambda *_: "opens a channel",
    ("sent", methods.ChannelClose): _closed("closes", "channel"),
    ("received", methods.ChannelClose): _closed("is told that the broker closes", "channel"),
    ("sent", methods.ExchangeDeclare): _declare_exchange,
    ("sent", methods.ExchangeDelete): lambda method, *_: f"deletes {named_exchange(method.exchange)}",
    ("sent", methods.ExchangeBind): _bound("binds", "to"),
    ("sent", methods.ExchangeUnbind): _bound("unbinds", "from"),
    ("sent", methods.QueueDeclare): _declare_queue,
    ("sent", methods.QueueDelete): lambda method, *_: f"deletes {named_queue(method.queue)}",
    ("sent", methods.QueuePurge): lambda method, *_: f"purges {named_queue(method.queue)}",
    ("sent", methods.QueueBind): _bound("binds", "to"),
    ("sent", methods.QueueUnbind): _bound("unbinds", "from"),
    ("sent", methods.BasicQos): lambda method, *_: (
        f"will hold at most {method.prefetch_count} unacknowledged messages"
        if method.prefetch_count
        else "will hold any number of unacknowledged messages"
    ),
    ("sent", methods.BasicConsume): lambda method, *_: (
        f"begins to consume from {named_queue(method.queue)}, tag {method.consumer_tag!r}"
        f"{_traits(method, 'no_ack', 'exclusive')}"
    ),
    ("sent", methods.BasicCancel): lambda method, *_: f"ends its consumer {method.consumer_tag!r}",
    ("received", methods.BasicCancel): lambda method, *_: (
        f"is told that the broker ends its consumer {method.consumer_tag!r}"
    ),
    ("sent", methods.BasicPublish): _publish,
    ("received", methods.BasicReturn): lambda method, message, _: (
        f"gets {_content(method, message)} back: {method.reply_code} {method.reply_text}"
    ),
    ("received", methods.BasicDeliver): _deliver,
    ("sent", methods.BasicGet): lambda method, *_: f"asks {named_queue(method.queue)} for a message",
    ("received", methods.BasicGetOk): _deliver,
    ("received", methods.BasicGetEmpty): lambda _, __, origin: f"gets no message{origin}: it is empty",
    ("sent", methods.BasicAck): _settled("acknowledges"),
    ("sent", methods.BasicNack): _settled("gives up"),
    ("sent", methods.BasicReject): _settled("rejects"),
    ("sent", methods.BasicRecover): lambda *_: "wants everything back that it holds",
    ("received", methods.BasicAck): lambda _, message, __: f"is told that {message} arrived safely (confirm)",
    ("received", methods.BasicNack): lambda _, message, __: f"is told that {message} was refused (negative confirm)",
    ("sent", methods.ConfirmSelect): lambda *_: "asks for publisher confirms",
    ("sent", methods.TxSelect): lambda *_: "begins a transaction",
    ("sent", methods.TxCommit): lambda *_: "commits its transaction",
    ("sent", methods.TxRollback): lambda *_: "rolls its transaction back",
}
