"""Drawing a program. It is run on fakeamqp while it is drawn, so that most steps mean something that is there.

What fakeamqp cannot do is not drawn: it raises UnsupportedFeature, and another step takes its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from fakeamqp import UnsupportedFeature
from fakeamqp.spec import methods
from fakeamqp.spec.methods import Method
from fakeamqp.spec.properties import BasicProperties
from tests.model.differential.arguments import (
    BINDING_ARGUMENTS,
    CONSUMER_ARGUMENTS,
    EXCHANGE_ARGUMENTS,
    FULL_ARGUMENTS,
    HOP_ARGUMENTS,
    OPERATOR_POLICIES,
    POLICIES,
    QUEUE_ARGUMENTS,
    REPLY_TO,
    drawn,
    drawn_properties,
)
from tests.model.differential.sides import FakeSide
from tests.model.differential.steps import (
    PLACES,
    REPLY_ADDRESS,
    ClearPolicy,
    Command,
    Pass,
    Program,
    Restart,
    SetPermissions,
    SetPolicy,
    SetTopicPermissions,
    Step,
)

QUEUES = ("q1", "q2", "q3")
EXCHANGES = ("e1", "e2")
PREDECLARED = ("amq.direct", "amq.fanout", "amq.topic", "amq.headers")
TYPES = ("direct", "fanout", "topic", "headers")
PLUGIN_TYPES = ("x-consistent-hash", "x-recent-history", "x-random", "x-modulus-hash")
KEYS = ("", "a", "b", "a.b")
PATTERNS = (*KEYS, "#", "*", "a.*", "#.b", "1", "2")
TAGS = ("c1", "c2", "c3")
GOVERNED = (*(f"^{name}" for name in QUEUES), "^q[12]", "^[qe]1", "", "^amq.(direct|topic)")
POLICIES_WITH_PRIORITIES = {"p1": (0, 2), "p2": (1, -1)}
"""Never two of one priority: nobody knows which of them RabbitMQ takes."""
APPLY_TO = ("all", "all", "queues", "exchanges")

TOPIC_EXCHANGES = ("amq.topic", "e1")
"""Where permissions for topics are set."""
PERMISSIONS = (".*", ".*", ".*", "^(q1|e1|amq.*)", "^$", "")
PASSES_SECONDS = 2.5
"""How much time passes as a step: more than the shortest time to live."""
TIMED, RESTARTING = 0.12, 0.08
"""In what part of the programs time passes, and the node restarts."""
HOPS = {"q1": "q2", "q2": "q3", "q3": "q1"}
"""Where a queue's dead letters go that a chain of such queues is made of."""

Drawing = Callable[["Draw"], Method | Command]


class Draw:
    """Chance, and what there is to choose from."""

    def __init__(self, chance: random.Random, fake: FakeSide, place: tuple[int, int], *, is_timed: bool) -> None:
        self.chance = chance
        self.is_timed = is_timed
        """Whether time passes in this program."""
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
        arguments=drawn(QUEUE_ARGUMENTS, draw.chance, is_timed=draw.is_timed),
    )


