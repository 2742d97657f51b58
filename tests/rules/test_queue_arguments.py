"""queue.declare of a queue that exists: what must be equivalent, and x-queue-type."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._queues import fill, locked, ready

CLASSIC = {"x-queue-type": "classic"}
QUORUM = {"x-queue-type": "quorum"}
NONSENSE = {"x-queue-type": "nonsense"}


def inequivalent(argument: str, vhost: str, difference: str) -> str:
    return f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'orders' in vhost '{vhost}': {difference}"


def invalid_type(vhost: str, why: str) -> str:
    return f"PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'orders' in vhost '{vhost}': {why}"


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"durable": True},
        {"auto_delete": True},
        {"exclusive": True},
        {"durable": True, "exclusive": True, "auto_delete": True},
        {"arguments": CLASSIC},
        {"durable": True, "arguments": QUORUM},
    ],
)
def test_an_equivalent_declare_is_accepted(channel: BlockingChannel, flags: dict[str, Any]) -> None:
    channel.queue_declare("orders", **flags)
    assert channel.queue_declare("orders", **flags).method.queue == "orders"


@pytest.mark.parametrize("flag", ["durable", "auto_delete"])
@pytest.mark.parametrize("current", [False, True])
def test_another_durable_or_auto_delete_is_refused(
    channel: BlockingChannel, vhost: str, flag: str, current: bool
) -> None:
    channel.queue_declare("orders", **{flag: current})
    received, present = str(not current).lower(), str(current).lower()
    with channel_closed(406, inequivalent(flag, vhost, f"received '{received}' but current is '{present}'")):
        channel.queue_declare("orders", **{flag: not current})


@pytest.mark.parametrize("current", [False, True])
def test_another_exclusive_is_refused_as_a_lock_even_to_the_owner(
    channel: BlockingChannel, vhost: str, current: bool
) -> None:
    channel.queue_declare("orders", exclusive=current)
    with channel_closed(405, locked("orders", vhost)):
        channel.queue_declare("orders", exclusive=not current)


@pytest.mark.parametrize(
    "others",
    [
        {"durable": True},
        {"auto_delete": True},
        {"arguments": QUORUM},
        {"durable": True, "auto_delete": True, "arguments": NONSENSE},
    ],
)
def test_exclusive_is_compared_before_everything_else(
    channel: BlockingChannel, vhost: str, others: dict[str, Any]
) -> None:
    channel.queue_declare("orders")
    with channel_closed(405, locked("orders", vhost)):
        channel.queue_declare("orders", exclusive=True, **others)


@pytest.mark.parametrize("others", [{"auto_delete": True}, {"arguments": QUORUM}, {"arguments": NONSENSE}])
def test_durable_is_compared_before_auto_delete_and_arguments(
    channel: BlockingChannel, vhost: str, others: dict[str, Any]
) -> None:
    channel.queue_declare("orders")
    with channel_closed(406, inequivalent("durable", vhost, "received 'true' but current is 'false'")):
        channel.queue_declare("orders", durable=True, **others)


@pytest.mark.parametrize("arguments", [QUORUM, NONSENSE])
def test_auto_delete_is_compared_before_arguments(
    channel: BlockingChannel, vhost: str, arguments: dict[str, Any]
) -> None:
    channel.queue_declare("orders")
    with channel_closed(406, inequivalent("auto_delete", vhost, "received 'true' but current is 'false'")):
        channel.queue_declare("orders", auto_delete=True, arguments=arguments)


def test_the_durability_of_an_exclusive_queue_is_not_compared(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", exclusive=True)
    assert channel.queue_declare("orders", exclusive=True, durable=True).method.queue == "orders"


def test_a_durable_exclusive_queue_may_be_declared_again_as_transient(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", exclusive=True, durable=True)
    assert channel.queue_declare("orders", exclusive=True).method.queue == "orders"


def test_the_auto_delete_of_an_exclusive_queue_is_compared(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders", exclusive=True)
    with channel_closed(406, inequivalent("auto_delete", vhost, "received 'true' but current is 'false'")):
        channel.queue_declare("orders", exclusive=True, auto_delete=True)


def test_an_inequivalent_declare_changes_nothing(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders")
    fill(channel, "orders", 1)
    with channel_closed(406, inequivalent("durable", vhost, "received 'true' but current is 'false'")):
        channel.queue_declare("orders", durable=True)
    assert ready(channel.connection.channel(), "orders") == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (None, {"foo": 1}),
        ({"foo": 1}, None),
        ({"foo": 1}, {"foo": 2}),
        ({"foo": 1}, {"foo": "1"}),
        ({"foo": 1}, {"bar": [1, {"deep": None}]}),
        (None, {"x-unknown": 1}),
        ({"x-unknown": 1}, {"x-unknown": "other"}),
        (None, {"X-Queue-Type": "quorum"}),
    ],
)
def test_arguments_that_rabbitmq_does_not_know_are_not_compared(
    channel: BlockingChannel, first: dict[str, Any] | None, second: dict[str, Any] | None
) -> None:
    channel.queue_declare("orders", arguments=first)
    assert channel.queue_declare("orders", arguments=second).method.queue == "orders"


@pytest.mark.parametrize(("first", "second"), [(None, CLASSIC), (CLASSIC, None), (None, {}), (CLASSIC, CLASSIC)])
def test_a_queue_without_a_type_is_a_classic_queue(
    channel: BlockingChannel, first: dict[str, Any] | None, second: dict[str, Any] | None
) -> None:
    channel.queue_declare("orders", arguments=first)
    assert channel.queue_declare("orders", arguments=second).method.queue == "orders"


@pytest.mark.parametrize(
    ("value", "wire_type"), [("quorum", "longstr"), ("stream", "longstr"), ("nonsense", "longstr"), (5, "signedint")]
)
def test_a_queue_declared_without_a_type_refuses_another_type(
    channel: BlockingChannel, vhost: str, version: str, value: Any, wire_type: str
) -> None:
    channel.queue_declare("orders")
    difference = {
        "3.10": f"received the value '{value}' of type '{wire_type}' but current is none",
        "4.0": f"received '{value}' but current is 'classic'",
    }[version]
    with channel_closed(406, inequivalent("x-queue-type", vhost, difference)):
        channel.queue_declare("orders", arguments={"x-queue-type": value})


@pytest.mark.parametrize("value", ["quorum", "nonsense"])
def test_a_queue_declared_as_classic_refuses_another_type(channel: BlockingChannel, vhost: str, value: str) -> None:
    channel.queue_declare("orders", arguments=CLASSIC)
    difference = f"received '{value}' but current is 'classic'"
    with channel_closed(406, inequivalent("x-queue-type", vhost, difference)):
        channel.queue_declare("orders", arguments={"x-queue-type": value})


def test_a_quorum_queue_refuses_to_be_classic(channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("orders", durable=True, arguments=QUORUM)
    difference = "received 'classic' but current is 'quorum'"
    with channel_closed(406, inequivalent("x-queue-type", vhost, difference)):
        channel.queue_declare("orders", durable=True, arguments=CLASSIC)


def test_a_quorum_queue_refuses_to_have_no_type(channel: BlockingChannel, vhost: str, version: str) -> None:
    channel.queue_declare("orders", durable=True, arguments=QUORUM)
    difference = {
        "3.10": "received none but current is the value 'quorum' of type 'longstr'",
        "4.0": "received 'classic' but current is 'quorum'",
    }[version]
    with channel_closed(406, inequivalent("x-queue-type", vhost, difference)):
        channel.queue_declare("orders", durable=True)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ({"arguments": QUORUM}, ("durable", "received 'false' but current is 'true'")),
        ({}, ("durable", "received 'false' but current is 'true'")),
        ({"durable": True, "auto_delete": True}, ("auto_delete", "received 'true' but current is 'false'")),
    ],
)
def test_the_flags_of_an_existing_quorum_queue_are_compared_before_they_are_found_invalid(
    channel: BlockingChannel, vhost: str, flags: dict[str, Any], text: tuple[str, str]
) -> None:
    channel.queue_declare("orders", durable=True, arguments=QUORUM)
    with channel_closed(406, inequivalent(text[0], vhost, text[1])):
        channel.queue_declare("orders", **flags)


@pytest.mark.parametrize("value", ["nonsense", "", "Classic", "QUORUM", "rabbit_quorum_queue"])
def test_an_unknown_queue_type_is_refused(channel: BlockingChannel, vhost: str, value: str) -> None:
    with channel_closed(406, invalid_type(vhost, f"\"unsupported queue type '{value}'\"")):
        channel.queue_declare("orders", arguments={"x-queue-type": value})


@pytest.mark.parametrize(
    ("value", "wire_type"), [(1, "signedint"), (True, "bool"), (None, "void"), (b"classic", "binary"), ([], "array")]
)
def test_a_queue_type_that_is_no_string_is_refused(
    channel: BlockingChannel, vhost: str, value: Any, wire_type: str
) -> None:
    with channel_closed(406, invalid_type(vhost, f"{{unacceptable_type,{wire_type}}}")):
        channel.queue_declare("orders", arguments={"x-queue-type": value})


def test_an_unknown_queue_type_is_refused_whatever_the_flags(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(406, invalid_type(vhost, "\"unsupported queue type 'nonsense'\"")):
        channel.queue_declare("orders", durable=True, exclusive=True, auto_delete=True, arguments=NONSENSE)


def test_a_server_named_queue_of_an_unknown_type_is_an_internal_error(channel: BlockingChannel) -> None:
    with connection_closed(541, "INTERNAL_ERROR"):
        channel.queue_declare("", arguments=NONSENSE)


@pytest.mark.parametrize("arguments", [QUORUM, NONSENSE])
def test_a_reserved_name_is_refused_before_the_queue_type(channel: BlockingChannel, arguments: dict[str, Any]) -> None:
    with channel_closed(403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"):
        channel.queue_declare("amq.mine", arguments=arguments)


@pytest.mark.parametrize("arguments", [{"foo": 1}, {"x-unknown": "value"}, {"": None}, {"foo": {"bar": [1, "two"]}}])
def test_arguments_that_rabbitmq_does_not_know_are_accepted(
    channel: BlockingChannel, arguments: dict[str, Any]
) -> None:
    assert channel.queue_declare("orders", arguments=arguments).method.queue == "orders"
