"""A user of the test's own, who logs in with the permissions that the test gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pika

Connect = Callable[..., pika.BlockingConnection]


class User:
    """Somebody with a password and, once the test says so, permissions on the test's virtual host."""

    def __init__(self, operator: Any, connect: Connect, vhost: str, name: str = "alice", **settings: Any) -> None:
        self.name = f"{name}-{vhost}"
        self._operator = operator
        self._connect = connect
        self._vhost = vhost
        operator.add_user(self.name, "secret", **settings)

    def may(self, configure: str = "^$", write: str = "^$", read: str = "^$") -> None:
        """From now on these permissions, and no others."""
        self._operator.set_permissions(self.name, configure, write, read, vhost=self._vhost)

    def connect(self, password: str = "secret", **settings: Any) -> pika.BlockingConnection:
        """A new connection of this user."""
        return self._connect(credentials=pika.PlainCredentials(self.name, password), **settings)


def refused(version: str, access: str, resource: str, vhost: str, user: User) -> str:
    """What RabbitMQ says to a user without this access ("configure", "write" or "read")."""
    access = {"3.10": "access", "4.0": f"{access} access"}[version]
    return f"ACCESS_REFUSED - {access} to {resource} in vhost '{vhost}' refused for user '{user.name}'"
