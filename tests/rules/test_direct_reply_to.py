"""Direct reply-to: requests whose replies need no queue."""

from __future__ import annotations

from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic

from tests.expect import channel_closed
from tests.rules._consuming import round_trip
from tests.rules._helpers import wait_for
from tests.rules._publishing import collect_returns, get_one, returned_so_far
from tests.rules._queues import Connect, missing
from tests.rules._raw import Wire
from tests.rules._users import User, refused

REPLY_TO = "amq.rabbitmq.reply-to"
NO_CONSUMER = "PRECONDITION_FAILED - fast reply consumer does not exist"


class Client:
    """Asks for replies on a connection of its own, and keeps them."""

    def __init__(self, connect: Connect, **settings: Any) -> None:
        self.channel = connect().channel()
        self.channel.queue_declare("requests")
        self.methods: list[pika.spec.Basic.Deliver] = []
        self.properties: list[pika.BasicProperties] = []
        self.bodies: list[bytes] = []
        self.tag = self.channel.basic_consume(REPLY_TO, self._on_reply, auto_ack=True, **settings)

    def _on_reply(self, _: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self.methods.append(method)
        self.properties.append(properties)
        self.bodies.append(body)

    def request(self, **properties: Any) -> None:
        """Publish a request; RabbitMQ has it when this returns."""
        self.channel.basic_publish("", "requests", b"request", pika.BasicProperties(reply_to=REPLY_TO, **properties))
        round_trip(self.channel)

    def address(self, channel: BlockingChannel) -> str:
        """Where replies go to, as the other side learns from a request that it gets on `channel`."""
        self.request()
        return get_one(channel, "requests")[1].reply_to

    def replies(self, count: int) -> list[bytes]:
        """All replies until now, when they are this many."""
        wait_for(self.channel.connection, lambda: len(self.bodies) >= count)
        round_trip(self.channel)
        self.channel.connection.process_data_events()
        return self.bodies


@pytest.fixture
def client(connect: Connect) -> Client:
    """A client that consumes replies."""
    return Client(connect)


@pytest.fixture
def address(client: Client, channel: BlockingChannel) -> str:
    """Where the client's replies go to."""
    return client.address(channel)


def reply(channel: BlockingChannel, address: str, body: bytes, exchange: str = "", **properties: Any) -> None:
    """Publish a reply; RabbitMQ has it when this returns."""
    channel.basic_publish(exchange, address, body, pika.BasicProperties(**properties))
    round_trip(channel)


def test_a_request_carries_an_address_of_its_own(client: Client, channel: BlockingChannel) -> None:
    client.request(correlation_id="c")
    _, properties, _ = get_one(channel, "requests")
    assert properties.reply_to.startswith(f"{REPLY_TO}.")
    assert properties.reply_to != f"{REPLY_TO}."
    assert properties.correlation_id == "c"


def test_all_requests_of_a_channel_carry_the_same_address(client: Client, channel: BlockingChannel) -> None:
    assert client.address(channel) == client.address(channel)


def test_every_channel_has_an_address_of_its_own(connect: Connect, channel: BlockingChannel) -> None:
    assert Client(connect).address(channel) != Client(connect).address(channel)


def test_a_reply_to_the_address_reaches_the_client(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, address, b"reply", correlation_id="c", headers={"own": "header"})
    assert client.replies(1) == [b"reply"]
    method, properties = client.methods[0], client.properties[0]
    assert (method.consumer_tag, method.exchange, method.routing_key) == (client.tag, "", address)
    assert (method.delivery_tag, method.redelivered) == (1, False)
    assert (properties.correlation_id, properties.reply_to) == ("c", None)
    assert properties.headers == {"own": "header"}


def test_replies_do_not_count_delivery_tags(client: Client, channel: BlockingChannel, address: str) -> None:
    for body in (b"1", b"2", b"3"):
        reply(channel, address, body)
    assert client.replies(3) == [b"1", b"2", b"3"]
    assert [method.delivery_tag for method in client.methods] == [1, 1, 1]
    client.channel.basic_publish("", "requests", b"request")
    round_trip(client.channel)
    assert client.channel.basic_get("requests")[0].delivery_tag == 1


def test_a_reply_cannot_be_acknowledged(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, address, b"reply")
    client.replies(1)
    with channel_closed(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        client.channel.basic_ack(1)
        round_trip(client.channel)


def test_a_request_by_any_exchange_carries_the_address(client: Client, channel: BlockingChannel) -> None:
    channel.queue_bind("requests", "amq.fanout")
    client.channel.basic_publish("amq.fanout", "", b"request", pika.BasicProperties(reply_to=REPLY_TO))
    round_trip(client.channel)
    assert get_one(channel, "requests")[1].reply_to.startswith(f"{REPLY_TO}.")


@pytest.mark.parametrize("name", ["answers", f"{REPLY_TO}.", f"{REPLY_TO}.x", f"{REPLY_TO}x", REPLY_TO.upper()])
def test_other_values_of_reply_to_are_left_alone(client: Client, channel: BlockingChannel, name: str) -> None:
    client.channel.basic_publish("", "requests", b"request", pika.BasicProperties(reply_to=name))
    round_trip(client.channel)
    assert get_one(channel, "requests")[1].reply_to == name


def test_a_prefetch_count_does_not_hold_back_replies(connect: Connect, channel: BlockingChannel) -> None:
    client = Client(connect)
    client.channel.basic_qos(prefetch_count=1)
    address = client.address(channel)
    for _ in range(3):
        reply(channel, address, b"reply")
    assert client.replies(3) == [b"reply"] * 3


def test_replies_do_not_expire(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, address, b"reply", expiration="0")
    assert client.replies(1) == [b"reply"]
    assert client.properties[0].expiration == "0"


def test_replies_do_not_wait_for_the_end_of_a_transaction(
    client: Client, channel: BlockingChannel, address: str
) -> None:
    channel.tx_select()
    reply(channel, address, b"rolled back")
    channel.tx_rollback()
    reply(channel, address, b"open")
    assert client.replies(2) == [b"rolled back", b"open"]
    channel.tx_commit()
    assert client.replies(2) == [b"rolled back", b"open"]


def test_a_mandatory_reply_is_delivered_and_returned(client: Client, channel: BlockingChannel, address: str) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", address, b"reply", mandatory=True)
    found = [(method.reply_code, method.reply_text, body) for method, _, body in returned_so_far(channel, returned)]
    assert found == [(312, "NO_ROUTE", b"reply")]
    assert client.replies(1) == [b"reply"]


def test_a_mandatory_reply_with_confirms_is_delivered_and_fails(
    client: Client, channel: BlockingChannel, address: str
) -> None:
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.UnroutableError):
        channel.basic_publish("", address, b"reply", mandatory=True)
    assert client.replies(1) == [b"reply"]


def test_a_reply_is_confirmed(client: Client, channel: BlockingChannel, address: str) -> None:
    channel.confirm_delivery()
    channel.basic_publish("", address, b"reply")
    assert client.replies(1) == [b"reply"]


def test_a_reply_by_another_exchange_is_lost(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, address, b"lost", exchange="amq.direct")
    reply(channel, address, b"reply")
    assert client.replies(1) == [b"reply"]


def test_a_reply_may_be_carbon_copied(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, "nowhere", b"reply", headers={"CC": [address]})
    assert client.replies(1) == [b"reply"]


@pytest.mark.parametrize("name", [REPLY_TO, f"{REPLY_TO}.", f"{REPLY_TO}.nonsense"])
def test_a_reply_to_a_wrong_address_leads_nowhere(client: Client, channel: BlockingChannel, name: str) -> None:
    returned = collect_returns(channel)
    channel.basic_publish("", name, b"reply", mandatory=True)
    assert [body for _, _, body in returned_so_far(channel, returned)] == [b"reply"]
    assert client.replies(0) == []


def test_a_reply_to_an_altered_address_leads_nowhere(client: Client, channel: BlockingChannel, address: str) -> None:
    reply(channel, address[:-4] + "AAAA", b"lost")
    reply(channel, address + "A", b"lost")
    reply(channel, address, b"reply")
    assert client.replies(1) == [b"reply"]


@pytest.mark.parametrize("end", ["cancel", "channel", "connection"])
def test_a_reply_after_the_end_is_lost(client: Client, channel: BlockingChannel, address: str, end: str) -> None:
    if end == "cancel":
        client.channel.basic_cancel(client.tag)
    elif end == "channel":
        client.channel.close()
    else:
        client.channel.connection.close()
    returned = collect_returns(channel)
    channel.basic_publish("", address, b"reply", mandatory=True)
    assert [method.reply_text for method, _, _ in returned_so_far(channel, returned)] == ["NO_ROUTE"]
    assert client.bodies == []


def test_a_client_may_consume_again_at_another_address(client: Client, channel: BlockingChannel, address: str) -> None:
    client.channel.basic_cancel(client.tag)
    client.channel.basic_consume(REPLY_TO, client._on_reply, auto_ack=True)
    again = client.address(channel)
    assert again != address
    reply(channel, address, b"old")
    reply(channel, again, b"new")
    assert client.replies(1) == [b"new"]


def test_manual_acknowledgement_is_refused(channel: BlockingChannel) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge"):
        channel.basic_consume(REPLY_TO, print)


def test_a_second_consumer_on_a_channel_is_refused(client: Client) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - reply consumer already set"):
        client.channel.basic_consume(REPLY_TO, print, auto_ack=True)


def test_manual_acknowledgement_is_noticed_before_the_first_consumer(client: Client) -> None:
    with channel_closed(406, "PRECONDITION_FAILED - reply consumer cannot acknowledge"):
        client.channel.basic_consume(REPLY_TO, print)


@pytest.mark.parametrize("settings", [{"exclusive": True}, {"arguments": {"x-priority": "x"}}])
def test_nothing_else_about_the_consumer_matters(
    connect: Connect, channel: BlockingChannel, settings: dict[str, Any]
) -> None:
    client = Client(connect, **settings)
    reply(channel, client.address(channel), b"reply")
    assert client.replies(1) == [b"reply"]


@pytest.mark.parametrize("key", ["requests", "nowhere"])
def test_a_request_before_consuming_is_refused(channel: BlockingChannel, key: str) -> None:
    channel.queue_declare("requests")
    with channel_closed(406, NO_CONSUMER):
        channel.basic_publish("", key, b"request", pika.BasicProperties(reply_to=REPLY_TO))
        round_trip(channel)


def test_a_request_on_another_channel_than_the_consumers_is_refused(client: Client) -> None:
    other = client.channel.connection.channel()
    with channel_closed(406, NO_CONSUMER):
        other.basic_publish("", "requests", b"request", pika.BasicProperties(reply_to=REPLY_TO))
        round_trip(other)


def test_a_request_after_the_consumer_was_cancelled_is_refused(client: Client) -> None:
    client.channel.basic_cancel(client.tag)
    with channel_closed(406, NO_CONSUMER):
        client.request()


def test_a_missing_exchange_is_noticed_before_a_missing_consumer(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        channel.basic_publish("nope", "", b"request", pika.BasicProperties(reply_to=REPLY_TO))
        round_trip(channel)


@pytest.mark.parametrize("passive", [True, False])
def test_the_pseudo_queue_can_be_declared_by_anyone(channel: BlockingChannel, passive: bool) -> None:
    answer = channel.queue_declare(REPLY_TO, passive=passive).method
    assert (answer.queue, answer.message_count, answer.consumer_count) == (REPLY_TO, 0, 1)


@pytest.mark.parametrize("passive", [True, False])
def test_an_address_can_be_declared_to_ask_whether_it_is_alive(
    client: Client, channel: BlockingChannel, vhost: str, address: str, passive: bool
) -> None:
    answer = channel.queue_declare(address, passive=passive).method
    assert (answer.queue, answer.message_count, answer.consumer_count) == (address, 0, 1)
    client.channel.close()
    with channel_closed(404, missing(address, vhost)):
        channel.queue_declare(address, passive=passive)


def test_declaring_a_wrong_address_is_refused(channel: BlockingChannel, vhost: str) -> None:
    with channel_closed(404, missing(f"{REPLY_TO}.nonsense", vhost)):
        channel.queue_declare(f"{REPLY_TO}.nonsense", passive=True)


@pytest.mark.parametrize("own", [True, False])
def test_nothing_else_works_with_the_pseudo_queue(
    channel: BlockingChannel, vhost: str, address: str, own: bool
) -> None:
    queue = address if own else REPLY_TO
    for use in (
        lambda other: other.basic_get(queue),
        lambda other: other.queue_purge(queue),
        lambda other: other.queue_bind(queue, "amq.fanout"),
    ):
        with channel_closed(404, missing(queue, vhost)):
            use(channel.connection.channel())
    assert channel.queue_delete(queue).method.message_count == 0


def test_an_address_cannot_be_consumed(channel: BlockingChannel, vhost: str, address: str) -> None:
    with channel_closed(404, missing(address, vhost)):
        channel.basic_consume(address, print, auto_ack=True)


def test_consuming_replies_takes_no_permission(operator: Any, connect: Connect, vhost: str) -> None:
    user = User(operator, connect, vhost)
    user.may()
    other = user.connect().channel()
    assert other.basic_consume(REPLY_TO, print, auto_ack=True, consumer_tag="replies") == "replies"
    assert other.queue_declare(REPLY_TO, passive=True).method.consumer_count == 1


def test_replying_takes_the_permission_to_write_to_the_default_exchange(
    operator: Any, connect: Connect, vhost: str, version: str, client: Client, address: str
) -> None:
    user = User(operator, connect, vhost)
    user.may(write="^amq.default$")
    reply(user.connect().channel(), address, b"reply")
    assert client.replies(1) == [b"reply"]
    user.may()
    with channel_closed(403, refused(version, "write", "exchange 'amq.default'", vhost, user)):
        reply(user.connect().channel(), address, b"refused")


def test_a_missing_permission_is_noticed_before_a_missing_consumer(
    operator: Any, connect: Connect, vhost: str, version: str
) -> None:
    user = User(operator, connect, vhost)
    user.may()
    other = user.connect().channel()
    with channel_closed(403, refused(version, "write", "exchange 'amq.default'", vhost, user)):
        other.basic_publish("", "requests", b"request", pika.BasicProperties(reply_to=REPLY_TO))
        round_trip(other)


@pytest.mark.parametrize("properties", [{"expiration": "soon"}, {"user_id": "somebody"}, {"headers": {"CC": "a"}}])
def test_a_missing_consumer_is_noticed_before_what_else_is_wrong(
    channel: BlockingChannel, properties: dict[str, Any]
) -> None:
    with channel_closed(406, NO_CONSUMER):
        channel.basic_publish("", "q", b"", pika.BasicProperties(reply_to=REPLY_TO, **properties))
        round_trip(channel)


def test_another_consumer_of_the_tag_is_cancelled_after_the_one_of_replies(connection: pika.BlockingConnection) -> None:
    wire = Wire(connection)
    wire.channel.queue_declare("q")
    wire.send(Basic.Consume(queue=REPLY_TO, consumer_tag="c", no_ack=True, nowait=True))
    wire.send(Basic.Consume(queue="q", consumer_tag="c", nowait=True))
    consumers = []
    for _ in range(2):
        wire.send(Basic.Cancel(consumer_tag="c", nowait=True))
        consumers.append(wire.channel.queue_declare("q", passive=True).method.consumer_count)
    assert consumers == [1, 0]
