"""Policies of a virtual host with many queues: what one change costs that every queue takes up."""

from __future__ import annotations

from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, bare_append, interleaved, seconds_each, within
from fakeamqp.spec.methods import QueueDeclare
from fakeamqp.testing.direct import connect

QUEUES = 10_000
POLICIES = 10
ROUNDS = 5
CHANGE_S = 1.0


class PolicyRounds:
    """Rounds of changes to the policy that matches every queue, among others that match none."""

    def __init__(self) -> None:
        self._broker = fakeamqp.Broker()
        self._length = 0
        channel = connect(self._broker).channel()
        for number in range(QUEUES):
            channel.call(QueueDeclare(f"queue{number}", arguments={"x-max-length": 1_000_000}))
        for number in range(POLICIES):
            self._broker.set_policy(f"other{number}", f"^other{number}", {"max-length": 1}, priority=number + 1)
        self._broker.set_operator_policy("all", ".*", {"message-ttl": 60_000})

    def change(self) -> float:
        """Seconds for one change."""
        self._length += 1
        definition = {"max-length": self._length, "expires": 3_600_000, "dead-letter-exchange": "dead"}
        return seconds_each(1, lambda: self._broker.set_policy("all", "^queue", definition))


def figures() -> Iterator[Figure]:
    """What a change of the policy of all queues costs."""
    rounds = PolicyRounds()
    change_s, append_s = interleaved(ROUNDS, rounds.change, bare_append)
    yield within(CHANGE_S, f"policies: a change that {QUEUES:,} queues take up", change_s, append_s)
