"""What is left of messages after a node was stopped, or crashed when it had come to rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pika
import pytest

from tests.rules._helpers import get_all
from tests.rules._outage import Outage, Rows, Site, publish, redelivered
from tests.rules._queues import ready, wait_until_ready

QUORUM = {"x-queue-type": "quorum"}
rows = Rows()


def quorum_messages(site: Site, queue: str, count: int) -> list[tuple[bytes, bool, int | None]]:
    """The bodies of the `count` ready messages, whether redelivered, and their x-delivery-count.

    A real quorum queue needs a while to have a leader again and to learn that its consumers are gone.
    """
    channel = site.channel()
    wait_until_ready(channel, queue, count)
    found: list[tuple[bytes, bool, int | None]] = []
    for _ in range(count):
        method, properties, body = channel.basic_get(queue)
        found.append((body, method.redelivered, (properties.headers or {}).get("x-delivery-count")))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rows.parametrize(metafunc)


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """The one outage that all rules of this module share."""
    with rows.outage(request) as outage:
        yield outage


def test_after_an_outage(outage: Outage, rule: str) -> None:
    outage.finish(rule)


@rows.row
def persistent_messages_in_a_durable_queue_are_kept(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("persistent", durable=True)
    publish(channel, "persistent", b"1", b"2", b"3")
    yield
    assert ready(site.channel(), "persistent") == 3
    assert get_all(site.channel(), "persistent") == [b"1", b"2", b"3"]


@rows.row
def transient_messages_in_a_durable_queue_are_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("mixed", durable=True)
    publish(channel, "mixed", b"transient", delivery_mode=1)
    publish(channel, "mixed", b"persistent")
    publish(channel, "mixed", b"unsaid", delivery_mode=None)
    yield
    assert get_all(site.channel(), "mixed") == [b"persistent"]


@rows.row
def messages_published_without_confirms_are_kept_once_the_node_has_come_to_rest(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("unconfirmed", durable=True)
    bodies = [str(number).encode() for number in range(200)]
    for body in bodies:
        channel.basic_publish("", "unconfirmed", body, pika.BasicProperties(delivery_mode=2))
    wait_until_ready(channel, "unconfirmed", 200)
    yield
    assert get_all(site.channel(), "unconfirmed") == bodies


@rows.row
def a_message_in_two_queues_is_kept_where_the_queue_is(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("copies", "fanout", durable=True)
    for queue, durable in (("copy-durable", True), ("copy-transient", False)):
        channel.queue_declare(queue, durable=durable)
        channel.queue_bind(queue, "copies")
    channel.confirm_delivery()
    channel.basic_publish("copies", "", b"hello", pika.BasicProperties(delivery_mode=2))
    yield
    assert get_all(site.channel(), "copy-durable") == [b"hello"]
    assert not site.exists("queue", "copy-transient")


@rows.row
def a_kept_message_is_unchanged(site: Site) -> Iterator[None]:
    settings: dict[str, Any] = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "headers": {"text": "ü", "number": 5, "table": {"list": [1, "two", None, True]}},
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "m",
        "timestamp": 1700000000,
        "type": "t",
        "user_id": "guest",
        "app_id": "a",
        "cluster_id": "i",
    }
    bodies = [b"", b"\0\xff", b"x" * 300_000]
    channel = site.channel()
    channel.queue_declare("unchanged", durable=True)
    channel.queue_bind("unchanged", "amq.direct", "unchanged-key")
    channel.confirm_delivery()
    for body in bodies:
        channel.basic_publish("amq.direct", "unchanged-key", body, pika.BasicProperties(**settings))
    yield
    channel = site.channel()
    for body in bodies:
        method, properties, found = channel.basic_get("unchanged")
        assert found == body
        assert (method.exchange, method.routing_key) == ("amq.direct", "unchanged-key")
        assert properties == pika.BasicProperties(**settings)


@rows.row
def unacked_messages_are_back_in_their_places(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("unacked", durable=True)
    publish(channel, "unacked", b"1", b"2", b"3", b"4")
    tags = [channel.basic_get("unacked")[0].delivery_tag for _ in range(3)]
    channel.basic_ack(tags[1])
    wait_until_ready(channel, "unacked", 1)
    yield
    assert get_all(site.channel(), "unacked") == [b"1", b"3", b"4"]


@rows.row
def a_requeued_message_keeps_its_place(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("requeued", durable=True)
    publish(channel, "requeued", b"1", b"2", b"3")
    tags = [channel.basic_get("requeued")[0].delivery_tag for _ in range(2)]
    channel.basic_nack(tags[1], requeue=True)
    wait_until_ready(channel, "requeued", 2)
    yield
    assert get_all(site.channel(), "requeued") == [b"1", b"2", b"3"]


@rows.row
def a_crash_marks_every_message_as_redelivered_and_a_stop_only_those_that_were_delivered(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("redelivered", durable=True)
    publish(channel, "redelivered", b"unacked", b"requeued", b"new")
    tags = [channel.basic_get("redelivered")[0].delivery_tag for _ in range(2)]
    channel.basic_nack(tags[1], requeue=True)
    wait_until_ready(channel, "redelivered", 2)
    yield
    expected = [(b"unacked", True), (b"requeued", True), (b"new", not site.graceful)]
    assert redelivered(site.channel(), "redelivered") == expected


@rows.row
def settled_messages_are_gone(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("settled", durable=True)
    publish(channel, "settled", b"acked", b"rejected", b"nacked", b"auto-acked", b"kept")
    tags = [channel.basic_get("settled")[0].delivery_tag for _ in range(3)]
    channel.basic_get("settled", auto_ack=True)
    channel.basic_ack(tags[0])
    channel.basic_reject(tags[1], requeue=False)
    channel.basic_nack(tags[2], requeue=False)
    wait_until_ready(channel, "settled", 1)
    yield
    assert get_all(site.channel(), "settled") == [b"kept"]


@rows.row
def a_transaction_is_kept_from_its_commit(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("transaction", durable=True)
    channel.tx_select()
    for body in (b"committed", b"uncommitted"):
        channel.basic_publish("", "transaction", body, pika.BasicProperties(delivery_mode=2))
        if body == b"committed":
            channel.tx_commit()
    yield
    assert get_all(site.channel(), "transaction") == [b"committed"]


@rows.row
def an_ack_without_its_commit_is_forgotten(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("transaction-ack", durable=True)
    publish(channel, "transaction-ack", b"1")
    channel.tx_select()
    channel.basic_ack(channel.basic_get("transaction-ack")[0].delivery_tag)
    wait_until_ready(channel, "transaction-ack", 0)
    yield
    assert redelivered(site.channel(), "transaction-ack") == [(b"1", True)]


@rows.row
def a_quorum_queue_is_kept_with_transient_messages_too(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("quorum", durable=True, arguments=QUORUM)
    publish(channel, "quorum", b"transient", delivery_mode=1)
    publish(channel, "quorum", b"unsaid", delivery_mode=None)
    publish(channel, "quorum", b"persistent")
    yield
    expected = [(b"transient", False), (b"unsaid", False), (b"persistent", False)]
    assert [each[:2] for each in quorum_messages(site, "quorum", 3)] == expected


@rows.row
def a_message_of_a_quorum_queue_that_was_never_delivered_has_no_return_counted(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("quorum-new", durable=True, arguments=QUORUM)
    publish(channel, "quorum-new", b"1")
    yield
    assert quorum_messages(site, "quorum-new", 1) == [(b"1", False, {"3.10": 0, "4.0": None}[site.version])]


@rows.row
def unacked_messages_of_a_quorum_queue_are_back_with_a_return_counted(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("quorum-unacked", durable=True, arguments=QUORUM)
    publish(channel, "quorum-unacked", b"got", b"acked", b"new")
    for body in (b"got", b"acked"):
        method, _, found = channel.basic_get("quorum-unacked")
        assert found == body
    channel.basic_ack(method.delivery_tag)
    wait_until_ready(channel, "quorum-unacked", 1)
    yield
    expected = [(b"got", True, 1), (b"new", False, {"3.10": 0, "4.0": None}[site.version])]
    assert quorum_messages(site, "quorum-unacked", 2) == expected


@rows.row
def a_return_of_a_quorum_queue_goes_on_counting(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("quorum-returned", durable=True, arguments=QUORUM)
    publish(channel, "quorum-returned", b"1")
    for _ in range(2):
        channel.basic_nack(channel.basic_get("quorum-returned")[0].delivery_tag, requeue=True)
        wait_until_ready(channel, "quorum-returned", 1)
    yield
    assert quorum_messages(site, "quorum-returned", 1) == [(b"1", True, 2)]


@rows.row
def a_purged_or_deleted_quorum_queue_stays_so(site: Site) -> Iterator[None]:
    channel = site.channel()
    for queue in ("quorum-purged", "quorum-deleted"):
        channel.queue_declare(queue, durable=True, arguments=QUORUM)
        publish(channel, queue, b"old")
    channel.queue_purge("quorum-purged")
    channel.queue_delete("quorum-deleted")
    yield
    assert not site.exists("queue", "quorum-deleted")
    publish(site.channel(), "quorum-purged", b"new")
    assert [each[0] for each in quorum_messages(site, "quorum-purged", 1)] == [b"new"]


@rows.row
def a_kept_queue_takes_new_messages_behind_the_old(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.queue_declare("continued", durable=True)
    publish(channel, "continued", b"old")
    yield
    channel = site.channel()
    publish(channel, "continued", b"new", delivery_mode=1)
    assert get_all(channel, "continued") == [b"old", b"new"]
