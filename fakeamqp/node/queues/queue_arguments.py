"""Queue arguments: what each may be, which type of queue takes it, and what it means. One table.

Source: rabbit_amqqueue.erl (declare_args, check_declare_arguments), and capabilities/0 of each queue type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from fakeamqp.node.words import erlang
from fakeamqp.node.words.arguments import assert_equivalent_arguments
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, precondition_failed
from fakeamqp.spec.records import Record
from fakeamqp.spec.tables import Table, field_type

QUEUE_TYPE = "x-queue-type"
DEAD_LETTER_EXCHANGE = "x-dead-letter-exchange"
DEAD_LETTER_ROUTING_KEY = "x-dead-letter-routing-key"
LEADER_LOCATOR = "x-queue-leader-locator"
MAX_SEGMENT_SIZE = "x-stream-max-segment-size-bytes"
FILTER_SIZE = "x-stream-filter-size-bytes"
CONSUMER_TIMEOUT = "x-consumer-timeout"

QUEUE_TYPES = ("classic", "quorum", "stream")
CLASSIC = ("classic",)
QUORUM = ("quorum",)
STREAM = ("stream",)
CLASSIC_AND_QUORUM = ("classic", "quorum")
QUORUM_AND_STREAM = ("quorum", "stream")

MAX_TTL_MS = 315_360_000_000
"""Ten years, the most that RabbitMQ takes for any time to live (rabbit_misc.erl, check_expiry)."""
MAX_PRIORITY = 255
MAX_SEGMENT_SIZE_BYTES = 3_000_000_000
FILTER_SIZES = range(16, 256)
MASTER_LOCATORS = (b"client-local", b"min-masters", b"random")
SECONDS_PER_UNIT = {"Y": 31_536_000, "M": 2_592_000, "D": 86_400, "h": 3600, "m": 60, "s": 1}
"""The units of x-max-age (rabbit_amqqueue.erl, unit_value_in_ms)."""


class QueueArguments(Record, frozen=True):
    """What is set for a queue, by its arguments and by policies; None where they are silent."""

    queue_type: str = "classic"
    message_ttl_ms: int | None = None
    expires_ms: int | None = None
    max_length: int | None = None
    max_length_bytes: int | None = None
    overflow: str | None = None
    dead_letter_exchange: str | None = None
    dead_letter_routing_key: str | None = None
    dead_letter_strategy: str | None = None
    max_priority: int | None = None
    single_active_consumer: bool = False
    delivery_limit: Any = None
    """A quorum queue's; RabbitMQ takes any value, and what is no number limits nothing."""
    consumer_timeout_ms: Any = None
    """For acknowledgements; RabbitMQ takes any value, and what is no positive number says nothing."""
    max_age_s: int | None = None
    max_segment_size_bytes: int | None = None

    @property
    def rejects(self) -> bool:
        """Whether a full queue refuses what comes, rather than drop what is there."""
        if self.queue_type == "quorum":
            return self.overflow == "reject-publish"
        return self.overflow in ("reject-publish", "reject-publish-dlx")

    @property
    def dead_letters_at_least_once(self) -> bool:
        """Whether a dead letter stays until it has arrived elsewhere.

        The strategy alone does not do: RabbitMQ falls back to at-most-once where anything may be dropped.
        """
        return (
            self.dead_letter_strategy == "at-least-once"
            and self.dead_letter_exchange is not None
            and self.overflow == "reject-publish"
        )


Check = Callable[[Any, Profile], "str | None"]
"""What is wrong with a value, as Erlang prints it; None if nothing is."""


def check_integer(value: Any, _: Profile) -> str | None:
    """Any integer will do."""
    if isinstance(value, int) and not isinstance(value, bool):
        return None
    return f'"expected integer, got {field_type(value)}"'


def _not_negative(value: Any, profile: Profile) -> str | None:
    return check_integer(value, profile) or (f"{{value_negative,{value}}}" if value < 0 else None)


