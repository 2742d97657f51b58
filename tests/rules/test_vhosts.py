"""Virtual hosts: worlds of their own that users may enter."""

from __future__ import annotations

import re
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._helpers import get_all
from tests.rules._users import Connect, User


@pytest.fixture
def elsewhere(operator: Any, vhost: str) -> str:
    """The name of a second virtual host."""
    name = f"{vhost}-elsewhere"
    operator.add_vhost(name)
    return name


@pytest.fixture
def foreign(connect: Connect, elsewhere: str) -> BlockingChannel:
    """A channel into the second virtual host."""
    return connect(virtual_host=elsewhere).channel()


PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.headers": "headers",
    "amq.match": "headers",
    "amq.topic": "topic",
    "amq.rabbitmq.trace": "topic",
}


@pytest.mark.parametrize(("exchange", "kind"), PREDECLARED.items())
def test_a_virtual_host_has_predeclared_exchanges(
    channel: BlockingChannel, foreign: BlockingChannel, exchange: str, kind: str
) -> None:
    internal = exchange == "amq.rabbitmq.trace"
    for each in (channel, foreign):
        each.exchange_declare(exchange, kind, durable=True, internal=internal)
        assert each.is_open


def test_there_is_no_amq_rabbitmq_log_exchange(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'amq.rabbitmq.log' in vhost '{vhost}'"):
        channel.exchange_declare("amq.rabbitmq.log", passive=True)


def test_a_queue_of_one_virtual_host_is_not_found_in_another(
    channel: BlockingChannel, foreign: BlockingChannel, elsewhere: str
) -> None:
    channel.queue_declare("q")
    with channel_closed(404, f"NOT_FOUND - no queue 'q' in vhost '{elsewhere}'"):
        foreign.queue_declare("q", passive=True)


def test_an_exchange_of_one_virtual_host_is_not_found_in_another(
    channel: BlockingChannel, foreign: BlockingChannel, elsewhere: str
) -> None:
    channel.exchange_declare("x")
    with channel_closed(404, f"NOT_FOUND - no exchange 'x' in vhost '{elsewhere}'"):
        foreign.exchange_declare("x", passive=True)


def test_the_same_names_mean_different_things_in_two_virtual_hosts(
    channel: BlockingChannel, foreign: BlockingChannel
) -> None:
    channel.queue_declare("q", durable=True)
    channel.exchange_declare("x", "fanout")
    foreign.queue_declare("q", auto_delete=True)
    foreign.exchange_declare("x", "topic")
    channel.queue_delete("q")
    channel.exchange_delete("x")
    foreign.queue_declare("q", auto_delete=True)
    foreign.exchange_declare("x", "topic")
    assert foreign.is_open


@pytest.mark.parametrize("exchange", ["", "amq.direct", "x"])
def test_a_message_does_not_leave_its_virtual_host(
    channel: BlockingChannel, foreign: BlockingChannel, exchange: str
) -> None:
    for each in (channel, foreign):
        each.queue_declare("q")
        each.exchange_declare("x")
        if exchange:
            each.queue_bind("q", exchange, "q")
        each.confirm_delivery()
    channel.basic_publish(exchange, "q", b"here")
    foreign.basic_publish(exchange, "q", b"there")
    assert get_all(channel, "q") == [b"here"]
    assert get_all(foreign, "q") == [b"there"]


def test_a_message_without_a_queue_in_its_own_virtual_host_is_unroutable(
    channel: BlockingChannel, foreign: BlockingChannel
) -> None:
    foreign.queue_declare("q")
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", "q", b"", mandatory=True)
    assert foreign.basic_get("q") == (None, None, None)


def test_the_same_name_is_exclusive_in_each_virtual_host(channel: BlockingChannel, foreign: BlockingChannel) -> None:
    channel.queue_declare("mine", exclusive=True)
    foreign.queue_declare("mine", exclusive=True)
    assert channel.queue_declare("mine", exclusive=True).method.queue == "mine"


@pytest.mark.parametrize("name", ["no-such-vhost", "", "NO such VHOST"])
def test_an_unknown_virtual_host_is_refused(connect: Connect, name: str) -> None:
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        connect(virtual_host=name)
    assert caught.value.args == (f"ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost {name} not found'",)


def test_a_user_without_permissions_on_a_virtual_host_is_refused(operator: Any, connect: Connect, vhost: str) -> None:
    alice = User(operator, connect, vhost)
    text = f"NOT_ALLOWED - access to vhost '{vhost}' refused for user '{alice.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        alice.connect()
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


def test_any_permission_opens_the_virtual_host(operator: Any, connect: Connect, vhost: str) -> None:
    alice = User(operator, connect, vhost)
    alice.may("^$", "^$", "^$")
    assert alice.connect().is_open
    alice.may("", "", "")
    assert alice.connect().is_open


def test_permissions_are_given_for_one_virtual_host(
    operator: Any, connect: Connect, vhost: str, elsewhere: str
) -> None:
    alice = User(operator, connect, vhost)
    alice.may(".*", ".*", ".*")
    assert alice.connect().is_open
    text = f"NOT_ALLOWED - access to vhost '{elsewhere}' refused for user '{alice.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        alice.connect(virtual_host=elsewhere)
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


def test_an_unknown_virtual_host_is_not_found_before_permissions_are_checked(
    operator: Any, connect: Connect, vhost: str
) -> None:
    alice = User(operator, connect, vhost)
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        alice.connect(virtual_host="no-such-vhost")
    assert caught.value.args == ("ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost no-such-vhost not found'",)


def test_an_operator_closes_the_connections_of_one_virtual_host(
    connection: pika.BlockingConnection, foreign: BlockingChannel, operator: Any, vhost: str
) -> None:
    operator.close_connections("maintenance", vhost=vhost)
    with connection_closed(320, "CONNECTION_FORCED - maintenance"):
        connection.process_data_events(time_limit=5)
    assert foreign.queue_declare("q").method.queue == "q"


def test_deleting_a_virtual_host_closes_its_connections(
    connect: Connect, operator: Any, elsewhere: str, channel: BlockingChannel
) -> None:
    connection = connect(virtual_host=elsewhere)
    operator.delete_vhost(elsewhere)
    text = re.compile(f"CONNECTION_FORCED - vhost '{re.escape(elsewhere)}' is (deleted|down)")
    with connection_closed(320, text):
        connection.process_data_events(time_limit=5)
    assert connection.is_closed
    assert channel.queue_declare("q").method.queue == "q"


def test_a_deleted_virtual_host_is_not_found(connect: Connect, operator: Any, elsewhere: str) -> None:
    operator.delete_vhost(elsewhere)
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        connect(virtual_host=elsewhere)
    assert caught.value.args == (f"ConnectionClosedByBroker: (530) 'NOT_ALLOWED - vhost {elsewhere} not found'",)


def test_a_virtual_host_deleted_and_added_again_is_empty(
    connect: Connect, operator: Any, elsewhere: str, foreign: BlockingChannel
) -> None:
    foreign.queue_declare("q", durable=True)
    foreign.exchange_declare("x", durable=True)
    foreign.queue_bind("q", "amq.fanout")
    foreign.connection.close()
    operator.delete_vhost(elsewhere)
    operator.add_vhost(elsewhere)
    connection = connect(virtual_host=elsewhere)
    with channel_closed(404, f"NOT_FOUND - no queue 'q' in vhost '{elsewhere}'"):
        connection.channel().queue_declare("q", passive=True)
    with channel_closed(404, f"NOT_FOUND - no exchange 'x' in vhost '{elsewhere}'"):
        connection.channel().exchange_declare("x", passive=True)


def test_deleting_a_virtual_host_forgets_its_permissions(
    connect: Connect, operator: Any, vhost: str, elsewhere: str
) -> None:
    alice = User(operator, connect, vhost)
    operator.set_permissions(alice.name, ".*", ".*", ".*", vhost=elsewhere)
    assert alice.connect(virtual_host=elsewhere).is_open
    operator.delete_vhost(elsewhere)
    operator.add_vhost(elsewhere)
    text = f"NOT_ALLOWED - access to vhost '{elsewhere}' refused for user '{alice.name}'"
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError) as caught:
        alice.connect(virtual_host=elsewhere)
    assert caught.value.args == (f'ConnectionClosedByBroker: (530) "{text}"',)


@pytest.mark.parametrize("suffix", ["with space", "a/b/c", "ünïcode", "'quoted'"])
def test_a_virtual_host_may_have_almost_any_name(connect: Connect, operator: Any, vhost: str, suffix: str) -> None:
    name = f"{vhost}-{suffix}"
    operator.add_vhost(name)
    channel = connect(virtual_host=name).channel()
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{name}'"):
        channel.queue_declare("nope", passive=True)
