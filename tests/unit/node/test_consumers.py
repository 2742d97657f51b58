"""The round robin in which a queue serves its consumers."""

from __future__ import annotations

import pytest

from fakeamqp.node.consumers import Rotation
from tests.unit.node._parts import make_channel, make_consumer, make_queue


def served(rotation: Rotation, count: int) -> list[str]:
    """The tags of the next consumers."""
    return [consumer.tag for consumer in (rotation.next() for _ in range(count)) if consumer is not None]


def test_nobody_is_served_where_nobody_consumes() -> None:
    assert Rotation().next() is None


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
    assert not queue.consumers.unpark(channel)
    limited.outstanding = 0
    assert queue.consumers.unpark(channel)
    assert served(queue.consumers, 3) == ["two", "one", "limited"]


def test_only_the_channel_that_settled_frees_its_consumers() -> None:
    queue, channel, other = make_queue(), make_channel(1), make_channel(2)
    mine = make_consumer(queue, channel, "mine", prefetch_count=1)
    theirs = make_consumer(queue, other, "theirs", prefetch_count=1)
    mine.outstanding = theirs.outstanding = 1
    assert served(queue.consumers, 1) == []
    mine.outstanding = theirs.outstanding = 0
    assert queue.consumers.unpark(other)
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

    def test_without_acknowledgements_there_is_no_limit(self) -> None:
        assert make_consumer(make_queue(), no_ack=True, prefetch_count=2).prefetch_count == 0

    def test_the_channels_limit_holds_as_well(self) -> None:
        channel = make_channel()
        consumer = make_consumer(make_queue(), channel)
        channel.global_prefetch = channel.outstanding = 3
        assert not consumer.can_take()
        channel.outstanding = 2
        assert consumer.can_take()
