"""Limits on length beside times to live, priorities, returns, transactions and further dead letters."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all
from tests.rules._kinds import declare, drain, publish, shares
from tests.rules._limits import TO_DEAD, Connect, LetTimePass, reject
from tests.rules._publishing import Arrivals
from tests.rules._queues import ready, wait_until_ready

REJECT = {"overflow": "reject-publish"}
REJECT_DLX = {"overflow": "reject-publish-dlx"}
AT_LEAST_ONCE = {"dead_letter_strategy": "at-least-once", "dead_letter_exchange": "", **REJECT}
KINDS = pytest.mark.parametrize("kind", ["classic", "quorum"])


@pytest.fixture(autouse=True)
def dead(channel: BlockingChannel) -> None:
    """A queue for dead letters."""
    channel.queue_declare("dead")


def deaths(channel: BlockingChannel, count: int, queue: str = "dead") -> list[tuple[str, list[str]]]:
    """The bodies of dead letters, and why each died, the latest reason first."""
    wait_until_ready(channel, queue, count)
    found = []
    for _ in range(count):
        _, properties, body = channel.basic_get(queue, auto_ack=True)
        found.append((body.decode(), [each["reason"] for each in properties.headers["x-death"]]))
    return found


def is_taken(publisher: BlockingChannel, queue: str, body: str) -> bool:
    """Publish with confirms; whether the queue has taken it."""
    try:
        publisher.basic_publish("", queue, body.encode())
    except pika.exceptions.NackError:
        return False
    return True


def offer(channel: BlockingChannel, queue: str, *bodies: str) -> list[bool]:
    """Publish on a new channel, one after the other: which the queue has taken."""
    with channel.connection.channel() as publisher:
        publisher.confirm_delivery()
        return [is_taken(publisher, queue, body) for body in bodies]


# -- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "again", "dropped"), [("classic", ["2"], ["1"]), ("quorum", ["1"], [])])
def test_a_classic_queue_looks_at_its_length_before_it_serves_what_came_back(
    channel: BlockingChannel, connect: Connect, kind: str, again: list[str], dropped: list[str]
) -> None:
    limits = {"max_length": 1, **({"delivery_limit": 9} if kind == "quorum" else {})}
    declare(channel, "orders", kind, **limits, **TO_DEAD)
    publish(channel, "orders", "1")
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"1"]
    publish(connect().channel(), "orders", "2")
    consumer.requeue()
    assert consumer.take(1) == [again[0].encode()]
    assert deaths(channel, len(dropped)) == [(body, ["maxlen"]) for body in dropped]
    assert ready(channel, "orders") == 1 - len(dropped)


@pytest.mark.parametrize(("kind", "served", "dropped"), [("classic", ["2"], ["1"]), ("quorum", ["1"], [])])
def test_so_it_does_when_a_channel_ends(
    channel: BlockingChannel, connect: Connect, kind: str, served: list[str], dropped: list[str]
) -> None:
    declare(channel, "orders", kind, max_length=1, **TO_DEAD)
    holder = connect().channel()
    for body in ("1", "2"):
        publish(channel, "orders", body)
        holder.basic_get("orders")
    consumer_channel = connect().channel()
    consumer_channel.basic_qos(prefetch_count=1)
    consumer = Consumer(consumer_channel, "orders")
    holder.close()
    assert [body.decode() for body in consumer.take(1)] == served
    assert deaths(channel, len(dropped)) == [(body, ["maxlen"]) for body in dropped]


def test_of_priorities_the_highest_is_dropped_where_a_lower_one_comes_back(
    channel: BlockingChannel, connect: Connect
) -> None:
    declare(channel, "orders", "classic", max_length=1, max_priority=5, **TO_DEAD)
    publish(channel, "orders", "low", priority=1)
    channel.basic_qos(prefetch_count=1)
    consumer = Consumer(channel, "orders")
    assert consumer.take(1) == [b"low"]
    publish(connect().channel(), "orders", "high", priority=5)
    consumer.requeue()
    assert consumer.take(1) == [b"low"]
    assert deaths(channel, 1) == [("high", ["maxlen"])]


# -- times to live ------------------------------------------------------------------------------------------------


@KINDS
def test_what_is_too_much_and_expires_at_once_is_too_much(channel: BlockingChannel, kind: str) -> None:
    declare(channel, "orders", kind, max_length=0, message_ttl=0, **TO_DEAD)
    publish(channel, "orders", "order")
    assert deaths(channel, 1) == [("order", ["maxlen"])]


def test_what_expires_at_once_may_push_out_what_does_not(channel: BlockingChannel) -> None:
    declare(channel, "orders", "classic", max_length=1, **TO_DEAD)
    publish(channel, "orders", "lasting")
    publish(channel, "orders", "brief", expiration="0")
    assert deaths(channel, 2) == [("lasting", ["maxlen"]), ("brief", ["expired"])]


def test_what_expired_and_returns_to_a_full_queue_is_too_much(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", "classic", max_length=1, message_ttl=600, **TO_DEAD)
    publish(channel, "orders", "1")
    method, _, _ = channel.basic_get("orders")
    let_time_pass(1)
    publish(channel, "orders", "2")
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert deaths(channel, 1) == [("1", ["maxlen"])]


def test_what_expired_behind_a_message_that_is_dropped_expires_with_it(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", "classic", max_length=2, **TO_DEAD)
    publish(channel, "orders", "1")
    publish(channel, "orders", "2", expiration="100")
    let_time_pass(0.3)
    publish(channel, "orders", "3")
    assert deaths(channel, 2) == [("1", ["maxlen"]), ("2", ["expired"])]
    assert drain(channel, "orders", 1) == ["3"]


def test_with_priorities_an_expired_message_hides_until_it_is_first(
    channel: BlockingChannel, let_time_pass: LetTimePass
) -> None:
    declare(channel, "orders", "classic", max_length=2, max_priority=5, **TO_DEAD)
    publish(channel, "orders", "low", priority=1, expiration="100")
    publish(channel, "orders", "high", priority=5)
    let_time_pass(0.3)
    publish(channel, "orders", "middle", priority=3)
    assert deaths(channel, 1) == [("high", ["maxlen"])]
    assert drain(channel, "orders") == ["middle"]
    assert deaths(channel, 1) == [("low", ["expired"])]


# -- dead letters -------------------------------------------------------------------------------------------------


@KINDS
def test_dead_letters_push_each_other_out_from_queue_to_queue(channel: BlockingChannel, kind: str) -> None:
    declare(channel, "second", kind, max_length=1, **TO_DEAD)
    declare(channel, "first", kind, max_length=1, dead_letter_exchange="", dead_letter_routing_key="second")
    publish(channel, "first", "1", "2", "3", "4")
    assert deaths(channel, 2) == [("1", ["maxlen", "maxlen"]), ("2", ["maxlen", "maxlen"])]
    assert deaths(channel, 1, "second") == [("3", ["maxlen"])]
    assert drain(channel, "first") == ["4"]


def test_a_full_queue_dead_letters_the_dead_letter_that_it_refuses(channel: BlockingChannel) -> None:
    declare(channel, "full", "classic", max_length=0, **REJECT_DLX, **TO_DEAD)
    declare(channel, "orders", "classic", dead_letter_exchange="", dead_letter_routing_key="full")
    publish(channel, "orders", "order")
    reject(channel, "orders")
    assert deaths(channel, 1) == [("order", ["maxlen", "rejected"])]


def test_full_queues_that_refuse_in_a_ring_do_so_once(channel: BlockingChannel) -> None:
    for queue, following in (("a", "b"), ("b", "c"), ("c", "a")):
        key = {"dead_letter_exchange": "", "dead_letter_routing_key": following}
        declare(channel, queue, "classic", max_length=1, **REJECT_DLX, **key)
    for queue in "cba":
        publish(channel, queue, f"first in {queue}")
    assert offer(channel, "a", "order") == [False]
    for queue in "abc":
        assert drain(channel, queue, 1) == [f"first in {queue}"]


def test_a_message_too_large_for_the_queue_pushes_out_all_others_and_itself(channel: BlockingChannel) -> None:
    declare(channel, "orders", "classic", max_length_bytes=3, **TO_DEAD)
    publish(channel, "orders", "a", "b", "large")
    assert [body for body, _ in deaths(channel, 3)] == ["a", "b", "large"]
    assert ready(channel, "orders") == 0


def test_an_exchange_of_type_headers_sees_what_the_death_added(channel: BlockingChannel) -> None:
    channel.exchange_declare("graves", "headers")
    for queue, match in (("plain", "any"), ("with x", "any-with-x")):
        channel.queue_declare(queue)
        bound = {"x-match": match, "x-first-death-reason": "rejected"}
        channel.queue_bind(queue, "graves", arguments=bound)
    declare(channel, "orders", "classic", dead_letter_exchange="graves")
    publish(channel, "orders", "order")
    reject(channel, "orders")
    assert drain(channel, "with x", 1) == ["order"]
    assert drain(channel, "plain") == []


# -- what waits to be dead-lettered ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [{"max_length": 2}, {"max_length_bytes": 2}], ids=["messages", "bytes"])
def test_what_waits_to_be_dead_lettered_takes_up_room(channel: BlockingChannel, limit: dict[str, Any]) -> None:
    declare(channel, "orders", "quorum", dead_letter_routing_key="nowhere", **AT_LEAST_ONCE, **limit)
    publish(channel, "orders", "1", "2")
    reject(channel, "orders")
    reject(channel, "orders")
    wait_until_ready(channel, "orders", 0)
    assert offer(channel, "orders", "3", "4") == [True, False]


def test_a_full_quorum_queue_refuses_who_published_before_until_it_is_down_to_80_percent(
    channel: BlockingChannel, connect: Connect
) -> None:
    declare(channel, "orders", "quorum", max_length=5, **REJECT)
    old, new = (connect().channel() for _ in range(2))
    old.confirm_delivery()
    new.confirm_delivery()
    assert [is_taken(old, "orders", body) for body in "1234567"] == [True] * 6 + [False]
    channel.basic_get("orders", auto_ack=True)
    wait_until_ready(channel, "orders", 5)
    assert not is_taken(old, "orders", "8")
    assert is_taken(new, "orders", "9")
    assert not is_taken(new, "orders", "10")
    for _ in range(2):
        channel.basic_get("orders", auto_ack=True)
    wait_until_ready(channel, "orders", 4)
    assert is_taken(old, "orders", "11")
    assert is_taken(new, "orders", "12")


@pytest.mark.parametrize("source", ["classic", "quorum"])
def test_a_full_quorum_queue_takes_dead_letters_that_could_be_lost(channel: BlockingChannel, source: str) -> None:
    declare(channel, "full", "quorum", max_length=1, **REJECT)
    assert offer(channel, "full", "1", "2", "3") == [True, True, False]
    declare(channel, "orders", source, dead_letter_exchange="", dead_letter_routing_key="full")
    publish(channel, "orders", "4")
    reject(channel, "orders")
    wait_until_ready(channel, "full", 3)


def test_a_full_quorum_queue_refuses_dead_letters_that_can_wait(channel: BlockingChannel) -> None:
    declare(channel, "full", "quorum", max_length=1, **REJECT)
    assert offer(channel, "full", "1", "2", "3") == [True, True, False]
    declare(channel, "orders", "quorum", dead_letter_routing_key="full", **AT_LEAST_ONCE)
    declare(channel, "others", "quorum", dead_letter_exchange="", dead_letter_routing_key="full")
    for queue in ("orders", "others"):
        publish(channel, queue, queue)
        reject(channel, queue)
    wait_until_ready(channel, "full", 3)
    assert drain(channel, "full") == ["1", "2", "others"]


# -- transactions and confirms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kinds", "fails"), [(["classic"], True), (["quorum"], False), (["quorum", "classic"], False)])
def test_a_commit_does_not_hear_of_a_message_that_a_quorum_queue_refuses(
    channel: BlockingChannel, connect: Connect, kinds: list[str], fails: bool
) -> None:
    for kind in kinds:
        declare(channel, kind, kind, max_length=1, **REJECT)
        offer(channel, kind, "1", "2")
        channel.queue_bind(kind, "amq.fanout")
    transactional = connect().channel()
    transactional.tx_select()
    transactional.basic_publish("amq.fanout", "", b"order")
    if fails:
        with channel_closed(406, "PRECONDITION_FAILED - partial tx completion"):
            transactional.tx_commit()
    else:
        transactional.tx_commit()
    for kind in kinds:
        assert b"order" not in get_all(channel, kind)


def test_two_queues_that_refuse_a_message_make_one_nack(channel: BlockingChannel) -> None:
    for queue in ("one", "two"):
        declare(channel, queue, "classic", max_length=0, **REJECT)
        channel.queue_bind(queue, "amq.fanout")
    arrivals = Arrivals(channel)
    arrivals.confirm_select()
    for number in (1, 2):
        channel.basic_publish("amq.fanout", "", b"order")
        arrivals.wait_for(lambda number=number: len(arrivals.log) >= number)
    assert arrivals.log == [("nack", 1, "multiple"), ("nack", 2, "multiple")]


# -- consumers ----------------------------------------------------------------------------------------------------


@KINDS
def test_what_a_cancelled_consumer_holds_still_counts_against_its_channel_alone(
    channel: BlockingChannel, connect: Connect, kind: str
) -> None:
    declare(channel, "orders", kind)
    channel.basic_qos(prefetch_count=1)
    high = Consumer(channel, "orders", arguments={"x-priority": 5})
    low = Consumer(channel, "orders")
    publish(connect().channel(), "orders", "1", "2", "3", "4")
    assert shares(high, low) == [["1"], ["2"]]
    channel.basic_cancel(high.tag)
    high.ack()
    assert shares(low) == [[]]
    low.ack()
    assert low.take(1) == [b"3"]
    again = Consumer(channel, "orders", arguments={"x-priority": 5})
    assert again.take(1) == [b"4"]


@KINDS
def test_among_single_active_consumers_of_one_channel_only_one_is_served(
    channel: BlockingChannel, connect: Connect, kind: str, version: str
) -> None:
    declare(channel, "orders", kind, single_active_consumer=True)
    channel.basic_qos(prefetch_count=1)
    consumers = [Consumer(channel, "orders", arguments={"x-priority": priority}) for priority in (1, 5, 5)]
    publish(connect().channel(), "orders", "1", "2")
    active = 1 if kind == "quorum" and version == "4.0" else 0  # there a waiting one of a higher priority takes over
    for body in ("1", "2"):
        assert consumers[active].take(1) == [body.encode()]
        consumers[active].ack()
    assert [consumer.bodies for consumer in consumers if consumer is not consumers[active]] == [[], []]
