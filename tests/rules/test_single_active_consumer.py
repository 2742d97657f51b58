"""Queues with x-single-active-consumer: one consumer gets everything, the others wait to succeed it."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for, wait_until_back
from tests.rules._kinds import assert_shares, declare, publish
from tests.rules._queues import Connect, consumers, fill, wait_until_ready

KINDS = ["classic", "quorum"]
both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def queue(channel: BlockingChannel, kind: str) -> str:
    """The name of a new queue."""
    return declare(channel, "orders", kind, single_active_consumer=True)


def consume(connect: Connect, queue: str, priority: int | None = None, limit: int = 0) -> Consumer:
    """A consumer with a connection of its own."""
    channel = connect().channel()
    channel.basic_qos(prefetch_count=limit)
    return Consumer(channel, queue, arguments=None if priority is None else {"x-priority": priority})


@both
def test_only_the_consumer_that_came_first_gets_messages(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first, second, third = (consume(connect, queue) for _ in range(3))
    publish(channel, queue, "1", "2", "3")
    assert_shares({first: ["1", "2", "3"], second: [], third: []})


@both
@pytest.mark.parametrize("end", ["cancel", "channel", "connection"])
def test_the_one_that_came_next_succeeds(channel: BlockingChannel, connect: Connect, queue: str, end: str) -> None:
    first, second, third = (consume(connect, queue) for _ in range(3))
    publish(channel, queue, "1")
    assert_shares({first: ["1"], second: [], third: []})
    first.ack()
    if end == "cancel":
        first.channel.basic_cancel(first.tag)
    elif end == "channel":
        first.channel.close()
    else:
        first.channel.connection.close()
    publish(channel, queue, "2")
    assert_shares({second: ["2"], third: []})


@both
def test_a_cancelled_consumer_that_waits_does_not_succeed(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first, second, third = (consume(connect, queue) for _ in range(3))
    second.channel.basic_cancel(second.tag)
    first.channel.basic_cancel(first.tag)
    publish(channel, queue, "1")
    assert_shares({third: ["1"], first: [], second: []})


@both
def test_who_consumes_again_waits_at_the_end(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, second = consume(connect, queue), consume(connect, queue)
    first.channel.basic_cancel(first.tag)
    again = Consumer(first.channel, queue)
    publish(channel, queue, "1")
    assert_shares({second: ["1"], again: []})


@both
def test_a_full_active_consumer_stays_active(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, second = (consume(connect, queue, limit=1) for _ in range(2))
    publish(channel, queue, "1", "2")
    assert_shares({first: ["1"], second: []})
    first.ack()
    assert_shares({first: ["2"], second: []})


@both
def test_unacknowledged_messages_of_a_closed_consumer_go_to_the_successor(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first, second = consume(connect, queue), consume(connect, queue)
    publish(channel, queue, "1", "2", "3")
    assert_shares({first: ["1", "2", "3"], second: []})
    first.channel.close()
    assert_shares({second: ["1", "2", "3"]})
    assert [method.redelivered for method in second.methods] == [True] * 3


@both
def test_a_cancelled_active_consumer_keeps_what_it_has(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, second = consume(connect, queue), consume(connect, queue)
    publish(channel, queue, "1", "2")
    assert_shares({first: ["1", "2"], second: []})
    first.channel.basic_cancel(first.tag)
    publish(channel, queue, "3")
    assert_shares({first: [], second: ["3"]})
    first.ack(0)
    first.requeue(1)
    assert_shares({first: [], second: ["2"]})
    assert second.methods[1].redelivered


@both
def test_the_successor_of_a_full_consumer_is_served_at_once_but_not_by_classic_queues_of_3_10(
    channel: BlockingChannel, connect: Connect, queue: str, kind: str, version: str
) -> None:
    first, second = (consume(connect, queue, limit=1) for _ in range(2))
    publish(channel, queue, "1", "2")
    assert_shares({first: ["1"], second: []})
    first.channel.basic_cancel(first.tag)
    is_served = (kind, version) != ("classic", "3.10")
    assert_shares({first: [], second: ["2"] if is_served else []})
    first.requeue()
    if is_served:
        second.ack()
    assert_shares({second: ["1"]})


@pytest.fixture
def left_alone(channel: BlockingChannel, connect: Connect, queue: str) -> tuple[Consumer, Consumer]:
    """A cancelled consumer that holds "1", and its successor, which gets nothing of "2" and "3"."""
    first, second = (consume(connect, queue, limit=1) for _ in range(2))
    publish(channel, queue, "1", "2", "3")
    assert_shares({first: ["1"], second: []})
    first.channel.basic_cancel(first.tag)
    assert_shares({first: [], second: []})
    return first, second


@pytest.mark.only("3.10")
@pytest.mark.parametrize("kind", ["classic"])
class TestLeftAlone:
    """What makes a classic queue of 3.10 look that its active consumer's cancellation has left alone."""

    def test_an_acknowledgement_does_not(self, left_alone: tuple[Consumer, Consumer]) -> None:
        first, second = left_alone
        first.ack()
        assert_shares({second: []})

    def test_basic_get_does_not(
        self, channel: BlockingChannel, queue: str, left_alone: tuple[Consumer, Consumer]
    ) -> None:
        assert channel.basic_get(queue, auto_ack=True)[2] == b"2"
        assert_shares({left_alone[1]: []})

    def test_another_consumer_does(self, connect: Connect, queue: str, left_alone: tuple[Consumer, Consumer]) -> None:
        third = consume(connect, queue)
        assert_shares({left_alone[1]: ["2"], third: []})

    def test_the_end_of_a_channel_does(self, left_alone: tuple[Consumer, Consumer]) -> None:
        first, second = left_alone
        first.channel.close()
        assert_shares({second: ["1"]})

    def test_a_publish_does_where_nothing_is_left(
        self, channel: BlockingChannel, queue: str, left_alone: tuple[Consumer, Consumer]
    ) -> None:
        channel.queue_purge(queue)
        publish(channel, queue, "4")
        assert_shares({left_alone[1]: ["4"]})

    def test_otherwise_a_publish_kills_the_queue_which_forgets_what_is_transient(
        self, channel: BlockingChannel, connect: Connect, queue: str, left_alone: tuple[Consumer, Consumer]
    ) -> None:
        first, second = left_alone
        channel.basic_publish("", queue, b"4")
        wait_for(second.channel.connection, lambda: not second.channel.consumer_tags)
        assert get_all(wait_until_back(connect, queue), queue) == []
        first.ack()
        publish(channel, queue, "5")
        assert get_all(channel, queue) == [b"5"]


