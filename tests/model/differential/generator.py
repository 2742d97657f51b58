"""Drawing a program. It is run on fakeamqp while it is drawn, so that most steps mean something that is there.

What fakeamqp cannot do is not drawn: it raises UnsupportedFeature, and another step takes its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from fakeamqp import UnsupportedFeature
from fakeamqp.spec import methods
from fakeamqp.spec.methods import Method
from tests.model.differential.arguments import (
    BINDING_ARGUMENTS,
    CONSUMER_ARGUMENTS,
    EXCHANGE_ARGUMENTS,
    OPERATOR_POLICIES,
    POLICIES,
    QUEUE_ARGUMENTS,
    drawn,
    drawn_properties,
)
from tests.model.differential.sides import FakeSide
from tests.model.differential.steps import PLACES, ClearPolicy, Command, Program, SetPolicy, Step

QUEUES = ("q1", "q2", "q3")
EXCHANGES = ("e1", "e2")
PREDECLARED = ("amq.direct", "amq.fanout", "amq.topic", "amq.headers")
TYPES = ("direct", "fanout", "topic", "headers")
KEYS = ("", "a", "b", "a.b")
PATTERNS = (*KEYS, "#", "*", "a.*", "#.b")
TAGS = ("c1", "c2", "c3")
GOVERNED = (*(f"^{name}" for name in QUEUES), "^q[12]", "^[qe]1", "", "^amq.(direct|topic)")
POLICIES_WITH_PRIORITIES = {"p1": (0, 2), "p2": (1, -1)}
"""Never two of one priority: nobody knows which of them RabbitMQ takes."""
APPLY_TO = ("all", "all", "queues", "exchanges")

Drawing = Callable[["Draw"], Method | Command]


class Draw:
    """Chance, and what there is to choose from."""

    def __init__(self, chance: random.Random, fake: FakeSide, place: tuple[int, int]) -> None:
        self.chance = chance
        self.fake = fake
        self.place = place
        self.number = 0
        """Which step of its program this is."""

    def often(self, probability: float) -> bool:
        """True with this probability."""
        return self.chance.random() < probability

    def one_of(self, *values: Any) -> Any:
        """One of these."""
        return self.chance.choice(values)

    def queue(self) -> str:
        """A queue that is there, now and then one that may not be."""
        there = list(self.fake.queues)
        if there and self.often(0.95):
            return str(self.chance.choice(there))
        return str(self.one_of(*QUEUES, *QUEUES, "missing", "", "amq.reserved"))

    def exchange(self) -> str:
        """An exchange that is there, now and then one that may not be."""
        there = [each.name for each in self.fake.broker.list_exchanges(self.fake.vhost) if each.name in EXCHANGES]
        if self.often(0.95):
            return str(self.one_of(*PREDECLARED, *there, *there))
        return str(self.one_of(*EXCHANGES, "missing", "", "amq.reserved"))


STEP_KINDS: list[tuple[int, Drawing]] = []
"""Every kind of step with its weight."""


def kind(weight: int) -> Callable[[Drawing], Drawing]:
    """Register a kind of step."""

    def register(drawing: Drawing) -> Drawing:
        STEP_KINDS.append((weight, drawing))
        return drawing

    return register


@kind(8)
def declare_queue(draw: Draw) -> Method:
    """Durable as a rule, so that quorum queues come to be."""
    return methods.QueueDeclare(
        draw.one_of(*QUEUES, *QUEUES, *QUEUES, "", "", "amq.reserved"),
        durable=draw.often(0.75),
        exclusive=draw.often(0.1),
        auto_delete=draw.often(0.15),
        arguments=drawn(QUEUE_ARGUMENTS, draw.chance),
    )


@kind(1)
def declare_queue_passively(draw: Draw) -> Method:
    return methods.QueueDeclare(draw.queue(), passive=True)


@kind(3)
def declare_exchange(draw: Draw) -> Method:
    return methods.ExchangeDeclare(
        draw.one_of(*EXCHANGES, *EXCHANGES, *EXCHANGES, "", "amq.reserved", "amq.direct"),
        draw.one_of(*TYPES, *TYPES, *TYPES, "wrong"),
        durable=draw.often(0.5),
        auto_delete=draw.often(0.2),
        internal=draw.often(0.1),
        arguments=drawn(EXCHANGE_ARGUMENTS, draw.chance),
    )


@kind(1)
def declare_exchange_passively(draw: Draw) -> Method:
    return methods.ExchangeDeclare(draw.exchange(), passive=True)


@kind(8)
def bind_queue(draw: Draw) -> Method:
    arguments = drawn(BINDING_ARGUMENTS, draw.chance)
    return methods.QueueBind(draw.queue(), draw.exchange(), draw.one_of(*PATTERNS), arguments=arguments)


@kind(2)
def unbind_queue(draw: Draw) -> Method:
    """Often one that is there."""
    arguments = drawn(BINDING_ARGUMENTS, draw.chance)
    there = [each for each in draw.fake.broker.vhost(draw.fake.vhost).bindings if each.destination_kind == "queue"]
    if there and draw.often(0.7):
        found = draw.chance.choice(there)
        queue = draw.fake.called(found.destination)
        return methods.QueueUnbind(queue, found.source, found.routing_key, dict(found.arguments))
    return methods.QueueUnbind(draw.queue(), draw.exchange(), draw.one_of(*PATTERNS), arguments)


@kind(2)
def bind_exchange(draw: Draw) -> Method:
    """Never one predeclared exchange to another: nothing would take that away after the program."""
    arguments = drawn(BINDING_ARGUMENTS, draw.chance)
    destination = draw.one_of(*EXCHANGES, *EXCHANGES, *EXCHANGES, "missing", "")
    return methods.ExchangeBind(destination, draw.exchange(), draw.one_of(*PATTERNS), arguments=arguments)


@kind(1)
def unbind_exchange(draw: Draw) -> Method:
    there = [each for each in draw.fake.broker.vhost(draw.fake.vhost).bindings if each.destination_kind == "exchange"]
    if there and draw.often(0.7):
        found = draw.chance.choice(there)
        arguments = dict(found.arguments)
        return methods.ExchangeUnbind(found.destination, found.source, found.routing_key, arguments=arguments)
    return methods.ExchangeUnbind(draw.one_of(*EXCHANGES), draw.exchange(), draw.one_of(*PATTERNS))


@kind(14)
def publish_to_queue(draw: Draw) -> Method:
    return _publication(draw, "", draw.queue())


@kind(16)
def publish_to_exchange(draw: Draw) -> Method:
    return _publication(draw, draw.exchange(), draw.one_of(*KEYS))


def _publication(draw: Draw, exchange: str, key: str) -> Method:
    properties = drawn_properties(draw.chance)
    return methods.BasicPublish(exchange, key, draw.often(0.4), False, properties, str(draw.number).encode())


@kind(9)
def consume(draw: Draw) -> Method:
    return methods.BasicConsume(
        draw.queue(),
        draw.one_of(*TAGS),
        no_ack=draw.often(0.2),
        exclusive=draw.often(0.08),
        arguments=drawn(CONSUMER_ARGUMENTS, draw.chance),
    )


@kind(4)
def cancel(draw: Draw) -> Method:
    there = list(draw.fake.consumers[draw.place])
    return methods.BasicCancel(draw.chance.choice(there) if there and draw.often(0.9) else draw.one_of(*TAGS))


@kind(10)
def get(draw: Draw) -> Method:
    return methods.BasicGet(draw.queue(), no_ack=draw.often(0.3))


@kind(10)
def ack(draw: Draw) -> Method:
    return methods.BasicAck(_tag(draw), multiple=draw.often(0.3))


@kind(7)
def nack(draw: Draw) -> Method:
    return methods.BasicNack(_tag(draw), multiple=draw.often(0.3), requeue=draw.often(0.75))


@kind(5)
def reject(draw: Draw) -> Method:
    return methods.BasicReject(_tag(draw), requeue=draw.often(0.6))


def _tag(draw: Draw) -> int:
    return int(draw.one_of(0, 99)) if draw.often(0.04) else HELD


HELD = -1
"""Stands for the tag of a delivery that the channel holds; `Step.held` says which."""


@kind(2)
def recover(draw: Draw) -> Method:
    """With requeue=False RabbitMQ refuses."""
    return methods.BasicRecover(requeue=draw.often(0.9))


@kind(5)
def qos(draw: Draw) -> Method:
    return methods.BasicQos(prefetch_count=draw.one_of(0, 1, 1, 2, 3), global_qos=draw.often(0.25))


@kind(1)
def purge(draw: Draw) -> Method:
    return methods.QueuePurge(draw.queue())


@kind(2)
def delete_queue(draw: Draw) -> Method:
    return methods.QueueDelete(draw.queue(), if_unused=draw.often(0.3), if_empty=draw.often(0.3))


@kind(1)
def delete_exchange(draw: Draw) -> Method:
    return methods.ExchangeDelete(draw.one_of(*EXCHANGES, draw.exchange()), if_unused=draw.often(0.3))


@kind(2)
def select_confirms(_: Draw) -> Method:
    return methods.ConfirmSelect()


@kind(1)
def select_transactions(_: Draw) -> Method:
    return methods.TxSelect()


@kind(4)
def end_transaction(draw: Draw) -> Method:
    """On a channel without transactions it is refused, so mostly a channel with one is meant; see `_place_for`."""
    return methods.TxCommit() if draw.often(0.7) else methods.TxRollback()


@kind(1)
def close_channel(_: Draw) -> Method:
    return methods.ChannelClose(200, "Normal shutdown")


@kind(1)
def close_connection(_: Draw) -> Method:
    return methods.ConnectionClose(200, "Normal shutdown")


@kind(2)
def set_policy(draw: Draw) -> Command:
    """A policy or an operator policy, which says one thing at least."""
    is_operator = draw.often(0.25)
    definition = drawn(OPERATOR_POLICIES if is_operator else POLICIES, draw.chance) or {"max-length": 1}
    apply_to = "queues" if is_operator else draw.one_of(*APPLY_TO)
    name, priorities = draw.one_of(*POLICIES_WITH_PRIORITIES.items())
    return SetPolicy(name, draw.one_of(*GOVERNED), definition, apply_to, draw.one_of(*priorities), is_operator)


@kind(1)
def clear_policy(draw: Draw) -> Command:
    there = list(draw.fake.policies)
    name, is_operator = draw.chance.choice(there) if there else ("p1", False)
    return ClearPolicy(name, is_operator)


def draw_step(chance: random.Random, fake: FakeSide, number: int) -> Step:
    """The next step of a program, which has brought `fake` where it is."""
    weights, drawings = zip(*STEP_KINDS, strict=True)
    drawing = chance.choices(drawings, weights)[0]
    place = _place_for(drawing, chance, fake)
    draw = Draw(chance, fake, place)
    draw.number = number
    method = drawing(draw)
    held = chance.choice((0, 0, 1, 2, -1)) if getattr(method, "delivery_tag", None) == HELD else None
    return Step(*place, method if held is None else method.replace(delivery_tag=0), held)


def _place_for(drawing: Drawing, chance: random.Random, fake: FakeSide) -> tuple[int, int]:
    """A channel for a step of this kind: one that holds something to settle, one that has a transaction to end."""
    places: list[tuple[int, int]] = list(PLACES)
    if drawing in (ack, nack, reject, recover):
        places = [place for place in PLACES if fake.held[place]] or places
    elif drawing is end_transaction and chance.random() < 0.95:
        places = [place for place in PLACES if place in fake.transactional] or places
    return chance.choice(places)


def generate(seed: int, steps: int, fake: FakeSide) -> Program:
    """The program of this seed, up to where RabbitMQ may do this or that; `fake` is a fresh side to try it on."""
    chance = random.Random(seed)
    program: list[Step] = []
    while len(program) < steps:
        step = draw_step(chance, fake, len(program) + 1)
        try:
            if not fake.make(step):
                continue
        except UnsupportedFeature:
            continue
        program.append(step)
        if fake.observe(step).is_free:
            break
    return tuple(program)