def _positive(value: Any, profile: Profile) -> str | None:
    return _not_negative(value, profile) or ("{value_zero,0}" if value == 0 else None)


def _milliseconds(value: Any, profile: Profile) -> str | None:
    return _not_negative(value, profile) or (f"{{value_too_large,{value}}}" if value > MAX_TTL_MS else None)


def _some_milliseconds(value: Any, profile: Profile) -> str | None:
    return _positive(value, profile) or _milliseconds(value, profile)


def _priority(value: Any, profile: Profile) -> str | None:
    return _not_negative(value, profile) or (f"{{max_value_exceeded,{value}}}" if value > MAX_PRIORITY else None)


def _string(value: Any, _: Profile) -> str | None:
    return None if isinstance(value, str) else f"{{unacceptable_type,{field_type(value)}}}"


def check_boolean(value: Any, _: Profile) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else f"{{unacceptable_type,{field_type(value)}}}"


def _one_of(*allowed: str, otherwise: str) -> Check:
    def check(value: Any, profile: Profile) -> str | None:
        return _string(value, profile) or (None if value in allowed else otherwise.format(value))

    return check


def _queue_version(value: Any, profile: Profile) -> str | None:
    return _not_negative(value, profile) or (None if value in (1, 2) else f"\"unsupported queue version '{value}'\"")


def _leader_locator(value: Any, profile: Profile) -> str | None:
    return _string(value, profile) or (None if value in profile.leader_locators else "invalid_queue_locator_arg")


def _master_locator(value: Any, profile: Profile) -> str | None:
    """Nothing is wrong with any; but of one that it does not know, 3.10's channel dies (observed)."""
    known = isinstance(value, str | bytes) and erlang.binary(value) in MASTER_LOCATORS
    if not (known or profile.takes_any_master_locator):
        raise HardError(541, "", names_method=False)
    return None


def _age(value: Any, profile: Profile) -> str | None:
    wrong = _string(value, profile)
    if wrong is not None:
        return wrong
    if not re.match(r"\d", value):
        raise HardError(541, "", names_method=False)  # RabbitMQ's channel dies of it (observed)
    return "invalid_max_age" if seconds_of(value) is None else None


def seconds_of(age: str) -> int | None:
    """How many seconds an age such as "7D" is; None if it is none."""
    found = re.fullmatch(r"([0-9]+)([A-Za-z])", age)
    if found is None or found[2] not in SECONDS_PER_UNIT:
        return None
    return int(found[1]) * SECONDS_PER_UNIT[found[2]] or None


def check_anything(_: Any, __: Profile) -> str | None:
    """RabbitMQ does not look."""
    return None


class ArgumentRule(NamedTuple):
    """A row of the table: an argument, what it may be, the types of queue that take it, and the field it fills."""

    name: str
    check: Check
    queue_types: tuple[str, ...]
    field: str | None = None


OVERFLOWS = ("drop-head", "reject-publish", "reject-publish-dlx")
STRATEGIES = ("at-most-once", "at-least-once")
MODES = ("default", "lazy")

