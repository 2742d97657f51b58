"""Topic permissions: which routing keys a user may publish and bind with on a topic exchange."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._users import Connect, User, refused


class Member(User):
    """A user with all permissions, whom topic permissions may limit."""

    def topics(self, write: str = ".*", read: str = ".*", exchange: str = "amq.topic") -> None:
        """From now on these topic permissions on the exchange."""
        self._operator.set_topic_permissions(self.name, exchange, write, read, vhost=self._vhost)

    def channel(self) -> BlockingChannel:
        """A new channel on a new connection, in confirm mode."""
        channel = self.connect().channel()
        channel.confirm_delivery()
        return channel


@pytest.fixture
def alice(operator: Any, connect: Connect, vhost: str, channel: BlockingChannel) -> Member:
    """A user with all permissions, and a queue q that gets whatever reaches amq.topic."""
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.topic", "#")
    user = Member(operator, connect, vhost)
    user.may(".*", ".*", ".*")
    return user


def topic(key: str, exchange: str = "amq.topic") -> str:
    return f"topic '{key}' in exchange '{exchange}'"


def test_without_topic_permissions_every_topic_is_allowed(alice: Member, channel: BlockingChannel) -> None:
    own = alice.channel()
    own.basic_publish("amq.topic", "any.thing", b"")
    own.queue_bind("q", "amq.topic", "any.thing")
    assert channel.basic_get("q")[0].routing_key == "any.thing"


@pytest.mark.parametrize(
    ("write", "key"),
    [("^a", "a.b"), ("b", "a.b.c"), ("^a.b$", "axb"), (".*", ""), ("", ""), ("^$", ""), ("(?i)^A", "a")],
)
def test_a_topic_that_the_write_pattern_finds_may_be_published(
    alice: Member, channel: BlockingChannel, write: str, key: str
) -> None:
    alice.topics(write=write, read="^$")
    alice.channel().basic_publish("amq.topic", key, b"")
    assert channel.basic_get("q")[0].routing_key == key


@pytest.mark.parametrize(("write", "key"), [("^a", "b.a"), ("", "a"), ("^$", "a"), ("^a$", "A"), (".", "")])
def test_another_topic_may_not_be_published(
    alice: Member, channel: BlockingChannel, vhost: str, version: str, write: str, key: str
) -> None:
    alice.topics(write=write)
    with channel_closed(403, refused(version, "write", topic(key), vhost, alice)):
        alice.channel().basic_publish("amq.topic", key, b"")
    assert channel.basic_get("q") == (None, None, None)


@pytest.mark.parametrize("method", ["queue_bind", "queue_unbind"])
@pytest.mark.parametrize(("read", "key"), [("^a", "a.*"), ("#", "a.#"), ("", ""), (r"^a\.\*$", "a.*")])
def test_a_binding_key_that_the_read_pattern_finds_may_be_bound(
    alice: Member, method: str, read: str, key: str
) -> None:
    alice.topics(write="^$", read=read)
    own = alice.channel()
    getattr(own, method)("q", "amq.topic", key)
    assert own.is_open


@pytest.mark.parametrize("method", ["queue_bind", "queue_unbind"])
@pytest.mark.parametrize(("read", "key"), [("^a", "#"), ("^a", "*.a"), ("", "a"), (r"^a\.b$", "a.*")])
def test_another_binding_key_may_not_be_bound(
    alice: Member, vhost: str, version: str, method: str, read: str, key: str
) -> None:
    alice.topics(read=read)
    with channel_closed(403, refused(version, "read", topic(key), vhost, alice)):
        getattr(alice.channel(), method)("q", "amq.topic", key)


@pytest.mark.parametrize("method", ["exchange_bind", "exchange_unbind"])
def test_a_binding_between_exchanges_needs_the_topic_of_its_source(
    alice: Member, vhost: str, version: str, method: str
) -> None:
    alice.topics(read="^a", write="^$")
    own = alice.channel()
    getattr(own, method)("amq.fanout", "amq.topic", "a.b")
    getattr(own, method)("amq.topic", "amq.fanout", "b.a")
    with channel_closed(403, refused(version, "read", topic("b.a"), vhost, alice)):
        getattr(own, method)("amq.fanout", "amq.topic", "b.a")


@pytest.mark.parametrize("exchange", ["amq.direct", "amq.fanout", "amq.headers"])
def test_topic_permissions_mean_nothing_to_other_types_of_exchange(alice: Member, exchange: str) -> None:
    alice.topics("^$", "^$", exchange)
    own = alice.channel()
    own.queue_bind("q", exchange, "a")
    own.basic_publish(exchange, "a", b"")
    own.queue_unbind("q", exchange, "a")
    assert own.is_open


def test_topic_permissions_hold_for_one_exchange(alice: Member, vhost: str, version: str) -> None:
    own = alice.channel()
    for exchange in ("x", "y"):
        own.exchange_declare(exchange, "topic")
    alice.topics("^a$", "^a$", "x")
    own.basic_publish("y", "b", b"")
    own.queue_bind("q", "y", "b")
    own.basic_publish("x", "a", b"")
    with channel_closed(403, refused(version, "write", topic("b", "x"), vhost, alice)):
        own.basic_publish("x", "b", b"")


def test_the_name_of_the_exchange_is_no_pattern(alice: Member) -> None:
    alice.topics("^$", "^$", "amq.*")
    own = alice.channel()
    own.basic_publish("amq.topic", "a", b"")
    assert own.is_open


def test_topic_permissions_may_come_before_their_exchange(alice: Member, vhost: str, version: str) -> None:
    alice.topics("^$", "^$", "later")
    own = alice.channel()
    own.exchange_declare("later", "topic")
    with channel_closed(403, refused(version, "write", topic("a", "later"), vhost, alice)):
        own.basic_publish("later", "a", b"")


def test_topic_permissions_outlive_their_exchange(alice: Member, vhost: str, version: str) -> None:
    own = alice.channel()
    own.exchange_declare("x", "topic")
    alice.topics("^$", "^$", "x")
    own.exchange_delete("x")
    own.exchange_declare("x", "topic")
    with channel_closed(403, refused(version, "write", topic("a", "x"), vhost, alice)):
        own.basic_publish("x", "a", b"")


def test_topic_permissions_are_the_users_own(alice: Member, channel: BlockingChannel) -> None:
    alice.topics("^$", "^$")
    channel.basic_publish("amq.topic", "guest may", b"")
    assert channel.basic_get("q")[0].routing_key == "guest may"


@pytest.mark.parametrize(
    ("pattern", "key"), [("^{username}$", "{username}"), ("^{vhost}/{username}-", "{vhost}/{username}-x")]
)
def test_a_pattern_may_name_the_user_and_the_virtual_host(
    alice: Member, channel: BlockingChannel, vhost: str, version: str, pattern: str, key: str
) -> None:
    alice.topics(write=pattern)
    key = key.format(username=alice.name, vhost=vhost)
    own = alice.channel()
    own.basic_publish("amq.topic", key, b"")
    assert channel.basic_get("q")[0].routing_key == key
    with channel_closed(403, refused(version, "write", topic("somebody"), vhost, alice)):
        own.basic_publish("amq.topic", "somebody", b"")


def test_a_binding_pattern_may_name_the_user(alice: Member, vhost: str, version: str) -> None:
    alice.topics(read="^{username}[.]#$")
    own = alice.channel()
    own.queue_bind("q", "amq.topic", f"{alice.name}.#")
    with channel_closed(403, refused(version, "read", topic("bob.#"), vhost, alice)):
        own.queue_bind("q", "amq.topic", "bob.#")


def test_an_unknown_variable_is_not_replaced(alice: Member, vhost: str, version: str) -> None:
    alice.topics(write="^{client_id}$")
    own = alice.channel()
    own.basic_publish("amq.topic", "{client_id}", b"")
    with channel_closed(403, refused(version, "write", topic(""), vhost, alice)):
        own.basic_publish("amq.topic", "", b"")


def test_the_users_name_is_itself_a_pattern(
    operator: Any, connect: Connect, vhost: str, channel: BlockingChannel
) -> None:
    dotted = Member(operator, connect, vhost, name="a.b")
    dotted.may(".*", ".*", ".*")
    dotted.topics(write="^{username}$")
    channel.queue_declare("q")
    channel.queue_bind("q", "amq.topic", "#")
    key = f"axb-{vhost}"
    dotted.channel().basic_publish("amq.topic", key, b"")
    assert channel.basic_get("q")[0].routing_key == key


def test_the_permission_on_the_exchange_comes_before_the_topic(alice: Member, vhost: str, version: str) -> None:
    alice.may(".*", "^$", "^$")
    alice.topics("^$", "^$")
    with channel_closed(403, refused(version, "write", "exchange 'amq.topic'", vhost, alice)):
        alice.channel().basic_publish("amq.topic", "a", b"")
    alice.may(".*", ".*", "^$")
    with channel_closed(403, refused(version, "read", "exchange 'amq.topic'", vhost, alice)):
        alice.channel().queue_bind("q", "amq.topic", "a")


def test_the_topic_comes_before_a_missing_queue(alice: Member, vhost: str, version: str) -> None:
    alice.topics("^$", "^$")
    with channel_closed(403, refused(version, "read", topic("a"), vhost, alice)):
        alice.channel().queue_bind("nope", "amq.topic", "a")


def test_the_topic_comes_before_the_user_id(alice: Member, vhost: str, version: str) -> None:
    alice.topics("^$", "^$")
    with channel_closed(403, refused(version, "write", topic("a"), vhost, alice)):
        alice.channel().basic_publish("amq.topic", "a", b"", pika.BasicProperties(user_id="somebody"))


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"expiration": "soon"}, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer"),
        ({"reply_to": "amq.rabbitmq.reply-to"}, "PRECONDITION_FAILED - fast reply consumer does not exist"),
        (
            {"headers": {"CC": "b"}},
            'PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}',
        ),
    ],
)
def test_in_rabbitmq_4_what_is_wrong_with_the_message_comes_before_the_topic(
    alice: Member, vhost: str, version: str, properties: dict[str, Any], text: str
) -> None:
    alice.topics(write="^a")
    told = refused(version, "write", topic("b"), vhost, alice)
    with channel_closed(*((403, told) if version == "3.10" else (406, text))):
        alice.channel().basic_publish("amq.topic", "b", b"", pika.BasicProperties(**properties))


def test_an_internal_exchange_comes_before_the_topic(alice: Member, vhost: str) -> None:
    own = alice.channel()
    own.exchange_declare("internal", "topic", internal=True)
    alice.topics("^$", "^$", "internal")
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'internal' in vhost '{vhost}'"):
        own.basic_publish("internal", "a", b"")


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_only_rabbitmq_4_checks_the_topics_in_cc_and_bcc(
    alice: Member, channel: BlockingChannel, vhost: str, version: str, header: str
) -> None:
    alice.topics(write="^a$")
    own = alice.channel()
    properties = pika.BasicProperties(headers={header: ["b"]})
    if version == "3.10":
        own.basic_publish("amq.topic", "a", b"", properties)
        assert channel.basic_get("q")[0].routing_key == "a"
    else:
        with channel_closed(403, refused(version, "write", topic("b"), vhost, alice)):
            own.basic_publish("amq.topic", "a", b"", properties)


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_the_topic_in_the_routing_key_is_checked_first(alice: Member, vhost: str, version: str, header: str) -> None:
    alice.topics(write="^a$")
    with channel_closed(403, refused(version, "write", topic("b"), vhost, alice)):
        alice.channel().basic_publish("amq.topic", "b", b"", pika.BasicProperties(headers={header: ["c"]}))


def test_a_message_that_comes_through_a_binding_needs_no_topic(alice: Member, channel: BlockingChannel) -> None:
    channel.exchange_bind("amq.topic", "amq.fanout")
    alice.topics("^$", "^$")
    alice.channel().basic_publish("amq.fanout", "a", b"")
    assert channel.basic_get("q")[0].routing_key == "a"


def test_a_channel_goes_on_publishing_a_topic_that_is_taken_away(alice: Member, vhost: str, version: str) -> None:
    own = alice.channel()
    alice.topics(write="^(used|unused)$")
    own.basic_publish("amq.topic", "used", b"")
    alice.topics(write="^$")
    own.basic_publish("amq.topic", "used", b"")
    with channel_closed(403, refused(version, "write", topic("unused"), vhost, alice)):
        own.basic_publish("amq.topic", "unused", b"")


def test_new_topic_permissions_replace_the_old(alice: Member, vhost: str, version: str) -> None:
    alice.topics(write="^a$")
    alice.topics(write="^b$")
    own = alice.channel()
    own.basic_publish("amq.topic", "b", b"")
    with channel_closed(403, refused(version, "write", topic("a"), vhost, alice)):
        own.basic_publish("amq.topic", "a", b"")
