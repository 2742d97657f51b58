"""Consumer arguments: what each may be, and which type of queue takes it. One table.

Source: rabbit_amqqueue.erl (consume_args, check_consume_arguments), and capabilities/0 of each queue type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fakeamqp.node.queues.queue_arguments import (
    CLASSIC,
    CLASSIC_AND_QUORUM,
    STREAM,
    Check,
    check_anything,
    check_boolean,
    check_integer,
)
from fakeamqp.node.queues.readers import MATCH_UNFILTERED, STREAM_FILTER, STREAM_OFFSET, wrong_filter, wrong_offset
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import UnsupportedFeature, precondition_failed
from fakeamqp.spec.tables import Table

CONSUMER_PRIORITY = "x-priority"
CANCEL_ON_FAILOVER = "x-cancel-on-ha-failover"
UNSUPPORTED_CONSUMER_ARGUMENTS = frozenset({"x-credit"})


class ConsumerArgumentRule(NamedTuple):
    """A row of the table: an argument, what it may be, and the types of queue that take it."""

    name: str
    check: Check
    queue_types: tuple[str, ...]


PRIORITY = ConsumerArgumentRule(CONSUMER_PRIORITY, check_integer, CLASSIC_AND_QUORUM)
OFFSET = ConsumerArgumentRule(STREAM_OFFSET, wrong_offset, STREAM)
FAILOVER = ConsumerArgumentRule(CANCEL_ON_FAILOVER, check_boolean, CLASSIC)
"""Without mirrors there is no failover to cancel on."""
FILTER = ConsumerArgumentRule(STREAM_FILTER, wrong_filter, STREAM)
UNFILTERED = ConsumerArgumentRule(MATCH_UNFILTERED, check_anything, STREAM)


def _rules(profile: Profile) -> Iterable[ConsumerArgumentRule]:
    """In the order in which values are checked. Other arguments RabbitMQ ignores."""
    if profile.streams_have_filters:
        return (PRIORITY, OFFSET, FILTER, UNFILTERED)
    return (PRIORITY, FAILOVER, OFFSET)


def check_consumer_arguments(arguments: Table, queue_type: str, profile: Profile, queue: str) -> None:
    """Raise 406 as RabbitMQ does for a bad value or what only other types of queue take; `queue` is as texts name it.

    Raises UnsupportedFeature for what cannot be honoured.
    """
    for name in arguments:
        if name in UNSUPPORTED_CONSUMER_ARGUMENTS:
            raise UnsupportedFeature(
                f"consumer of {queue}: fakeamqp does not support the argument {name!r} yet; leave it out"
            )
    foreign = set()
    for rule in _rules(profile):
        if queue_type not in rule.queue_types:
            foreign.add(rule.name)
        elif rule.name in arguments:
            wrong = rule.check(arguments[rule.name], profile)
            if wrong is not None:
                raise precondition_failed(f"invalid arg '{rule.name}' for {queue}: {wrong}")
    for name in arguments:
        if name in foreign:
            raise precondition_failed(f"invalid arg '{name}' for {queue} of queue type rabbit_{queue_type}_queue")


def consumer_priority(arguments: Table) -> int:
    """Whoever has a higher one is served first; of arguments that have been checked."""
    return int(arguments.get(CONSUMER_PRIORITY, 0))
