"""Narration: events put into words, a line each, and what tells nobody anything left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from fakeamqp.node.state.watching import DEAD_LETTERED, DELIVERY_LIMIT, EXPIRED, MAXLEN, RETURNED, UNDELIVERABLE
from fakeamqp.simulation.record.events import THE_TEST
from fakeamqp.simulation.record.outcomes import BACK, LOST
from fakeamqp.simulation.record.trace import (
    BROKER,
    CHOICE,
    CLOSED,
    EFFECT,
    FAULT,
    LATE,
    RECEIVED,
    SENT,
    TASK,
    UNHEARD,
    Event,
)
from fakeamqp.spec import methods

BODY_SHOWN = 40
"""How many octets of a body are shown."""
NODE = "the node"
NETWORK = "the network"
QUEUE, EXCHANGE, BINDING = "queue", "exchange", "binding"
"""What is declared."""


class Line(NamedTuple):
    """One thing that somebody did."""

    at_us: int
    actor: str
    text: str
    is_fault: bool = False
    declares: str = ""
    """QUEUE, EXCHANGE or BINDING, where it declares one."""


class Narrator:
    """Puts events into words; remembers what is needed to name things."""

    def __init__(self) -> None:
        self._bodies: dict[tuple[int, int, int], str] = {}
        """What was delivered, by connection, channel and delivery tag."""
        self._published: dict[tuple[int, int], list[str]] = {}
        """What was published since confirms were asked for, by connection and channel."""
        self._consumed: dict[tuple[int, int, str], str] = {}
        """Queues, by connection, channel and consumer tag."""

    def lines(self, trace: Iterable[Event]) -> Iterator[Line]:
        """Lines of all that is worth telling.

        What the node has closed is left out where the next line tells it.
        """
        closed: tuple[Event, Line] | None = None
        for event in trace:
            line = self._line(event)
            if line is None:
                continue
            if closed is not None and not _tells_of(event, closed[0]):
                yield closed[1]
            closed = (event, line) if event.kind == CLOSED else None
            if closed is None:
                yield line
        if closed is not None:
            yield closed[1]

    def _line(self, event: Event) -> Line | None:
        tell = Narrator._TELLERS.get(event.kind)
        return None if tell is None else tell(self, event)

    def _said(self, event: Event) -> Line | None:
        text = self._words(event)
        actor = event.task or THE_TEST
        if not text:
            return None
        if event.text == LATE:
            return Line(event.at_us, NETWORK, f"what {actor} has said arrives: {text}")
        if event.kind == UNHEARD:
            return Line(event.at_us, actor, f"{text} (nobody receives it)")
        declares = "" if getattr(event.method, "passive", False) else DECLARATIONS.get(type(event.method), "")
        return Line(event.at_us, actor, text, declares=declares)

    def _closed(self, event: Event) -> Line:
        what = "a channel" if event.channel else "the connection"
        return Line(event.at_us, NODE, f"closes {what} of {event.task or THE_TEST}: {_detail(event, 'reason')}")

    def _chosen(self, event: Event) -> Line | None:
        asked_by = _detail(event, "asked_by")
        text = event.text.removeprefix("choice ")
        return Line(event.at_us, asked_by, f"draws {text}") if asked_by else None

    def _gone_wrong(self, event: Event) -> Line | None:
        return None if _detail(event, "fault") in TOLD_BY_THEIR_EFFECT else _fault_line(event)

    def _of_task(self, event: Event) -> Line | None:
        text = event.text.removeprefix(event.task).strip()
        if text == "starts":  # what it does first tells
            return None
        return Line(event.at_us, event.task, text, text == "dies")

    def _of_node(self, event: Event) -> Line | None:
        text = event.text.removeprefix("the broker ")
        return (
            None
            if text.startswith("operator")
            else Line(event.at_us, NODE, text, text in ("has crashed", "is stopped"))
        )

    def _befallen(self, event: Event) -> Line | None:
        return Line(event.at_us, NODE, event.text) if event.outcome in WORTH_TELLING else None

    _TELLERS: ClassVar[dict[str, Callable[[Narrator, Event], Line | None]]] = {
        SENT: _said,
        RECEIVED: _said,
        UNHEARD: _said,
        CLOSED: _closed,
        CHOICE: _chosen,
        FAULT: _gone_wrong,
        TASK: _of_task,
        BROKER: _of_node,
        EFFECT: _befallen,
    }

    def _words(self, event: Event) -> str:
        describe = WORDS.get(type(event.method))
        return describe(self, event, event.method) if describe is not None else ""

    def declared(self, event: Event, method: Any) -> str:
        """queue.declare."""
        what = "durable queue" if method.durable else "queue"
        return f"{'looks for' if method.passive else 'declares'} {what} {method.queue!r}"

    def exchange_declared(self, event: Event, method: Any) -> str:
        """exchange.declare."""
        if method.passive:
            return f"looks for exchange {method.exchange!r}"
        return f"declares {method.type} exchange {method.exchange!r}"

    def bound(self, event: Event, method: Any) -> str:
        """queue.bind."""
        return f"binds {method.queue!r} to {method.exchange!r} with {method.routing_key!r}"

    def published(self, event: Event, method: Any) -> str:
        """basic.publish."""
        body = _body(method.body)
        sent = self._published.get((event.connection, event.channel))
        if sent is not None:
            sent.append(body)
        if not method.exchange:
            return f"publishes {body} to {method.routing_key!r}"
        return f"publishes {body} to {method.exchange!r} with key {method.routing_key!r}"

    def asked_for_confirms(self, event: Event, method: Any) -> str:
        """confirm.select."""
        self._published[event.connection, event.channel] = []
        return "asks for confirms"

    def consumed(self, event: Event, method: Any) -> str:
        """basic.consume."""
        self._consumed[event.connection, event.channel, method.consumer_tag] = method.queue
        return f"consumes from {method.queue!r}{' without acks' if method.no_ack else ''}"

    def delivered(self, event: Event, method: Any) -> str:
        """basic.deliver and basic.get-ok."""
        body = _body(method.body)
        self._bodies[event.connection, event.channel, method.delivery_tag] = body
        return f"gets {body}{' (redelivered)' if method.redelivered else ''}"

    def acked(self, event: Event, method: Any) -> str:
        """basic.ack from a client."""
        return f"acks {self._settled(event, method)}"

    def rejected(self, event: Event, method: Any) -> str:
        """basic.reject and basic.nack from a client."""
        them = "them" if getattr(method, "multiple", False) else "it"
        return f"rejects {self._settled(event, method)}{f' and requeues {them}' if method.requeue else ''}"

    def confirmed(self, event: Event, method: Any) -> str:
        """basic.ack and basic.nack from the node."""
        sent = self._published.get((event.connection, event.channel), [])
        which = sent[method.delivery_tag - 1] if 0 < method.delivery_tag <= len(sent) else f"no. {method.delivery_tag}"
        outcome = "is safe" if isinstance(method, methods.BasicAck) else "was refused"
        return f"is told that {which}{' and what came before' if method.multiple else ''} {outcome}"

    def _settled(self, event: Event, method: Any) -> str:
        """The message that is settled, and that those before it are as well where that is so; tag 0 means all."""
        more = " and what came before" if getattr(method, "multiple", False) and method.delivery_tag else ""
        return f"{self._body_of(event, method)}{more}"

    def _body_of(self, event: Event, method: Any) -> str:
        key = (event.connection, event.channel, method.delivery_tag)
        return self._bodies.get(key, "all" if not method.delivery_tag else f"no. {method.delivery_tag}")


def _detail(event: Event, name: str) -> Any:
    return (event.details or {}).get(name, "")


def _tells_of(event: Event, closed: Event) -> bool:
    """Whether this tells that the node has closed a channel or connection: to its client, or as what went wrong."""
    if event.kind == FAULT:
        return bool(_detail(event, "fault") == "close_channel")
    is_told = event.kind == RECEIVED and isinstance(event.method, (methods.ChannelClose, methods.ConnectionClose))
    return is_told and (event.connection, event.channel) == (closed.connection, closed.channel)


def _body(body: Any) -> str:
    shown = bytes(body[:BODY_SHOWN])
    return f"{shown!r}{'...' if len(body) > BODY_SHOWN else ''}"


def _fault_line(event: Event) -> Line:
    for actor in (NODE, NETWORK):
        if event.text.startswith(f"{actor} "):
            return Line(event.at_us, actor, event.text.removeprefix(f"{actor} "), True)
    return Line(event.at_us, NETWORK, event.text, True)


def _both(sent: Callable[..., str], received: Callable[..., str]) -> Callable[[Narrator, Event, Any], str]:
    """Methods that both sides send mean different things."""
    return lambda narrator, event, method: (received if event.kind == RECEIVED else sent)(narrator, event, method)


def _closed(narrator: Narrator, event: Event, method: Any) -> str:
    if event.kind != RECEIVED:
        return "closes the channel" if isinstance(method, methods.ChannelClose) else "closes the connection"
    return f"is told: {method.reply_code} {method.reply_text}"


def _said(text: str) -> Callable[[Narrator, Event, Any], str]:
    return lambda narrator, event, method: text


WORDS: dict[type[Any], Callable[[Narrator, Event, Any], str]] = {
    methods.ConnectionOpen: _said("connects"),
    methods.ConnectionClose: _closed,
    methods.ChannelClose: _closed,
    methods.QueueDeclare: Narrator.declared,
    methods.QueueBind: Narrator.bound,
    methods.QueueDelete: lambda narrator, event, method: f"deletes {method.queue!r}",
    methods.QueuePurge: lambda narrator, event, method: f"purges {method.queue!r}",
    methods.ExchangeDeclare: Narrator.exchange_declared,
    methods.BasicPublish: Narrator.published,
    methods.BasicConsume: Narrator.consumed,
    methods.BasicDeliver: Narrator.delivered,
    methods.BasicGetOk: Narrator.delivered,
    methods.BasicGetEmpty: _said("finds nothing"),
    methods.BasicReturn: lambda narrator, event, method: f"is told that {_body(method.body)} led nowhere",
    methods.BasicCancel: _both(lambda *_: "stops consuming", lambda *_: "is told that its consumer is cancelled"),
    methods.BasicAck: _both(Narrator.acked, Narrator.confirmed),
    methods.BasicNack: _both(Narrator.rejected, Narrator.confirmed),
    methods.BasicReject: Narrator.rejected,
    methods.BasicRecover: _said("gives back all that it holds"),
    methods.ConfirmSelect: Narrator.asked_for_confirms,
    methods.TxSelect: _said("begins a transaction"),
    methods.TxCommit: _said("commits"),
    methods.TxRollback: _said("rolls back"),
    methods.ConnectionBlocked: _said("is told that it is blocked"),
    methods.ConnectionUnblocked: _said("is told that it is not blocked any more"),
}
"""What is worth telling, and in which words."""

DECLARATIONS: dict[type[Any], str] = {
    methods.QueueDeclare: QUEUE,
    methods.ExchangeDeclare: EXCHANGE,
    methods.QueueBind: BINDING,
}
"""What methods declare."""

TOLD_BY_THEIR_EFFECT = ("crash", "stop", "kill")
"""Faults after which node or task says what has become of it."""

WORTH_TELLING = (MAXLEN, DEAD_LETTERED, EXPIRED, DELIVERY_LIMIT, UNDELIVERABLE, LOST, BACK, RETURNED)
"""The effects in the node that nobody would know of otherwise."""
