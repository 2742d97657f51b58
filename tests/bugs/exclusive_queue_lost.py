"""A subscriber's queue is exclusive, so that it ends with the connection, and all events in it are lost.

Mended, the queue is durable and has a name: it waits for the subscriber to come back.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from pika.exceptions import UnroutableError

from fakeamqp import Broker, Faults
from tests.bugs.bug import Bug
from tests.bugs.parts import PERSISTENT, connect

EVENTS = [b"ordered", b"paid"]


def declare_exclusive(channel: Any) -> str:
    return str(channel.queue_declare("", exclusive=True).method.queue)


def declare_named(channel: Any) -> str:
    return str(channel.queue_declare("invoicing", durable=True).method.queue)


def subscriber(seen: list[bytes], declare: Any) -> None:
    with connect() as connection:
        channel = connection.channel()
        queue = declare(channel)
        channel.queue_bind(queue, "events")
        for method, _properties, event in channel.consume(queue):
            time.sleep(1)  # an invoice takes its time
            seen.append(event)
            channel.basic_ack(method.delivery_tag)


def publisher(events: list[bytes]) -> None:
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for event in events:
            while not has_reached_somebody(channel, event):
                time.sleep(1)


def has_reached_somebody(channel: Any, event: bytes) -> bool:
    try:
        channel.basic_publish("events", "", event, PERSISTENT, mandatory=True)
    except UnroutableError:  # no subscriber yet
        return False
    return True


def scenario(declare: Any, broker: Broker) -> list[bytes]:
    seen: list[bytes] = []
    with connect() as connection:
        connection.channel().exchange_declare("events", "fanout", durable=True)
    broker.spawn(publisher, EVENTS, restart=True)
    broker.spawn(subscriber, seen, declare, restart=True)
    return seen


def every_event_is_seen(broker: Broker, seen: list[bytes]) -> None:
    assert set(seen) == set(EVENTS), f"the subscriber has seen only {seen}"


BUG = Bug(
    "exclusive queue lost by a reconnect",
    buggy=partial(scenario, declare_exclusive),
    mended=partial(scenario, declare_named),
    invariant=every_event_is_seen,
    faults=Faults(kill=1, disconnect=1),
)
