"""The round robin in which a queue serves its consumers."""

from __future__ import annotations

import pytest

from fakeamqp.node.queues.consumer import Consumer, Consumers
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.quorum_consumers import QuorumSingleActive
from fakeamqp.node.queues.round_robin import RoundRobin
from tests.unit.node._parts import QUORUM, make_channel, make_consumer, make_queue


def served(consumers: Consumers, count: int) -> list[str]:
    """The tags of the next consumers."""
    return [consumer.tag for consumer in (consumers.next() for _ in range(count)) if consumer is not None]


def test_nobody_is_served_where_nobody_consumes() -> None:
    assert RoundRobin().next() is None


def test_whoever_was_served_goes_to_the_back() -> None:
    queue, channel = make_queue(), make_channel()
    for tag in ("one", "two", "three"):
        make_consumer(queue, channel, tag)
    assert served(queue.consumers, 5) == ["one", "two", "three", "one", "two"]


def test_a_new_consumer_waits_behind_all_others() -> None:
    queue, channel = make_queue(), make_channel()
    for tag in ("one", "two"):
        make_consumer(queue, channel, tag)
    assert served(queue.consumers, 1) == ["one"]
    make_consumer(queue, channel, "three")
    assert served(queue.consumers, 3) == ["two", "one", "three"]


def test_whoever_is_at_the_limit_is_passed_over() -> None:
    queue, channel = make_queue(), make_channel()
    limited = make_consumer(queue, channel, "limited", prefetch_count=1)
    make_consumer(queue, channel, "free")
    limited.outstanding = 1
    assert served(queue.consumers, 2) == ["free", "free"]
    assert {consumer.tag for consumer in queue.consumers} == {"limited", "free"}
    assert len(queue.consumers) == 2


def test_whoever_can_take_again_goes_to_the_back() -> None:
    queue, channel = make_queue(), make_channel()
    limited = make_consumer(queue, channel, "limited", prefetch_count=1)
    make_consumer(queue, channel, "one")
    make_consumer(queue, channel, "two")
    limited.outstanding = 1
    assert served(queue.consumers, 1) == ["one"]
    assert not queue.consumers.unpark_all(channel)
    limited.outstanding = 0
    assert queue.consumers.unpark_all(channel)
    assert served(queue.consumers, 3) == ["two", "one", "limited"]


def test_only_the_channel_that_settled_frees_its_consumers() -> None:
    queue, channel, other = make_queue(), make_channel(1), make_channel(2)
    mine = make_consumer(queue, channel, "mine", prefetch_count=1)
    theirs = make_consumer(queue, other, "theirs", prefetch_count=1)
    mine.outstanding = theirs.outstanding = 1
    assert served(queue.consumers, 1) == []
    mine.outstanding = theirs.outstanding = 0
    assert queue.consumers.unpark_all(other)
    assert served(queue.consumers, 2) == ["theirs", "theirs"]


@pytest.mark.parametrize("is_parked", [False, True])
def test_a_removed_consumer_is_not_served(is_parked: bool) -> None:
    queue, channel = make_queue(), make_channel()
    going = make_consumer(queue, channel, "going", prefetch_count=1)
    make_consumer(queue, channel, "staying")
    going.outstanding = int(is_parked)
    served(queue.consumers, 2)
    queue.consumers.remove(going)
    assert served(queue.consumers, 2) == ["staying", "staying"]


class TestLimits:
    def test_a_consumer_takes_as_much_as_its_prefetch_count(self) -> None:
        consumer = make_consumer(make_queue(), prefetch_count=2)
        consumer.outstanding = 1
        assert consumer.can_take()
        consumer.outstanding = 2
        assert not consumer.can_take()

    def test_without_prefetch_count_it_takes_any_number(self) -> None:
        consumer = make_consumer(make_queue())
        consumer.outstanding = 1000
        assert consumer.can_take()

    def test_the_channels_limit_holds_as_well(self) -> None:
        channel = make_channel()
        consumer = make_consumer(make_queue(), channel)
        channel.global_prefetch = channel.outstanding = 3
        assert not consumer.can_take()
        channel.outstanding = 2
        assert consumer.can_take()


