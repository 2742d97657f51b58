"""The time that RabbitMQ gives a channel to acknowledge: x-consumer-timeout, looked at once a minute."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer, round_trip
from tests.rules._kinds import declare, publish
from tests.rules._queues import Connect, ready, wait_until_ready

TEXT = (
    "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms. "
    "This timeout value can be configured, see consumers doc guide to learn more"
)


@pytest.mark.only("4.0")
def test_a_channel_that_does_not_acknowledge_in_time_is_closed(channel: BlockingChannel, connect: Connect) -> None:
    declare(channel, "orders", "classic", consumer_timeout=1000)
    declare(channel, "invoices", "quorum", consumer_timeout=1000)
    declare(channel, "letters", "classic")
    for queue in ("orders", "invoices", "letters"):
        publish(channel, queue, "got", "consumed")
    slow = [connect().channel() for _ in range(2)]
    prompt, automatic, unlimited = (connect().channel() for _ in range(3))
    for fetching, queue in zip(slow, ("orders", "invoices"), strict=True):
        assert fetching.basic_get(queue)[2] == b"got"
    unlimited.basic_get("letters")
    prompt.basic_ack(prompt.basic_get("orders")[0].delivery_tag)
    publish(channel, "orders", "automatic")
    assert Consumer(automatic, "orders", auto_ack=True).take(1) == [b"automatic"]
    opened_last = connect().channel()
    assert Consumer(opened_last, "invoices").take(1) == [b"consumed"]
    with channel_closed(406, TEXT):
        opened_last.start_consuming()
    for each, queue in zip(slow, ("orders", "invoices"), strict=True):
        with channel_closed(406, TEXT):
            each.queue_declare(queue, passive=True)
    for healthy in (prompt, automatic, unlimited):
        round_trip(healthy)
    wait_until_ready(unlimited, "invoices", 2)
    found = [unlimited.basic_get("invoices", auto_ack=True) for _ in range(2)]
    assert sorted((body, method.redelivered) for method, _, body in found) == [(b"consumed", True), (b"got", True)]
    assert ready(unlimited, "orders") == 0


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("value", [0, -1, 2**40, "x", None])
def test_the_argument_is_not_checked(channel: BlockingChannel, kind: str, value: object) -> None:
    assert declare(channel, "orders", kind, consumer_timeout=value) == "orders"