ARGUMENT_RULES = (
    ArgumentRule("x-expires", _some_milliseconds, CLASSIC_AND_QUORUM, "expires_ms"),
    ArgumentRule("x-message-ttl", _milliseconds, CLASSIC_AND_QUORUM, "message_ttl_ms"),
    ArgumentRule(DEAD_LETTER_EXCHANGE, _string, CLASSIC_AND_QUORUM, "dead_letter_exchange"),
    ArgumentRule(DEAD_LETTER_ROUTING_KEY, _string, CLASSIC_AND_QUORUM, "dead_letter_routing_key"),
    ArgumentRule(
        "x-dead-letter-strategy",
        _one_of(*STRATEGIES, otherwise="invalid_dlx_strategy"),
        QUORUM,
        "dead_letter_strategy",
    ),
    ArgumentRule("x-max-length", _not_negative, CLASSIC_AND_QUORUM, "max_length"),
    ArgumentRule("x-max-length-bytes", _not_negative, QUEUE_TYPES, "max_length_bytes"),
    ArgumentRule("x-max-in-memory-length", _not_negative, QUORUM),
    ArgumentRule("x-max-in-memory-bytes", _not_negative, QUORUM),
    ArgumentRule("x-max-priority", _priority, CLASSIC, "max_priority"),
    ArgumentRule("x-overflow", _one_of(*OVERFLOWS, otherwise="invalid_overflow"), CLASSIC_AND_QUORUM, "overflow"),
    ArgumentRule("x-queue-mode", _one_of(*MODES, otherwise="\"unsupported queue mode '{0}'\""), CLASSIC),
    ArgumentRule("x-queue-version", _queue_version, CLASSIC),
    ArgumentRule("x-single-active-consumer", check_boolean, CLASSIC_AND_QUORUM, "single_active_consumer"),
    ArgumentRule("x-quorum-initial-group-size", _positive, QUORUM),
    ArgumentRule("x-max-age", _age, STREAM, "max_age_s"),
    ArgumentRule(MAX_SEGMENT_SIZE, _not_negative, STREAM, "max_segment_size_bytes"),
    ArgumentRule("x-initial-cluster-size", _positive, STREAM),
    ArgumentRule("x-queue-master-locator", _master_locator, CLASSIC),
    ArgumentRule(LEADER_LOCATOR, _leader_locator, QUORUM_AND_STREAM),
    ArgumentRule("x-delivery-limit", check_anything, QUORUM, "delivery_limit"),
)
"""In the order in which values are checked. Others RabbitMQ ignores."""

ARGUMENT_NAMES = frozenset(rule.name for rule in ARGUMENT_RULES)


def _rules_of(queue_type: str, profile: Profile) -> Iterable[ArgumentRule]:
    for rule in ARGUMENT_RULES:
        if queue_type in rule.queue_types or (rule.name == LEADER_LOCATOR and profile.classic_queues_have_leaders):
            yield rule


def check_queue_arguments(arguments: Table, profile: Profile, queue: str) -> None:
    """Raise 406 as RabbitMQ does for a bad value or an argument of another type; `queue` is how texts name it."""
    queue_type = checked_queue_type(arguments, profile, queue)
    known = set()
    for rule in _rules_of(queue_type, profile):
        known.add(rule.name)
        if rule.name in arguments:
            wrong = rule.check(arguments[rule.name], profile)
            if wrong is not None:
                raise precondition_failed(f"invalid arg '{rule.name}' for {queue}: {wrong}")
        if rule.name == DEAD_LETTER_ROUTING_KEY and rule.name in arguments and DEAD_LETTER_EXCHANGE not in arguments:
            raise precondition_failed(f"invalid arg '{rule.name}' for {queue}: routing_key_but_no_dlx_defined")
    # Where 4.0 fills in the type, it sorts the arguments.
    is_sorted = profile.fills_in_queue_type and QUEUE_TYPE not in arguments
    for name in sorted(arguments) if is_sorted else arguments:
        if name in ARGUMENT_NAMES and name not in known:
            raise precondition_failed(f"invalid arg '{name}' for {queue} of queue type rabbit_{queue_type}_queue")


def check_stream_sizes(arguments: Table, profile: Profile) -> None:
    """Raise 406 for sizes that no stream can have. Source: rabbit_stream_queue.erl (validate_stream_queue_args)."""
    if arguments.get(MAX_SEGMENT_SIZE, 0) > MAX_SEGMENT_SIZE_BYTES:
        raise precondition_failed(f"Exceeded max value for {MAX_SEGMENT_SIZE}")
    filter_size = arguments.get(FILTER_SIZE, FILTER_SIZES[0])
    if profile.streams_have_filters and not (isinstance(filter_size, int) and filter_size in FILTER_SIZES):
        raise precondition_failed(f"Invalid value for  {FILTER_SIZE}")


