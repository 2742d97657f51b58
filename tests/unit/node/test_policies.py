"""Policies: which one counts, and what comes of it together with arguments and operator policies."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.metadata.commit import commit
from fakeamqp.node.metadata.policies import effective_settings, set_for
from fakeamqp.node.metadata.policy_keys import POLICY_KEYS, policy_errors
from fakeamqp.node.node import Node
from fakeamqp.node.operator import commands
from fakeamqp.node.state.policy_matching import Policies
from fakeamqp.node.state.queue_commands import Publish
from fakeamqp.node.words.facts import PolicyFact, UserFact, VirtualHostFact, VirtualHostLimitsFact
from fakeamqp.node.words.profile import PROFILES, profile_of
from fakeamqp.spec.errors import Misuse, UnsupportedFeature
from tests.unit.node._parts import PERSISTENT, SECOND_US, make_node, make_queue, message, queue_fact

STREAM = {"x-queue-type": "stream"}
QUORUM = {"x-queue-type": "quorum"}


def policy(name: str = "p", **changes: Any) -> PolicyFact:
    return PolicyFact("/", name, ".*", {"max-length": 2}, 0, "all").replace(**changes)


def settings(version: str, arguments: dict[str, Any], of_policy: dict[str, Any], **operators: Any) -> dict[str, Any]:
    """What is set for a queue with these arguments, this policy and this operator policy."""
    queue = make_queue(arguments=arguments, version=version)
    operator_policy = policy(definition=operators["operator"], is_operator=True) if operators else None
    queue.configure(effective_settings(queue, policy(definition=of_policy), operator_policy))
    return set_for(queue)


class TestMatching:
    @pytest.mark.parametrize("key", ["expires", "message-ttl", "max-length", "overflow", "queue-mode"])
    def test_a_key_that_streams_do_not_have_keeps_a_policy_from_them(self, key: str) -> None:
        policies = Policies(profile_of("4.0"))
        policies.put(policy(definition={key: 1, "max-age": "1h"}))
        assert policies.matching("stream", "s", is_operator=False) is None
        policies.put(policy(definition={"max-age": "1h"}))
        assert policies.matching("stream", "s", is_operator=False) == policy(definition={"max-age": "1h"})

    def test_of_equal_priorities_the_first_by_name_counts(self) -> None:
        policies = Policies(profile_of("4.0"))
        for name in ("b", "a", "c"):
            policies.put(policy(name))
        assert policies.matching("classic", "q", is_operator=False) == policy("a")

    def test_a_policy_of_another_kind_does_not_count(self) -> None:
        policies = Policies(profile_of("4.0"))
        policies.put(policy(is_operator=True))
        assert policies.matching("classic", "q", is_operator=False) is None
        assert policies.matching("classic", "q", is_operator=True) == policy(is_operator=True)


class TestMerging:
    def test_a_streams_policy_wins(self) -> None:
        arguments = {**STREAM, "x-max-age": "1h", "x-max-length-bytes": 5}
        assert settings("4.0", arguments, {"max-age": "1D", "max-length-bytes": 9}) == {
            "max-age": 86_400,
            "max-length-bytes": 9,
        }

    @pytest.mark.parametrize(("version", "expected"), [("3.10", 9), ("4.0", 5)])
    def test_a_quorum_queue_expires_by_its_policy_on_3_10(self, version: str, expected: int) -> None:
        assert settings(version, {**QUORUM, "x-expires": 5}, {"expires": 9}) == {"expires": expected}

    @pytest.mark.parametrize("version", PROFILES)
    def test_a_quorum_queue_overflows_by_its_policy(self, version: str) -> None:
        found = settings(version, {**QUORUM, "x-overflow": "reject-publish"}, {"overflow": "drop-head"})
        assert found == {"overflow": "drop-head"}

    @pytest.mark.parametrize("argument", ["many", True, 1.5])
    def test_an_argument_that_is_no_integer_is_larger_than_any(self, argument: Any) -> None:
        assert settings("4.0", {**QUORUM, "x-delivery-limit": argument}, {"delivery-limit": 3}) == {"delivery-limit": 3}

    @pytest.mark.parametrize(("argument", "of_policy", "expected"), [(-1, 3, 3), (3, -1, 3), (3, 2, 2)])
    def test_a_negative_delivery_limit_is_the_weaker_one(self, argument: int, of_policy: int, expected: int) -> None:
        found = settings("4.0", {**QUORUM, "x-delivery-limit": argument}, {"delivery-limit": of_policy})
        assert found == {"delivery-limit": expected}

    def test_operator_policies_lower_numbers_and_replace_the_rest(self) -> None:
        found = settings(
            "4.0",
            {},
            {"max-length": 2, "message-ttl": 9, "overflow": "drop-head", "dead-letter-exchange": "dead"},
            operator={
                "max-length": 3,
                "message-ttl": 5,
                "overflow": "reject-publish",
                "expires": 7,
                "queue-version": 2,
            },
        )
        assert found == {
            "max-length": 2,
            "message-ttl": 5,
            "overflow": "reject-publish",
            "dead-letter-exchange": "dead",
            "expires": 7,
        }

    def test_keys_that_change_nothing_here_are_taken(self) -> None:
        assert settings("4.0", {}, {"queue-version": 2}) == {}


class TestValidation:
    @pytest.mark.parametrize(
        ("version", "definition", "errors"),
        [
            ("4.0", {"max-age": "soon"}, ['<<"soon">> is not a valid max age']),
            ("4.0", {"max-age": 5}, ["5 is not a valid max age"]),
            ("4.0", {"max-age": "1h"}, []),
            ("4.0", {"stream-max-segment-size-bytes": -1}, ["-1 is not a valid segment size"]),
            ("4.0", {"stream-max-segment-size-bytes": 3_000_000_000}, []),
            ("4.0", {"stream-filter-size-bytes": 1}, ["1 is not a valid filter size. Valid range is 16-255"]),
            ("4.0", {"stream-filter-size-bytes": 16}, []),
            ("4.0", {"target-group-size": 0}, ["0 is not a valid qq target count value"]),
            ("4.0", {"queue-master-locator": "x"}, ['<<"x">> is not a valid master locator']),
            ("3.10", {"queue-master-locator": "x"}, ['<<"x">> invalid queue-master-locator value']),
            ("3.10", {"ha-mode": "x"}, ['<<"x">> is not a valid ha-mode value']),
            ("3.10", {"ha-mode": "exactly"}, ['ha-mode="exactly" takes an integer, none given']),
            ("3.10", {"ha-mode": "exactly", "ha-params": 2}, []),
            ("3.10", {"ha-mode": "all", "ha-sync-mode": "automatic"}, []),
            (
                "3.10",
                {"ha-params": 5},
                ["ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"],
            ),
            ("4.0", [["max-length", 5]], ['definition must be a dictionary: [[<<"max-length">>,5]]']),
            ("4.0", {"message-ttl": {"a": None}}, ['#{<<"a">> => null} is not a valid message TTL']),
        ],
    )
    def test_definitions(self, version: str, definition: Any, errors: list[str]) -> None:
        assert policy_errors(policy(definition=definition), profile_of(version)) == errors

    def test_the_rest(self) -> None:
        wrong: Any = policy(pattern=5, apply_to=7, priority=True)
        *_, pattern, priority = policy_errors(wrong, profile_of("4.0"))
        assert (pattern, priority) == (
            "pattern should be a binary but was 5",
            "priority should be a number, actually was true",
        )
        (pattern,) = policy_errors(policy(pattern="[z-a]"), profile_of("4.0"))
        assert pattern == 'pattern should be regular expression but is invalid: {"bad character range z-a",1}'

    def test_sharding_is_unsupported(self) -> None:
        with pytest.raises(
            UnsupportedFeature, match=r"policy 'p': fakeamqp does not shard; leave 'shards-per-node' out"
        ):
            policy_errors(policy(definition={"shards-per-node": 2}), profile_of("4.0"))

    def test_keys_are_checked_in_their_order(self) -> None:
        assert [row.key for row in POLICY_KEYS] == sorted(row.key for row in POLICY_KEYS)


class TestOperator:
    def test_a_policy_that_says_the_same_again_changes_nothing(self) -> None:
        node = make_node()
        commit(node.state, queue_fact())
        commands.set_policy(node.state, policy(definition={"expires": 1000}))
        queue = node.state.vhosts["/"].queues["orders"]
        timer = queue.expiry_timer
        commands.set_policy(node.state, policy(definition={"expires": 1000}))
        assert queue.expiry_timer is timer

    def test_a_queue_that_a_policy_deletes_while_others_have_one(self) -> None:
        node = make_node()
        commit(node.state, queue_fact())
        commands.set_policy(node.state, policy(definition={"expires": 1000}))
        commands.set_policy(node.state, policy(definition={"expires": 5000}))
        node.advance(2 * SECOND_US)
        assert "orders" in node.state.vhosts["/"].queues
        commands.clear_policy(node.state, "p", "/", is_operator=False)
        node.advance(9 * SECOND_US)
        assert "orders" in node.state.vhosts["/"].queues

    def test_a_virtual_host_goes_with_policies_and_limits(self) -> None:
        node = make_node()
        commands.add_vhost(node.state, "other", "quorum")
        commands.set_policy(node.state, policy(vhost="other"))
        commands.set_policy(node.state, policy(vhost="other", is_operator=True))
        commands.set_vhost_limits(node.state, {"max-queues": 1}, "other")
        before = set(make_node().state.journal.facts)
        commands.delete_vhost(node.state, "other")
        assert set(node.state.journal.facts) == before

    @pytest.mark.parametrize("is_operator", [True, False])
    def test_there_is_no_such_policy(self, is_operator: bool) -> None:
        with pytest.raises(Misuse, match="policy 'p' in virtual host '/'"):
            commands.clear_policy(make_node().state, "p", "/", is_operator=is_operator)

    def test_limits_that_are_not_there_cannot_be_cleared(self) -> None:
        with pytest.raises(Misuse, match="virtual host '/' has no limits"):
            commands.clear_vhost_limits(make_node().state, "/")
        with pytest.raises(Misuse, match="a user's limit is one of max-connections, max-channels, or all; not 'x'"):
            commands.clear_user_limits(make_node().state, "guest", "x")

    def test_limits_are_a_dictionary(self) -> None:
        wrong: Any = [5]
        with pytest.raises(Misuse, match=r"limits must be a dictionary: \[5\]"):
            commands.set_vhost_limits(make_node().state, wrong, "/")

    def test_an_unknown_default_queue_type_is_refused(self) -> None:
        with pytest.raises(Misuse, match="a default queue type is one of classic, quorum, stream, or None; not 'x'"):
            commands.add_vhost(make_node().state, "other", "x")


class TestRestart:
    def restarted(self, node: Node) -> Node:
        node.shut_down(node.state.now_us)
        again = make_node(node.state.journal)
        again.check()
        return again

    @pytest.mark.parametrize("policy_first", [True, False])
    def test_policies_and_limits_survive(self, policy_first: bool) -> None:
        node = make_node()
        if not policy_first:
            commit(node.state, queue_fact())
        commands.set_policy(node.state, policy())
        commands.set_policy(node.state, policy(is_operator=True, definition={"expires": 5000}))
        commands.set_vhost_limits(node.state, {"max-queues": 7}, "/")
        commands.set_user_limits(node.state, "guest", {"max-channels": 5})
        if policy_first:
            commit(node.state, queue_fact())
        for _ in range(5):
            orders = node.state.vhosts["/"].queues["orders"]
            node.state.line.append(Publish(orders, message(properties=PERSISTENT)))
        node.finish_turn()
        node = self.restarted(node)
        queue = node.state.vhosts["/"].queues["orders"]
        assert (queue.policy, queue.operator_policy) == (
            policy(),
            policy(is_operator=True, definition={"expires": 5000}),
        )
        assert len(queue.backlog) == 2
        assert node.state.vhosts["/"].limits == VirtualHostLimitsFact("/", {"max-queues": 7})
        assert node.state.access.limits("guest") == {"max-channels": 5}
        node.advance(6 * SECOND_US)
        assert "orders" not in node.state.vhosts["/"].queues

    def test_a_queue_that_expires_has_its_whole_time_after_a_restart(self) -> None:
        node = make_node()
        commit(node.state, queue_fact(arguments={"x-expires": 5000}))
        node = self.restarted(node)
        node.advance(4 * SECOND_US)
        assert "orders" in node.state.vhosts["/"].queues
        node.advance(6 * SECOND_US)
        assert "orders" not in node.state.vhosts["/"].queues

    def test_a_cleared_policy_is_forgotten(self) -> None:
        node = make_node()
        commands.set_policy(node.state, policy())
        commands.clear_policy(node.state, "p", "/", is_operator=False)
        assert self.restarted(node).state.vhosts["/"].policies.all(is_operator=False) == []


def test_what_is_said_of_a_virtual_host_can_change() -> None:
    node = make_node()
    vhost = node.state.vhosts["/"]
    commit(node.state, VirtualHostFact("/", "the shop", ("eu",), "quorum"))
    assert node.state.vhosts["/"] is vhost
    assert vhost.fact == VirtualHostFact("/", "the shop", ("eu",), "quorum")


def test_nobody_is_limited_without_limits() -> None:
    node = make_node()
    assert node.state.access.limits("nobody") == {}
    assert UserFact("ann", "secret", ()).limits == {}
