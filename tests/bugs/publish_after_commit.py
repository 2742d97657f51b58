"""An order is stored, and announced after the commit: if the program dies in between, nobody hears of the order.

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
    "published after the commit",
    buggy=partial(outbox.without_outbox, handle),
    mended=outbox.with_outbox,
    invariant=outbox.what_is_ordered_is_announced,
)