class TestPriorities:
    def test_whoever_has_a_higher_one_is_served_first_and_equals_take_turns(self) -> None:
        queue, channel = make_queue(), make_channel()
        make_consumer(queue, channel, "low", priority=-1)
        one = make_consumer(queue, channel, "one", priority=5, prefetch_count=1)
        two = make_consumer(queue, channel, "two", priority=5, prefetch_count=1)
        assert served(queue.consumers, 3) == ["one", "two", "one"]
        one.outstanding = two.outstanding = 1
        assert served(queue.consumers, 2) == ["low", "low"]
        two.outstanding = 0
        assert queue.consumers.unpark_all(channel)
        assert served(queue.consumers, 1) == ["two"]

    def test_one_that_leaves_is_taken_from_its_own_line(self) -> None:
        queue, channel = make_queue(), make_channel()
        high = make_consumer(queue, channel, "high", priority=5)
        make_consumer(queue, channel, "low")
        queue.consumers.remove(high)
        assert served(queue.consumers, 2) == ["low", "low"]
        assert [consumer.tag for consumer in queue.consumers] == ["low"]


class TestSingleActive:
    """The consumers of a queue with a single active consumer."""

    @pytest.fixture(params=["classic", "quorum of 3.10", "quorum of 4.0"])
    def queue(self, request: pytest.FixtureRequest) -> Queue:
        queue_type, _, version = request.param.partition(" of ")
        arguments = {"x-queue-type": queue_type, "x-single-active-consumer": True}
        return make_queue(arguments=arguments, version=version or "4.0")

    def test_nobody_is_served_where_nobody_consumes(self, queue: Queue) -> None:
        assert queue.consumers.next() is None
        assert list(queue.consumers.served()) == []
        assert not queue.consumers.unpark_all(make_channel())

    def test_only_the_first_is_served(self, queue: Queue) -> None:
        channel = make_channel()
        first = make_consumer(queue, channel, "first")
        make_consumer(queue, channel, "second")
        assert served(queue.consumers, 3) == ["first"] * 3
        assert list(queue.consumers.served()) == [first]
        assert len(queue.consumers) == 2

    def test_at_its_limit_nobody_is_served(self, queue: Queue) -> None:
        first, other = make_consumer(queue, tag="first", prefetch_count=1), make_channel(2)
        make_consumer(queue, other, "second")
        first.outstanding = 1
        queue.consumers.park(first)
        assert served(queue.consumers, 1) == []
        first.outstanding = 0
        assert not queue.consumers.unpark_all(other)
        assert queue.consumers.unpark_all(first.channel)
        assert served(queue.consumers, 1) == ["first"]

    def test_one_that_waits_may_leave(self, queue: Queue) -> None:
        channel = make_channel()
        make_consumer(queue, channel, "first")
        queue.consumers.remove(make_consumer(queue, channel, "second"))
        assert served(queue.consumers, 1) == ["first"]

    def test_who_succeeds_is_the_oldest_or_the_one_of_the_highest_priority(self, queue: Queue) -> None:
        channel = make_channel()
        first = make_consumer(queue, channel, "first", priority=9)
        for tag, priority in (("second", 1), ("third", 5), ("fourth", 5)):
            make_consumer(queue, channel, tag, priority=priority)
        queue.consumers.remove(first)
        by_age = queue.type.name == "quorum" and not queue.profile.quorum_queues_have_priorities
        assert served(queue.consumers, 1) == ["second" if by_age else "third"]

    def test_a_higher_priority_replaces_the_active_one_of_a_quorum_queue_of_4_0_when_it_has_nothing_left(
        self, queue: Queue
    ) -> None:
        channel = make_channel()
        first = make_consumer(queue, channel, "first")
        first.outstanding = 1
        make_consumer(queue, channel, "second", priority=1)
        replaces = queue.type.name == "quorum" and queue.profile.quorum_queues_have_priorities
        assert served(queue.consumers, 1) == ([] if replaces else ["first"])
        first.outstanding = 0
        if isinstance(queue.consumers, QuorumSingleActive):
            queue.consumers.activate_next()
        assert served(queue.consumers, 1) == (["second"] if replaces else ["first"])


