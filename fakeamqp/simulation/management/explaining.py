"""Explanations: why a message goes where it goes, and why not elsewhere.

Where it goes is asked of the node, binding by binding, in the way in which the node routes.
"""

from __future__ import annotations

import difflib

from fakeamqp.node.kernel.message import Message
from fakeamqp.node.node import Node
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.simulation.management.reasons import CHANCE_TYPES, exchange_type, reason
from fakeamqp.simulation.record.outcomes import shown_queues
from fakeamqp.simulation.record.snapshots import BindingSnapshot, binding_snapshot
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.records import Record

_SIGNS = {True: "+", False: "-", None: "?"}


class BindingVerdict(Record, frozen=True):
    """What a binding does with a message."""

    binding: BindingSnapshot
    leads: bool | None
    """Whether it leads the message on; None where chance, or a function of the user's own, decides each time."""
    reason: str

    def __str__(self) -> str:
        binding = self.binding
        asked = f" with {dict(binding.arguments)!r}" if binding.arguments else ""
        end = f"{binding.destination_kind} {binding.destination!r}"
        return f"{_SIGNS[self.leads]} {end} by key {binding.routing_key!r}{asked}: {self.reason}"


class ExchangeVerdict(Record, frozen=True):
    """What an exchange does with a message that has reached it."""

    name: str
    type: str
    reached: str
    """How the message came here, in words."""
    bindings: tuple[BindingVerdict, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        named = f"exchange {self.name!r} ({self.type})" if self.name else "the default exchange"
        verdicts = [f"  {each}" for each in self.bindings] or ["  it has no bindings"] * bool(self.name)
        return "\n".join([f"{named}, {self.reached}:", *verdicts, *(f"  {note}" for note in self.notes)])


class QueueOutlook(Record, frozen=True):
    """What awaits a message in a queue, as things are now."""

    name: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return f"queue {self.name!r}: {'; '.join(self.notes)}"


class Explanation(Record, frozen=True):
    """Why a message goes where it goes; `str` tells it."""

    vhost: str
    exchange: str
    routing_keys: tuple[str, ...]
    """Its own, and those in the headers CC and BCC."""
    queues: tuple[str, ...]
    """Where it goes, in the order in which bindings were made."""
    possible_queues: tuple[str, ...]
    """Where else it may go, where something else than the message decides."""
    exchanges: tuple[ExchangeVerdict, ...]
    """What each exchange does that the message reaches, or may reach, in that order."""
    outlooks: tuple[QueueOutlook, ...]
    """What awaits it in these queues."""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"exchange {self.exchange!r}" if self.exchange else "the default exchange"
        keys = ", ".join(map(repr, self.routing_keys))
        maybe = f", and perhaps to {shown_queues(self.possible_queues)}" if self.possible_queues else ""
        head = f"a message to {where} with key {keys} goes to {shown_queues(self.queues)}{maybe}"
        return "\n".join([head, *self.notes, *map(str, self.exchanges), *map(str, self.outlooks)])


def explain(node: Node, vhost: VirtualHost, message: Message, notes: tuple[str, ...] = ()) -> Explanation:
    """What becomes of a message that is published now. Raises Misuse where its exchange does not exist."""
    if message.exchange not in vhost.exchanges:
        there = shown_queues([name for name in vhost.exchanges if not name.startswith("amq.") and name])
        raise Misuse(f"no exchange {message.exchange!r} in virtual host {vhost.name!r}; there is {there}")
    way = _Way(node, vhost, message)
    sure = way.sure_queues()
    possible = tuple(queue for queue in way.possible_queues() if queue not in sure)
    return Explanation(
        vhost=vhost.name,
        exchange=message.exchange,
        routing_keys=message.routing_keys,
        queues=tuple(queue.name for queue in sure),
        possible_queues=tuple(queue.name for queue in possible),
        exchanges=tuple(way.verdicts),
        outlooks=tuple(_outlook(vhost, queue, message) for queue in (*sure, *possible)),
        notes=notes,
    )


class _Way:
    """A message's way through the exchanges, with what each has to say."""

    def __init__(self, node: Node, vhost: VirtualHost, message: Message) -> None:
        self.verdicts: list[ExchangeVerdict] = []
        self._node = node
        self._vhost = vhost
        self._message = message
        self._reached = {message.exchange: "which it was published to"}

    def sure_queues(self) -> tuple[Queue, ...]:
        """The queues that it goes to whatever happens."""
        if not self._message.exchange:
            return self._vhost.route("", self._message)
        return self._vhost.follow(self._message.exchange, self._sure)

    def possible_queues(self) -> tuple[Queue, ...]:
        """The queues that it goes to for sure or perhaps; only now the verdicts are there."""
        if not self._message.exchange:
            self.verdicts.append(self._default())
            return self._vhost.route("", self._message)
        return self._vhost.follow(self._message.exchange, self._possible)

    def _asked(self, exchange: Exchange) -> list[tuple[Binding, bool | None]]:
        return [(binding, exchange.index.leads(binding, self._message)) for binding in exchange.bindings]

    def _sure(self, exchange: Exchange) -> list[Destination]:
        asked = self._asked(exchange)
        if exchange.index.delay_ms(self._message):
            return []
        found = [binding.destination for binding, leads in asked if leads]
        if not found and any(leads is None for _, leads in asked):
            # Neither is it sure that nothing matches: leading back to where it is already keeps the alternate unasked.
            return [Destination("exchange", exchange.name)]
        return found

    def _possible(self, exchange: Exchange) -> list[Destination]:
        asked = self._asked(exchange)
        delay_ms = exchange.index.delay_ms(self._message)
        found = [] if delay_ms else [binding.destination for binding, leads in asked if leads is not False]
        is_open = found and not any(leads for _, leads in asked) and exchange_type(exchange) not in CHANCE_TYPES
        notes = []
        if delay_ms:
            notes.append(f"it is set aside for {delay_ms / 1000:g} s, and goes on by these bindings then")
        if exchange.fact.internal:
            notes.append("the exchange is internal: a client cannot publish to it")
        alternate = exchange.alternate
        if alternate and (is_open or not found):
            exists = "" if alternate in self._vhost.exchanges else ", which does not exist"
            condition = "if the function chooses no binding" if is_open else "as no binding leads on"
            notes.append(f"{condition}, its alternate exchange is asked: {alternate!r}{exists}")
            self._reached.setdefault(alternate, f"the alternate exchange of {exchange.name!r}")
        self.verdicts.append(self._verdict(exchange, asked, tuple(notes)))
        for kind, name in found:
            if kind == "exchange":
                self._reached.setdefault(name, f"which {exchange.name!r} is bound to")
        return [*found, Destination("exchange", alternate)] if is_open and alternate else found

    def _verdict(
        self, exchange: Exchange, asked: list[tuple[Binding, bool | None]], notes: tuple[str, ...]
    ) -> ExchangeVerdict:
        verdicts = tuple(
            BindingVerdict(
                binding_snapshot(binding),
                leads,
                reason(exchange, binding, self._message, leads, self._node.state.profile),
            )
            for binding, leads in asked
        )
        return ExchangeVerdict(exchange.name, exchange.fact.type, self._reached[exchange.name], verdicts, notes)

    def _default(self) -> ExchangeVerdict:
        """The default exchange, to which every queue is bound by its name."""
        queues = self._vhost.queues
        verdicts = []
        notes = []
        for key in self._message.routing_keys:
            if key in queues:
                binding = BindingSnapshot("", "queue", key, key, {})
                verdicts.append(BindingVerdict(binding, True, "the routing key is the queue's name"))
            elif key in self._node.state.reply_channels:
                notes.append(f"{key!r} is the address of a client that waits for direct replies; it gets the message")
            else:
                near = difflib.get_close_matches(key, queues, n=3)
                nearest = f"; the nearest name is {shown_queues(near)}" if near else ""
                notes.append(f"there is no queue {key!r}{nearest}")
        return ExchangeVerdict("", "direct", self._reached[""], tuple(verdicts), tuple(notes))


def _outlook(vhost: VirtualHost, queue: Queue, message: Message) -> QueueOutlook:
    ready, unacked, consumers = len(queue.backlog), len(queue.unacked), len(queue.consumers)
    notes = [f"{ready} ready, {unacked} unacked, {consumers} consumers", *_limits(queue, message)]
    settings = queue.settings
    if not queue.type.is_log:
        ttls = [each for each in (settings.message_ttl_ms, message.properties.expiration) if each is not None]
        if ttls:
            notes.append(f"it expires after {min(map(int, ttls)) / 1000:g} s if nobody takes it")
        if settings.dead_letter_exchange is not None:
            exists = "" if settings.dead_letter_exchange in vhost.exchanges else ", which does not exist"
            key = settings.dead_letter_routing_key
            by = "its own key" if key is None else f"key {key!r}"
            notes.append(f"dead letters go to exchange {settings.dead_letter_exchange!r}{exists}, with {by}")
    return QueueOutlook(queue.name, tuple(notes))


def _limits(queue: Queue, message: Message) -> list[str]:
    settings = queue.settings
    limits = {"max-length": settings.max_length, "max-length-bytes": settings.max_length_bytes}
    told = ", ".join(f"{name} {limit}" for name, limit in limits.items() if limit is not None)
    if not told:
        return []
    if not queue.is_over(1, len(message.body)):
        return [f"it has room for the message ({told})"]
    if not settings.rejects:
        return [f"it is full ({told}), and drops its oldest message unless somebody takes one"]
    if queue.type.stops_publishers:
        return [f"it is full ({told}), and refuses what comes once its publishers know"]
    return [f"it is full ({told}), and refuses the message (overflow {settings.overflow})"]
