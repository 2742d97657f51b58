"""A queue with limits, times to live, priorities and dead letters against a slow model; settings are drawn first."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import fakeamqp
from fakeamqp.spec.methods import (
    BasicAck,
    BasicCancel,
    BasicCancelOk,
    BasicConsume,
    BasicConsumeOk,
    BasicDeliver,
    BasicGet,
    BasicGetEmpty,
    BasicGetOk,
    BasicNack,
    BasicPublish,
    BasicQos,
    BasicQosOk,
    ChannelClose,
    ChannelCloseOk,
    ChannelOpen,
    ConfirmSelect,
    Method,
    QueueDeclare,
    QueuePurge,
    QueuePurgeOk,
)
from fakeamqp.spec.properties import BasicProperties
from fakeamqp.testing.direct import DirectConnection, connect
from tests.model._limited_queue_model import ModelConsumer, ModelMessage, ModelQueue, Settings
from tests.model._sizes import size

CHANNELS = (1, 2)
DEAD_MAX = 3
"""How long the queue of dead letters may be; what is too much goes on to "grave"."""
TAGS = ("one", "two", "three")

channels = st.sampled_from(CHANNELS)
limits = {"max_length": st.sampled_from((None, 0, 1, 2, 5, 5))}
classic = st.builds(
    Settings,
    version=st.sampled_from(("3.10", "4.0")),
    kind=st.just("classic"),
    ttl_ms=st.sampled_from((None, None, 0, 1000)),
    overflow=st.sampled_from(("drop-head", "reject-publish", "reject-publish-dlx")),
    max_priority=st.none(),
    single_active=st.booleans(),
    delivery_limit=st.none(),
    **limits,
)
with_priorities = st.builds(
    Settings,
    version=st.sampled_from(("3.10", "4.0")),
    kind=st.just("classic"),
    ttl_ms=st.none(),
    overflow=st.sampled_from(("drop-head", "reject-publish")),
    max_priority=st.sampled_from((1, 5)),
    single_active=st.booleans(),
    delivery_limit=st.none(),
    **limits,
)
quorum = st.builds(
    Settings,
    version=st.sampled_from(("3.10", "4.0")),
    kind=st.just("quorum"),
    ttl_ms=st.sampled_from((None, None, 1000)),
    overflow=st.sampled_from(("drop-head", "reject-publish")),
    max_priority=st.none(),
    single_active=st.booleans(),
    delivery_limit=st.sampled_from((None, 0, 1, 3)),
    **limits,
)


class LimitedQueueMachine(RuleBasedStateMachine):
    """One queue, two channels of one connection, and a chain of queues for dead letters."""

    @initialize(settings=classic | with_priorities | quorum, bodies=st.integers(0, 4))
    def start(self, settings: Settings, bodies: int) -> None:
        self.broker = fakeamqp.Broker(version=settings.version)
        self.queue = ModelQueue(settings)
        self.numbers = 0
        self.begin()
        for _ in range(bodies):
            self.publish(1, 0)

    def begin(self) -> None:
        """A client of a node that has just started."""
        self.connection: DirectConnection = connect(self.broker)
        self.held: dict[int, dict[int, tuple[ModelMessage, ModelConsumer | None]]] = {}
        self.confirmed = dict.fromkeys(CHANNELS, 0)
        for number in CHANNELS:
            self.open(number)
        to_grave = {"x-max-length": DEAD_MAX, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"}
        for name, arguments in (("orders", self.queue.settings.arguments()), ("dead", to_grave), ("grave", {})):
            self.connection.send(1, QueueDeclare(name, durable=True, arguments=arguments))
        self.connection.receive()

    def open(self, number: int) -> None:
        self.connection.send(number, ChannelOpen())
        self.connection.send(number, ConfirmSelect())
        self.connection.receive()
        self.held.pop(number, None)
        self.held[number] = {}  # in the order of opening
        self.confirmed[number] = 0

    def say(self, number: int, method: Method, *, requeued: bool = False) -> list[Method]:
        """Send a method; its answers, when the model has taken note of all deliveries."""
        self.connection.send(number, method)
        return self.listen(requeued=requeued)

    def listen(self, *, requeued: bool = False) -> list[Method]:
        answers: list[Method] = []
        deliveries: dict[bytes, tuple[int, BasicDeliver]] = {}
        for number, method in self.connection.receive():
            if isinstance(method, BasicDeliver):
                deliveries[method.body] = (number, method)
            else:
                answers.append(method)
        served = {body: self.consumer(number, each.consumer_tag) for body, (number, each) in deliveries.items()}
        for message in self.queue.run(served, self.broker.simulation.world.clock.now_us, requeued=requeued):
            number, method = deliveries[message.body]
            assert method.redelivered == message.redelivered
            self.held[number][method.delivery_tag] = (message, served[message.body])
        return answers

    def consumer(self, number: int, tag: str) -> ModelConsumer:
        (found,) = (each for each in self.queue.consumers if (each.channel, each.tag) == (number, tag))
        return found

    # -- messages -----------------------------------------------------------------------------------------------------

    @rule(number=channels, priority=st.integers(0, 7))
    def publish(self, number: int, priority: int) -> None:
        if self.queue.is_stalled and self.queue.ready:
            return  # which would kill the queue
        self.numbers += 1
        body = str(self.numbers).encode()
        settings = self.queue.settings
        is_refused = self.queue.refuses(number)
        if not is_refused:
            self.queue.publish(body, priority, self.broker.simulation.world.clock.now_us)
        elif settings.overflow == "reject-publish-dlx":
            self.queue.dead.append((body, "maxlen"))
        # Where quorum queues heed priorities, these are all normal.
        properties = BasicProperties(delivery_mode=2, priority=min(priority, 4) if settings.is_quorum else priority)
        answers = self.say(number, BasicPublish("", "orders", properties=properties, body=body))
        self.confirmed[number] += 1
        tag = self.confirmed[number]
        assert answers == [BasicNack(tag, True) if is_refused else BasicAck(tag, False)]

    @rule(number=channels, priorities=st.lists(st.integers(0, 7), min_size=2, max_size=6))
    def publish_several(self, number: int, priorities: list[int]) -> None:
        for priority in priorities:
            self.publish(number, priority)

    @precondition(lambda self: not (self.queue.settings.is_quorum and self.queue.settings.single_active))
    @rule(number=channels)
    def get(self, number: int) -> None:
        head = self.queue.ready.pop(0) if self.queue.ready else None
        answers = self.say(number, BasicGet("orders"))
        if head is None:
            assert answers == [BasicGetEmpty()]
            return
        (answer,) = answers
        assert isinstance(answer, BasicGetOk)
        assert (answer.body, answer.redelivered) == (head.body, head.redelivered)
        assert answer.message_count == len(self.queue.ready)
        self.held[number][answer.delivery_tag] = (head, None)

    @precondition(lambda self: len(self.queue.ready) > DEAD_MAX)
    @rule()
    def purge(self) -> None:
        count = len(self.queue.ready)
        self.queue.ready.clear()
        assert self.say(1, QueuePurge("orders")) == [QueuePurgeOk(count)]

    # -- consumers ----------------------------------------------------------------------------------------------------

    @rule(number=channels, tag=st.sampled_from(TAGS), prefetch=st.integers(1, 3), priority=st.sampled_from((0, 0, 1)))
    def consume(self, number: int, tag: str, prefetch: int, priority: int) -> None:
        if any((each.channel, each.tag) == (number, tag) for each in self.queue.consumers):
            return
        assert self.say(number, BasicQos(0, prefetch, False)) == [BasicQosOk()]
        consumer = ModelConsumer(tag, number, prefetch, priority)
        if self.queue.settings.is_quorum:
            # Who uses a tag again may get an older one's place, which the model need not know: all have one priority.
            consumer.priority = priority = priority if self.queue.settings.single_active else 0
            holders = [each for _, each in self.held[number].values() if each is not None]
            consumer.outstanding = min(prefetch, sum(each.tag == tag for each in holders))
        self.queue.add(consumer)
        arguments = {"x-priority": priority}
        assert self.say(number, BasicConsume("orders", tag, arguments=arguments)) == [BasicConsumeOk(tag)]

    @precondition(lambda self: self.queue.consumers)
    @rule(which=st.integers(0, 5))
    def cancel(self, which: int) -> None:
        consumer = self.queue.consumers[which % len(self.queue.consumers)]
        self.queue.remove(consumer, is_cancelled=True)
        assert self.say(consumer.channel, BasicCancel(consumer.tag)) == [BasicCancelOk(consumer.tag)]

    @precondition(lambda self: any(self.held.values()))
    @rule(which=st.integers(0, 9), way=st.sampled_from(("ack", "requeue", "requeue", "reject")))
    def settle(self, which: int, way: str) -> None:
        deliveries = [(number, tag) for number, held in self.held.items() for tag in held]
        number, tag = deliveries[which % len(deliveries)]
        message, consumer = self.held[number].pop(tag)
        if consumer is not None:
            self.queue.free(consumer.channel, consumer.tag)
            if way == "requeue":
                self.queue.free_once_more(consumer.channel, consumer.tag, message)
        if way != "requeue" and self.queue.replaces:
            self.queue.activate()
        if way == "requeue":
            self.queue.take_back(message, by_client=True)
        elif way == "reject":
            self.queue.dead.append((message.body, "rejected"))
        method = BasicAck(tag) if way == "ack" else BasicNack(tag, False, way == "requeue")
        assert self.say(number, method, requeued=way == "requeue") == []

    # -- ends, and time -----------------------------------------------------------------------------------------------

    @precondition(lambda self: any(self.held.values()) or self.queue.blocked)
    @rule(number=channels)
    def close_channel(self, number: int) -> None:
        had_any = bool(self.held[number])
        self.leave(number)
        for channels in (self.queue.known, self.queue.blocked):
            if number in channels:
                channels.remove(number)
        assert self.say(number, ChannelClose(), requeued=had_any) == [ChannelCloseOk()]
        self.open(number)

    def leave(self, number: int) -> None:
        """A channel's consumers are gone, and what it held is back."""
        for consumer in [each for each in self.queue.consumers if each.channel == number]:
            self.queue.remove(consumer)
        self.queue.take_back_all(self.held[number])
        self.held[number].clear()

    @rule(seconds=st.sampled_from((0.5, 1.0, 5.0)))
    def advance(self, seconds: float) -> None:
        self.broker.advance(seconds)
        assert self.listen() == []

    @precondition(lambda self: len(self.queue.ready) > 1 or any(self.held.values()))
    @rule(graceful=st.booleans(), seconds=st.sampled_from((0.0, 0.5, 3.0)))
    def outage(self, graceful: bool, seconds: float) -> None:
        (self.broker.stop if graceful else self.broker.crash)()
        if graceful:  # channels end first, and the queue still sees that
            for number in self.held:
                self.leave(number)
            self.queue.run({}, self.broker.simulation.world.clock.now_us, requeued=True)
        self.broker.advance(seconds)
        self.broker.restart()
        held = [message for each in self.held.values() for message in self.queue.in_order_of_return(each)]
        self.queue.restart(held, graceful=graceful)
        self.begin()
        assert self.listen() == []

    # -- what must be so after every step ----------------------------------------------------------------------------

    @invariant()
    def everything_is_where_the_model_has_it(self) -> None:
        self.broker.simulation.world.check()
        there = self.broker.vhost().queue("orders")
        assert [(each.body, each.redelivered) for each in there.messages] == [
            (each.body, each.redelivered) for each in self.queue.ready
        ]
        held = [message.body for each in self.held.values() for message, _ in each.values()]
        assert sorted(each.body for each in there.unacked) == sorted(held)
        dead = [(body, [reason]) for body, reason in self.queue.dead]
        pushed_out = [(body, ["maxlen", *reasons]) for body, reasons in dead[:-DEAD_MAX]]
        assert self.deaths("dead") == dead[-DEAD_MAX:]
        assert self.deaths("grave") == pushed_out

    def deaths(self, queue: str) -> list[tuple[bytes, list[str]]]:
        """The dead letters in a queue, and what they died of, the latest first."""
        return [
            (each.body, [death["reason"] for death in (each.properties.headers or {})["x-death"]])
            for each in self.broker.vhost().queue(queue).messages
        ]


TestLimitedQueue = LimitedQueueMachine.TestCase
TestLimitedQueue.settings = size(200, steps=40)
