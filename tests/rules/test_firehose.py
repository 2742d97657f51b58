"""The firehose: copies of all messages, and where they went, at the exchange amq.rabbitmq.trace."""

from __future__ import annotations

from typing import Any, NamedTuple

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import wait_for
from tests.rules._publishing import get_one, message_count
from tests.rules._queues import Connect
from tests.rules._users import User

TRACE = "amq.rabbitmq.trace"


class Copy(NamedTuple):
    """A message of the firehose."""

    key: str
    headers: dict[str, Any]
    body: bytes


class Firehose:
    """Listens to the firehose, on a connection of its own."""

    def __init__(self, connect: Connect, pattern: str = "#") -> None:
        self.channel = connect().channel()
        self.channel.queue_declare("firehose")
        self.channel.queue_bind("firehose", TRACE, pattern)

    def take(self) -> list[Copy]:
        """All copies since the last call."""
        copies = []
        while True:
            method, properties, body = self.channel.basic_get("firehose", auto_ack=True)
            if method is None:
                return copies
            assert method.exchange == TRACE
            if method.routing_key != "deliver.firehose":
                copies.append(Copy(method.routing_key, properties.headers, body))

    def take_one(self) -> Copy:
        """The only copy since the last call."""
        (copy,) = self.take()
        return copy


@pytest.fixture
def firehose(connect: Connect, operator: Any, vhost: str) -> Any:
    firehose = Firehose(connect, "publish.#")
    operator.trace_on(vhost)
    yield firehose
    operator.trace_off(vhost)


@pytest.fixture
def deliveries(connect: Connect, operator: Any, vhost: str) -> Any:
    deliveries = Firehose(connect, "deliver.*")
    operator.trace_on(vhost)
    yield deliveries
    operator.trace_off(vhost)


@pytest.fixture
def publisher(channel: BlockingChannel) -> BlockingChannel:
    """A channel with confirms, and a queue "orders"."""
    channel.queue_declare("orders")
    channel.confirm_delivery()
    return channel


def test_it_is_off_at_first(publisher: BlockingChannel, connect: Connect) -> None:
    firehose = Firehose(connect)
    publisher.basic_publish("", "orders", b"order")
    get_one(publisher, "orders")
    assert firehose.take() == []


def test_nothing_more_comes_once_it_is_off(
    publisher: BlockingChannel, firehose: Firehose, operator: Any, vhost: str
) -> None:
    publisher.basic_publish("", "orders", b"1")
    operator.trace_off(vhost)
    publisher.basic_publish("", "orders", b"2")
    assert [copy.body for copy in firehose.take()] == [b"1"]


