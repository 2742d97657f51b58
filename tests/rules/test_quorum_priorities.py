"""Message priorities in quorum queues: none in 3.10, two levels in 4.0.

In 4.0 a message is high above priority 4 and normal otherwise. While both are waiting, every third message that
leaves the queue is a normal one; the queue counts all that leave, also while there is nothing to choose. What was
returned leaves first, and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._consuming import Consumer, wait_until_ready
from tests.rules._kinds import declare, drain, send
from tests.rules._queues import ready


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    """The name of a new quorum queue."""
    return declare(channel, "orders", "quorum")


def levels(bodies: list[str]) -> str:
    """H for each high message, n for each normal one."""
    return "".join("H" if int(body[:-1]) > 4 else "n" for body in bodies)


@pytest.mark.only("3.10")
def test_priorities_do_not_matter_in_3_10(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "0a", "9b", "c", "5d")
    assert drain(channel, queue, 4) == ["0a", "9b", "c", "5d"]


def test_a_delivery_shows_the_priority_that_was_published(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "200a")
    assert channel.basic_get(queue)[1].priority == 200


@pytest.mark.only("4.0")
def test_above_four_is_high(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "a", "0b", "4c", "5d", "255e")
    assert drain(channel, queue, 5) == ["5d", "255e", "a", "0b", "4c"]


@pytest.mark.only("4.0")
def test_all_high_ones_are_equal(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "5a", "9b", "255c", "10d")
    assert drain(channel, queue, 4) == ["5a", "9b", "255c", "10d"]


@pytest.mark.only("4.0")
@pytest.mark.parametrize(
    ("high", "normal", "order"),
    [
        (2, 2, "HHnn"),
        (3, 3, "HHnHnn"),
        (9, 9, "HHnHHnHHnHHnHnnnnn"),
        (10, 2, "HHnHHnHHHHHH"),
        (2, 10, "HHnnnnnnnnnn"),
        (0, 3, "nnn"),
        (3, 0, "HHH"),
    ],
)
def test_every_third_is_a_normal_one(channel: BlockingChannel, queue: str, high: int, normal: int, order: str) -> None:
    send(channel, queue, *["0a"] * normal, *["9a"] * high)
    assert levels(drain(channel, queue, high + normal)) == order


@pytest.mark.only("4.0")
def test_a_normal_one_does_not_overtake_high_ones_that_came_before_it(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "9a", "9b", "9c", "0d", "9e")
    assert drain(channel, queue, 5) == ["9a", "9b", "9c", "9e", "0d"]


@pytest.mark.only("4.0")
@pytest.mark.parametrize(("before", "order"), [(0, "HHnHn"), (1, "HnHHn"), (2, "nHHnH"), (3, "HHnHn"), (4, "HnHHn")])
@pytest.mark.parametrize("level", ["0", "9"])
def test_every_message_that_leaves_is_counted(
    channel: BlockingChannel, queue: str, level: str, before: int, order: str
) -> None:
    send(channel, queue, *[f"{level}a"] * before)
    drain(channel, queue, before)
    send(channel, queue, *["0a"] * 2, *["9a"] * 3)
    assert levels(drain(channel, queue, 5)) == order


@pytest.mark.only("4.0")
@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("waiting", [0, 2])
def test_after_a_purge_they_are_counted_anew(channel: BlockingChannel, queue: str, waiting: int, before: int) -> None:
    send(channel, queue, *["0a"] * before)
    drain(channel, queue, before)
    send(channel, queue, *["0b"] * waiting)
    wait_until_ready(channel, queue, waiting)
    channel.queue_purge(queue)
    send(channel, queue, *["0a"] * 2, *["9a"] * 3)
    assert levels(drain(channel, queue, 5)) == "HHnHn"


@pytest.mark.only("4.0")
@pytest.mark.parametrize("limit", [1, 3, 0])
def test_consumers_are_served_in_the_same_order(channel: BlockingChannel, queue: str, limit: int) -> None:
    send(channel, queue, *["0a"] * 5, *["9a"] * 5)
    channel.basic_qos(prefetch_count=limit)
    consumer = Consumer(channel, queue)
    while len(consumer.bodies) < 10:
        consumer.take(1)
        channel.basic_ack(0, multiple=True)
    assert levels([body.decode() for body in consumer.bodies]) == "HHnHHnHnnn"


@pytest.mark.only("4.0")
def test_what_goes_straight_to_a_consumer_is_counted_too(channel: BlockingChannel, queue: str) -> None:
    consumer = Consumer(channel, queue)
    send(channel, queue, "0a", "9b")
    assert consumer.take(2) == [b"0a", b"9b"]
    channel.basic_cancel(consumer.tag)
    send(channel, queue, *["0a"] * 2, *["9a"] * 3)
    assert levels(drain(channel, queue, 5)) == "nHHnH"


@pytest.mark.only("4.0")
@pytest.mark.parametrize("returned", [(0, 1, 2, 3), (3, 2, 1, 0)])
def test_returned_messages_leave_first_in_the_order_of_returning(
    channel: BlockingChannel, queue: str, returned: tuple[int, ...]
) -> None:
    send(channel, queue, "0a", "0b", "0c", "9d", "9e", "9f")
    found = [channel.basic_get(queue) for _ in range(4)]
    bodies = [body.decode() for _, _, body in found]
    assert bodies == ["9d", "9e", "0a", "9f"]
    for index in returned:
        channel.basic_nack(found[index][0].delivery_tag, requeue=True)
    assert drain(channel, queue, 6) == [*(bodies[index] for index in returned), "0b", "0c"]


@pytest.mark.only("4.0")
def test_returned_messages_are_not_counted(channel: BlockingChannel, queue: str) -> None:
    send(channel, queue, "9a")
    method, _, _ = channel.basic_get(queue)
    send(channel, queue, "0b", "0c", "9d", "9e", "9f")
    channel.basic_nack(method.delivery_tag, requeue=True)
    assert drain(channel, queue, 6) == ["9a", "9d", "0b", "9e", "9f", "0c"]


@pytest.mark.only("4.0")
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["0a", "9b", "0c", "9d", "0e", "9f"], ["9f", "0c", "0e"]),
        (["9a", "9b", "9c", "0d", "0e"], ["9c", "0d", "0e"]),
        (["0a", "0b", "0c", "9d", "9e"], ["0a", "0b", "0c"]),
    ],
)
def test_max_length_drops_what_would_leave_next(channel: BlockingChannel, sent: list[str], kept: list[str]) -> None:
    queue = declare(channel, "short", "quorum", max_length=3)
    send(channel, queue, *sent)
    assert drain(channel, queue, 3) == kept


@pytest.mark.only("4.0")
def test_an_expired_normal_message_is_stuck_behind_a_high_one(
    channel: BlockingChannel, queue: str, let_time_pass: Callable[[float], None]
) -> None:
    send(channel, queue, "0a", expiration="100")
    send(channel, queue, "9b")
    let_time_pass(0.5)
    assert ready(channel, queue) == 2
    assert drain(channel, queue) == ["9b"]