def test_whoever_settles_its_last_while_it_is_replaced_leaves_nobody_active_until_something_else_happens() -> None:
    queue = make_queue(arguments={"x-queue-type": "quorum", "x-single-active-consumer": True})
    channel, other = make_channel(1), make_channel(2)
    first = make_consumer(queue, channel, "first")
    first.outstanding = 1
    make_consumer(queue, other, "second", priority=1)
    consumers = queue.consumers
    assert isinstance(consumers, QuorumSingleActive)
    first.outstanding = 0
    assert consumers.unpark(channel, first)
    assert (consumers.active, consumers.next()) == (None, None)
    consumers.activate_next()
    assert served(consumers, 1) == ["second"]


@pytest.mark.parametrize("version", ["3.10", "4.0"])
class TestOfAQuorumQueue:
    """Whoever left is in line until its turn comes; a tag used again takes its place."""

    @staticmethod
    def again(gone: Consumer, *, outstanding: int) -> Consumer:
        """A consumer of the tag and channel of one that left, which may have left deliveries behind."""
        consumer = Consumer(
            gone.tag,
            channel=gone.channel,
            queue=gone.queue,
            no_ack=False,
            exclusive=False,
            prefetch_count=gone.prefetch_count,
            priority=0,
            arguments={},
        )
        consumer.outstanding = outstanding
        return consumer

    def test_one_that_begins_at_its_limit_waits_until_it_can_take(self, version: str) -> None:
        queue, channel = make_queue(version=version, arguments=QUORUM), make_channel()
        gone = make_consumer(queue, channel, "again", prefetch_count=1)
        assert served(queue.consumers, 1) == ["again"]
        queue.consumers.park(gone)
        queue.consumers.remove(gone)
        new = self.again(gone, outstanding=1)
        queue.consumers.add(new)
        assert served(queue.consumers, 1) == []
        new.outstanding = 0
        assert queue.consumers.unpark_all(channel)
        assert served(queue.consumers, 1) == ["again"]

    def test_one_that_takes_a_place_at_its_limit_is_found_full_when_its_turn_comes(self, version: str) -> None:
        queue, channel = make_queue(version=version, arguments=QUORUM), make_channel()
        make_consumer(queue, channel, "first")
        gone = make_consumer(queue, channel, "again", prefetch_count=1)
        queue.consumers.remove(gone)
        queue.consumers.add(self.again(gone, outstanding=1))
        assert served(queue.consumers, 3) == ["first", "first", "first"]
        assert len(queue.consumers) == 2


class TestManyConsumers:
    def test_one_that_can_take_again_as_its_own_delivery_is_settled_is_the_only_one_looked_at(self) -> None:
        queue, channel = make_queue(), make_channel()
        consumers = [make_consumer(queue, channel, str(number), prefetch_count=1) for number in range(3)]
        for each in consumers:
            each.outstanding = 1
        assert served(queue.consumers, 1) == []
        for each in consumers:
            each.outstanding = 0  # though only the delivery of one is said to be settled
        assert queue.consumers.unpark(channel, consumers[1])
        assert served(queue.consumers, 2) == ["1", "1"]
        assert not queue.consumers.unpark(channel, None)
        assert not queue.consumers.unpark(channel, consumers[1])

    def test_with_a_limit_of_the_channels_own_any_of_its_consumers_may_be_set_free(self) -> None:
        queue, channel = make_queue(), make_channel()
        channel.global_prefetch = channel.outstanding = 1
        make_consumer(queue, channel, "one")
        make_consumer(queue, channel, "two")
        assert served(queue.consumers, 1) == []
        channel.outstanding = 0
        assert queue.consumers.unpark(channel, None)
        assert served(queue.consumers, 2) == ["one", "two"]

    def test_whoever_leaves_is_neither_served_nor_counted(self) -> None:
        queue, channel = make_queue(), make_channel()
        consumers = [make_consumer(queue, channel, str(number)) for number in range(10)]
        for number, each in enumerate(consumers):
            if number not in (3, 7):
                queue.consumers.remove(each)
            assert len(queue.consumers) == len(list(queue.consumers))
        assert [each.tag for each in queue.consumers] == ["3", "7"]
        assert served(queue.consumers, 3) == ["3", "7", "3"]
