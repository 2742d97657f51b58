"""Orders in a database and their announcements in a queue: each should be in both, whatever dies when.

The two ways to do it wrong are in publish_before_commit.py and publish_after_commit.py. This is the way to do it right:
the announcement is written with the order, in one transaction, and a relay publishes it until that is confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pika.exceptions import AMQPError

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.parts import PERSISTENT, Database, connect

Handler = Callable[[Database, str], None]
"""Takes an order into the database and announces it."""

RELAY_EVERY_SECONDS = 10


def open_shop() -> Database:
    """The database server, which does not die; and the queue for the announcements."""
    database = Database("orders (name TEXT PRIMARY KEY)", "outbox (name TEXT PRIMARY KEY)")
    parts.stage("announcements")
    return database


def announce(order: str) -> None:
    """Publish, confirmed."""
    with connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "announcements", order.encode(), PERSISTENT, mandatory=True)


def web_server(handler: Handler, database: Database, order: str) -> None:
    """One request. If it fails, the customer sees an error page, and may order again or not."""
    try:
        handler(database, order)
    except AMQPError as error:
        print(f"500 Internal Server Error: {error}")


def write_to_outbox(database: Database, order: str) -> None:
    """The mended handler: two rows, one transaction."""
    with database:
        database.execute("INSERT INTO orders VALUES (?)", (order,))
        database.execute("INSERT INTO outbox VALUES (?)", (order,))


def relay(database: Database, rounds: int) -> None:
    """Publish what is in the outbox, and take it out when that is confirmed."""
    for _ in range(rounds):
        for (order,) in database.execute("SELECT name FROM outbox").fetchall():
            announce(order)
            with database:
                database.execute("DELETE FROM outbox WHERE name = ?", (order,))
        time.sleep(RELAY_EVERY_SECONDS)


def without_outbox(handler: Handler, broker: Broker) -> Database:
    """The scenario of a handler that publishes itself."""
    database = open_shop()
    broker.spawn(web_server, handler, database, "order 1", name="request")
    return database


def with_outbox(broker: Broker) -> Database:
    """The scenario of the mended handler."""
    database = open_shop()
    broker.spawn(web_server, write_to_outbox, database, "order 1", name="request")
    broker.spawn(relay, database, rounds=2, restart=True)
    return database


def what_is_ordered_is_announced(broker: Broker, database: Database) -> None:
    """And what is announced is ordered."""
    ordered = {name for (name,) in database.execute("SELECT name FROM orders")}
    announced = {message.body.decode() for message in broker.vhost("/").queue("announcements").messages}
    assert ordered == announced, f"ordered: {sorted(ordered)}, announced: {sorted(announced)}"
