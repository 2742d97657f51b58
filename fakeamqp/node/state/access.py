"""Users and what they may do."""

from __future__ import annotations

import re
from functools import lru_cache

from fakeamqp.node.words.facts import PermissionFact, TopicPermissionFact, UserFact
from fakeamqp.node.words.passwords import is_password_of
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import access_refused
from fakeamqp.spec.tables import EMPTY_TABLE, Table

DEFAULT_EXCHANGE_ALIAS = "amq.default"
"""The name under which permissions know the default exchange."""


class Access:
    """Everybody who may log in, and their permissions."""

    def __init__(self) -> None:
        self.users: dict[str, UserFact] = {}
        self.permissions: dict[tuple[str, str], PermissionFact] = {}
        """By (virtual host, user)."""
        self.topic_permissions: dict[tuple[str, str, str], TopicPermissionFact] = {}
        """By (virtual host, user, exchange)."""

    def authenticate(self, name: str, password: str) -> bool:
        """Whether this is a user's password."""
        user = self.users.get(name)
        return user is not None and is_password_of(user, password)

    def limits(self, name: str) -> Table:
        """What limits a user, who may be gone by now."""
        user = self.users.get(name)
        return EMPTY_TABLE if user is None else user.limits

    def may_enter(self, user: str, vhost: str) -> bool:
        """Whether a user has any permissions, be they empty, in a virtual host."""
        return (vhost, user) in self.permissions

    def allows(self, user: str, vhost: str, permission: str, name: str) -> bool:
        """Whether a user's `permission` (configure, write or read) covers a resource's name."""
        found = self.permissions.get((vhost, user))
        return found is not None and pattern_covers(getattr(found, permission), name)

    def allows_topic(self, user: str, vhost: str, exchange: str, permission: str, routing_key: str) -> bool:
        """Whether a user may use a routing key on a topic exchange; without topic permissions everything goes."""
        found = self.topic_permissions.get((vhost, user, exchange))
        if found is None:
            return True
        pattern = getattr(found, permission)
        for variable, value in (("username", user), ("vhost", vhost)):
            pattern = pattern.replace(f"{{{variable}}}", value)
        return pattern_covers(pattern, routing_key)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def pattern_covers(pattern: str, name: str) -> bool:
    """Whether a permission's regular expression covers a name: unanchored, and the empty one covers the empty name.

    Source: rabbit_auth_backend_internal.erl, check_resource_access.
    """
    return _compiled(pattern or "^$").search(name) is not None


def refusal(profile: Profile, permission: str, what: str, user: str) -> Exception:
    """403 for a user who lacks a permission on something."""
    access = f"{permission} access" if profile.names_refused_permission else "access"
    return access_refused(f"{access} to {what} refused for user '{user}'")
