"""queue.declare: names, counts, the passive form and what the empty name stands for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._queues import Connect, fill, missing, ready, wait_until_ready

NO_LAST_QUEUE = "NOT_FOUND - no previously declared queue"


def test_declare_answers_with_the_name_and_no_messages_and_no_consumers(channel: BlockingChannel) -> None:
    answer = channel.queue_declare("orders").method
    assert (answer.queue, answer.message_count, answer.consumer_count) == ("orders", 0, 0)


def test_the_server_names_a_queue_declared_without_a_name(channel: BlockingChannel) -> None:
    name = channel.queue_declare("").method.queue
    assert re.fullmatch(r"amq\.gen-[A-Za-z0-9_-]{22}", name)


def test_every_server_named_queue_has_a_name_of_its_own(channel: BlockingChannel) -> None:
    assert len({channel.queue_declare("").method.queue for _ in range(5)}) == 5


def test_a_server_named_queue_is_reached_by_its_name(channel: BlockingChannel) -> None:
    name = channel.queue_declare("").method.queue
    channel.basic_publish("", name, b"hello")
    assert get_all(channel, name) == [b"hello"]


def test_a_server_named_queue_may_be_declared_passively_by_its_name(channel: BlockingChannel) -> None:
    name = channel.queue_declare("").method.queue
    assert channel.queue_declare(name, passive=True).method.queue == name


@pytest.mark.parametrize("name", ["amq.mine", "amq.", "amq.gen-x", "amq.ü"])
def test_a_name_with_the_reserved_prefix_is_refused(channel: BlockingChannel, name: str) -> None:
    with channel_closed(403, f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"):
        channel.queue_declare(name)


def test_a_server_named_queue_cannot_be_declared_again_by_its_name(channel: BlockingChannel) -> None:
    name = channel.queue_declare("").method.queue
    with channel_closed(403, f"ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'"):
        channel.queue_declare(name)


def test_a_passive_declare_of_a_missing_queue_with_the_reserved_prefix_does_not_find_it(
    channel: BlockingChannel, vhost: str
) -> None:
    with channel_closed(404, missing("amq.mine", vhost)):
        channel.queue_declare("amq.mine", passive=True)


@pytest.mark.parametrize(
    "name",
    [
        "amq",
        "Amq.mine",
        "AMQ.MINE",
        "a",
        " ",
        " a ",
        "two words",
        "tab\there",
        "\0",
        "a.b.#.*",
        "%2F/",
        "ü",
        "日本語",
        "🐇",
    ],
)
def test_a_queue_may_have_almost_any_name(channel: BlockingChannel, name: str) -> None:
    assert channel.queue_declare(name).method.queue == name
    channel.basic_publish("", name, b"hello")
    assert get_all(channel, name) == [b"hello"]


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127 + "a"])
def test_a_name_may_have_255_bytes(channel: BlockingChannel, name: str) -> None:
    assert channel.queue_declare(name).method.queue == name


@pytest.mark.parametrize(("one", "other"), [("orders", "Orders"), ("orders", "orders "), ("é", "e\u0301")])
def test_names_are_compared_byte_by_byte(channel: BlockingChannel, one: str, other: str) -> None:
    channel.queue_declare(one)
    channel.queue_declare(other)
    fill(channel, one, 1)
    assert (ready(channel, one), ready(channel, other)) == (1, 0)


def test_a_passive_declare_of_a_missing_queue_closes_the_channel(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)
    assert channel.is_closed


def test_a_refused_declare_leaves_the_other_channels_open(channel: BlockingChannel, vhost: str) -> None:
    other = channel.connection.channel()
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)
    assert other.queue_declare("orders").method.queue == "orders"


def test_a_passive_declare_creates_nothing(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, missing("orders", vhost)):
        channel.queue_declare("orders", passive=True)
    with channel_closed(404, missing("orders", vhost)):
        channel.connection.channel().queue_purge("orders")


@pytest.mark.parametrize(
    "flags",
    [
        {"durable": True},
        {"auto_delete": True},
        {"exclusive": True},
        {"arguments": {"x-queue-type": "quorum"}},
        {"arguments": {"x-queue-type": "nonsense"}},
        {"durable": True, "exclusive": True, "auto_delete": True, "arguments": {"x-queue-type": 1}},
    ],
)
def test_a_passive_declare_does_not_look_at_the_other_flags(channel: BlockingChannel, flags: dict[str, Any]) -> None:
    channel.queue_declare("orders")
    assert channel.queue_declare("orders", passive=True, **flags).method.queue == "orders"


def test_declaring_an_existing_queue_again_answers_with_its_counts(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    assert channel.queue_declare("orders").method.message_count == 3


def test_declaring_an_existing_queue_again_leaves_its_messages_alone(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 2)
    channel.queue_declare("orders")
    assert get_all(channel, "orders") == [b"1", b"2"]


def test_the_message_count_leaves_out_messages_that_wait_for_their_ack(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    channel.basic_get("orders")
    assert ready(channel, "orders") == 2


def test_the_message_count_takes_in_requeued_messages(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 3)
    method, _, _ = channel.basic_get("orders")
    channel.basic_nack(method.delivery_tag, requeue=True)
    wait_until_ready(channel, "orders", 3)


def test_the_message_count_is_zero_when_a_consumer_has_got_everything(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "orders")
    fill(channel, "orders", 3)
    wait_for(channel.connection, lambda: len(consumer.bodies) == 3)
    assert ready(channel, "orders") == 0


def test_the_consumer_count_takes_in_every_channel_and_connection(channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("orders")
    for consumer in (channel, channel, channel.connection.channel(), connect().channel()):
        consumer.basic_consume("orders", print)
    assert channel.queue_declare("orders").method.consumer_count == 4


def test_the_consumer_count_leaves_out_cancelled_consumers_and_gets(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    channel.basic_consume("orders", print, consumer_tag="one")
    channel.basic_cancel("one")
    channel.basic_get("orders")
    assert channel.queue_declare("orders").method.consumer_count == 0


def test_the_consumer_count_leaves_out_closed_channels(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    other = channel.connection.channel()
    other.basic_consume("orders", print)
    other.close()
    assert channel.queue_declare("orders").method.consumer_count == 0


def test_queues_of_one_name_in_two_virtual_hosts_are_two_queues(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    operator.add_vhost(f"{vhost}-other")
    elsewhere = connect(virtual_host=f"{vhost}-other").channel()
    channel.queue_declare("orders")
    elsewhere.queue_declare("orders", durable=True)
    fill(channel, "orders", 1)
    assert (ready(channel, "orders"), ready(elsewhere, "orders")) == (1, 0)


def test_a_refusal_of_more_than_255_bytes_is_cut(channel: BlockingChannel) -> None:
    with channel_closed(404, "NOT_FOUND - no queue '" + "a" * 230 + "..."):
        channel.queue_declare("a" * 255, passive=True)


@pytest.mark.only("3.10")
def test_a_refusal_is_cut_by_bytes(channel: BlockingChannel) -> None:
    with channel_closed(404, "NOT_FOUND - no queue '" + "ü" * 115 + "..."):
        channel.queue_declare("ü" * 120, passive=True)


@pytest.mark.only("4.0")
def test_a_refusal_that_is_not_ascii_and_would_have_to_be_cut_is_an_internal_error(channel: BlockingChannel) -> None:
    with connection_closed(541, "INTERNAL_ERROR"):
        channel.queue_declare("ü" * 120, passive=True)


USES: dict[str, Callable[[BlockingChannel], Any]] = {
    "bind": lambda channel: channel.queue_bind("", "amq.fanout"),
    "unbind": lambda channel: channel.queue_unbind("", "amq.fanout", "key"),
    "purge": lambda channel: channel.queue_purge(""),
    "delete": lambda channel: channel.queue_delete(""),
    "consume": lambda channel: channel.basic_consume("", print),
    "get": lambda channel: channel.basic_get(""),
}


@pytest.mark.parametrize("use", USES)
def test_the_empty_name_means_nothing_before_the_channel_has_declared_a_queue(
    channel: BlockingChannel, use: str
) -> None:
    channel.connection.channel().queue_declare("of-another-channel")
    with channel_closed(404, NO_LAST_QUEUE):
        USES[use](channel)


@pytest.mark.parametrize("use", USES)
def test_the_empty_name_goes_on_meaning_a_queue_that_was_deleted(
    channel: BlockingChannel, vhost: str, use: str
) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    if use in ("unbind", "delete"):
        assert USES[use](channel)
        return
    with channel_closed(404, missing("orders", vhost)):
        USES[use](channel)


def test_a_passive_declare_does_not_take_the_empty_name_for_the_last_queue(
    channel: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("orders")
    with channel_closed(404, missing("", vhost)):
        channel.queue_declare("", passive=True)


def test_get_and_purge_and_delete_take_the_empty_name_for_the_last_declared_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("first")
    channel.queue_declare("last")
    fill(channel, "last", 3)
    assert channel.basic_get("", auto_ack=True)[2] == b"1"
    assert channel.queue_purge("").method.message_count == 2
    fill(channel, "last", 1)
    assert channel.queue_delete("").method.message_count == 1
    assert ready(channel, "first") == 0


def test_consume_takes_the_empty_name_for_the_last_declared_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    consumer = Consumer(channel, "")
    fill(channel, "orders", 1)
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])


def test_bind_and_unbind_take_the_empty_name_for_the_last_declared_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("", "amq.direct", "key")
    channel.basic_publish("amq.direct", "key", b"bound")
    channel.queue_unbind("", "amq.direct", "key")
    channel.basic_publish("amq.direct", "key", b"unbound")
    assert get_all(channel, "orders") == [b"bound"]


def test_bind_without_queue_and_key_takes_the_queue_name_for_the_key(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("", "amq.direct", "")
    channel.basic_publish("amq.direct", "", b"empty key")
    channel.basic_publish("amq.direct", "orders", b"queue name")
    assert get_all(channel, "orders") == [b"queue name"]


def test_bind_with_a_queue_but_without_a_key_has_the_empty_key(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.direct", "")
    channel.basic_publish("amq.direct", "", b"empty key")
    channel.basic_publish("amq.direct", "orders", b"queue name")
    assert get_all(channel, "orders") == [b"empty key"]


def test_the_empty_name_means_the_server_named_queue_declared_last(channel: BlockingChannel) -> None:
    channel.queue_declare("first")
    name = channel.queue_declare("").method.queue
    fill(channel, name, 2)
    assert channel.queue_purge("").method.message_count == 2


@pytest.mark.parametrize("flags", [{"passive": True}, {}])
def test_any_declare_of_an_existing_queue_makes_it_the_last_one(
    channel: BlockingChannel, flags: dict[str, Any]
) -> None:
    channel.queue_declare("first")
    channel.queue_declare("second")
    channel.queue_declare("first", **flags)
    fill(channel, "first", 1)
    assert channel.queue_purge("").method.message_count == 1


def test_the_last_declared_queue_is_one_per_channel(channel: BlockingChannel) -> None:
    other = channel.connection.channel()
    channel.queue_declare("orders")
    other.queue_declare("invoices")
    fill(channel, "orders", 1)
    assert channel.queue_purge("").method.message_count == 1
    assert other.queue_purge("").method.message_count == 0


def test_publishing_with_an_empty_routing_key_does_not_mean_the_last_declared_queue(channel: BlockingChannel) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "", b"nowhere")
    assert get_all(channel, "orders") == []
