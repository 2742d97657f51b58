"""Who may log in, and do what."""

from __future__ import annotations

import pytest

from fakeamqp.node.state.access import Access, pattern_covers, refusal
from fakeamqp.node.words.facts import PermissionFact, TopicPermissionFact, UserFact
from fakeamqp.node.words.profile import PROFILES


@pytest.fixture
def access() -> Access:
    """Ann, who may read and write orders in "/" and do nothing in "sales"; Bob, who may enter nowhere."""
    access = Access()
    for name in ("ann", "bob"):
        access.users[name] = UserFact(name, f"secret of {name}", ())
    access.permissions["/", "ann"] = PermissionFact("ann", "/", "", "^orders", "^orders")
    access.permissions["sales", "ann"] = PermissionFact("ann", "sales", "", "", "")
    return access


def test_a_user_logs_in_with_the_own_password(access: Access) -> None:
    assert access.authenticate("ann", "secret of ann")
    assert not access.authenticate("ann", "secret of bob")
    assert not access.authenticate("nobody", "")


def test_permissions_in_a_virtual_host_let_in_even_if_they_allow_nothing(access: Access) -> None:
    assert access.may_enter("ann", "/")
    assert access.may_enter("ann", "sales")
    assert not access.may_enter("bob", "/")


def test_each_permission_has_a_pattern_of_its_own(access: Access) -> None:
    assert access.allows("ann", "/", "write", "orders.new")
    assert access.allows("ann", "/", "read", "orders.new")
    assert not access.allows("ann", "/", "configure", "orders.new")
    assert not access.allows("ann", "/", "write", "bills")
    assert not access.allows("ann", "sales", "write", "orders.new")
    assert not access.allows("bob", "/", "write", "orders.new")


@pytest.mark.parametrize(
    ("pattern", "name", "covers"),
    [
        ("", "", True),
        ("", "orders", False),
        (".*", "", True),
        ("ord", "my orders", True),
        ("^ord$", "orders", False),
        ("^(a|b)$", "b", True),
    ],
)
def test_a_pattern_may_match_anywhere_and_the_empty_one_covers_the_empty_name(
    pattern: str, name: str, covers: bool
) -> None:
    assert pattern_covers(pattern, name) is covers


class TestTopics:
    def test_without_topic_permissions_every_key_goes(self, access: Access) -> None:
        assert access.allows_topic("ann", "/", "amq.topic", "write", "any.key")

    def test_topic_permissions_are_for_one_exchange(self, access: Access) -> None:
        access.topic_permissions["/", "ann", "prices"] = TopicPermissionFact("ann", "/", "prices", "^new", "^old")
        assert access.allows_topic("ann", "/", "prices", "write", "new.price")
        assert not access.allows_topic("ann", "/", "prices", "read", "new.price")
        assert access.allows_topic("ann", "/", "amq.topic", "read", "new.price")

    def test_a_pattern_may_name_its_user_and_virtual_host(self, access: Access) -> None:
        pattern = "^{vhost}-{username}$"
        access.topic_permissions["sales", "ann", "prices"] = TopicPermissionFact("ann", "sales", "prices", pattern, "")
        assert access.allows_topic("ann", "sales", "prices", "write", "sales-ann")
        assert not access.allows_topic("ann", "sales", "prices", "write", "sales-bob")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("3.10", "ACCESS_REFUSED - access to queue 'orders' refused for user 'ann'"),
        ("4.0", "ACCESS_REFUSED - write access to queue 'orders' refused for user 'ann'"),
    ],
)
def test_newer_versions_tell_which_permission_is_missing(version: str, text: str) -> None:
    assert refusal(PROFILES[version], "write", "queue 'orders'", "ann").text == text  # type: ignore[attr-defined]
