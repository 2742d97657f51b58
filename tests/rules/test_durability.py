"""What is left after a node was stopped, or crashed when it had come to rest: queues, exchanges, bindings, users."""

from __future__ import annotations

from collections.abc import Iterator

import pika
import pytest

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import Consumer
from tests.rules._helpers import get_all, wait_for
from tests.rules._outage import Outage, Rows, Site, publish, redelivered
from tests.rules._queues import consumers

rows = Rows()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rows.parametrize(metafunc)


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """The one outage that all rules of this module share."""
    with rows.outage(request) as outage:
        yield outage


def test_after_an_outage(outage: Outage, rule: str) -> None:
    outage.finish(rule)


def test_connecting_to_a_node_that_is_down_fails(outage: Outage) -> None:
    assert isinstance(outage.refusal, pika.exceptions.AMQPConnectionError)


@rows.row
def an_idle_connection_learns_how_the_node_went_down(site: Site) -> Iterator[None]:
    connection = site.connect()
    channel = connection.channel()
    yield
    if site.graceful:
        with connection_closed(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"):
            connection.process_data_events()
    else:
        text = r"^Stream connection lost: ConnectionResetError\(104, 'Connection reset by peer'\)$"
        with pytest.raises(pika.exceptions.StreamLostError, match=text):
            connection.process_data_events()
    assert connection.is_closed
    assert channel.is_closed


@rows.row
def a_consuming_program_learns_how_the_node_went_down(site: Site) -> Iterator[None]:
    channel = site.channel()
    queue = channel.queue_declare("", durable=True).method.queue
    channel.basic_consume(queue, print)
    yield
    expected = pika.exceptions.ConnectionClosedByBroker if site.graceful else pika.exceptions.StreamLostError
    with pytest.raises(expected):
        channel.start_consuming()


@rows.row
def a_connection_that_was_lost_cannot_be_used_again(site: Site) -> Iterator[None]:
    connection = site.connect()
    yield
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connection.process_data_events()
    with pytest.raises(pika.exceptions.ConnectionWrongStateError):
        connection.channel()


@rows.row
def a_durable_exchange_is_kept_with_its_type(site: Site) -> Iterator[None]:
    types = ["direct", "fanout", "topic", "headers"]
    for each in types:
        site.channel().exchange_declare(f"durable-{each}", each, durable=True)
    yield
    for each in types:
        assert site.channel().exchange_declare(f"durable-{each}", each, durable=True)


@rows.row
def a_durable_auto_delete_exchange_is_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("auto-delete-exchange", durable=True, auto_delete=True)
    channel.exchange_declare("auto-delete-exchange-in-use", durable=True, auto_delete=True)
    channel.queue_declare("of-auto-delete-exchange", durable=True)
    channel.queue_bind("of-auto-delete-exchange", "auto-delete-exchange-in-use", "key")
    yield
    assert site.exists("exchange", "auto-delete-exchange")
    site.channel().queue_delete("of-auto-delete-exchange")
    assert not site.exists("exchange", "auto-delete-exchange-in-use")


@rows.row
def a_durable_auto_delete_exchange_outlives_the_transient_queue_bound_to_it(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("auto-delete-of-transient", durable=True, auto_delete=True)
    channel.queue_declare("transient-of-auto-delete")
    channel.queue_bind("transient-of-auto-delete", "auto-delete-of-transient", "key")
    yield
    assert site.exists("exchange", "auto-delete-of-transient")
    assert not site.exists("queue", "transient-of-auto-delete")


@rows.row
def a_durable_auto_delete_exchange_outlives_an_exclusive_queue_bound_to_it_in_a_crash_only(
    site: Site,
) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("auto-delete-of-exclusive", durable=True, auto_delete=True)
    channel.queue_declare("exclusive-of-auto-delete", exclusive=True)
    channel.queue_bind("exclusive-of-auto-delete", "auto-delete-of-exclusive", "key")
    yield
    assert site.exists("exchange", "auto-delete-of-exclusive") is not site.graceful


@rows.row
def a_durable_internal_exchange_stays_internal(site: Site) -> Iterator[None]:
    site.channel().exchange_declare("internal", durable=True, internal=True)
    yield
    channel = site.channel()
    text = f"ACCESS_REFUSED - cannot publish to internal exchange 'internal' in vhost '{site.vhost}'"
    with channel_closed(403, text):
        channel.basic_publish("internal", "key", b"")
        channel.exchange_declare("internal", passive=True)


@rows.row
def a_durable_exchange_keeps_its_alternate(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("alternate", "fanout", durable=True)
    channel.exchange_declare("with-alternate", durable=True, arguments={"alternate-exchange": "alternate"})
    channel.queue_declare("of-alternate", durable=True)
    channel.queue_bind("of-alternate", "alternate")
    yield
    channel = site.channel()
    channel.basic_publish("with-alternate", "unbound", b"hello")
    assert get_all(channel, "of-alternate") == [b"hello"]


@rows.row
def a_transient_exchange_is_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("transient")
    channel.queue_declare("of-transient-exchange", durable=True)
    channel.queue_bind("of-transient-exchange", "transient", "key")
    yield
    assert not site.exists("exchange", "transient")
    assert site.exists("queue", "of-transient-exchange")


@rows.row
def a_binding_of_a_transient_exchange_is_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("transient-again")
    channel.queue_declare("of-transient-again", durable=True)
    channel.queue_bind("of-transient-again", "transient-again", "key")
    yield
    channel = site.channel()
    channel.exchange_declare("transient-again")
    channel.basic_publish("transient-again", "key", b"unrouted")
    assert get_all(channel, "of-transient-again") == []


@rows.row
def a_binding_of_a_transient_queue_is_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("of-transient-queue", "fanout", durable=True)
    channel.queue_declare("bound-transient-queue")
    channel.queue_bind("bound-transient-queue", "of-transient-queue")
    yield
    channel = site.channel()
    channel.queue_declare("bound-transient-queue")
    channel.basic_publish("of-transient-queue", "", b"unrouted")
    assert get_all(channel, "bound-transient-queue") == []


@rows.row
def a_binding_between_durables_is_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("outer", "topic", durable=True)
    channel.exchange_declare("inner", "headers", durable=True)
    channel.exchange_bind("inner", "outer", "a.*")
    channel.queue_declare("bound", durable=True)
    channel.queue_bind("bound", "inner", "", arguments={"x-match": "all", "colour": "red"})
    yield
    channel = site.channel()
    for key, colour in (("a.b", "red"), ("b.b", "red"), ("a.b", "blue")):
        properties = pika.BasicProperties(headers={"colour": colour})
        channel.basic_publish("outer", key, f"{key} {colour}".encode(), properties)
    assert get_all(channel, "bound") == [b"a.b red"]


@rows.row
def a_binding_to_a_predeclared_exchange_is_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("of-amq-direct", durable=True)
    channel.queue_bind("of-amq-direct", "amq.direct", "durability")
    yield
    channel = site.channel()
    channel.basic_publish("amq.direct", "durability", b"hello")
    assert get_all(channel, "of-amq-direct") == [b"hello"]


@rows.row
def what_was_deleted_stays_deleted(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("deleted", "fanout", durable=True)
    channel.queue_declare("deleted", durable=True)
    channel.exchange_declare("unbound", "fanout", durable=True)
    channel.queue_declare("unbound", durable=True)
    channel.queue_bind("unbound", "unbound")
    channel.queue_declare("purged", durable=True)
    publish(channel, "deleted", b"1")
    publish(channel, "purged", b"1", b"2")
    channel.queue_unbind("unbound", "unbound")
    channel.queue_purge("purged")
    channel.queue_delete("deleted")
    channel.exchange_delete("deleted")
    yield
    assert not site.exists("exchange", "deleted")
    assert not site.exists("queue", "deleted")
    channel = site.channel()
    channel.basic_publish("unbound", "", b"unrouted")
    assert get_all(channel, "unbound") == []
    assert get_all(channel, "purged") == []


@rows.row
def a_durable_queue_is_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("durable", durable=True)
    name = channel.queue_declare("", durable=True).method.queue
    yield
    assert site.channel().queue_declare("durable", durable=True).method.queue == "durable"
    assert site.exists("queue", name)


@rows.row
def a_transient_queue_is_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("transient")
    publish(channel, "transient", b"persistent")
    yield
    assert not site.exists("queue", "transient")
    assert site.channel().queue_declare("transient").method.message_count == 0


@rows.row
def an_exclusive_queue_is_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("exclusive", exclusive=True)
    channel.queue_declare("durable-exclusive", exclusive=True, durable=True)
    publish(channel, "durable-exclusive", b"persistent")
    yield
    assert not site.exists("queue", "exclusive")
    assert not site.exists("queue", "durable-exclusive")


@rows.row
def a_durable_auto_delete_queue_that_never_had_a_consumer_is_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("auto-delete", durable=True, auto_delete=True)
    publish(channel, "auto-delete", b"1")
    yield
    channel = site.channel()
    assert get_all(channel, "auto-delete") == [b"1"]
    channel.basic_consume("auto-delete", print)
    channel.close()
    assert not site.exists("queue", "auto-delete")


@rows.row
def a_durable_auto_delete_queue_with_a_consumer_is_kept_in_a_crash_only(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("auto-delete-in-use", durable=True, auto_delete=True)
    consumer = Consumer(channel, "auto-delete-in-use")
    publish(channel, "auto-delete-in-use", b"1")
    wait_for(channel.connection, lambda: consumer.bodies == [b"1"])
    yield
    if site.graceful:
        assert not site.exists("queue", "auto-delete-in-use")
    else:
        channel = site.channel()
        assert consumers(channel, "auto-delete-in-use") == 0
        assert redelivered(channel, "auto-delete-in-use") == [(b"1", True)]


@rows.row
def a_consumer_does_not_come_back(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("consumed", durable=True)
    channel.basic_consume("consumed", print, exclusive=True)
    yield
    assert consumers(site.channel(), "consumed") == 0


@rows.row
def users_passwords_and_permissions_are_kept(site: Site) -> Iterator[None]:
    names = {kind: f"{kind}-{site.vhost}" for kind in ("plain", "topical", "deleted")}
    for name in names.values():
        site.operator.add_user(name, "secret")
        site.operator.set_permissions(name, "^own-", ".*", ".*", vhost=site.vhost)
    site.operator.set_topic_permissions(names["topical"], "amq.topic", "^a", "^a", vhost=site.vhost)
    site.operator.delete_user(names["deleted"])
    yield
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        site.connect(credentials=pika.PlainCredentials(names["deleted"], "secret"))
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        site.connect(credentials=pika.PlainCredentials(names["plain"], "wrong"))
    connection = site.connect(credentials=pika.PlainCredentials(names["plain"], "secret"))
    assert connection.channel().queue_declare("own-queue").method.queue == "own-queue"
    access = {"3.10": "access", "4.0": "configure access"}[site.version]
    text = f"ACCESS_REFUSED - {access} to queue 'queue' in vhost '{site.vhost}' refused for user '{names['plain']}'"
    with channel_closed(403, text):
        connection.channel().queue_declare("queue")
    channel = site.channel(credentials=pika.PlainCredentials(names["topical"], "secret"))
    access = {"3.10": "access", "4.0": "write access"}[site.version]
    text = (
        f"ACCESS_REFUSED - {access} to topic 'b' in exchange 'amq.topic' in vhost '{site.vhost}' "
        f"refused for user '{names['topical']}'"
    )
    with channel_closed(403, text):
        channel.basic_publish("amq.topic", "b", b"")
        channel.exchange_declare("amq.topic", passive=True)


@rows.row
def virtual_hosts_are_kept_apart(site: Site) -> Iterator[None]:
    for each in ("second", "deleted"):
        site.operator.add_vhost(f"{site.vhost}-{each}")
    site.operator.delete_vhost(f"{site.vhost}-deleted")
    channel = site.channel(virtual_host=f"{site.vhost}-second")
    channel.queue_declare("of-second", durable=True)
    publish(channel, "of-second", b"1")
    yield
    assert get_all(site.channel(virtual_host=f"{site.vhost}-second"), "of-second") == [b"1"]
    assert not site.exists("queue", "of-second")
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match=f"vhost {site.vhost}-deleted not found"):
        site.connect(virtual_host=f"{site.vhost}-deleted")


@rows.row
def the_predeclared_exchanges_are_there(site: Site) -> Iterator[None]:
    yield
    for each in ("amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"):
        assert site.exists("exchange", each)
