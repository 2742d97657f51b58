"""Queues with everything that may befall them, against lists; which able consumer is served is left open."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from fakeamqp.spec.methods import (
    BasicAck,
    BasicCancel,
    BasicCancelOk,
    BasicConsume,
    BasicConsumeOk,
    BasicGet,
    BasicGetEmpty,
    BasicGetOk,
    BasicNack,
    BasicPublish,
    BasicQos,
    BasicQosOk,
    BasicRecover,
    BasicRecoverOk,
    BasicReject,
    ChannelClose,
    ChannelCloseOk,
    ChannelOpen,
    ChannelOpenOk,
    ConfirmSelect,
    ConfirmSelectOk,
    ConnectionClose,
    EndOfStream,
    QueuePurge,
    QueuePurgeOk,
    TxCommit,
    TxCommitOk,
    TxRollback,
    TxRollbackOk,
    TxSelect,
    TxSelectOk,
)
from fakeamqp.spec.properties import BasicProperties
from tests.model._queue_bench import PLACES, QUEUES, QueueBench
from tests.model._queue_model import Held, ModelChannel, ModelConsumer, ModelMessage, restart
from tests.model._sizes import size

TRANSACTIONAL = 1
"""The channel that is transactional from the start."""
MANY = 5
"""Before there are more messages ready than this, nothing sweeps all away."""

channels = st.sampled_from(range(len(PLACES)))
queue_names = st.sampled_from(QUEUES)
tags = st.sampled_from(("one", "two"))
decisions = st.tuples(
    st.integers(0, 2),
    st.sampled_from(("ack", "nack", "nack", "reject")),
    st.integers(-1, 5),
    st.booleans(),
    st.sampled_from((True, True, False)),
)
"""Which holder, how, which of its deliveries, whether multiple, whether to requeue."""


class QueueMachine(QueueBench):
    """Three queues, three channels on two connections."""

    @initialize(version=st.sampled_from(("3.10", "4.0")), ttl_ms=st.sampled_from((None, None, 1000)))
    def start(self, version: str, ttl_ms: int | None) -> None:
        self.set_up(version)
        self.begin()
        for name in QUEUES:
            self.publish_several(0, name, [ttl_ms] * 3)

    def begin(self) -> None:
        """Two clients of a node that has just started."""
        self.open()
        self.select(TRANSACTIONAL, "tx")

    # -- messages ---------------------------------------------------------------------------------------------------

    @rule(
        index=channels, name=queue_names, persistent=st.booleans(), ttl_ms=st.none() | st.sampled_from((0, 1000, 5000))
    )
    def publish(self, index: int, name: str, persistent: bool, ttl_ms: int | None) -> None:
        channel, queue = self.channels[index], self.queues[name]
        message = ModelMessage(next(self.numbers), persistent, ttl_ms)
        properties = BasicProperties(
            delivery_mode=2 if persistent else None, expiration=None if ttl_ms is None else str(ttl_ms)
        )
        consumers = [each for every in self.channels for each in every.consumers.values() if each.queue is queue]
        goes_straight = channel.mode != "tx" and not queue.ready and any(each.can_take() for each in consumers)
        if channel.mode == "tx":
            channel.publishes.append((queue, message))
        else:
            queue.enqueue(message, self.now_us)
        answers = self.say(index, BasicPublish("", name, properties=properties, body=message.body))
        assert (message.body in self.delivered) == goes_straight  # also with expiration 0
        if channel.mode == "confirm":
            channel.confirmed += 1
            assert answers == [BasicAck(channel.confirmed, False)]
        else:
            assert answers == []

    @rule(
        index=channels, name=queue_names, ttls_ms=st.lists(st.sampled_from((None, None, 1000)), min_size=2, max_size=5)
    )
    def publish_several(self, index: int, name: str, ttls_ms: list[int | None]) -> None:
        for ttl_ms in ttls_ms:
            self.publish(index, name, True, ttl_ms)

    @rule(index=channels, name=queue_names, no_ack=st.booleans())
    def get(self, index: int, name: str, no_ack: bool) -> None:
        channel, queue = self.channels[index], self.queues[name]
        head = next(iter(queue.ready), None)
        if head is not None:
            queue.remove(head)
            counted = list(queue.ready)
            queue.expire_heads(self.now_us)
            tag = channel.next_tag()
            if not no_ack:
                channel.hold(tag, head, queue, "")
        (answer,) = self.say(index, BasicGet(name, no_ack))
        if head is None:
            assert answer == BasicGetEmpty()
        else:
            assert isinstance(answer, BasicGetOk)
            count = len(counted if queue.is_quorum and not no_ack else queue.ready)
            assert (answer.delivery_tag, answer.message_count) == (tag, count)
            self.compare(queue, head, answer)

    @rule(index=channels, name=queue_names, count=st.integers(2, 4))
    def get_several(self, index: int, name: str, count: int) -> None:
        for _ in range(count):
            self.get(index, name, False)

    @precondition(lambda self: sum(len(queue.ready) for queue in self.queues.values()) > MANY)
    @rule(index=channels, name=queue_names)
    def purge(self, index: int, name: str) -> None:
        count = self.queues[name].purge()
        assert self.say(index, QueuePurge(name)) == [QueuePurgeOk(count)]

    # -- consumers and what they hold ---------------------------------------------------------------------------------

    @rule(index=channels, name=queue_names, tag=tags, no_ack=st.booleans(), prefetch=st.integers(0, 3))
    def consume(self, index: int, name: str, tag: str, no_ack: bool, prefetch: int) -> None:
        channel = self.channels[index]
        if tag in channel.consumers:
            return
        assert self.say(index, BasicQos(0, prefetch, False)) == [BasicQosOk()]
        queue = self.queues[name]
        consumer = channel.consumers[tag] = ModelConsumer(tag, queue, no_ack, prefetch)
        if queue.is_quorum:
            held = sum(each.queue is queue and each.consumer_tag == tag for each in channel.unsettled)
            consumer.outstanding = min(held, prefetch or held)
        assert self.say(index, BasicConsume(name, tag, no_ack=no_ack)) == [BasicConsumeOk(tag)]

    @precondition(lambda self: any(channel.consumers for channel in self.channels))
    @rule(index=channels, tag=tags)
    def cancel(self, index: int, tag: str) -> None:
        self.channels[index].consumers.pop(tag, None)
        assert self.say(index, BasicCancel(tag)) == [BasicCancelOk(tag)]

    @precondition(lambda self: self.holders)
    @rule(decisions=st.lists(decisions, min_size=1, max_size=4))
    def settle(self, decisions: list[tuple[int, str, int, bool, bool]]) -> None:
        for decision in decisions:
            if self.holders:
                self.settle_one(*decision)

    def settle_one(self, holder: int, way: str, which: int, multiple: bool, requeue: bool) -> None:
        """Settle one of the oldest deliveries; with -1 and `multiple` all of them, by tag 0."""
        index = self.holders[holder % len(self.holders)]
        channel = self.channels[index]
        multiple = multiple and way != "reject"
        requeue = requeue and way != "ack"
        tag = 0 if which < 0 and multiple else list(channel.held)[which % len(channel.held)]
        method = {
            "ack": BasicAck(tag, multiple),
            "nack": BasicNack(tag, multiple, requeue),
            "reject": BasicReject(tag, requeue),
        }[way]
        picked = channel.pick(tag, multiple)
        if channel.mode == "tx":
            channel.decide(picked, requeue)
        else:
            channel.settle(picked, requeue)
        assert self.say(index, method, loose=in_groups(picked)) == []

    @precondition(lambda self: self.holders)
    @rule(holder=st.integers(0, 2))
    def recover(self, holder: int) -> None:
        index = self.holders[holder % len(self.holders)]
        picked = self.channels[index].pick(0, True)
        self.channels[index].settle(picked, True)
        assert self.say(index, BasicRecover(True), loose=in_groups(picked)) == [BasicRecoverOk()]

    # -- modes of channels --------------------------------------------------------------------------------------------

    @rule(index=channels, mode=st.sampled_from(("tx", "confirm")))
    def select(self, index: int, mode: str) -> None:
        channel = self.channels[index]
        if channel.mode in ("plain", mode):
            channel.mode = mode
            method, answer = {"tx": (TxSelect(), TxSelectOk()), "confirm": (ConfirmSelect(), ConfirmSelectOk())}[mode]
            assert self.say(index, method) == [answer]

    @precondition(lambda self: any(channel.mode == "tx" for channel in self.channels))
    @rule(which=st.integers(0, 2), commits=st.booleans())
    def end_transaction(self, which: int, commits: bool) -> None:
        transactional = [index for index, channel in enumerate(self.channels) if channel.mode == "tx"]
        self.end_transaction_of(transactional[which % len(transactional)], commits)

    def end_transaction_of(self, index: int, commits: bool) -> None:
        channel = self.channels[index]
        loose = any(requeue for _, requeue in channel.settlements)
        if commits:
            channel.commit(self.now_us)
        else:
            channel.roll_back()
        method, answer = (TxCommit(), TxCommitOk()) if commits else (TxRollback(), TxRollbackOk())
        assert self.say(index, method, loose and commits) == [answer]

    @precondition(lambda self: self.channels[TRANSACTIONAL].mode == "tx")
    @rule(name=queue_names, holds=st.integers(1, 3), decisions=st.lists(decisions, max_size=3), commits=st.booleans())
    def run_a_transaction(
        self, name: str, holds: int, decisions: list[tuple[int, str, int, bool, bool]], commits: bool
    ) -> None:
        """Take, settle and publish on one channel, and end it."""
        channel = self.channels[TRANSACTIONAL]
        self.get_several(TRANSACTIONAL, name, holds)
        for _, *decision in decisions:
            if channel.held:
                self.settle_one(self.holders.index(TRANSACTIONAL), *decision)
        self.publish(TRANSACTIONAL, name, True, None)
        self.end_transaction_of(TRANSACTIONAL, commits)

    @rule(index=channels, way=st.sampled_from(("tag", "zero", "mode")))
    def go_wrong(self, index: int, way: str) -> None:
        """What is refused closes the channel."""
        channel = self.channels[index]
        in_wrong_mode = {"plain": TxCommit(), "confirm": TxSelect(), "tx": ConfirmSelect()}
        method = {
            "tag": BasicAck(channel.last_tag + 1, multiple=True),
            "zero": BasicNack(0, multiple=False),
            "mode": in_wrong_mode[channel.mode],
        }[way]
        channel.close()
        (close,) = self.say(index, method, loose=True)
        assert isinstance(close, ChannelClose)
        assert close.reply_code == 406
        self.say(index, ChannelCloseOk())
        assert self.say(index, ChannelOpen()) == [ChannelOpenOk()]
        self.adopt_order_of_quorum_queue()

    # -- ends, and time -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.holders)
    @rule(index=channels)
    def close_channel(self, index: int) -> None:
        self.channels[index].close()
        assert self.say(index, ChannelClose(), loose=True) == [ChannelCloseOk()]
        assert self.say(index, ChannelOpen()) == [ChannelOpenOk()]
        self.adopt_order_of_quorum_queue()

    @precondition(lambda self: self.holders)
    @rule(connection=st.integers(0, 1), politely=st.booleans())
    def end_connection(self, connection: int, politely: bool) -> None:
        for index, place in enumerate(PLACES):
            if place[0] == connection:
                self.channels[index].close()
        old = self.connections[connection]
        if politely:
            old.close()
        else:
            old.drop()
        self.connections[connection] = self.connect(connection)
        assert self.listen(loose=True) == []
        self.adopt_order_of_quorum_queue()

    @rule(seconds=st.sampled_from((0.5, 1.0, 4.0, 10.0)))
    def advance(self, seconds: float) -> None:
        self.broker.advance(seconds)
        assert self.listen() == []

    @precondition(lambda self: sum(len(queue.ready) for queue in self.queues.values()) > MANY)
    @rule(graceful=st.booleans(), seconds=st.sampled_from((0.0, 3.0)))
    def outage(self, graceful: bool, seconds: float) -> None:
        if graceful:
            self.broker.stop()
            for connection in self.connections:
                (_, close), (_, end) = connection.receive()
                assert isinstance(close, ConnectionClose)
                assert (close.reply_code, end) == (320, EndOfStream())
        else:
            self.broker.crash()
        self.broker.advance(seconds)
        self.broker.restart()
        unsettled = [each for channel in self.channels for each in channel.unsettled]
        for queue in self.queues.values():
            if queue.durable:
                restart(queue, unsettled, graceful=graceful)
            else:
                queue.purge()
        self.channels = [ModelChannel() for _ in PLACES]
        self.adopt_order_of_quorum_queue()  # before anything expires, as only heads do
        self.begin()
        assert self.listen() == []


def in_groups(deliveries: list[Held]) -> bool:
    """Whether deliveries are settled one group after the other, with queues running in between."""
    return len({(each.queue.name, each.consumer_tag) for each in deliveries}) > 1


TestQueues = QueueMachine.TestCase
TestQueues.settings = size(200, steps=40)