@both
def test_a_requeued_message_returns_to_the_active_consumer(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first, second = consume(connect, queue), consume(connect, queue)
    publish(channel, queue, "1")
    assert_shares({first: ["1"], second: []})
    first.requeue()
    assert_shares({first: ["1"], second: []})


@both
def test_consumers_of_one_channel_succeed_each_other(channel: BlockingChannel, queue: str) -> None:
    first, second = Consumer(channel, queue), Consumer(channel, queue)
    publish(channel, queue, "1")
    assert_shares({first: ["1"], second: []})
    channel.basic_cancel(first.tag)
    publish(channel, queue, "2")
    assert_shares({first: [], second: ["2"]})


@both
def test_consumers_take_turns_if_the_argument_is_false(channel: BlockingChannel, connect: Connect, kind: str) -> None:
    declare(channel, "plain", kind, single_active_consumer=False)
    first, second = consume(connect, "plain"), consume(connect, "plain")
    publish(channel, "plain", "1", "2", "3")
    assert_shares({first: ["1", "3"], second: ["2"]})


@pytest.mark.parametrize(("kind", "count"), [("classic", 3), ("quorum", 1)])
def test_a_declare_counts_waiting_consumers_of_classic_queues_alone(
    channel: BlockingChannel, queue: str, count: int
) -> None:
    for _ in range(3):
        channel.basic_consume(queue, print)
    assert consumers(channel, queue) == count


@pytest.mark.parametrize("kind", ["classic"])
@pytest.mark.parametrize("before", [0, 1])
def test_exclusive_consumers_are_refused_by_classic_queues(
    channel: BlockingChannel, vhost: str, queue: str, before: int
) -> None:
    for _ in range(before):
        channel.basic_consume(queue, print)
    with channel_closed(403, f"ACCESS_REFUSED - queue 'orders' in vhost '{vhost}' in exclusive use"):
        channel.connection.channel().basic_consume(queue, print, exclusive=True)


@pytest.mark.parametrize("kind", ["quorum"])
def test_exclusive_consumers_wait_like_others_in_quorum_queues(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first = consume(connect, queue)
    second = Consumer(connect().channel(), queue, exclusive=True)
    publish(channel, queue, "1")
    assert_shares({first: ["1"], second: []})


@pytest.mark.parametrize("kind", ["classic"])
def test_a_get_beside_the_active_consumer_of_a_classic_queue_is_allowed(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    active = consume(connect, queue, limit=1)
    publish(channel, queue, "1", "2")
    assert_shares({active: ["1"]})
    assert get_all(channel, queue) == [b"2"]


@pytest.mark.parametrize("kind", ["quorum"])
@pytest.mark.parametrize("auto_ack", [True, False])
def test_a_get_from_a_quorum_queue_is_refused(channel: BlockingChannel, vhost: str, queue: str, auto_ack: bool) -> None:
    text = (
        f"RESOURCE_LOCKED - cannot obtain access to locked queue 'orders' in vhost '{vhost}'. "
        "basic.get operations are not supported by quorum queues with single active consumer"
    )
    with channel_closed(405, text):
        channel.basic_get(queue, auto_ack=auto_ack)


@both
def test_purge_leaves_the_active_consumer_active(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, second = (consume(connect, queue, limit=1) for _ in range(2))
    fill(channel, queue, 3)
    assert_shares({first: ["1"], second: []})
    wait_until_ready(channel, queue, 2)
    assert channel.queue_purge(queue).method.message_count == 2
    first.ack()
    publish(channel, queue, "new")
    assert_shares({first: ["new"], second: []})


@both
def test_a_higher_priority_replaces_an_idle_consumer_of_a_quorum_queue_in_4_0(
    channel: BlockingChannel, connect: Connect, queue: str, kind: str, version: str
) -> None:
    first, high = consume(connect, queue), consume(connect, queue, priority=5)
    publish(channel, queue, "1", "2")
    if (kind, version) == ("quorum", "4.0"):
        assert_shares({high: ["1", "2"], first: []})
    else:
        assert_shares({first: ["1", "2"], high: []})


@both
def test_an_equal_priority_replaces_nobody(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, second = consume(connect, queue, priority=5), consume(connect, queue, priority=5)
    publish(channel, queue, "1")
    assert_shares({first: ["1"], second: []})


@pytest.mark.parametrize("kind", ["quorum"])
@pytest.mark.only("4.0")
def test_a_replaced_consumer_gets_nothing_new_and_settles_first(
    channel: BlockingChannel, connect: Connect, queue: str
) -> None:
    first = consume(connect, queue)
    publish(channel, queue, "1", "2")
    assert_shares({first: ["1", "2"]})
    high = consume(connect, queue, priority=5)
    publish(channel, queue, "3")
    assert_shares({first: [], high: []})
    first.ack(0)
    assert_shares({first: [], high: []})
    first.ack(1)
    assert_shares({high: ["3"], first: []})


@pytest.mark.parametrize("kind", ["quorum"])
@pytest.mark.only("4.0")
def test_a_replaced_consumer_waits_by_its_priority(channel: BlockingChannel, connect: Connect, queue: str) -> None:
    first, high = consume(connect, queue, priority=1), consume(connect, queue, priority=5)
    low = consume(connect, queue)
    high.channel.basic_cancel(high.tag)
    publish(channel, queue, "1")
    assert_shares({first: ["1"], low: []})


@both
def test_succession_goes_by_priority_but_not_for_quorum_queues_in_3_10(
    channel: BlockingChannel, connect: Connect, queue: str, kind: str, version: str
) -> None:
    waiting = [consume(connect, queue, priority) for priority in (20, 5, None, 10, 5, -1)]
    in_order = [0, 1, 2, 3, 4, 5]
    by_priority = [0, 3, 1, 4, 2, 5]
    for index in in_order if (kind, version) == ("quorum", "3.10") else by_priority:
        publish(channel, queue, "order")
        assert waiting[index].take(1) == [b"order"]
        waiting[index].ack()
        waiting[index].channel.basic_cancel(waiting[index].tag)


@pytest.mark.parametrize("kind", ["classic"])
def test_an_auto_delete_queue_goes_with_its_last_waiting_consumer(
    channel: BlockingChannel, vhost: str, kind: str
) -> None:
    channel.queue_declare("gone", auto_delete=True, arguments={"x-single-active-consumer": True})
    tags = [channel.basic_consume("gone", print) for _ in range(2)]
    channel.basic_cancel(tags[0])
    assert consumers(channel, "gone") == 1
    channel.basic_cancel(tags[1])
    with channel_closed(404, f"NOT_FOUND - no queue 'gone' in vhost '{vhost}'"):
        channel.queue_declare("gone", passive=True)


@pytest.mark.parametrize(
    ("value", "wire_type"), [(1, "signedint"), ("true", "longstr"), (None, "void"), (2**40, "long")]
)
@both
def test_an_argument_that_is_no_boolean_is_refused(
    channel: BlockingChannel, vhost: str, kind: str, value: object, wire_type: str
) -> None:
    text = (
        f"PRECONDITION_FAILED - invalid arg 'x-single-active-consumer' for queue 'orders' in vhost '{vhost}': "
        f"{{unacceptable_type,{wire_type}}}"
    )
    with channel_closed(406, text):
        declare(channel, "orders", kind, single_active_consumer=value)
