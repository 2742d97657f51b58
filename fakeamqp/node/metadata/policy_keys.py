"""What a policy may say: one table of keys, and RabbitMQ's texts about what it refuses.

Source: rabbit_policies.erl (validate_policy0) and rabbit_policy.erl (validation); texts observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fakeamqp.node.queues.queue_arguments import (
    FILTER_SIZES,
    MASTER_LOCATORS,
    MAX_SEGMENT_SIZE_BYTES,
    MODES,
    OVERFLOWS,
    STRATEGIES,
    seconds_of,
)
from fakeamqp.node.state.policy_matching import APPLIES_TO
from fakeamqp.node.words import erlang
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.node.words.parameters import number_errors, pattern_errors
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import UnsupportedFeature

Accepts = Callable[[Any, Profile], bool]


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _at_least(least: int) -> Accepts:
    return lambda value, profile: _is_integer(value) and value >= least


def _one_of(*allowed: str) -> Accepts:
    return lambda value, profile: isinstance(value, str) and value in allowed


def _string(value: Any, _: Profile) -> bool:
    return isinstance(value, str)


def _version(value: Any, _: Profile) -> bool:
    return _is_integer(value) and value in (1, 2)


def _delivery_limit(value: Any, profile: Profile) -> bool:
    return _is_integer(value) and (value >= 0 or profile.delivery_limits_may_be_negative)


def _age(value: Any, _: Profile) -> bool:
    return isinstance(value, str) and seconds_of(value) is not None


def _segment_size(value: Any, _: Profile) -> bool:
    return _is_integer(value) and 0 <= value <= MAX_SEGMENT_SIZE_BYTES


def _filter_size(value: Any, _: Profile) -> bool:
    return _is_integer(value) and value in FILTER_SIZES


def _anything(_: Any, __: Profile) -> bool:
    return True


class PolicyKey(NamedTuple):
    """A row of the table: a key, what its value may be, and what is said of a value that it may not be."""

    key: str
    accepts: Accepts
    complaint: str


def _row(key: str, accepts: Accepts, noun: str) -> PolicyKey:
    return PolicyKey(key, accepts, f"{{}} is not a valid {noun}")


POLICY_KEYS = (
    _row("alternate-exchange", _string, "alternate exchange name"),
    _row("consumer-timeout", _at_least(0), "consumer timeout"),
    _row("dead-letter-exchange", _string, "dead letter exchange name"),
    _row("dead-letter-routing-key", _string, "dead letter routing key"),
    _row("dead-letter-strategy", _one_of(*STRATEGIES), "dead letter strategy"),
    _row("delivery-limit", _delivery_limit, "delivery limit"),
    _row("expires", _at_least(1), "queue expiry"),
    _row("ha-mode", _one_of("all", "exactly", "nodes"), "ha-mode value"),
    _row("ha-params", _anything, ""),
    _row("ha-promote-on-failure", _one_of("always", "when-synced"), "ha-promote-on-failure value"),
    _row("ha-promote-on-shutdown", _one_of("always", "when-synced"), "ha-promote-on-shutdown value"),
    _row("ha-sync-batch-size", _at_least(1), "ha-sync-batch-size value"),
    _row("ha-sync-mode", _one_of("automatic", "manual"), "ha-sync-mode value"),
    _row("initial-cluster-size", _at_least(0), "cluster size"),
    _row("max-age", _age, "max age"),
    _row("max-in-memory-bytes", _at_least(0), "maximum memory in bytes"),
    _row("max-in-memory-length", _at_least(0), "maximum memory in bytes"),
    _row("max-length", _at_least(0), "maximum length"),
    _row("max-length-bytes", _at_least(0), "maximum length in bytes"),
    _row("message-ttl", _at_least(0), "message TTL"),
    _row("overflow", _one_of(*OVERFLOWS), "overflow value"),
    _row(
        "queue-leader-locator",
        _one_of("client-local", "balanced", "random", "least-leaders"),
        "queue leader locator value",
    ),
    _row("queue-master-locator", _one_of(*(each.decode() for each in MASTER_LOCATORS)), "master locator"),
    _row("queue-mode", _one_of(*MODES), "queue-mode value"),
    _row("queue-version", _version, "queue-version value"),
    _row("stream-filter-size-bytes", _filter_size, "filter size. Valid range is 16-255"),
    _row("stream-max-segment-size-bytes", _segment_size, "segment size"),
    _row("target-group-size", _at_least(1), "qq target count value"),
)
"""In the order in which values are checked. Most change nothing on a single node: they are checked and kept."""

SHARDING_KEYS = ("routing-key", "shards-per-node")
"""What the sharding plugin adds."""
FEDERATION_KEYS = ("federation-upstream", "federation-upstream-pattern", "federation-upstream-set")
"""What the federation plugin adds; no policy may say so unless the plugin is there."""

CHOICES_OF_APPLY_TO = {
    False: "'queues', 'exchanges' or 'all'",
    True: "one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', 'exchanges', or 'all'",
}
"""By whether types of queue may be named, which adds two spaces too."""


def policy_errors(policy: PolicyFact, profile: Profile, let_pass: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with a policy, but for the keys of plugins to let pass.

    Raises UnsupportedFeature for keys that would have an effect which they cannot have here.
    """
    return [
        *_definition_errors(policy, profile, let_pass),
        *_apply_to_errors(policy.apply_to, profile),
        *pattern_errors("pattern", policy.pattern),
        *number_errors("priority", policy.priority),
    ]


def _definition_errors(policy: PolicyFact, profile: Profile, let_pass: tuple[str, ...]) -> Iterator[str]:
    definition: Any = policy.definition
    if not isinstance(definition, dict):
        yield f"definition must be a dictionary: {erlang.json(definition)}"
    elif not definition:
        yield "no policy provided"
    else:
        for key in SHARDING_KEYS:
            if key in definition and not policy.is_operator and key not in let_pass:
                raise UnsupportedFeature(f"policy {policy.name!r}: fakeamqp does not shard; leave {key!r} out")
        known = [row for row in POLICY_KEYS if _is_known(row.key, policy, profile)]
        error = next((each for row in known for each in _value_errors(row, definition, profile)), None)
        unknown = {key: definition[key] for key in definition if key not in {row.key for row in known} | {*let_pass}}
        if error is not None:
            yield error
        elif unknown:
            yield f"{erlang.json_pairs(unknown)} are not recognised policy settings"


def _is_known(key: str, policy: PolicyFact, profile: Profile) -> bool:
    return key in profile.operator_policy_keys if policy.is_operator else key not in profile.foreign_policy_keys


def _value_errors(row: PolicyKey, definition: dict[str, Any], profile: Profile) -> Iterator[str]:
    if row.key not in definition:
        return
    value = definition[row.key]
    if not row.accepts(value, profile):
        complaint = profile.bad_master_locator if row.key == "queue-master-locator" else row.complaint
        yield complaint.format(erlang.json(value))
    elif row.key.startswith("ha-") and "ha-mode" not in definition:
        yield "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"
    elif value == "exactly" and row.key == "ha-mode" and "ha-params" not in definition:
        yield 'ha-mode="exactly" takes an integer, none given'


def _apply_to_errors(apply_to: Any, profile: Profile) -> Iterator[str]:
    choices = ("all", "queues", "exchanges") if not profile.policies_name_queue_types else tuple(APPLIES_TO)
    if apply_to not in choices:
        told = apply_to if isinstance(apply_to, str) else erlang.json(apply_to)
        yield f"apply-to '{told}' unrecognised; should be {CHOICES_OF_APPLY_TO[profile.policies_name_queue_types]}"
