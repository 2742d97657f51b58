"""How the expiration property is written."""

from __future__ import annotations

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._publishing import collect_returns, get_one, returned_so_far, round_trip


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    channel.queue_declare("orders")
    return "orders"


def publish(channel: BlockingChannel, queue: str, expiration: str) -> None:
    channel.basic_publish("", queue, b"order", pika.BasicProperties(expiration=expiration))


@pytest.mark.parametrize("expiration", ["600000", "4294967296", "315360000000"])
def test_a_number_arrives_as_it_is(channel: BlockingChannel, queue: str, expiration: str) -> None:
    publish(channel, queue, expiration)
    assert get_one(channel, queue)[1].expiration == expiration


@pytest.mark.parametrize("expiration", ["+600000", "0600000", "+000600000"])
def test_another_spelling_of_a_number_is_understood(
    channel: BlockingChannel, queue: str, version: str, expiration: str
) -> None:
    publish(channel, queue, expiration)
    assert get_one(channel, queue)[1].expiration == {"3.10": expiration, "4.0": "600000"}[version]


def test_another_spelling_comes_back_with_a_returned_message_as_it_would_arrive(
    channel: BlockingChannel, version: str
) -> None:
    returned = collect_returns(channel)
    properties = pika.BasicProperties(expiration="+0600000")
    channel.basic_publish("", "nope", b"order", properties, mandatory=True)
    expected = {"3.10": "+0600000", "4.0": "600000"}[version]
    assert returned_so_far(channel, returned)[0][1].expiration == expected


@pytest.mark.parametrize(
    ("expiration", "reason"),
    [
        ("abc", "no_integer"),
        ("", "no_integer"),
        (" ", "no_integer"),
        ("+", "no_integer"),
        ("-", "no_integer"),
        (" 600000", "no_integer"),
        ("\n600000", "no_integer"),
        (".5", "no_integer"),
        ("\u0661\u0660", "no_integer"),
        ("600000 ", '{leftover_string," "}'),
        ("10.5", '{leftover_string,".5"}'),
        ("10ms", '{leftover_string,"ms"}'),
        ("1e5", '{leftover_string,"e5"}'),
        ("0x10", '{leftover_string,"x10"}'),
        ("60_000", '{leftover_string,"_000"}'),
        ("600000\n", '{leftover_string,"\\n"}'),
        ('1"', '{leftover_string,"\\""}'),
        ("1\\", '{leftover_string,"\\\\"}'),
        ("1\0", "{leftover_string,[0]}"),
        ("-1", "{value_negative,-1}"),
        ("-600000", "{value_negative,-600000}"),
        ("315360000001", "{value_too_large,315360000001}"),
        ("+315360000001", "{value_too_large,315360000001}"),
    ],
)
def test_anything_else_is_refused(channel: BlockingChannel, queue: str, expiration: str, reason: str) -> None:
    publish(channel, queue, expiration)
    with channel_closed(406, f"PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}"):
        round_trip(channel)


@pytest.mark.parametrize(
    ("expiration", "word", "value"),
    [
        ("9" * 19, "value_too_large", "9" * 19),
        ("9" * 25, "value_too_large", "9" * 25),
        ("-" + "9" * 20, "value_negative", "-" + "9" * 20),
        ("10" + "x" * 20, "leftover_string", '"' + "x" * 20 + '"'),
    ],
    ids=["too large", "far too large", "negative", "leftover"],
)
def test_a_long_refusal_is_broken_into_two_lines(
    channel: BlockingChannel, queue: str, expiration: str, word: str, value: str
) -> None:
    start = f"invalid expiration '{expiration}': "
    publish(channel, queue, expiration)
    with channel_closed(406, f"PRECONDITION_FAILED - {start}{{{word},\n{' ' * (len(start) + 1)}{value}}}"):
        round_trip(channel)
