"""Arguments of queues, exchanges, bindings and consumers: the one place where `x-...` strings are read."""

from __future__ import annotations

from fakeamqp.node.erlang import shown, term
from fakeamqp.spec.errors import UnsupportedFeature, precondition_failed
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table, field_type

ALTERNATE_EXCHANGE = "alternate-exchange"
QUEUE_TYPE = "x-queue-type"
DELIVERY_COUNT = "x-delivery-count"
QUEUE_TYPES = ("classic", "quorum")

UNSUPPORTED_QUEUE_ARGUMENTS = frozenset(
    {
        "x-consumer-timeout",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-dead-letter-strategy",
        "x-delivery-limit",
        "x-expires",
        "x-initial-cluster-size",
        "x-max-age",
        "x-max-in-memory-bytes",
        "x-max-in-memory-length",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-message-ttl",
        "x-overflow",
        "x-queue-leader-locator",
        "x-queue-master-locator",
        "x-queue-mode",
        "x-queue-version",
        "x-quorum-initial-group-size",
        "x-quorum-target-group-size",
        "x-single-active-consumer",
        "x-stream-max-segment-size-bytes",
        "x-stream-filter-size-bytes",
    }
)
"""Queue arguments that RabbitMQ acts on and this node does not; any other unknown one RabbitMQ ignores as well."""

UNSUPPORTED_CONSUMER_ARGUMENTS = frozenset(
    {
        "x-cancel-on-ha-failover",
        "x-credit",
        "x-priority",
        "x-stream-filter",
        "x-stream-match-unfiltered",
        "x-stream-offset",
    }
)
UNSUPPORTED_EXCHANGE_TYPES = frozenset(
    {"x-consistent-hash", "x-delayed-message", "x-local-random", "x-modulus-hash", "x-random", "x-recent-history"}
)


class QueueArguments(Record, frozen=True):
    """What a queue's arguments say."""

    queue_type: str = "classic"


def parse_queue_arguments(arguments: Table, queue: str) -> QueueArguments:
    """Read a queue's arguments; `queue` is how error texts name it.

    Raises 406 as RabbitMQ does for a bad value, UnsupportedFeature for an argument that this node cannot honour.
    """
    queue_type = arguments.get(QUEUE_TYPE, "classic")
    if not isinstance(queue_type, str):
        reason = f"{{unacceptable_type,{field_type(queue_type)}}}"
        raise precondition_failed(f"invalid arg '{QUEUE_TYPE}' for {queue}: {reason}")
    if queue_type == "stream":
        raise UnsupportedFeature(f"{queue}: fakeamqp has no stream queues yet; declare it classic or quorum")
    if queue_type not in QUEUE_TYPES:
        raise precondition_failed(f"invalid arg '{QUEUE_TYPE}' for {queue}: \"unsupported queue type '{queue_type}'\"")
    refuse_unsupported(arguments, UNSUPPORTED_QUEUE_ARGUMENTS, queue)
    return QueueArguments(queue_type=queue_type)


def parse_alternate_exchange(arguments: Table, exchange: str) -> str | None:
    """The name of an exchange's alternate exchange, if it has one; raises 406 where it is no string."""
    name = arguments.get(ALTERNATE_EXCHANGE)
    if ALTERNATE_EXCHANGE in arguments and not isinstance(name, str):
        raise precondition_failed(f"invalid type '{field_type(name)}' for arg '{ALTERNATE_EXCHANGE}' in {exchange}")
    return name


def refuse_unsupported(arguments: Table, unsupported: frozenset[str], where: str) -> None:
    """Raise UnsupportedFeature if an argument is one that RabbitMQ would act on and this node cannot."""
    for key in arguments:
        if key in unsupported:
            raise UnsupportedFeature(f"{where}: fakeamqp does not support the argument {key!r} yet; leave it out")


def assert_equivalent(existing: str, received: str, key: str, where: str) -> None:
    """Raise 406 unless a redeclaration says what the first declaration said; both as texts show them."""
    if existing != received:
        raise precondition_failed(
            f"inequivalent arg '{key}' for {where}: received {received} but current is {existing}"
        )


def described(value: object) -> str:
    """A setting as a text about inequivalent arguments shows it."""
    return "none" if value is None else f"'{shown(term(value))}'"


def assert_equivalent_arguments(existing: Table, received: Table, key: str, where: str) -> None:
    """`assert_equivalent` for one argument: told by value where both have it, else with its type.

    Source: rabbit_misc.erl, assert_args_equivalence.
    """
    if key in existing and key in received:
        if term(existing[key]) != term(received[key]):
            assert_equivalent(described(existing[key]), described(received[key]), key, where)
    else:
        assert_equivalent(_described_with_type(existing, key), _described_with_type(received, key), key, where)


def _described_with_type(arguments: Table, key: str) -> str:
    if key not in arguments:
        return "none"
    return f"the value '{shown(term(arguments[key]))}' of type '{field_type(arguments[key])}'"
