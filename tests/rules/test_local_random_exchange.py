"""Exchanges of type x-local-random, which 4.0 has built in."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._plugin_exchanges import bound, receivers, spread
from tests.rules._queues import missing
from tests.rules._routing import is_routed

NUMBERS = [str(number) for number in range(60)]


def declare(channel: BlockingChannel) -> str:
    channel.exchange_declare("local", "x-local-random")
    return "local"


@pytest.mark.only("3.10")
def test_the_type_is_unknown_to_3_10(channel: BlockingChannel) -> None:
    with connection_closed(503, "COMMAND_INVALID - unknown exchange type 'x-local-random'"):
        declare(channel)


@pytest.mark.only("4.0")
def test_without_bindings_it_routes_nowhere(channel: BlockingChannel) -> None:
    declare(channel)
    assert not is_routed(channel, "local", "")


@pytest.mark.only("4.0")
@pytest.mark.parametrize("key", ["", "orders", "#"])
def test_the_routing_key_does_not_matter(channel: BlockingChannel, key: str) -> None:
    bound(channel, declare(channel), {"a": ""})
    assert receivers(channel, "local", key, ["a"]) == ["a"]


@pytest.mark.only("4.0")
def test_a_message_goes_to_exactly_one_queue(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": ""})
    got = spread(channel, "local", NUMBERS, queues)
    assert sorted(got["a"] + got["b"], key=int) == NUMBERS
    assert got["a"]
    assert got["b"]


@pytest.mark.only("4.0")
@pytest.mark.parametrize("key", ["k", "#", "0"])
def test_a_binding_key_is_refused(channel: BlockingChannel, key: str) -> None:
    channel.queue_declare("a")
    with channel_closed(406, f"PRECONDITION_FAILED - Non empty binding '{key}' key not permitted"):
        channel.queue_bind("a", declare(channel), key)


@pytest.mark.only("4.0")
def test_an_exchange_cannot_be_a_destination(channel: BlockingChannel) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - Destination not found"):
        channel.exchange_bind("amq.fanout", declare(channel), "")


@pytest.mark.only("4.0")
def test_a_queue_of_the_exchanges_name_does_not_help(channel: BlockingChannel) -> None:
    channel.queue_declare("amq_fanout")
    channel.exchange_declare("amq_fanout", "fanout")
    with channel_closed(406, "PRECONDITION_FAILED - Destination not found"):
        channel.exchange_bind("amq_fanout", declare(channel), "")


@pytest.mark.only("4.0")
def test_a_missing_queue_is_noticed_first(channel: BlockingChannel, vhost: str) -> None:
    declare(channel)
    with channel_closed(404, missing("nope", vhost)):
        channel.queue_bind("nope", "local", "k")


@pytest.mark.only("4.0")
@pytest.mark.parametrize("kind", ["quorum", "stream"])
def test_only_classic_queues_may_be_bound(channel: BlockingChannel, kind: str) -> None:
    channel.queue_declare("replicated", durable=True, arguments={"x-queue-type": kind})
    with channel_closed(406, f"PRECONDITION_FAILED - Queue type rabbit_{kind}_queue not valid for this exchange type"):
        channel.queue_bind("replicated", declare(channel), "")


@pytest.mark.only("4.0")
def test_the_binding_key_is_checked_before_the_queue_type(channel: BlockingChannel) -> None:
    channel.queue_declare("replicated", durable=True, arguments={"x-queue-type": "quorum"})
    with channel_closed(406, "PRECONDITION_FAILED - Non empty binding 'k' key not permitted"):
        channel.queue_bind("replicated", declare(channel), "k")


@pytest.mark.only("4.0")
def test_cc_does_not_make_copies(channel: BlockingChannel) -> None:
    queues = bound(channel, declare(channel), {"a": "", "b": ""})
    assert len(receivers(channel, "local", "x", queues, headers={"CC": ["y", "z"]})) == 1
