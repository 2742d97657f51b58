"""Policies: what an operator says about queues and exchanges by pattern, beside what their arguments say.

Source: rabbit_policies.erl (merge_policy_value), rabbit_amqqueue_process.erl (process_args_policy),
rabbit_quorum_queue.erl (ra_machine_config), rabbit_stream_queue.erl (update_stream_conf).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.queue_arguments import ARGUMENT_RULES, CONSUMER_TIMEOUT, QueueArguments, parse_queue_arguments
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.policy_matching import EXCHANGE
from fakeamqp.node.state.queue_commands import Command, Configure
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.arguments import ALTERNATE_EXCHANGE
from fakeamqp.node.words.facts import PolicyFact
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.tables import EMPTY_TABLE, Table

FIELDS: dict[str, str] = {
    rule.name.removeprefix("x-"): rule.field for rule in ARGUMENT_RULES if rule.field is not None
} | {CONSUMER_TIMEOUT.removeprefix("x-"): "consumer_timeout_ms"}
"""The settings that the keys of a definition fill: those of the arguments of the same name."""

SMALLER_WINS = frozenset(
    {
        "message_ttl_ms",
        "expires_ms",
        "max_length",
        "max_length_bytes",
        "delivery_limit",
        "consumer_timeout_ms",
    }
)
"""Of policy and argument, or of policy and operator policy, the smaller number holds; of others the argument."""


def effective_settings(queue: Queue, policy: PolicyFact | None, operator: PolicyFact | None) -> QueueArguments:
    """What holds for a queue: its arguments together with its policies."""
    definition = _merged_definition(policy, operator, queue.profile)
    if not definition:
        return queue.declared
    said = parse_queue_arguments({f"x-{key}": value for key, value in definition.items()})
    changes: dict[str, Any] = {}
    for key in definition:
        field = FIELDS.get(key)
        if field is not None:
            changes[field] = _resolved(queue, field, getattr(said, field), getattr(queue.declared, field))
    return queue.declared.replace(**changes)


def _merged_definition(policy: PolicyFact | None, operator: PolicyFact | None, profile: Profile) -> Table:
    definition = EMPTY_TABLE if policy is None else policy.definition
    if operator is None:
        return definition
    merged = dict(definition)
    for key, value in operator.definition.items():
        if key in merged and FIELDS.get(key) in SMALLER_WINS:
            value = _smaller(FIELDS[key], merged[key], value, profile)
        merged[key] = value
    return merged


def _resolved(queue: Queue, field: str, of_policy: Any, of_argument: Any) -> Any:
    if of_argument is None or queue.type.policy_wins(field, queue.profile):
        return of_policy
    if field in SMALLER_WINS:
        return _smaller(field, of_policy, of_argument, queue.profile)
    return of_argument


def _smaller(field: str, first: Any, second: Any, profile: Profile) -> Any:
    """The smaller of two; an argument may be no number, and then Erlang counts it as larger than any."""
    if not isinstance(second, int) or isinstance(second, bool):
        return first
    if field == "delivery_limit" and profile.delivery_limits_may_be_negative and min(first, second) < 0:
        return max(first, second)
    return min(first, second)


def set_for(queue: Queue) -> Table:
    """What is set for a queue, by arguments or policies, under the arguments' names without x-."""
    found = {key: getattr(queue.settings, field) for key, field in FIELDS.items()}
    return {key: value for key, value in found.items() if value is not None and value is not False}


def policies_of(vhost: VirtualHost, queue: Queue) -> tuple[PolicyFact | None, PolicyFact | None]:
    """The policy and the operator policy that hold for a queue."""
    kind = queue.type.name
    return (
        vhost.policies.matching(kind, queue.name, is_operator=False),
        vhost.policies.matching(kind, queue.name, is_operator=True),
    )


def configure_new_queue(state: NodeState, queue: Queue) -> None:
    """A queue comes, with the policies that match it."""
    queue.policy, queue.operator_policy = policies_of(state.vhosts[queue.fact.vhost], queue)
    queue.type.configure(queue, effective_settings(queue, queue.policy, queue.operator_policy), state.now_us)
    renew_lease(state, queue)


def update_queue(line: deque[Command], vhosts: dict[str, VirtualHost], queue: Queue) -> bool:
    """Find a queue's policies; whether they are others than before, so that the queue takes new settings."""
    found = policies_of(vhosts[queue.fact.vhost], queue)
    if found[0] is queue.policy and found[1] is queue.operator_policy:
        return False
    queue.policy, queue.operator_policy = found
    line.append(Configure(queue, effective_settings(queue, *found)))
    return True


def update_exchange(vhosts: dict[str, VirtualHost], exchange: Exchange) -> None:
    """Find an exchange's policy, which may give it an alternate exchange; the argument wins."""
    vhost = vhosts[exchange.fact.vhost]
    exchange.policy = vhost.policies.matching(EXCHANGE, exchange.name, is_operator=False)
    if ALTERNATE_EXCHANGE not in exchange.fact.arguments:
        definition = EMPTY_TABLE if exchange.policy is None else exchange.policy.definition
        alternate = definition.get(ALTERNATE_EXCHANGE)
        if alternate != exchange.alternate:
            exchange.alternate = alternate
            vhost.forget_routes()


def update_everything(line: deque[Command], vhosts: dict[str, VirtualHost], name: str) -> None:
    """A virtual host's policies have changed."""
    vhost = vhosts[name]
    vhost.policies.newly_matched = [
        each.fact for each in list(vhost.queues.values()) if update_queue(line, vhosts, each)
    ]
    for exchange in vhost.exchanges.values():
        update_exchange(vhosts, exchange)


def check_policies(vhost: VirtualHost) -> None:
    """What must hold between turns: everything has the policies that match it."""
    for queue in vhost.queues.values():
        found = policies_of(vhost, queue)
        assert found == (queue.policy, queue.operator_policy), queue.name
        assert queue.settings == effective_settings(queue, *found), queue.name
    for exchange in vhost.exchanges.values():
        assert exchange.policy == vhost.policies.matching(EXCHANGE, exchange.name, is_operator=False)
