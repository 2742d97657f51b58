"""Logging in: what the SASL mechanisms' responses say. The only bytes that the node ever reads."""

from __future__ import annotations

MECHANISMS: dict[str, str] = {"3.10": "AMQPLAIN PLAIN", "4.0": "ANONYMOUS PLAIN AMQPLAIN"}
"""What connection.start offers, by version."""


def login_and_password(mechanism: str, response: bytes) -> tuple[str, str] | None:
    """Who says they are logging in; None for a mechanism that is not offered or a response that is malformed."""
    read = {"PLAIN": _plain, "AMQPLAIN": _amqplain}.get(mechanism)
    try:
        return read(response) if read is not None else None
    except ValueError:
        return None


def _plain(response: bytes) -> tuple[str, str]:
    # RFC 4616: authorisation identity, NUL, user, NUL, password; RabbitMQ takes no authorisation identity.
    nothing, user, password = response.split(b"\0")
    if nothing:
        raise ValueError("authorisation identity")
    return user.decode(), password.decode()


def _amqplain(response: bytes) -> tuple[str, str]:
    # A field table without its length, with long strings LOGIN and PASSWORD.
    fields: dict[bytes, bytes] = {}
    while response:
        name, rest = response[1 : 1 + response[0]], response[1 + response[0] :]
        length = int.from_bytes(rest[1:5], "big")
        if rest[:1] != b"S" or len(rest) < 5 + length:
            raise ValueError("not a long string")
        fields[name], response = rest[5 : 5 + length], rest[5 + length :]
    if not {b"LOGIN", b"PASSWORD"} <= fields.keys():
        raise ValueError("LOGIN or PASSWORD missing")
    return fields[b"LOGIN"].decode(), fields[b"PASSWORD"].decode()
