"""Which policy counts for a queue or an exchange.

Of the policies that match, the one of the highest priority alone; and of the operator policies likewise.
Source: rabbit_policy.erl (matches, match_all).
"""

from __future__ import annotations

import re

from fakeamqp.node.words.facts import PolicyFact, QueueFact
from fakeamqp.node.words.profile import MIRRORING_KEYS, Profile

EXCHANGE = "exchange"

APPLIES_TO = {
    "all": ("classic", "quorum", "stream", EXCHANGE),
    "queues": ("classic", "quorum", "stream"),
    "classic_queues": ("classic",),
    "quorum_queues": ("quorum",),
    "streams": ("stream",),
    "exchanges": (EXCHANGE,),
}
"""What each apply-to means: types of queue, and exchanges."""

STREAM_KEYS = ("max-age", "stream-max-segment-size-bytes", "initial-cluster-size")
CLASSIC_LACKS = (*STREAM_KEYS, "delivery-limit", "dead-letter-strategy")
QUORUM_LACKS = (*STREAM_KEYS, "queue-mode", "queue-master-locator", *MIRRORING_KEYS)
STREAM_LACKS = (
    "expires",
    "message-ttl",
    "dead-letter-exchange",
    "dead-letter-routing-key",
    "dead-letter-strategy",
    "max-length",
    "max-in-memory-length",
    "max-in-memory-bytes",
    "overflow",
    "queue-mode",
    "delivery-limit",
    "queue-master-locator",
    "target-group-size",
    *MIRRORING_KEYS,
)
"""Keys that keep a policy, whatever else it says, from applying to a type of queue (capabilities/0 of each type)."""


class Policies:
    """The policies of one virtual host."""

    def __init__(self, profile: Profile) -> None:
        self._lacks: dict[str, frozenset[str]] = {
            "classic": frozenset((*CLASSIC_LACKS, *profile.policy_keys_not_classic)),
            "quorum": frozenset(QUORUM_LACKS),
            "stream": frozenset(STREAM_LACKS),
            EXCHANGE: frozenset(),
        }
        self.newly_matched: list[QueueFact] = []
        """The queues whose policies the last change has changed."""
        self._facts: dict[tuple[bool, str], PolicyFact] = {}
        self._candidates: dict[tuple[bool, str], list[tuple[re.Pattern[str], PolicyFact]]] = {}

    def put(self, fact: PolicyFact) -> None:
        """A policy came, or replaces the one of its name."""
        self._facts[fact.is_operator, fact.name] = fact
        self._candidates.clear()

    def remove(self, fact: PolicyFact) -> None:
        """A policy went."""
        del self._facts[fact.is_operator, fact.name]
        self._candidates.clear()

    def find(self, name: str, *, is_operator: bool) -> PolicyFact | None:
        """The policy of a name."""
        return self._facts.get((is_operator, name))

    def all(self, *, is_operator: bool) -> list[PolicyFact]:
        """The policies of one kind."""
        return [fact for fact in self._facts.values() if fact.is_operator is is_operator]

    def matching(self, kind: str, name: str, *, is_operator: bool) -> PolicyFact | None:
        """The policy that counts for a resource; `kind` is the type of a queue, or "exchange"."""
        candidates = self._candidates.get((is_operator, kind))
        if candidates is None:
            candidates = self._candidates[is_operator, kind] = self._rank(kind, is_operator)
        for pattern, fact in candidates:
            if pattern.search(name):
                return fact
        return None

    def _rank(self, kind: str, is_operator: bool) -> list[tuple[re.Pattern[str], PolicyFact]]:
        # Of equal priorities RabbitMQ takes any; here the first by name.
        facts = [
            fact
            for fact in self.all(is_operator=is_operator)
            if kind in APPLIES_TO[fact.apply_to] and self._lacks[kind].isdisjoint(fact.definition)
        ]
        facts.sort(key=lambda each: (-each.priority, each.name))
        return [(re.compile(fact.pattern), fact) for fact in facts]