@kind(2)
def declare_hop(draw: Draw) -> Method:
    """A queue whose messages become dead letters at once, of the next such queue as a rule."""
    name = draw.one_of(*HOPS)
    arguments = {"x-message-ttl": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": HOPS[name]}
    return methods.QueueDeclare(name, durable=True, arguments=arguments | drawn(HOP_ARGUMENTS, draw.chance))


@kind(1)
def declare_full_queue(draw: Draw) -> Method:
    """A queue that refuses the second message."""
    arguments = {"x-max-length": 1, "x-overflow": draw.one_of("reject-publish", "reject-publish-dlx")}
    arguments |= drawn(FULL_ARGUMENTS, draw.chance)
    return methods.QueueDeclare(draw.one_of(*QUEUES), durable=True, arguments=arguments)


@kind(1)
def declare_queue_passively(draw: Draw) -> Method:
    return methods.QueueDeclare(draw.queue(), passive=True)


@kind(3)
def declare_exchange(draw: Draw) -> Method:
    return methods.ExchangeDeclare(
        draw.one_of(*EXCHANGES, *EXCHANGES, *EXCHANGES, "", "amq.reserved", "amq.direct"),
        draw.one_of(*TYPES, *TYPES, *TYPES, *PLUGIN_TYPES, "wrong"),
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


@kind(1)
def ask_for_a_reply(draw: Draw) -> Method:
    """From the channel that consumes replies, as a rule."""
    properties = BasicProperties(reply_to=REPLY_TO)
    return methods.BasicPublish("", draw.queue(), draw.often(0.4), False, properties, str(draw.number).encode())


@kind(1)
def reply(draw: Draw) -> Method:
    """To an address that was seen, or that was not."""
    there = draw.fake.reply_addresses() or [f"{REPLY_ADDRESS}1"]
    return _publication(draw, draw.one_of("", "", "", "amq.direct"), draw.chance.choice([*there, *there, REPLY_TO]))


def _publication(draw: Draw, exchange: str, key: str) -> Method:
    properties = drawn_properties(draw.chance, is_timed=draw.is_timed)
    body = str(draw.number) * draw.one_of(1, 1, 1, 2, 3)
    return methods.BasicPublish(exchange, key, draw.often(0.4), False, properties, body.encode())


@kind(9)
def consume(draw: Draw) -> Method:
    return methods.BasicConsume(
        draw.queue(),
        draw.one_of(*TAGS),
        no_ack=draw.often(0.2),
        exclusive=draw.often(0.08),
        arguments=drawn(CONSUMER_ARGUMENTS, draw.chance),
    )


@kind(1)
def consume_replies(draw: Draw) -> Method:
    return methods.BasicConsume(REPLY_TO, draw.one_of(*TAGS), no_ack=draw.often(0.9))


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


@kind(1)
def recover_without_answer(draw: Draw) -> Method:
    return methods.BasicRecoverAsync(requeue=draw.often(0.9))


@kind(1)
def flow(draw: Draw) -> Method:
    """RabbitMQ refuses to stop."""
    return methods.ChannelFlow(draw.often(0.7))


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
    rows = OPERATOR_POLICIES if is_operator else POLICIES
    definition = drawn(rows, draw.chance, is_timed=draw.is_timed) or {"max-length": 1}
    apply_to = "queues" if is_operator else draw.one_of(*APPLY_TO)
    name, priorities = draw.one_of(*POLICIES_WITH_PRIORITIES.items())
    return SetPolicy(name, draw.one_of(*GOVERNED), definition, apply_to, draw.one_of(*priorities), is_operator)


@kind(1)
def clear_policy(draw: Draw) -> Command:
    there = list(draw.fake.policies)
    name, is_operator = draw.chance.choice(there) if there else ("p1", False)
    return ClearPolicy(name, is_operator)


@kind(1)
def set_permissions(draw: Draw) -> Command:
    return SetPermissions(*(draw.one_of(*PERMISSIONS) for _ in range(3)))


@kind(1)
def set_topic_permissions(draw: Draw) -> Command:
    return SetTopicPermissions(draw.one_of(*TOPIC_EXCHANGES), *(draw.one_of(".*", "^a", "^$") for _ in range(2)))


def _pass(_: Draw) -> Command:
    return Pass(PASSES_SECONDS)


def _restart(_: Draw) -> Command:
    return Restart()


class Kinds(NamedTuple):
    """Kinds of steps, and how often each is drawn."""

    drawings: tuple[Drawing, ...]
    weights: tuple[int, ...]


def _kinds(*, is_timed: bool, restarts: bool) -> Kinds:
    """What may be drawn for a program; time and restarts take time on a real broker, so few programs have them."""
    chosen = [*STEP_KINDS, *([(3, _pass)] if is_timed else []), *([(2, _restart)] if restarts else [])]
    return Kinds(tuple(drawing for _, drawing in chosen), tuple(weight for weight, _ in chosen))


def draw_step(chance: random.Random, fake: FakeSide, number: int, kinds: Kinds) -> Step:
    """The next step of a program, which has brought `fake` where it is."""
    drawing = chance.choices(kinds.drawings, kinds.weights)[0]
    place = _place_for(drawing, chance, fake)
    draw = Draw(chance, fake, place, is_timed=_pass in kinds.drawings)
    draw.number = number
    method = _perhaps_nowait(drawing(draw), draw)
    held = chance.choice((0, 0, 1, 2, -1)) if getattr(method, "delivery_tag", None) == HELD else None
    return Step(*place, method if held is None else method.replace(delivery_tag=0), held)


def _perhaps_nowait(method: Method | Command, draw: Draw) -> Method | Command:
    """Now and then a program does not wait for an answer; it does for what it must know, such as a queue's name."""
    is_needed = isinstance(method, methods.QueueDeclare) and (method.exclusive or not method.queue)
    if not isinstance(method, WITH_NOWAIT) or is_needed or not draw.often(0.08):
        return method
    return method.replace(nowait=True)


WITH_NOWAIT = tuple(each for each in methods.METHODS.values() if "nowait" in each.__slots__)
"""Methods whose answer a client may do without."""


def _place_for(drawing: Drawing, chance: random.Random, fake: FakeSide) -> tuple[int, int]:
    """A channel for a step of this kind: one that holds something to settle, one that has a transaction to end."""
    places: list[tuple[int, int]] = list(PLACES)
    if drawing in (ack, nack, reject, recover):
        places = [place for place in PLACES if fake.held[place]] or places
    elif drawing is end_transaction and chance.random() < 0.95:
        places = [place for place in PLACES if place in fake.transactional] or places
    return chance.choice(places)


def generate(seed: int, steps: int, fake: FakeSide, *, restarts: bool = False) -> Program:
    """The program of this seed; `fake` is a fresh side to try it on. The node restarts in some if it can."""
    chance = random.Random(seed)
    kinds = _kinds(is_timed=chance.random() < TIMED, restarts=chance.random() < RESTARTING and restarts)
    program: list[Step] = []
    while len(program) < steps:
        step = draw_step(chance, fake, len(program) + 1, kinds)
        try:
            if not fake.make(step):
                continue
        except UnsupportedFeature:
            continue
        program.append(step)
        if fake.observe(step).is_free:
            fake.start_anew(fake.topology())
    return tuple(program)
