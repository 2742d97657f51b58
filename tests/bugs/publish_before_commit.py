"""An order is announced inside the transaction that stores it: if that is rolled back, the announcement is a lie.

Mended, the announcement is stored with the order, and a relay publishes it: see outbox.py.
"""

from __future__ import annotations

from functools import partial

from tests.bugs import outbox
from tests.bugs.bug import Bug
from tests.bugs.parts import Database


def handle(database: Database, order: str) -> None:
    with database:
        database.execute("INSERT INTO orders VALUES (?)", (order,))
        outbox.announce(order)


BUG = Bug(
    "published before the commit",
    buggy=partial(outbox.without_outbox, handle),
    mended=outbox.with_outbox,
    invariant=outbox.what_is_ordered_is_announced,
)
