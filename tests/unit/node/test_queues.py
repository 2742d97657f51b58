"""Queues: entries in, effects out."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.timers import Timers
from fakeamqp.node.queues.declaring import assert_equivalent_queue, assert_may_use
from fakeamqp.node.queues.effects import Deliver, Discarded, GiveUp, Replaced, Unused, WakeAt
from fakeamqp.node.queues.queue import Queue, Registrations, Unacked
from fakeamqp.node.queues.quorum import requeue
from fakeamqp.node.words.profile import PROFILES
from fakeamqp.spec.errors import SoftError
from tests.unit.node._parts import QUORUM, checkout, fill, make_channel, make_consumer, make_queue, message, queue_fact


def bodies(queue: Queue) -> list[bytes]:
    queue.check()
    return [entry.message.body for entry in queue.backlog]


class TestDelivering:
    def test_ready_entries_go_to_the_consumers_in_turn(self) -> None:
        queue, channel = make_queue(), make_channel()
        one, two = make_consumer(queue, channel, "one"), make_consumer(queue, channel, "two")
        entries = fill(queue, b"1", b"2", b"3")
        effects = checkout(queue, 0)
        assert effects == [Deliver(one, entries[0]), Deliver(two, entries[1]), Deliver(one, entries[2])]
        assert (one.outstanding, two.outstanding, channel.outstanding) == (2, 1, 3)
        assert list(queue.unacked.values()) == entries

    def test_what_nobody_can_take_stays(self) -> None:
        queue = make_queue()
        consumer = make_consumer(queue, prefetch_count=1)
        first, _ = fill(queue, b"1", b"2")
        assert checkout(queue, 0) == [Deliver(consumer, first)]
        assert bodies(queue) == [b"2"]
        assert checkout(queue, 0) == []

    def test_without_acknowledgements_nothing_is_outstanding(self) -> None:
        queue = make_queue()
        consumer = make_consumer(queue, no_ack=True)
        (entry,) = fill(queue, b"1")
        assert checkout(queue, 0) == [Deliver(consumer, entry)]
        assert (consumer.outstanding, consumer.channel.outstanding) == (0, 0)

    def test_what_comes_back_has_its_old_place(self) -> None:
        queue = make_queue()
        fill(queue, b"1", b"2", b"3")
        first, second = queue.take(), queue.take()
        queue.put_back(second)
        queue.put_back(first)
        assert bodies(queue) == [b"1", b"2", b"3"]
        assert queue.unacked == {}

    def test_what_comes_back_to_a_quorum_queue_comes_before_all_that_never_left(self) -> None:
        queue = make_queue(arguments=QUORUM)
        fill(queue, b"1", b"2", b"3")
        first, second = queue.take(), queue.take()
        queue.put_back(second)
        queue.put_back(first)
        assert bodies(queue) == [b"2", b"1", b"3"]

    def test_what_is_renewed_is_behind_all_others_with_its_history(self) -> None:
        queue = make_queue(arguments=QUORUM, version="3.10")
        fill(queue, b"1", b"2")
        entry = queue.take()
        entry.deliveries = 2
        (effect,) = requeue(queue, [Unacked(1, queue, entry, None, 0)], make_channel(), None, 0)
        assert bodies(queue) == [b"2", b"1"]
        assert isinstance(effect, Replaced)
        assert (effect.old, effect.new.is_redelivered, effect.new.deliveries) == (entry, True, 3)


class TestExpiry:
    def test_a_head_whose_time_is_up_expires(self) -> None:
        queue = make_queue()
        (entry,) = fill(queue, b"1", expires_us=10)
        assert checkout(queue, 10) == [GiveUp(entry, "expired")]

    def test_a_head_with_time_left_wants_to_be_looked_at_then(self) -> None:
        queue = make_queue()
        fill(queue, b"1", expires_us=10)
        assert checkout(queue, 9) == [WakeAt(10)]

    def test_only_the_head_expires(self) -> None:
        queue = make_queue()
        fill(queue, b"lasting")
        fill(queue, b"brief", expires_us=10)
        assert checkout(queue, 10) == []
        assert bodies(queue) == [b"lasting", b"brief"]

    def test_an_expired_head_is_not_delivered_and_what_follows_is(self) -> None:
        queue = make_queue()
        consumer = make_consumer(queue)
        (brief,) = fill(queue, b"brief", expires_us=10)
        (lasting,) = fill(queue, b"lasting")
        assert checkout(queue, 11) == [GiveUp(brief, "expired"), Deliver(consumer, lasting)]

    def test_a_head_that_expires_now_still_goes_to_a_consumer_that_is_free(self) -> None:
        queue = make_queue()
        consumer = make_consumer(queue)
        (brief,) = fill(queue, b"brief", expires_us=10)
        assert checkout(queue, 10) == [Deliver(consumer, brief)]


class TestLimits:
    """x-max-length and x-max-length-bytes; what a full queue refuses, and what it drops."""

    @pytest.mark.parametrize("limit", [{"x-max-length": 2}, {"x-max-length-bytes": 2}])
    def test_the_oldest_are_dropped(self, limit: dict[str, int]) -> None:
        queue = make_queue(arguments=limit)
        first, second, *_ = fill(queue, b"1", b"2", b"3", b"4")
        assert checkout(queue, 0) == [GiveUp(first, "maxlen"), GiveUp(second, "maxlen")]
        assert bodies(queue) == [b"3", b"4"]

    def test_consumers_come_before_the_limit(self) -> None:
        queue = make_queue(arguments={"x-max-length": 1})
        consumer = make_consumer(queue, prefetch_count=1)
        first, second, _ = fill(queue, b"1", b"2", b"3")
        assert checkout(queue, 0) == [Deliver(consumer, first), GiveUp(second, "maxlen")]

    @pytest.mark.parametrize("queue_type", ["classic", "quorum"])
    def test_the_limit_comes_before_consumers_where_something_came_back_to_a_classic_queue(
        self, queue_type: str
    ) -> None:
        queue = make_queue(arguments={"x-queue-type": queue_type, "x-max-length": 1})
        first, second = fill(queue, b"1", b"2")
        taken = queue.take()
        consumer = make_consumer(queue, prefetch_count=1)
        effects = queue.type.take_back(queue, [Unacked(1, queue, taken, None, 0)], 0)
        if queue_type == "quorum":
            assert effects == [Deliver(consumer, first)]
        else:
            assert effects == [GiveUp(first, "maxlen"), Deliver(consumer, second)]

    def test_what_expired_behind_what_is_dropped_expires(self) -> None:
        queue = make_queue(arguments={"x-max-length": 2})
        (first,) = fill(queue, b"1")
        (brief,) = fill(queue, b"2", expires_us=10)
        fill(queue, b"3")
        assert checkout(queue, 20) == [GiveUp(first, "maxlen"), GiveUp(brief, "expired")]

    def test_what_is_too_much_is_so_even_if_it_has_expired(self) -> None:
        queue = make_queue(arguments={"x-max-length": 0})
        (entry,) = fill(queue, b"1", expires_us=10)
        assert checkout(queue, 10) == [GiveUp(entry, "maxlen")]

    def test_a_classic_queue_refuses_what_would_be_too_much(self) -> None:
        queue = make_queue(arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        assert not queue.type.refuses(queue, message())
        fill(queue, b"1")
        assert queue.type.refuses(queue, message())
        assert checkout(queue, 0) == []

    @pytest.mark.parametrize("arguments", [{"x-overflow": "reject-publish"}, {"x-max-length": 0}])
    def test_without_a_limit_or_without_refusals_nothing_is_refused(self, arguments: dict[str, Any]) -> None:
        assert not make_queue(arguments=arguments).may_refuse

    @pytest.mark.parametrize("limit", [{"x-max-length": 5}, {"x-max-length-bytes": 5}])
    def test_a_quorum_queue_refuses_each_publisher_once_it_is_too_long(self, limit: dict[str, int]) -> None:
        queue = make_queue(arguments={**QUORUM, **limit, "x-overflow": "reject-publish"})
        publisher: Registrations = {}

        def is_taken(registrations: Registrations | None) -> bool:
            if queue.type.stops(queue, message(b"1"), registrations):
                return False
            fill(queue, b"1")
            checkout(queue, 0)
            return True

        assert [is_taken(publisher) for _ in range(7)] == [True] * 6 + [False]
        assert is_taken(None)
        assert not is_taken({})  # who comes new to a queue that is too long
        for _ in range(2):
            queue.take()
        checkout(queue, 0)
        newcomer: Registrations = {}
        assert not is_taken(publisher)
        assert is_taken(newcomer)
        assert not is_taken(newcomer)
        for _ in range(2):
            queue.take()
        checkout(queue, 0)
        assert is_taken(publisher)
        assert is_taken(newcomer)

    def test_what_waits_to_be_dead_lettered_counts(self) -> None:
        queue = make_queue(arguments={**QUORUM, "x-max-length": 1, "x-overflow": "reject-publish"})
        fill(queue, b"1")
        discarded = Discarded(queue.take(), "rejected")
        queue.discard(discarded)
        assert queue.is_over(1)
        assert (len(queue.discarded), queue.discarded_bytes) == (1, 1)
        queue.forget_discarded(discarded)
        assert (len(queue.discarded), queue.discarded_bytes) == (0, 0)
        assert not queue.is_over(1)


class TestUnused:
    def test_an_auto_delete_queue_is_unused_when_its_last_consumer_has_gone(self) -> None:
        queue = make_queue(auto_delete=True)
        assert checkout(queue, 0) == []
        consumer = make_consumer(queue)
        assert checkout(queue, 0) == []
        queue.consumers.remove(consumer)
        assert checkout(queue, 0) == [Unused()]

    def test_another_queue_is_never_unused(self) -> None:
        queue = make_queue()
        queue.consumers.remove(make_consumer(queue))
        assert checkout(queue, 0) == []


class TestClosing:
    def test_nothing_is_left_in_a_closed_queue(self) -> None:
        queue = make_queue()
        fill(queue, b"1", b"2")
        queue.take()
        queue.close()
        assert (len(queue.backlog), queue.unacked, queue.is_deleted) == (0, {}, True)

    def test_nothing_wakes_a_closed_queue(self) -> None:
        timers, queue = Timers(), make_queue()
        queue.wake_timer = timers.at(10, lambda: None)
        queue.close()
        assert timers.next_deadline() is None


class TestInvariants:
    def test_ready_entries_beside_an_idle_consumer_are_noticed(self) -> None:
        queue = make_queue()
        make_consumer(queue)
        fill(queue, b"1")
        with pytest.raises(AssertionError, match="orders: ready messages, idle consumers"):
            queue.check()

    def test_a_second_consumer_beside_an_exclusive_one_is_noticed(self) -> None:
        queue = make_queue()
        queue.exclusive_consumer = make_consumer(queue, tag="one")
        queue.check()
        make_consumer(queue, tag="two")
        with pytest.raises(AssertionError):
            queue.check()


class TestDeclaringAgain:
    @pytest.mark.parametrize("owner", [None, 1])
    def test_everybody_may_use_a_shared_queue_and_its_owner_an_exclusive_one(self, owner: int | None) -> None:
        assert_may_use(queue_fact(owner=owner), 1)

    def test_an_exclusive_queue_of_another_connection_is_locked(self) -> None:
        with pytest.raises(
            SoftError, match="RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'orders'"
        ):
            assert_may_use(queue_fact(owner=1), 2)

    def test_the_lock_is_looked_at_before_all_else(self) -> None:
        with pytest.raises(SoftError, match="RESOURCE_LOCKED"):
            assert_equivalent_queue(queue_fact(owner=1), queue_fact(durable=False), PROFILES["4.0"])

    @pytest.mark.parametrize("key", ["durable", "auto_delete"])
    def test_flags_must_be_the_same(self, key: str) -> None:
        existing = queue_fact()
        received = existing.replace(**{key: not getattr(existing, key)})
        with pytest.raises(SoftError, match=f"inequivalent arg '{key}' for queue 'orders' in vhost '/'"):
            assert_equivalent_queue(existing, received, PROFILES["4.0"])
