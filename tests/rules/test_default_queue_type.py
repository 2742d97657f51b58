"""Virtual hosts with a default queue type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._queues import Connect, missing

Of = Callable[[str], BlockingChannel]
QUORUM = {"x-queue-type": "quorum"}
CLASSIC = {"x-queue-type": "classic"}


@pytest.fixture
def other(vhost: str) -> str:
    """The name of the virtual host with a default queue type."""
    return f"{vhost}-typed"


@pytest.fixture
def channel_of(operator: Any, connect: Connect, other: str) -> Of:
    """Makes the virtual host with this default: a channel on it."""

    def channel_of(default: str) -> BlockingChannel:
        operator.add_vhost(other, default_queue_type=default)
        return connect(virtual_host=other).channel()

    return channel_of


def differs(queue: str, vhost: str, received: str, current: str) -> str:
    return (
        f"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue '{queue}' in vhost '{vhost}': "
        f"received {received} but current is {current}"
    )


@pytest.mark.parametrize("default", ["quorum", "stream", "classic"])
def test_a_durable_queue_without_a_type_has_the_default_type(channel_of: Of, default: str) -> None:
    channel = channel_of(default)
    channel.queue_declare("orders", durable=True)
    redeclared = channel.queue_declare("orders", durable=True, arguments={"x-queue-type": default})
    assert redeclared.method.queue == "orders"


def test_it_can_be_declared_again_without_a_type(channel_of: Of) -> None:
    channel = channel_of("quorum")
    channel.queue_declare("orders", durable=True)
    assert channel.queue_declare("orders", durable=True).method.queue == "orders"
    assert channel.queue_declare("orders", durable=True, arguments=QUORUM).method.queue == "orders"


def test_a_type_that_is_given_holds(channel_of: Of, other: str) -> None:
    channel = channel_of("quorum")
    channel.queue_declare("orders", durable=True, arguments=CLASSIC)
    with channel_closed(406, differs("orders", other, "'quorum'", "'classic'")):
        channel.queue_declare("orders", durable=True)


def test_a_redeclaration_with_another_type_is_refused(channel_of: Of, other: str) -> None:
    channel = channel_of("quorum")
    channel.queue_declare("orders", durable=True)
    with channel_closed(406, differs("orders", other, "'classic'", "'quorum'")):
        channel.queue_declare("orders", durable=True, arguments=CLASSIC)


@pytest.mark.parametrize("flags", [{}, {"exclusive": True}, {"durable": True, "auto_delete": True}])
@pytest.mark.parametrize("default", ["quorum", "stream"])
def test_a_queue_that_cannot_have_the_default_type_is_classic(
    channel_of: Of, default: str, flags: dict[str, bool]
) -> None:
    channel = channel_of(default)
    channel.queue_declare("orders", arguments={"x-max-priority": 5}, **flags)
    assert channel.queue_declare("orders", passive=True).method.queue == "orders"


def test_a_classic_queue_of_a_quorum_virtual_host_declared_again_as_quorum(
    channel_of: Of, version: str, other: str
) -> None:
    channel = channel_of("quorum")
    channel.queue_declare("orders", durable=True, auto_delete=True)
    if version == "3.10":
        text = differs("orders", other, "the value 'quorum' of type 'longstr'", "none")
    else:
        text = differs("orders", other, "'quorum'", "'classic'")
    with channel_closed(406, text):
        channel.queue_declare("orders", durable=True, auto_delete=True, arguments=QUORUM)


def test_a_queue_named_by_the_broker_may_not_be_quorum_by_default_either(channel_of: Of) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"):
        channel_of("quorum").queue_declare("", durable=True)


def test_an_exclusive_queue_named_by_the_broker_is_classic(channel_of: Of) -> None:
    assert channel_of("quorum").queue_declare("", exclusive=True).method.queue.startswith("amq.gen-")


def test_arguments_must_fit_the_default_type(channel_of: Of, other: str) -> None:
    with channel_closed(
        406,
        f"PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'orders' in vhost '{other}' "
        "of queue type rabbit_quorum_queue",
    ):
        channel_of("quorum").queue_declare("orders", durable=True, arguments={"x-max-priority": 5})


def test_a_passive_declaration_takes_no_default(channel_of: Of, other: str) -> None:
    channel = channel_of("quorum")
    channel.queue_declare("orders", durable=True, arguments=CLASSIC)
    assert channel.queue_declare("orders", passive=True).method.queue == "orders"
    with channel_closed(404, missing("nope", other)):
        channel.queue_declare("nope", passive=True)


def test_other_virtual_hosts_keep_classic_queues(channel: BlockingChannel, channel_of: Of) -> None:
    channel_of("quorum")
    channel.queue_declare("orders", durable=True, arguments={"x-max-priority": 5})
    assert channel.queue_declare("orders", passive=True).method.queue == "orders"


def test_the_explicit_default_classic_is_compared(channel_of: Of, other: str) -> None:
    channel = channel_of("classic")
    channel.queue_declare("orders", durable=True)
    with channel_closed(406, differs("orders", other, "'quorum'", "'classic'")):
        channel.queue_declare("orders", durable=True, arguments=QUORUM)


def test_without_a_default_a_queue_may_be_declared_again_as_classic(channel: BlockingChannel) -> None:
    channel.queue_declare("orders", durable=True)
    assert channel.queue_declare("orders", durable=True, arguments=CLASSIC).method.queue == "orders"