def checked_queue_type(arguments: Table, profile: Profile, queue: str) -> str:
    """The type of queue that arguments ask for; raises 406 for a type that RabbitMQ does not have."""
    queue_type = arguments.get(QUEUE_TYPE, "classic")
    wrong = _string(queue_type, profile)
    if wrong is not None:
        raise precondition_failed(f"invalid arg '{QUEUE_TYPE}' for {queue}: {wrong}")
    if queue_type not in QUEUE_TYPES:
        raise precondition_failed(f"invalid arg '{QUEUE_TYPE}' for {queue}: \"unsupported queue type '{queue_type}'\"")
    return str(queue_type)


def parse_queue_arguments(arguments: Table) -> QueueArguments:
    """Read a queue's arguments, which have been checked."""
    fields: dict[str, Any] = {
        rule.field: arguments[rule.name] for rule in ARGUMENT_RULES if rule.field is not None and rule.name in arguments
    }
    if "max_age_s" in fields:
        fields["max_age_s"] = seconds_of(fields["max_age_s"])
    return QueueArguments(
        queue_type=arguments.get(QUEUE_TYPE, "classic"),
        consumer_timeout_ms=arguments.get(CONSUMER_TIMEOUT),
        **fields,
    )


def checked_dead_letter_exchange(arguments: Table, queue: str) -> str | None:
    """The name of a queue's dead letter exchange, if it has one; raises 406 where it is no string."""
    name = arguments.get(DEAD_LETTER_EXCHANGE)
    if DEAD_LETTER_EXCHANGE in arguments and not isinstance(name, str):
        raise precondition_failed(f"invalid type '{field_type(name)}' for arg '{DEAD_LETTER_EXCHANGE}' in {queue}")
    return name


COMPARED_ARGUMENTS = {
    "classic": (
        "x-expires",
        "x-message-ttl",
        DEAD_LETTER_EXCHANGE,
        DEAD_LETTER_ROUTING_KEY,
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-queue-mode",
        "x-queue-version",
        "x-single-active-consumer",
        QUEUE_TYPE,
        "x-queue-master-locator",
    ),
    "quorum": (
        DEAD_LETTER_EXCHANGE,
        DEAD_LETTER_ROUTING_KEY,
        "x-dead-letter-strategy",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-in-memory-length",
        "x-max-in-memory-bytes",
        "x-overflow",
        "x-single-active-consumer",
        QUEUE_TYPE,
        "x-quorum-initial-group-size",
        "x-delivery-limit",
        "x-message-ttl",
        LEADER_LOCATOR,
    ),
    "stream": (
        "x-max-length-bytes",
        QUEUE_TYPE,
        "x-max-age",
        MAX_SEGMENT_SIZE,
        "x-initial-cluster-size",
        LEADER_LOCATOR,
    ),
}
"""In which order a redeclaration is compared, by the type that the queue has: capabilities/0 of each (observed)."""

DEFAULT_ARGUMENTS = {QUEUE_TYPE: "classic"}
"""What a queue's arguments say where they say nothing."""


def assert_equivalent_queue_arguments(existing: Table, received: Table, profile: Profile, queue: str) -> None:
    """Raise 406 unless a redeclaration has the same arguments, of those that the queue's type knows."""
    queue_type = (DEFAULT_ARGUMENTS | existing)[QUEUE_TYPE]
    if profile.fills_in_queue_type:
        existing, received = DEFAULT_ARGUMENTS | existing, DEFAULT_ARGUMENTS | received
    is_same_type = queue_type == (DEFAULT_ARGUMENTS | received)[QUEUE_TYPE]
    for name in COMPARED_ARGUMENTS[queue_type]:
        if name != QUEUE_TYPE or not is_same_type:
            assert_equivalent_arguments(existing, received, name, queue)
    if queue_type == "classic" and profile.classic_queues_have_leaders:
        assert_equivalent_arguments(existing, received, LEADER_LOCATOR, queue)
