"""The user_id property: a message says whose it is, and RabbitMQ vouches for it."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._users import Connect, User, refused


@pytest.fixture
def confirming(channel: BlockingChannel) -> BlockingChannel:
    """A channel with a queue q; a publish waits until RabbitMQ has taken the message."""
    channel.queue_declare("q")
    channel.confirm_delivery()
    return channel


def publish(channel: BlockingChannel, user_id: str | None, exchange: str = "") -> None:
    channel.basic_publish(exchange, "q", b"", pika.BasicProperties(user_id=user_id))


@pytest.mark.parametrize("user_id", ["guest", None])
def test_a_message_may_name_its_publisher_or_nobody(confirming: BlockingChannel, user_id: str | None) -> None:
    publish(confirming, user_id)
    assert confirming.basic_get("q")[1].user_id == user_id


@pytest.mark.parametrize("user_id", ["somebody", "Guest", "guest ", ""])
def test_a_message_may_not_name_another_user(confirming: BlockingChannel, user_id: str) -> None:
    text = f"PRECONDITION_FAILED - user_id property set to '{user_id}' but authenticated user was 'guest'"
    with channel_closed(406, text):
        publish(confirming, user_id)


@pytest.mark.parametrize("tag", ["administrator", "monitoring", "Impersonator"])
def test_no_other_tag_lets_a_user_name_another(
    operator: Any, connect: Connect, vhost: str, confirming: BlockingChannel, tag: str
) -> None:
    alice = User(operator, connect, vhost, tags=(tag,))
    alice.may(write=".*")
    text = f"PRECONDITION_FAILED - user_id property set to 'guest' but authenticated user was '{alice.name}'"
    own = alice.connect().channel()
    own.confirm_delivery()
    with channel_closed(406, text):
        publish(own, "guest")


@pytest.mark.parametrize("user_id", ["guest", "somebody", ""])
def test_an_impersonator_may_name_anybody(
    operator: Any, connect: Connect, vhost: str, confirming: BlockingChannel, user_id: str
) -> None:
    alice = User(operator, connect, vhost, tags=("management", "impersonator"))
    alice.may(write=".*")
    own = alice.connect().channel()
    own.confirm_delivery()
    publish(own, user_id)
    assert confirming.basic_get("q")[1].user_id == user_id


def test_the_exchange_is_looked_up_before_the_user_id_is_checked(confirming: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        publish(confirming, "somebody", "nope")


def test_the_permission_is_checked_before_the_user_id(
    operator: Any, connect: Connect, vhost: str, version: str
) -> None:
    alice = User(operator, connect, vhost)
    alice.may()
    own = alice.connect().channel()
    own.confirm_delivery()
    with channel_closed(403, refused(version, "write", "exchange 'amq.direct'", vhost, alice)):
        publish(own, "somebody", "amq.direct")


def test_an_internal_exchange_refuses_before_the_user_id_is_checked(confirming: BlockingChannel, vhost: str) -> None:
    confirming.exchange_declare("internal", internal=True)
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'internal' in vhost '{vhost}'"):
        publish(confirming, "somebody", "internal")


def test_the_user_id_is_checked_although_nobody_gets_the_message(confirming: BlockingChannel) -> None:
    text = "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'"
    with channel_closed(406, text):
        publish(confirming, "somebody", "amq.fanout")


def test_in_a_transaction_the_user_id_is_checked_at_the_publish(
    connection: pika.BlockingConnection, confirming: BlockingChannel
) -> None:
    own = connection.channel()
    own.tx_select()
    text = "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'"
    with channel_closed(406, text):
        publish(own, "somebody")
        own.queue_declare("q", passive=True)
