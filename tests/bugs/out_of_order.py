"""Two workers share a queue whose messages build on one another: the second may be done before the first.

Mended, the queue has a single active consumer: one worker gets all, and the other succeeds it when it dies.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fakeamqp import Broker
from tests.bugs import parts
from tests.bugs.bug import Bug

HISTORY = [b"opened", b"paid"]

SHARED: dict[str, Any] = {}
SINGLE_ACTIVE = {"x-single-active-consumer": True}


def worker(account: list[bytes]) -> None:
    def on_event(channel: Any, method: Any, properties: Any, event: bytes) -> None:
        if event not in account:  # it may come twice
            account.append(event)
        channel.basic_ack(method.delivery_tag)

    parts.consume("account", on_event)


def scenario(arguments: dict[str, Any], broker: Broker) -> list[bytes]:
    account: list[bytes] = []
    parts.stage("account", *HISTORY, arguments=arguments)
    for name in ("worker 1", "worker 2"):
        broker.spawn(worker, account, name=name, restart=True)
    return account


def history_is_in_order(broker: Broker, account: list[bytes]) -> None:
    assert account == HISTORY, f"the account's history is {account}"


BUG = Bug(
    "two workers, out of order",
    buggy=partial(scenario, SHARED),
    mended=partial(scenario, SINGLE_ACTIVE),
    invariant=history_is_in_order,
)
