"""Queues of a broker and of the model side by side: whatever is said to the one is accounted for in the other."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

import fakeamqp
from fakeamqp.spec.methods import BasicDeliver, BasicGetOk, Method, QueueDeclare
from fakeamqp.testing.direct import DirectConnection, connect
from tests.model._queue_model import ModelChannel, ModelMessage, ModelQueue

PLACES = ((0, 1), (0, 2), (1, 1))
"""The channels: connection and channel number of each."""
QUEUES = ("classic", "transient", "quorum")


class QueueBench(RuleBasedStateMachine):
    """Three queues, three channels on two connections; rules are added by a subclass."""

    def set_up(self, version: str) -> None:
        self.broker = fakeamqp.Broker(version=version)
        self.get_counts_from_zero = version == "3.10"
        self.numbers = itertools.count(1)
        self.delivered: set[bytes] = set()
        """What the last method brought to consumers."""
        self.queues = {
            name: ModelQueue(name, name != "transient", name == "quorum", name == "quorum" and version == "3.10")
            for name in QUEUES
        }
        self.queues["quorum"].delivery_limit = {"3.10": None, "4.0": 20}[version]
        self.channels = [ModelChannel() for _ in PLACES]

    def open(self) -> None:
        """Connect both clients, and declare the queues."""
        self.connections = [self.connect(0), self.connect(1)]
        for name, queue in self.queues.items():
            arguments = {"x-queue-type": "quorum"} if queue.is_quorum else {}
            self.connections[0].send(1, QueueDeclare(name, durable=queue.durable, arguments=arguments))
        self.connections[0].receive()

    def connect(self, connection: int) -> DirectConnection:
        made = connect(self.broker)
        for place in PLACES:
            if place[0] == connection:
                made.channel(place[1])
        return made

    @property
    def now_us(self) -> int:
        return self.broker.simulation.world.clock.now_us

    # -- saying something, and accounting for what comes of it ------------------------------------------------------

    def say(self, index: int, method: Method, loose: bool = False) -> list[Method]:
        """Send a method on a channel; its answers, when the model has taken note of all deliveries."""
        connection, number = PLACES[index]
        self.connections[connection].send(number, method)
        return [answer for at, answer in self.listen(loose) if at == index]

    def listen(self, loose: bool = False) -> list[tuple[int | None, Method]]:
        """What has arrived but for deliveries, with the index of the channel; None for channel 0."""
        answers: list[tuple[int | None, Method]] = []
        deliveries: list[tuple[ModelChannel, BasicDeliver]] = []
        for connection, each in enumerate(self.connections):
            for number, method in each.receive():
                index = PLACES.index((connection, number)) if number else None
                if isinstance(method, BasicDeliver):
                    assert index is not None
                    assert method.delivery_tag == self.channels[index].next_tag()
                    deliveries.append((self.channels[index], method))
                else:
                    answers.append((index, method))
        self.delivered = {method.body for _, method in deliveries}
        for queue in self.queues.values():
            self.account(queue, deliveries, loose)
        return answers

    def account(self, queue: ModelQueue, all_deliveries: list[tuple[ModelChannel, BasicDeliver]], loose: bool) -> None:
        """Hand out what was delivered of a queue, and drop what has expired: strictly from the head on.

        Loosely, where messages come back in several groups and consumers are served in between: from anywhere.
        """
        bodies = {
            method.body: (channel, method)
            for channel, method in all_deliveries
            if channel.consumers[method.consumer_tag].queue is queue
        }
        still_ready = {each.body for each in self.broker.vhost().queue(queue.name).messages}
        for message in queue.ready:
            if message.body in bodies:
                self.hand_out(queue, message, *bodies.pop(message.body))
            elif message.is_expired(self.now_us) and not (loose and message.body in still_ready):
                queue.remove(message)
            elif not loose:
                break
        assert not bodies, f"{bodies} delivered, but {queue.ready} were ready"

    def hand_out(self, queue: ModelQueue, message: ModelMessage, channel: ModelChannel, method: BasicDeliver) -> None:
        consumer = channel.consumers[method.consumer_tag]
        assert message.expires_us is None or message.expires_us >= self.now_us
        self.compare(queue, message, method)
        queue.remove(message)
        if not consumer.no_ack:
            consumer.outstanding += 1
            channel.hold(method.delivery_tag, message, queue, consumer.tag)

    def compare(self, queue: ModelQueue, message: ModelMessage, method: Any) -> None:
        """What a client is given is what was published, and tells how often it came back."""
        assert method.body == message.body
        assert method.redelivered == message.redelivered
        counts_from_zero = isinstance(method, BasicGetOk) and self.get_counts_from_zero
        counted = queue.is_quorum and (counts_from_zero or message.returns)
        assert (method.properties.headers or {}) == ({"x-delivery-count": message.returns} if counted else {})

    @property
    def holders(self) -> list[int]:
        """The channels that hold something."""
        return [index for index, channel in enumerate(self.channels) if channel.held]

    def adopt_order_of_quorum_queue(self) -> None:
        """Nothing has shown in which order a quorum queue gets back what several channels held, or an outage ended.

        What one channel held returns consumer by consumer, which the model leaves to the rules.
        """
        queue = self.queues["quorum"]
        order = [each.body for each in self.broker.vhost().queue("quorum").messages]
        gone = [each for each in queue.ready if each.body not in order]
        assert all(each.is_expired(self.now_us) for each in gone)
        for message in gone:
            queue.remove(message)
        for part in (queue.returned, queue.arrivals):
            part.sort(key=lambda each: order.index(each.body))

    # -- what must be so after every step ----------------------------------------------------------------------------

    @invariant()
    def everything_is_where_the_model_has_it(self) -> None:
        self.broker.simulation.world.check()
        for name, queue in self.queues.items():
            there = self.broker.vhost().queue(name)
            assert [(each.body, each.redelivered) for each in there.messages] == [
                (each.body, each.redelivered) for each in queue.ready
            ]
            held = [each for channel in self.channels for each in channel.unsettled if each.queue is queue]
            assert sorted(each.body for each in there.unacked) == sorted(each.message.body for each in held)
            consumers = [each for channel in self.channels for each in channel.consumers.values()]
            mine = [each for each in consumers if each.queue is queue]
            assert sorted((each.tag, each.unacked) for each in there.consumers) == sorted(
                (each.tag, each.outstanding) for each in mine
            )
            assert all(each.no_ack or not each.prefetch or each.outstanding <= each.prefetch for each in mine)
            assert not (queue.ready and any(each.can_take() for each in mine))
