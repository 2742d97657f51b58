"""Permissions are regular expressions on names; a channel remembers for a while what it was granted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._users import Connect, User, refused

NOTHING = ("^$", "^$", "^$")
EVERYTHING = (".*", ".*", ".*")


@pytest.fixture
def alice(operator: Any, connect: Connect, vhost: str) -> User:
    """A user without permissions."""
    return User(operator, connect, vhost)


MATCHING = [
    (".*", "orders"),
    ("order", "my-orders"),
    ("^orders$", "orders"),
    ("^order", "orders"),
    ("s$", "orders"),
    ("^(a|b)$", "b"),
    ("^a|b$", "ax"),
    ("^a|b$", "xb"),
    ("o.ders", "oxders"),
    (r"^orders\.eu$", "orders.eu"),
    (r"^\d+$", "12"),
    ("^[^x]*$", "abc"),
    ("(?i)^orders$", "ORDERS"),
    ("^(?!secret)", "public"),
    (".", "x"),
]
NOT_MATCHING = [
    ("", "orders"),
    ("^$", "orders"),
    ("^orders$", "orders2"),
    ("^orders$", "Orders"),
    ("^ders", "orders"),
    ("^(a|b)$", "ab"),
    (r"^orders\.eu$", "orders-eu"),
    ("^(?!secret)", "secret-1"),
]


@pytest.mark.parametrize(("pattern", "name"), MATCHING)
def test_a_pattern_grants_what_it_finds_anywhere_in_the_name(alice: User, pattern: str, name: str) -> None:
    alice.may(configure=pattern)
    assert alice.connect().channel().queue_declare(name).method.queue == name


@pytest.mark.parametrize(("pattern", "name"), NOT_MATCHING)
def test_a_pattern_grants_nothing_else(alice: User, vhost: str, version: str, pattern: str, name: str) -> None:
    alice.may(configure=pattern)
    with channel_closed(403, refused(version, "configure", f"queue '{name}'", vhost, alice)):
        alice.connect().channel().queue_declare(name)


@pytest.mark.parametrize(("write", "granted"), [("^amq.default$", True), ("amq", True), ("^$", False), ("", False)])
def test_the_default_exchange_is_called_amq_default_in_patterns(
    alice: User, channel: BlockingChannel, vhost: str, version: str, write: str, granted: bool
) -> None:
    channel.queue_declare("q")
    alice.may(write=write)
    own = alice.connect().channel()
    own.confirm_delivery()
    if granted:
        own.basic_publish("", "q", b"")
        assert channel.basic_get("q")[0].exchange == ""
    else:
        with channel_closed(403, refused(version, "write", "exchange 'amq.default'", vhost, alice)):
            own.basic_publish("", "q", b"")


def test_queues_and_exchanges_of_the_same_name_share_a_pattern(alice: User) -> None:
    alice.may(configure="^same$")
    channel = alice.connect().channel()
    channel.queue_declare("same")
    channel.exchange_declare("same")
    assert channel.is_open


def test_new_permissions_replace_the_old(alice: User, vhost: str, version: str) -> None:
    alice.may(configure="^a$")
    alice.may(configure="^b$")
    connection = alice.connect()
    assert connection.channel().queue_declare("b").method.queue == "b"
    with channel_closed(403, refused(version, "configure", "queue 'a'", vhost, alice)):
        connection.channel().queue_declare("a")


def test_a_granted_permission_holds_at_once(alice: User, vhost: str, version: str) -> None:
    alice.may(*NOTHING)
    connection = alice.connect()
    other = connection.channel()
    with channel_closed(403, refused(version, "configure", "queue 'q'", vhost, alice)):
        connection.channel().queue_declare("q")
    alice.may(*EVERYTHING)
    assert other.queue_declare("q").method.queue == "q"


def test_a_channel_goes_on_using_a_permission_that_is_taken_away(alice: User, vhost: str, version: str) -> None:
    alice.may(*EVERYTHING)
    channel = alice.connect().channel()
    channel.queue_declare("used")
    alice.may(*NOTHING)
    assert channel.queue_declare("used").method.queue == "used"
    with channel_closed(403, refused(version, "configure", "queue 'unused'", vhost, alice)):
        channel.queue_declare("unused")


def test_a_permission_used_one_way_is_not_remembered_for_another(alice: User, vhost: str, version: str) -> None:
    alice.may(*EVERYTHING)
    channel = alice.connect().channel()
    channel.queue_declare("q")
    alice.may(*NOTHING)
    with channel_closed(403, refused(version, "read", "queue 'q'", vhost, alice)):
        channel.basic_get("q")


def test_another_channel_of_the_connection_misses_the_permission_at_once(alice: User, vhost: str, version: str) -> None:
    alice.may(*EVERYTHING)
    connection = alice.connect()
    other = connection.channel()
    connection.channel().queue_declare("q")
    alice.may(*NOTHING)
    with channel_closed(403, refused(version, "configure", "queue 'q'", vhost, alice)):
        other.queue_declare("q")


def test_a_channel_remembers_the_last_twelve_permissions(alice: User, vhost: str, version: str) -> None:
    alice.may(*EVERYTHING)
    connection = alice.connect()
    twelve, thirteen = connection.channel(), connection.channel()
    for number in range(13):
        thirteen.queue_declare(f"q{number}")
    for number in range(12):
        twelve.queue_declare(f"q{number}")
    alice.may(*NOTHING)
    assert twelve.queue_declare("q0").method.queue == "q0"
    with channel_closed(403, refused(version, "configure", "queue 'q0'", vhost, alice)):
        thirteen.queue_declare("q0")


def test_using_a_remembered_permission_does_not_make_it_newer(alice: User, vhost: str, version: str) -> None:
    alice.may(*EVERYTHING)
    channel = alice.connect().channel()
    for number in [*range(12), 0, 12]:
        channel.queue_declare(f"q{number}")
    alice.may(*NOTHING)
    assert channel.queue_declare("q1").method.queue == "q1"
    with channel_closed(403, refused(version, "configure", "queue 'q0'", vhost, alice)):
        channel.queue_declare("q0")


def test_an_idle_channel_forgets_what_it_was_granted(
    alice: User, vhost: str, version: str, let_time_pass: Callable[[float], None]
) -> None:
    alice.may(*EVERYTHING)
    channel = alice.connect().channel()
    channel.queue_declare("q")
    alice.may(*NOTHING)
    let_time_pass(2)
    with channel_closed(403, refused(version, "configure", "queue 'q'", vhost, alice)):
        channel.queue_declare("q")


def test_a_consumer_goes_on_without_the_permission(
    alice: User, operator: Any, channel: BlockingChannel, vhost: str
) -> None:
    channel.queue_declare("q")
    alice.may(read=".*")
    connection = alice.connect()
    got: list[bytes] = []
    connection.channel().basic_consume("q", lambda *delivery: got.append(delivery[3]))
    operator.clear_permissions(alice.name, vhost=vhost)
    channel.basic_publish("", "q", b"still delivered")
    for _ in range(5):
        if not got:
            connection.process_data_events(time_limit=5)
    assert got == [b"still delivered"]


def test_a_connection_stays_open_without_permissions_but_a_new_one_is_refused(
    alice: User, operator: Any, vhost: str, version: str
) -> None:
    alice.may(*EVERYTHING)
    connection = alice.connect()
    operator.clear_permissions(alice.name, vhost=vhost)
    with channel_closed(403, refused(version, "configure", "queue 'q'", vhost, alice)):
        connection.channel().queue_declare("q")
    text = f"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{alice.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        alice.connect()
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


def test_one_users_permissions_are_not_anothers(
    alice: User, operator: Any, connect: Connect, vhost: str, version: str
) -> None:
    bob = User(operator, connect, vhost, name="bob")
    alice.may(configure="^a")
    bob.may(configure="^b")
    assert alice.connect().channel().queue_declare("a").method.queue == "a"
    assert bob.connect().channel().queue_declare("b").method.queue == "b"
    with channel_closed(403, refused(version, "configure", "queue 'b'", vhost, alice)):
        alice.connect().channel().queue_declare("b")
