"""Exclusive queues: locked to their connection, and gone with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, consumers, fill, locked, missing, ready

USES: dict[str, Callable[[BlockingChannel], Any]] = {
    "declare it equally": lambda channel: channel.queue_declare("mine", exclusive=True),
    "declare it as not exclusive": lambda channel: channel.queue_declare("mine"),
    "declare it with other flags": lambda channel: channel.queue_declare("mine", durable=True, auto_delete=True),
    "declare it passively": lambda channel: channel.queue_declare("mine", passive=True),
    "consume": lambda channel: channel.basic_consume("mine", print),
    "consume exclusively": lambda channel: channel.basic_consume("mine", print, exclusive=True),
    "get": lambda channel: channel.basic_get("mine"),
    "bind": lambda channel: channel.queue_bind("mine", "amq.fanout", "key"),
    "unbind": lambda channel: channel.queue_unbind("mine", "amq.direct", "bound"),
    "purge": lambda channel: channel.queue_purge("mine"),
    "delete": lambda channel: channel.queue_delete("mine"),
}


@pytest.mark.parametrize("use", USES)
def test_another_connection_may_not(channel: BlockingChannel, connect: Connect, vhost: str, use: str) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("mine", "amq.direct", "bound")
    with channel_closed(405, locked("mine", vhost)):
        USES[use](connect().channel())


@pytest.mark.parametrize("use", USES)
def test_another_channel_of_the_owner_may(channel: BlockingChannel, use: str, vhost: str) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_bind("mine", "amq.direct", "bound")
    other = channel.connection.channel()
    refusals = {
        "declare it as not exclusive": (405, locked("mine", vhost)),
        "declare it with other flags": (405, locked("mine", vhost)),
    }
    if use in refusals:
        with channel_closed(*refusals[use]):
            USES[use](other)
    else:
        assert USES[use](other)


def test_a_bind_to_a_missing_exchange_is_refused_before_the_lock_is_found(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("mine", exclusive=True)
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        connect().channel().queue_bind("mine", "nope", "key")


def test_another_connection_may_unbind_what_was_never_bound(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("mine", exclusive=True)
    other = connect().channel()
    other.queue_unbind("mine", "amq.direct", "never")
    assert other.is_open


def test_another_connection_may_publish_to_it(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("mine", exclusive=True)
    other = connect().channel()
    other.confirm_delivery()
    other.basic_publish("", "mine", b"hello")
    assert get_all(channel, "mine") == [b"hello"]


def test_another_connection_may_not_declare_a_queue_exclusive_that_is_not(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("shared")
    with channel_closed(405, locked("shared", vhost)):
        connect().channel().queue_declare("shared", exclusive=True)


def test_a_refused_use_leaves_the_queue_and_its_messages_alone(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.queue_declare("mine", exclusive=True)
    fill(channel, "mine", 2)
    with channel_closed(405, locked("mine", vhost)):
        connect().channel().queue_delete("mine")
    assert get_all(channel, "mine") == [b"1", b"2"]


@pytest.mark.parametrize("durable", [False, True])
def test_it_is_gone_when_its_connection_has_closed(
    channel: BlockingChannel, connect: Connect, vhost: str, durable: bool
) -> None:
    owner = connect()
    owner.channel().queue_declare("mine", exclusive=True, durable=durable)
    owner.close()
    with channel_closed(404, missing("mine", vhost)):
        channel.queue_declare("mine", passive=True)


def test_it_stays_when_its_channel_closes(channel: BlockingChannel) -> None:
    first = channel.connection.channel()
    first.queue_declare("mine", exclusive=True)
    fill(channel, "mine", 1)
    first.close()
    assert ready(channel, "mine") == 1


def test_it_stays_when_its_channel_is_closed_by_an_error(channel: BlockingChannel, vhost: str) -> None:
    first = channel.connection.channel()
    first.queue_declare("mine", exclusive=True)
    fill(channel, "mine", 1)
    with channel_closed(404, missing("nope", vhost)):
        first.queue_purge("nope")
    assert ready(channel, "mine") == 1


def test_it_stays_when_its_last_consumer_is_cancelled(channel: BlockingChannel) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.basic_consume("mine", print, consumer_tag="one")
    channel.basic_cancel("one")
    assert consumers(channel, "mine") == 0


def test_an_exclusive_auto_delete_queue_goes_with_its_last_consumer(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("mine", exclusive=True, auto_delete=True)
    channel.basic_consume("mine", print, consumer_tag="one")
    channel.basic_cancel("one")
    with channel_closed(404, missing("mine", vhost)):
        channel.queue_declare("mine", passive=True)


def test_an_exclusive_auto_delete_queue_goes_with_its_connection_too(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    owner = connect()
    owner.channel().queue_declare("mine", exclusive=True, auto_delete=True)
    owner.close()
    with channel_closed(404, missing("mine", vhost)):
        channel.queue_declare("mine", passive=True)


def test_all_exclusive_queues_of_a_connection_go_with_it(
    connection: Any, channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    owner = connect()
    names = [owner.channel().queue_declare("", exclusive=True).method.queue for _ in range(3)]
    owner.close()
    for name in names:
        with channel_closed(404, missing(name, vhost)):
            connection.channel().queue_declare(name, passive=True)


def test_the_name_is_free_when_the_owner_has_gone(channel: BlockingChannel, connect: Connect) -> None:
    owner = connect()
    owner.channel().queue_declare("mine", exclusive=True)
    fill(channel, "mine", 3)
    owner.close()
    assert channel.queue_declare("mine", exclusive=True).method.message_count == 0


def test_its_bindings_go_with_it(channel: BlockingChannel, connect: Connect) -> None:
    owner = connect()
    theirs = owner.channel()
    theirs.queue_declare("mine", exclusive=True)
    theirs.queue_bind("mine", "amq.fanout")
    owner.close()
    channel.queue_declare("mine", exclusive=True)
    channel.basic_publish("amq.fanout", "", b"unrouted")
    assert get_all(channel, "mine") == []


def test_an_auto_delete_exchange_goes_with_the_last_exclusive_queue_bound_to_it(
    channel: BlockingChannel, connect: Connect, vhost: str
) -> None:
    channel.exchange_declare("news", auto_delete=True)
    owner = connect()
    theirs = owner.channel()
    theirs.queue_declare("mine", exclusive=True)
    theirs.queue_bind("mine", "news", "key")
    owner.close()
    with channel_closed(404, f"NOT_FOUND - no exchange 'news' in vhost '{vhost}'"):
        channel.exchange_declare("news", passive=True)


def test_its_consumers_are_those_of_its_owner(channel: BlockingChannel) -> None:
    channel.queue_declare("mine", exclusive=True)
    other = channel.connection.channel()
    consumer = Consumer(other, "mine", auto_ack=True)
    fill(channel, "mine", 1)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])


def test_a_server_named_queue_may_be_exclusive(channel: BlockingChannel, connect: Connect, vhost: str) -> None:
    name = channel.queue_declare("", exclusive=True).method.queue
    with channel_closed(405, locked(name, vhost)):
        connect().channel().queue_declare(name, passive=True)


def test_the_lock_of_a_server_named_queue_is_found_after_its_reserved_prefix(
    channel: BlockingChannel, connect: Connect
) -> None:
    name = channel.queue_declare("", exclusive=True).method.queue
    with channel_closed(403, f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"):
        connect().channel().queue_declare(name, exclusive=True)


def test_deleting_it_frees_its_name_for_another_connection(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("mine", exclusive=True)
    channel.queue_delete("mine")
    assert connect().channel().queue_declare("mine").method.queue == "mine"


def test_a_new_queue_of_the_name_outlives_the_connection_of_the_old_one(
    channel: BlockingChannel, connect: Connect
) -> None:
    owner = connect()
    theirs = owner.channel()
    theirs.queue_declare("mine", exclusive=True)
    theirs.queue_delete("mine")
    channel.queue_declare("mine")
    fill(channel, "mine", 1)
    owner.close()
    assert ready(channel, "mine") == 1
