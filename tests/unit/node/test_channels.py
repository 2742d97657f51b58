"""What a channel remembers of its deliveries and grants."""

from __future__ import annotations

import pytest

from fakeamqp.node.queues.queue import Unacked
from fakeamqp.node.state.connection import ACKNOWLEDGED, IDLE_US, Channel, Transaction
from fakeamqp.spec.errors import SoftError
from fakeamqp.spec.methods import ChannelOpenOk
from tests.unit.node._parts import fill, make_channel, make_consumer, make_queue


def holding(count: int) -> Channel:
    """A channel that holds deliveries 1 to `count`."""
    channel = make_channel()
    queue = make_queue()
    for entry in fill(queue, *[b""] * count):
        channel.hold(queue, entry, None, 0)
    return channel


def tags(deliveries: list[Unacked]) -> list[int]:
    return [each.delivery_tag for each in deliveries]


def left(channel: Channel) -> list[int]:
    channel.check()
    return list(channel.unacked)


def test_delivery_tags_count_from_one() -> None:
    channel = make_channel()
    queue = make_queue()
    (entry,) = fill(queue, b"")
    tags = [channel.hold(queue, entry, None, 0), channel.next_tag(), channel.hold(queue, entry, None, 0)]
    assert tags == [1, 2, 3]
    assert left(channel) == [1, 3]


class TestPicking:
    def test_one_delivery(self) -> None:
        channel = holding(3)
        assert tags(channel.pick(2, multiple=False)) == [2]
        assert left(channel) == [1, 3]

    def test_all_up_to_one(self) -> None:
        channel = holding(3)
        assert tags(channel.pick(2, multiple=True)) == [1, 2]
        assert left(channel) == [3]

    def test_all(self) -> None:
        channel = holding(3)
        assert tags(channel.pick(0, multiple=True)) == [1, 2, 3]
        assert left(channel) == []
        assert channel.pick(0, multiple=True) == []

    @pytest.mark.parametrize(("tag", "multiple"), [(0, False), (2, False), (2, True), (4, False), (4, True)])
    def test_an_unknown_one_is_refused_and_nothing_is_taken(self, tag: int, multiple: bool) -> None:
        channel = holding(3)
        channel.pick(2, multiple=False)
        with pytest.raises(SoftError, match=f"PRECONDITION_FAILED - unknown delivery tag {tag}"):
            channel.pick(tag, multiple=multiple)
        assert left(channel) == [1, 3]

    def test_what_is_unpicked_waits_in_its_old_place(self) -> None:
        channel = holding(3)
        picked = channel.pick(2, multiple=True)
        channel.unpick(picked)
        assert left(channel) == [1, 2, 3]


class TestMemoryOfGrants:
    GRANT = ("write", "queue", "orders")

    def test_a_channel_that_goes_on_talking_remembers(self) -> None:
        channel = make_channel()
        channel.permitted[self.GRANT] = channel.permitted_topics[self.GRANT] = None
        for now_us in (IDLE_US, 2 * IDLE_US):
            channel.hear(now_us)
        assert self.GRANT in channel.permitted
        assert self.GRANT in channel.permitted_topics

    def test_a_channel_that_was_idle_has_forgotten(self) -> None:
        channel = make_channel()
        channel.permitted[self.GRANT] = channel.permitted_topics[self.GRANT] = None
        channel.hear(IDLE_US + 1)
        assert channel.permitted == channel.permitted_topics == {}


def test_what_is_sent_waits_in_the_connections_outbox() -> None:
    channel = make_channel(7)
    channel.send(ChannelOpenOk())
    assert list(channel.connection.outbox) == [(7, ChannelOpenOk())]


class TestInvariants:
    @pytest.fixture
    def channel(self) -> Channel:
        """A channel whose one consumer holds one delivery, and has counted it."""
        queue, channel = make_queue(), make_channel()
        consumer = make_consumer(queue, channel)
        (entry,) = fill(queue, b"")
        channel.hold(queue, entry, consumer, 0)
        consumer.outstanding = 1
        return channel

    def test_a_consumer_that_counts_more_than_it_holds_is_noticed(self, channel: Channel) -> None:
        channel.check()
        channel.consumers["consumer"].outstanding = 2
        with pytest.raises(AssertionError):
            channel.check()

    def test_what_a_transaction_has_picked_still_counts(self, channel: Channel) -> None:
        channel.transaction = Transaction()
        channel.pick(1, multiple=False)
        channel.check()


def test_in_a_transaction_they_are_in_the_order_of_their_tags_however_they_come() -> None:
    channel, transaction = make_channel(), Transaction()
    queue = make_queue()
    deliveries = {}
    for entry in fill(queue, b"1", b"2", b"3", b"4"):
        tag = channel.hold(queue, entry, None, 0)
        deliveries[tag] = channel.unacked[tag]
    for tags in ((1,), (2, 4), (3,), ()):
        transaction.settle([deliveries[tag] for tag in tags], ACKNOWLEDGED)
    (settlement,) = transaction.settlements
    assert [each.delivery_tag for each in settlement.deliveries] == [1, 2, 3, 4]
