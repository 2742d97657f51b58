"""Logging in: what the SASL mechanisms' responses say."""

from __future__ import annotations

from fakeamqp.spec.tables import Table

MECHANISMS: dict[str, bytes] = {"3.10": b"AMQPLAIN PLAIN", "4.0": b"ANONYMOUS PLAIN AMQPLAIN"}
"""What connection.start offers, by version."""

ANONYMOUS_USER = ("guest", "guest")
"""Whom 4.0 takes an anonymous client for (anonymous_login_user)."""


def login_and_password(mechanism: str, response: bytes | Table) -> tuple[str, str] | None:
    """Who says they are logging in; None for an unknown mechanism or a malformed response."""
    if mechanism == "ANONYMOUS":
        return ANONYMOUS_USER
    if mechanism == "PLAIN" and isinstance(response, bytes):
        return _plain(response)
    if mechanism == "AMQPLAIN" and isinstance(response, dict):
        return _amqplain(response)
    return None


def _plain(response: bytes) -> tuple[str, str] | None:
    # RFC 4616: authorisation identity, NUL, user, NUL, password; RabbitMQ takes no authorisation identity.
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0]:
        return None
    return parts[1].decode("utf-8", "replace"), parts[2].decode("utf-8", "replace")


def _amqplain(response: Table) -> tuple[str, str] | None:
    login, password = response.get("LOGIN"), response.get("PASSWORD")
    return (login, password) if isinstance(login, str) and isinstance(password, str) else None
