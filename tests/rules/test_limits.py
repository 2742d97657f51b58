"""Limits of virtual hosts and of users."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._operator import declare_quorum, refused
from tests.rules._queues import Connect, missing
from tests.rules._users import User
from tests.rules._users import refused as no_permission


def too_many_connections(vhost: str, user: str, limit: int) -> str:
    return f"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{user}': connection limit ({limit}) is reached"


def too_many_connections_of(user: User, limit: int) -> str:
    return f"NOT_ALLOWED - connection refused for user '{user.name}': user connection limit ({limit}) is reached"


def too_many_queues(queue: str, vhost: str, limit: int) -> str:
    return f"PRECONDITION_FAILED - cannot declare queue '{queue}': queue limit in vhost '{vhost}' ({limit}) is reached"


@contextlib.contextmanager
def connecting_refused(text: str) -> Iterator[None]:
    """The block opens a connection, and the broker refuses with 530 and this text."""
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        yield
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


@pytest.fixture
def alice(operator: Any, connect: Connect, vhost: str) -> User:
    user = User(operator, connect, vhost)
    user.may(".*", ".*", ".*")
    return user


# Connections of a virtual host


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_max_connections_of_a_virtual_host(connect: Connect, operator: Any, vhost: str, limit: int) -> None:
    operator.set_vhost_limits({"max-connections": limit}, vhost)
    for _ in range(limit):
        connect()
    with connecting_refused(too_many_connections(vhost, "guest", limit)):
        connect()


def test_a_closed_connection_makes_room(connect: Connect, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-connections": 1}, vhost)
    for _ in range(3):
        connection = connect()
        assert connection.is_open
        connection.close()


def test_a_limit_leaves_open_connections_alone(connect: Connect, operator: Any, vhost: str) -> None:
    first = connect()
    connect()
    operator.set_vhost_limits({"max-connections": 1}, vhost)
    assert first.channel().is_open
    with connecting_refused(too_many_connections(vhost, "guest", 1)):
        connect()


def test_connections_to_other_virtual_hosts_do_not_count(connect: Connect, operator: Any, vhost: str) -> None:
    operator.add_vhost(f"{vhost}-other")
    operator.set_vhost_limits({"max-connections": 1}, vhost)
    assert connect(virtual_host=f"{vhost}-other").is_open
    assert connect().is_open
    assert connect(virtual_host=f"{vhost}-other").is_open


def test_connections_of_all_users_count(connect: Connect, operator: Any, vhost: str, alice: User) -> None:
    operator.set_vhost_limits({"max-connections": 1}, vhost)
    assert connect().is_open
    with connecting_refused(too_many_connections(vhost, alice.name, 1)):
        alice.connect()


# Queues of a virtual host


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_max_queues_of_a_virtual_host(channel: BlockingChannel, operator: Any, vhost: str, limit: int) -> None:
    operator.set_vhost_limits({"max-queues": limit}, vhost)
    for number in range(limit):
        channel.queue_declare(f"queue-{number}")
    with channel_closed(406, too_many_queues("one more", vhost, limit)):
        channel.queue_declare("one more")


def test_a_queue_that_exists_may_be_declared_again(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("orders")
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    assert channel.queue_declare("orders").method.queue == "orders"


def test_queues_beyond_a_new_limit_stay(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    channel.queue_declare("a")
    channel.queue_declare("b")
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    assert channel.queue_declare("b", passive=True).method.message_count == 0
    with channel_closed(406, too_many_queues("c", vhost, 1)):
        channel.queue_declare("c")


def test_a_deleted_queue_makes_room(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    channel.queue_declare("a")
    channel.queue_delete("a")
    assert channel.queue_declare("b").method.queue == "b"


def test_exclusive_queues_count(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    channel.queue_declare("mine", exclusive=True)
    with channel_closed(406, too_many_queues("orders", vhost, 1)):
        channel.queue_declare("orders")


def test_quorum_queues_count(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-queues": 1}, vhost)
    declare_quorum(channel, "orders")
    with channel_closed(406, too_many_queues("more", vhost, 1)):
        declare_quorum(channel, "more")


def test_a_queue_named_by_the_broker_is_told_by_the_name_it_would_have_had(
    channel: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.set_vhost_limits({"max-queues": 0}, vhost)
    text = re.escape(too_many_queues("NAME", vhost, 0)).replace("NAME", r"amq\.gen-[\w-]{22}")
    with channel_closed(406, re.compile(text)):
        channel.queue_declare("")


def test_what_is_checked_before_the_limit(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str, version: str
) -> None:
    operator.set_vhost_limits({"max-queues": 0}, vhost)
    bad_argument = f"invalid arg 'x-message-ttl' for queue 'orders' in vhost '{vhost}': {{value_negative,-1}}"
    texts = {"3.10": too_many_queues("orders", vhost, 0), "4.0": f"PRECONDITION_FAILED - {bad_argument}"}
    with channel_closed(406, texts[version]):
        channel.queue_declare("orders", arguments={"x-message-ttl": -1})
    with channel_closed(403, "ACCESS_REFUSED - queue name 'amq.x' contains reserved prefix 'amq.*'"):
        connect().channel().queue_declare("amq.x")
    with channel_closed(404, missing("orders", vhost)):
        connect().channel().queue_declare("orders", passive=True)


def test_permissions_are_checked_before_the_limit(operator: Any, alice: User, vhost: str, version: str) -> None:
    operator.set_vhost_limits({"max-queues": 0}, vhost)
    alice.may()
    with channel_closed(403, no_permission(version, "configure", "queue 'orders'", vhost, alice)):
        alice.connect().channel().queue_declare("orders")


# Both limits of a virtual host


@pytest.mark.parametrize("limit", [-1, -5])
def test_a_negative_limit_is_none(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str, limit: int
) -> None:
    operator.set_vhost_limits({"max-connections": limit, "max-queues": limit}, vhost)
    assert connect().is_open
    assert channel.queue_declare("orders").method.queue == "orders"


def test_limits_set_later_replace_all_earlier_ones(
    channel: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    operator.set_vhost_limits({"max-connections": 1}, vhost)
    operator.set_vhost_limits({"max-queues": 0}, vhost)
    assert connect().is_open
    with channel_closed(406, too_many_queues("orders", vhost, 0)):
        channel.queue_declare("orders")


def test_cleared_limits_are_none(channel: BlockingChannel, connect: Connect, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-connections": 1, "max-queues": 0}, vhost)
    operator.clear_vhost_limits(vhost)
    assert connect().is_open
    assert channel.queue_declare("orders").method.queue == "orders"


def test_no_limits_at_all_can_be_set(channel: BlockingChannel, operator: Any, vhost: str) -> None:
    operator.set_vhost_limits({"max-queues": 0}, vhost)
    operator.set_vhost_limits({}, vhost)
    assert channel.queue_declare("orders").method.queue == "orders"


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ({"max-queues": "5"}, 'max-queues should be a number, actually was <<"5">>'),
        ({"max-queues": 1.5}, "max-queues should be a number, actually was 1.5"),
        ({"max-connections": None}, "max-connections should be a number, actually was null"),
        ({"foo": 1}, 'Unrecognised terms [{<<"foo">>,1}] in limits'),
        ({"max-channels": 1}, 'Unrecognised terms [{<<"max-channels">>,1}] in limits'),
        (
            {"foo": 1, "max-queues": "x", "max-connections": "y"},
            'Unrecognised terms [{<<"foo">>,1}] in limits\n'
            'max-queues should be a number, actually was <<"x">>\n'
            'max-connections should be a number, actually was <<"y">>\n',
        ),
    ],
)
def test_bad_limits_of_a_virtual_host_are_refused(
    operator: Any, vhost: str, definition: dict[str, Any], text: str
) -> None:
    with refused(f"Validation failed\n\n{text}"):
        operator.set_vhost_limits(definition, vhost)


# Users


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_max_connections_of_a_user(operator: Any, alice: User, limit: int) -> None:
    operator.set_user_limits(alice.name, {"max-connections": limit})
    for _ in range(limit):
        alice.connect()
    with connecting_refused(too_many_connections_of(alice, limit)):
        alice.connect()


def test_connections_of_a_user_count_in_all_virtual_hosts(operator: Any, alice: User, vhost: str) -> None:
    other = f"{vhost}-other"
    operator.add_vhost(other)
    operator.set_permissions(alice.name, ".*", ".*", ".*", vhost=other)
    operator.set_user_limits(alice.name, {"max-connections": 1})
    alice.connect()
    with connecting_refused(too_many_connections_of(alice, 1)):
        alice.connect(virtual_host=other)


def test_a_users_closed_connection_makes_room(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": 1})
    for _ in range(3):
        connection = alice.connect()
        assert connection.is_open
        connection.close()


def test_other_users_are_not_limited(connect: Connect, operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": 0})
    assert connect().is_open


def test_the_limit_of_the_virtual_host_is_looked_at_first(operator: Any, alice: User, vhost: str) -> None:
    operator.set_vhost_limits({"max-connections": 0}, vhost)
    operator.set_user_limits(alice.name, {"max-connections": 0})
    with connecting_refused(too_many_connections(vhost, alice.name, 0)):
        alice.connect()


def test_the_limit_of_the_virtual_host_is_looked_at_before_permissions(operator: Any, alice: User, vhost: str) -> None:
    operator.set_vhost_limits({"max-connections": 0}, vhost)
    operator.clear_permissions(alice.name, vhost)
    with connecting_refused(too_many_connections(vhost, alice.name, 0)):
        alice.connect()


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_max_channels_of_a_user(operator: Any, alice: User, version: str, limit: int) -> None:
    operator.set_user_limits(alice.name, {"max-channels": limit})
    connection = alice.connect()
    for _ in range(limit):
        connection.channel()
    # 4.0.5 says the name of its node where 3.10 says the user's.
    who = {"3.10": alice.name, "4.0": r"[\w-]+@[\w.-]+"}[version]
    text = (
        f"NOT_ALLOWED - number of channels opened for user '{who}' "
        rf"has reached the maximum allowed user limit of \({limit}\)"
    )
    with connection_closed(530, re.compile(text)):
        connection.channel()


def test_channels_of_all_connections_count(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-channels": 1})
    alice.connect().channel()
    with connection_closed(530, re.compile(r"NOT_ALLOWED - number of channels opened for user .* limit of \(1\)")):
        alice.connect().channel()


def test_a_closed_channel_makes_room(operator: Any, alice: User, let_time_pass: Callable[[float], None]) -> None:
    operator.set_user_limits(alice.name, {"max-channels": 1})
    connection = alice.connect()
    for _ in range(3):
        channel = connection.channel()
        assert channel.is_open
        channel.close()
        let_time_pass(0.3)  # a channel is counted off after its close was answered (observed on 3.10.8)


def test_limits_of_a_user_are_added_to_earlier_ones(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": 0})
    operator.set_user_limits(alice.name, {"max-channels": 5})
    with connecting_refused(too_many_connections_of(alice, 0)):
        alice.connect()


def test_a_negative_limit_of_a_user_is_none(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": -1, "max-channels": -1})
    assert alice.connect().channel().is_open


def test_one_limit_of_a_user_can_be_cleared(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": 0, "max-channels": 5})
    operator.clear_user_limits(alice.name, "max-connections")
    assert alice.connect().channel().is_open


def test_all_limits_of_a_user_can_be_cleared(operator: Any, alice: User) -> None:
    operator.set_user_limits(alice.name, {"max-connections": 0, "max-channels": 0})
    operator.clear_user_limits(alice.name, "all")
    assert alice.connect().channel().is_open


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ({"max-channels": "5"}, 'max-channels should be a number, actually was <<"5">>'),
        ({"max-connections": 1.5}, "max-connections should be a number, actually was 1.5"),
        ({"max-queues": 1}, 'Unrecognised terms [{<<"max-queues">>,1}] in user-limits'),
    ],
)
def test_bad_limits_of_a_user_are_refused(operator: Any, alice: User, definition: dict[str, Any], text: str) -> None:
    with refused(text):
        operator.set_user_limits(alice.name, definition)
