"""Auto-delete queues: gone with their last consumer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, consumers, fill, missing, ready

ENDS: dict[str, Callable[[BlockingChannel], Any]] = {
    "cancel": lambda channel: channel.basic_cancel("consumer"),
    "channel close": lambda channel: channel.close(),
    "connection close": lambda channel: channel.connection.close(),
}


@pytest.fixture
def theirs(connect: Connect) -> BlockingChannel:
    """A channel of another connection."""
    return connect().channel()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("durable", [False, True])
def test_it_goes_with_its_last_consumer(
    channel: BlockingChannel, theirs: BlockingChannel, vhost: str, durable: bool, end: str
) -> None:
    channel.queue_declare("orders", auto_delete=True, durable=durable)
    theirs.basic_consume("orders", print, consumer_tag="consumer")
    ENDS[end](theirs)
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_it_goes_when_an_error_closes_the_channel_of_its_last_consumer(
    channel: BlockingChannel, theirs: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("orders", auto_delete=True)
    theirs.basic_consume("orders", print)
    with channel_closed(404, missing("nope", vhost)):
        theirs.queue_purge("nope")
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


@pytest.mark.parametrize("end", ENDS)
def test_it_stays_while_another_consumer_is_there(channel: BlockingChannel, theirs: BlockingChannel, end: str) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_consume("orders", print)
    theirs.basic_consume("orders", print, consumer_tag="consumer")
    ENDS[end](theirs)
    assert consumers(channel, "orders") == 1


def test_it_goes_when_the_last_of_several_consumers_goes(
    channel: BlockingChannel, theirs: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("orders", auto_delete=True)
    for each in (channel, theirs):
        each.basic_consume("orders", print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    assert consumers(channel, "orders") == 1
    theirs.basic_cancel("consumer")
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_it_goes_when_one_channel_with_all_its_consumers_closes(
    channel: BlockingChannel, theirs: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("orders", auto_delete=True)
    for _ in range(3):
        theirs.basic_consume("orders", print)
    theirs.close()
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_it_stays_when_nobody_ever_consumed_from_it(channel: BlockingChannel, theirs: BlockingChannel) -> None:
    theirs.queue_declare("orders", auto_delete=True)
    fill(theirs, "orders", 1)
    theirs.connection.close()
    assert ready(channel, "orders") == 1


def test_a_get_does_not_count_as_a_consumer(channel: BlockingChannel, theirs: BlockingChannel) -> None:
    channel.queue_declare("orders", auto_delete=True)
    fill(channel, "orders", 2)
    theirs.basic_get("orders", auto_ack=True)
    theirs.connection.close()
    assert ready(channel, "orders") == 1


def test_it_takes_its_messages_with_it(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("orders", print, consumer_tag="consumer")
    fill(channel, "orders", 3)
    channel.basic_cancel("consumer")
    assert channel.queue_declare("orders", auto_delete=True).method.message_count == 0


def test_a_consumer_gets_the_messages_before_it_goes(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders", auto_delete=True)
    fill(channel, "orders", 3)
    consumer = Consumer(channel, "orders", auto_ack=True)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1", b"2", b"3"])
    channel.close()
    with channel_closed(404, missing("orders", vhost)):
        channel.connection.channel().queue_declare("orders", passive=True)


def test_what_its_last_consumer_held_is_not_dead_lettered(
    channel: BlockingChannel, theirs: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("dead")
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("orders", auto_delete=True, arguments={"x-message-ttl": 0, **dead})
    consumer = Consumer(theirs, "orders", consumer_tag="consumer")
    fill(channel, "orders", 1)
    assert len(consumer.take(1)) == 1
    with channel_closed(404, missing("nowhere", vhost)):  # pika's own close() would cancel the consumer first
        theirs.queue_declare("nowhere", passive=True)
    with channel_closed(404, missing("orders", vhost)):
        channel.connection.channel().queue_declare("orders", passive=True)
    assert ready(channel, "dead") == 0


def test_a_message_of_a_queue_that_went_can_be_acked(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", auto_delete=True)
    consumer = Consumer(channel, "orders", consumer_tag="consumer")
    fill(channel, "orders", 1)
    wait_for(channel.connection, lambda: len(consumer.bodies) == 1)
    channel.basic_cancel("consumer")
    channel.basic_ack(consumer.methods[0].delivery_tag)
    assert channel.queue_declare("orders").method.message_count == 0


def test_no_cancel_notification_is_sent_for_a_queue_that_went_with_its_consumer(channel: BlockingChannel) -> None:
    cancelled: list[Any] = []
    channel.add_on_cancel_callback(cancelled.append)
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_consume("orders", print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    channel.queue_declare("marker")
    channel.connection.process_data_events()
    assert cancelled == []


def test_its_bindings_go_with_it(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.queue_bind("orders", "amq.fanout")
    channel.basic_consume("orders", print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_publish("amq.fanout", "", b"unrouted")
    assert get_all(channel, "orders") == []


def test_an_auto_delete_exchange_goes_with_the_last_queue_bound_to_it(channel: BlockingChannel, vhost: str) -> None:
    channel.exchange_declare("outer", auto_delete=True)
    channel.exchange_declare("news", auto_delete=True)
    channel.exchange_bind("news", "outer", "key")
    channel.queue_declare("orders", auto_delete=True)
    channel.queue_bind("orders", "news", "key")
    channel.basic_consume("orders", print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    for exchange in ("news", "outer"):
        with channel_closed(404, f"NOT_FOUND - no exchange '{exchange}' in vhost '{vhost}'"):
            channel.connection.channel().exchange_declare(exchange, passive=True)


def test_a_queue_declared_again_stays_until_it_has_had_a_consumer_of_its_own(channel: BlockingChannel) -> None:
    for _ in range(2):
        channel.queue_declare("orders", auto_delete=True)
        channel.basic_consume("orders", print, consumer_tag="consumer")
        channel.basic_cancel("consumer")
    channel.queue_declare("orders", auto_delete=True)
    assert consumers(channel, "orders") == 0


def test_declaring_it_again_under_its_consumer_does_not_save_it(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_consume("orders", print, consumer_tag="consumer")
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_cancel("consumer")
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)


def test_cancelling_an_unknown_consumer_tag_does_not_delete_it(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", auto_delete=True)
    channel.basic_cancel("nobody")
    assert consumers(channel, "orders") == 0


def test_a_server_named_queue_may_be_auto_delete(channel: BlockingChannel, vhost: str) -> None:
    name = channel.queue_declare("", auto_delete=True).method.queue
    channel.basic_consume(name, print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    with channel_closed(404, missing(name, vhost)):
        channel.queue_declare(name, passive=True)


def test_a_queue_that_is_not_auto_delete_stays(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_consume("orders", print, consumer_tag="consumer")
    channel.basic_cancel("consumer")
    assert consumers(channel, "orders") == 0
