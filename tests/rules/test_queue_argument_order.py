"""queue.declare of a queue that exists: of several arguments that differ, which one the refusal names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed

ORDER: dict[str, dict[str, Any]] = {
    "classic": {
        "x-expires": 600_000,
        "x-message-ttl": 60_000,
        "x-dead-letter-exchange": "dead",
        "x-dead-letter-routing-key": "letter",
        "x-max-length": 5,
        "x-max-length-bytes": 5000,
        "x-max-priority": 1,
        "x-overflow": "drop-head",
        "x-queue-mode": "default",
        "x-queue-version": 1,
        "x-single-active-consumer": True,
        "x-queue-type": "classic",
        "x-queue-master-locator": "client-local",
    },
    "quorum": {
        "x-dead-letter-exchange": "dead",
        "x-dead-letter-routing-key": "letter",
        "x-dead-letter-strategy": "at-most-once",
        "x-expires": 600_000,
        "x-max-length": 5,
        "x-max-length-bytes": 5000,
        "x-max-in-memory-length": 5,
        "x-max-in-memory-bytes": 5000,
        "x-overflow": "drop-head",
        "x-single-active-consumer": True,
        "x-queue-type": "quorum",
        "x-quorum-initial-group-size": 1,
        "x-delivery-limit": 5,
        "x-message-ttl": 60_000,
        "x-queue-leader-locator": "client-local",
    },
}
CASES = [(kind, position) for kind, arguments in ORDER.items() for position in range(len(arguments))]
OTHER = {"classic": "quorum", "quorum": "classic"}


@pytest.mark.parametrize(("kind", "position"), CASES)
def test_the_first_difference_is_named(channel: BlockingChannel, kind: str, position: int) -> None:
    """The redeclaration repeats the arguments before `position` alone, and is of the other type from there on."""
    arguments = ORDER[kind]
    names = list(arguments)
    channel.queue_declare("orders", durable=True, arguments=arguments)
    repeated = {name: arguments[name] for name in names[:position]}
    repeated.setdefault("x-queue-type", OTHER[kind])
    with channel_closed(406, re.compile(f"PRECONDITION_FAILED - inequivalent arg '{names[position]}' for queue .*")):
        channel.queue_declare("orders", durable=True, arguments=repeated)
