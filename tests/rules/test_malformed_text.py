"""Names and keys that are no UTF-8, as programs send bytes where text belongs"""

from __future__ import annotations

import re
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all

NO_UTF8 = b"\xff"


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(lambda channel: channel.exchange_delete(NO_UTF8), id="exchange.delete"),
        pytest.param(lambda channel: channel.queue_bind("q", "amq.direct", NO_UTF8), id="queue.bind"),
    ],
)
def test_a_name_in_a_method_is_utf8(channel: BlockingChannel, method: Callable[[BlockingChannel], None]) -> None:
    channel.queue_declare("q")
    with connection_closed(501, "FRAME_ERROR - Malformed UTF-8 in shortstr"):
        method(channel)


def test_an_exchange_to_publish_to_may_be_anything_that_there_is_not(channel: BlockingChannel, vhost: str) -> None:
    octet = r"(ÿ|\\xff)"  # 3.10 sends the octet itself, which pika shows as Python does
    with channel_closed(404, re.compile(rf".*NOT_FOUND - no exchange '{octet}' in vhost '{re.escape(vhost)}'\"?")):
        channel.basic_publish(NO_UTF8, "key", b"")
        channel.queue_declare("q")


def test_a_routing_key_may_be_any_octets(channel: BlockingChannel) -> None:
    channel.queue_declare("q")
    channel.basic_publish("", NO_UTF8, b"lost")
    assert get_all(channel, "q") == []


def test_an_expiration_is_a_number(channel: BlockingChannel) -> None:
    with channel_closed(406, re.compile(r".*PRECONDITION_FAILED - invalid expiration '(ÿ|\\xff)': no_integer\"?")):
        channel.basic_publish("", "q", b"", pika.BasicProperties(expiration=NO_UTF8))
        channel.queue_declare("q")