def test_channels_that_were_open_before_are_traced_too(
    publisher: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    firehose = Firehose(connect)
    publisher.basic_publish("", "orders", b"1")
    operator.trace_on(vhost)
    publisher.basic_publish("", "orders", b"2")
    assert [copy.body for copy in firehose.take()] == [b"2"]
    operator.trace_off(vhost)


def test_switching_it_on_or_off_twice_is_no_error(
    publisher: BlockingChannel, firehose: Firehose, operator: Any, vhost: str
) -> None:
    operator.trace_on(vhost)
    publisher.basic_publish("", "orders", b"1")
    assert [copy.body for copy in firehose.take()] == [b"1"]
    operator.trace_off(vhost)
    operator.trace_off(vhost)
    publisher.basic_publish("", "orders", b"2")
    assert firehose.take() == []


def test_what_is_published_is_copied(publisher: BlockingChannel, firehose: Firehose, vhost: str) -> None:
    publisher.basic_publish("amq.direct", "nowhere", b"order")
    copy = firehose.take_one()
    assert (copy.key, copy.body) == ("publish.amq.direct", b"order")
    headers = dict(copy.headers)
    assert headers.pop("node")
    assert headers.pop("connection")
    assert headers == {
        "exchange_name": "amq.direct",
        "routing_keys": ["nowhere"],
        "properties": {},
        "vhost": vhost,
        "channel": publisher.channel_number,
        "user": "guest",
        "routed_queues": [],
    }


def test_what_is_delivered_is_copied(publisher: BlockingChannel, deliveries: Firehose, vhost: str) -> None:
    publisher.basic_publish("", "orders", b"order")
    get_one(publisher, "orders")
    copy = deliveries.take_one()
    assert (copy.key, copy.body) == ("deliver.orders", b"order")
    headers = dict(copy.headers)
    assert headers.pop("node")
    assert headers.pop("connection")
    assert headers == {
        "exchange_name": "",
        "routing_keys": ["orders"],
        "properties": {},
        "redelivered": 0,
        "vhost": vhost,
        "channel": publisher.channel_number,
        "user": "guest",
    }


def test_the_order_of_the_headers(publisher: BlockingChannel, firehose: Firehose, version: str) -> None:
    publisher.basic_publish("", "orders", b"order")
    names = ["exchange_name", "routing_keys", "properties", "node", "vhost", "connection", "channel", "user"]
    names.append("routed_queues")
    assert list(firehose.take_one().headers) == (names if version == "3.10" else sorted(names))


def test_the_key_of_a_message_to_the_default_exchange_ends_with_a_dot(
    publisher: BlockingChannel, firehose: Firehose
) -> None:
    publisher.basic_publish("", "orders", b"order")
    copy = firehose.take_one()
    assert copy.key == "publish."
    assert copy.headers["exchange_name"] == ""
    assert copy.headers["routed_queues"] == ["orders"]


def test_cc_and_bcc_are_among_the_routing_keys(publisher: BlockingChannel, firehose: Firehose) -> None:
    for queue in ("copy", "secret"):
        publisher.queue_declare(queue)
    properties = pika.BasicProperties(headers={"CC": ["copy"], "BCC": ["secret"], "h": 1})
    publisher.basic_publish("", "orders", b"order", properties)
    headers = firehose.take_one().headers
    assert headers["routing_keys"] == ["orders", "copy", "secret"]
    assert sorted(headers["routed_queues"]) == ["copy", "orders", "secret"]
    assert headers["properties"] == {"headers": {"CC": ["copy"], "h": 1}}


def test_every_property_is_told_in_a_table_last_property_first(
    publisher: BlockingChannel, firehose: Firehose, version: str
) -> None:
    told: dict[str, Any] = {
        "cluster_id": "c",
        "app_id": "app",
        "user_id": "guest",
        "type": "order",
        "timestamp": 5,
        "message_id": "m",
        "expiration": "60000",
        "reply_to": "r",
        "correlation_id": "1",
        "priority": 3,
        "delivery_mode": 2,
        "headers": {"h": "v"},
        "content_encoding": "gzip",
        "content_type": "text/plain",
    }
    publisher.basic_publish("", "orders", b"order", pika.BasicProperties(**told))
    assert list(firehose.take_one().headers["properties"].items()) == list(told.items())


def test_a_copy_has_no_properties_but_headers(publisher: BlockingChannel, firehose: Firehose) -> None:
    publisher.basic_publish("", "orders", b"order", pika.BasicProperties(delivery_mode=2, priority=3, expiration="1"))
    _, properties, _ = get_one(firehose.channel, "firehose")
    properties.headers = None
    assert vars(properties) == vars(pika.BasicProperties())


def test_an_unroutable_message_is_copied(publisher: BlockingChannel, firehose: Firehose) -> None:
    with pytest.raises(pika.exceptions.UnroutableError):
        publisher.basic_publish("amq.fanout", "x", b"order", mandatory=True)
    assert firehose.take_one().headers["routed_queues"] == []


def test_a_message_to_a_missing_exchange_is_not_copied(
    publisher: BlockingChannel, firehose: Firehose, vhost: str
) -> None:
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        publisher.basic_publish("nope", "x", b"order")
    assert firehose.take() == []


def test_a_message_is_copied_when_it_is_published_not_when_it_is_committed(
    connection: pika.BlockingConnection, firehose: Firehose
) -> None:
    channel = connection.channel()
    channel.queue_declare("orders")
    channel.tx_select()
    channel.basic_publish("", "orders", b"order")
    channel.tx_rollback()
    assert firehose.take_one().headers["routed_queues"] == ["orders"]
    assert message_count(channel, "orders") == 0


def test_channel_user_and_connection_are_the_publishers(
    firehose: Firehose, operator: Any, connect: Connect, vhost: str
) -> None:
    alice = User(operator, connect, vhost)
    alice.may(configure=".*", write=".*")
    connection = alice.connect()
    for number in (3, 5):
        channel = connection.channel(number)
        channel.confirm_delivery()
        channel.basic_publish("amq.fanout", "", b"hello")
    guest = connect().channel()
    guest.confirm_delivery()
    guest.basic_publish("amq.fanout", "", b"hello")
    first, second, third = (copy.headers for copy in firehose.take())
    assert [each["channel"] for each in (first, second, third)] == [3, 5, 1]
    assert [each["user"] for each in (first, second, third)] == [alice.name, alice.name, "guest"]
    assert first["connection"] == second["connection"] != third["connection"]


def test_a_consumer_gets_its_copy_too(publisher: BlockingChannel, deliveries: Firehose) -> None:
    consumer = Consumer(publisher, "orders", auto_ack=True)
    publisher.basic_publish("", "orders", b"order")
    wait_for(publisher.connection, lambda: consumer.bodies == [b"order"])
    publisher.queue_declare("orders", passive=True)
    copy = deliveries.take_one()
    assert (copy.key, copy.headers["redelivered"]) == ("deliver.orders", 0)


def test_a_redelivery_is_told(publisher: BlockingChannel, deliveries: Firehose) -> None:
    publisher.basic_publish("", "orders", b"order")
    method, _, _ = publisher.basic_get("orders")
    publisher.basic_nack(method.delivery_tag, requeue=True)
    get_one(publisher, "orders")
    assert [copy.headers["redelivered"] for copy in deliveries.take()] == [0, 1]


def test_dead_lettering_is_not_publishing(publisher: BlockingChannel, firehose: Firehose) -> None:
    publisher.queue_declare("short", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"})
    publisher.basic_publish("", "short", b"order")
    method, _, _ = publisher.basic_get("short")
    publisher.basic_nack(method.delivery_tag, requeue=False)
    while not message_count(publisher, "orders"):
        publisher.connection.process_data_events(time_limit=0.01)
    assert firehose.take_one().headers["routed_queues"] == ["short"]


def test_a_dead_letter_is_told_with_its_headers(publisher: BlockingChannel, deliveries: Firehose) -> None:
    publisher.queue_declare("short", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"})
    publisher.basic_publish("", "short", b"order")
    method, _, _ = publisher.basic_get("short")
    publisher.basic_nack(method.delivery_tag, requeue=False)
    while not message_count(publisher, "orders"):
        publisher.connection.process_data_events(time_limit=0.01)
    get_one(publisher, "orders")
    dead = deliveries.take()[1]
    assert dead.key == "deliver.orders"
    assert dead.headers["properties"]["headers"]["x-first-death-queue"] == "short"


def test_copies_are_not_copied_again(publisher: BlockingChannel, firehose: Firehose) -> None:
    publisher.queue_bind("orders", TRACE, "#")
    publisher.basic_publish("amq.fanout", "", b"hello")
    get_one(publisher, "orders")
    publisher.queue_unbind("orders", TRACE, "#")
    assert [copy.key for copy in firehose.take()] == ["publish.amq.fanout"]


def test_nobody_may_publish_to_it(publisher: BlockingChannel, vhost: str) -> None:
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange '{TRACE}' in vhost '{vhost}'"):
        publisher.basic_publish(TRACE, "publish.x", b"forged")


def test_other_virtual_hosts_are_not_traced(connect: Connect, firehose: Firehose, operator: Any, vhost: str) -> None:
    operator.add_vhost(f"{vhost}-other")
    channel = connect(virtual_host=f"{vhost}-other").channel()
    channel.confirm_delivery()
    channel.basic_publish("amq.fanout", "", b"hello")
    assert firehose.take() == []


def test_patterns_choose_by_exchange_and_by_queue(
    publisher: BlockingChannel, connect: Connect, operator: Any, vhost: str
) -> None:
    firehose = Firehose(connect, "publish.amq.direct")
    firehose.channel.queue_bind("firehose", TRACE, "deliver.orders")
    operator.trace_on(vhost)
    publisher.basic_publish("amq.fanout", "", b"1")
    publisher.basic_publish("amq.direct", "", b"2")
    publisher.basic_publish("", "orders", b"3")
    get_one(publisher, "orders")
    operator.trace_off(vhost)
    assert [copy.key for copy in firehose.take()] == ["publish.amq.direct", "deliver.orders"]
