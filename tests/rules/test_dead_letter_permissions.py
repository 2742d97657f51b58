"""What a user must be allowed for x-dead-letter-exchange."""

from __future__ import annotations

from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._limits import Connect, declare, reject, wait_for_message
from tests.rules._users import User, refused


@pytest.fixture
def user(operator: Any, connect: Connect, vhost: str) -> User:
    return User(operator, connect, vhost)


def test_declaring_a_dead_letter_exchange_needs_read_on_the_queue(user: User, vhost: str, version: str) -> None:
    user.may(configure=".*", write=".*")
    with channel_closed(403, refused(version, "read", "queue 'orders'", vhost, user)):
        declare(user.connect().channel(), "orders", dead_letter_exchange="nope")


def test_declaring_a_dead_letter_exchange_needs_write_on_the_exchange(user: User, vhost: str, version: str) -> None:
    user.may(configure=".*", read=".*", write="orders")
    with channel_closed(403, refused(version, "write", "exchange 'nope'", vhost, user)):
        declare(user.connect().channel(), "orders", dead_letter_exchange="nope")


def test_the_default_exchange_as_dead_letter_exchange_needs_write_on_amq_default(
    user: User, vhost: str, version: str
) -> None:
    user.may(configure=".*", read=".*")
    with channel_closed(403, refused(version, "write", "exchange 'amq.default'", vhost, user)):
        declare(user.connect().channel(), "orders", dead_letter_exchange="")


def test_read_on_the_queue_is_checked_before_write_on_the_exchange(user: User, vhost: str, version: str) -> None:
    user.may(configure=".*")
    with channel_closed(403, refused(version, "read", "queue 'orders'", vhost, user)):
        declare(user.connect().channel(), "orders", dead_letter_exchange="nope")


def test_a_queue_without_a_dead_letter_exchange_needs_configure_alone(user: User) -> None:
    user.may(configure="orders")
    assert declare(user.connect().channel(), "orders") == "orders"


def test_the_exact_permissions_suffice(user: User) -> None:
    user.may(configure="^orders$", read="^orders$", write="^nope$")
    assert declare(user.connect().channel(), "orders", dead_letter_exchange="nope") == "orders"


def test_declaring_an_existing_queue_again_needs_no_permission_on_its_dead_letter_exchange(
    channel: BlockingChannel, user: User
) -> None:
    declare(channel, "orders", dead_letter_exchange="nope")
    user.may(configure="^orders$")
    assert declare(user.connect().channel(), "orders", dead_letter_exchange="nope") == "orders"


@pytest.mark.parametrize(("argument", "value"), [("x-message-ttl", -1), ("x-queue-type", "nonsense")])
def test_permissions_are_checked_before_the_other_arguments(
    user: User, vhost: str, version: str, argument: str, value: Any
) -> None:
    user.may(configure=".*")
    with channel_closed(403, refused(version, "read", "queue 'orders'", vhost, user)):
        user.connect().channel().queue_declare("orders", arguments={argument: value, "x-dead-letter-exchange": "nope"})


def test_dead_lettering_needs_no_permission_of_the_one_who_publishes_or_rejects(
    channel: BlockingChannel, user: User
) -> None:
    channel.queue_declare("dead")
    channel.queue_bind("dead", "amq.fanout")
    declare(channel, "orders", dead_letter_exchange="amq.fanout")
    user.may(write="^amq.default$", read="^orders$")
    users = user.connect().channel()
    users.basic_publish("", "orders", b"order")
    reject(users, "orders")
    assert wait_for_message(channel, "dead")[2] == b"order"


def test_the_type_of_the_dead_letter_exchange_is_checked_before_the_permissions_on_it(user: User, vhost: str) -> None:
    user.may(configure=".*")
    where = f"for arg 'x-dead-letter-exchange' in queue 'orders' in vhost '{vhost}'"
    with channel_closed(406, f"PRECONDITION_FAILED - invalid type 'signedint' {where}"):
        declare(user.connect().channel(), "orders", dead_letter_exchange=5)


def test_configure_on_the_queue_is_checked_before_the_dead_letter_exchange(
    user: User, vhost: str, version: str
) -> None:
    user.may(read=".*", write=".*")
    with channel_closed(403, refused(version, "configure", "queue 'orders'", vhost, user)):
        declare(user.connect().channel(), "orders", dead_letter_exchange=5)
