"""A worker charges an account and dies before it has acknowledged: the order comes again, and is charged twice.

Mended, it notes the message_id in the same transaction as the charge, and passes over what it has charged already.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pika

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug
from tests.bugs.parts import Database

PRICE = 10


def charge(database: Database, message_id: str) -> None:
    with database:
        database.execute("UPDATE account SET balance = balance - ?", (PRICE,))


def charge_once(database: Database, message_id: str) -> None:
    with database:
        noted = database.execute("INSERT OR IGNORE INTO charged VALUES (?)", (message_id,))
        if noted.rowcount:
            database.execute("UPDATE account SET balance = balance - ?", (PRICE,))


def worker(database: Database, charge: Any) -> None:
    def on_order(channel: Any, method: Any, properties: Any, order: bytes) -> None:
        charge(database, properties.message_id)
        channel.basic_ack(method.delivery_tag)

    parts.consume("orders", on_order)


def scenario(charge: Any, broker: Broker) -> Database:
    database = Database("account (balance INTEGER)", "charged (message_id TEXT PRIMARY KEY)")
    with database:
        database.execute("INSERT INTO account VALUES (100)")
    parts.stage("orders", b"order 1", properties=pika.BasicProperties(delivery_mode=2, message_id="1"))
    broker.spawn(worker, database, charge, restart=True)
    return database


def charged_exactly_once(broker: Broker, database: Database) -> None:
    (balance,) = database.execute("SELECT balance FROM account").fetchone()
    assert balance == 100 - PRICE, f"one order for {PRICE} has left {balance} of 100"


BUG = Bug(
    "consumer not idempotent",
    buggy=partial(scenario, charge),
    mended=partial(scenario, charge_once),
    invariant=charged_exactly_once,
)
