"""A payment comes before the order it is for, and is requeued: to the head of the queue, from where it comes again.

Mended, it goes to a queue where messages stay for a second, after which they are dead-lettered back to the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, connect

WAIT_AND_GO_BACK = {
    "x-queue-type": "quorum",  # a classic queue dead-letters at most once
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-message-ttl": 1000,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "events",
}


@dataclass
class Books:
    ordered: set[bytes] = field(default_factory=set)
    paid: set[bytes] = field(default_factory=set)


def requeue(channel: Any, method: Any, event: bytes) -> None:
    channel.basic_nack(method.delivery_tag, requeue=True)


def retry_later(channel: Any, method: Any, event: bytes) -> None:
    channel.basic_publish("", "events.wait", event, PERSISTENT, mandatory=True)
    channel.basic_ack(method.delivery_tag)


def worker(books: Books, postpone: Any) -> None:
    def on_event(channel: Any, method: Any, properties: Any, event: bytes) -> None:
        kind, order = event.split()
        if kind == b"ordered":
            books.ordered.add(order)
        elif order in books.ordered:
            books.paid.add(order)
        else:
            postpone(channel, method, event)
            return
        channel.basic_ack(method.delivery_tag)

    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume("events", on_event)
        channel.start_consuming()


def scenario(postpone: Any, broker: Broker) -> Books:
    books = Books()
    parts.stage("events", b"paid 17", b"ordered 17")
    parts.stage("events.wait", arguments=WAIT_AND_GO_BACK)
    broker.spawn(worker, books, postpone, restart=True)
    return books


def every_payment_is_booked(broker: Broker, books: Books) -> None:
    assert books.paid == {b"17"}, "order 17 is paid, and the books do not know it"


BUG = Bug(
    "requeue storm",
    buggy=partial(scenario, requeue),
    mended=partial(scenario, retry_later),
    invariant=every_payment_is_booked,
    failure="Livelock",
    settings={"max_steps": 300},
)
