"""Passwords, plain and hashed as RabbitMQ stores them: base64 of four octets of salt and the hash of salt and password.

hashlib is imported where it is needed: loading it takes a good part of the time that importing fakeamqp may take.
"""

from __future__ import annotations

import base64
import binascii

from fakeamqp.node.words.facts import UserFact
from fakeamqp.spec.errors import Misuse

SALT_SIZE = 4
DEFAULT_ALGORITHM = "rabbit_password_hashing_sha256"
ALGORITHMS = {
    "rabbit_password_hashing_sha256": "sha256",
    "rabbit_password_hashing_sha512": "sha512",
    "rabbit_password_hashing_md5": "md5",
}
"""RabbitMQ's modules, and hashlib's name for each."""


def is_password_of(user: UserFact, password: str) -> bool:
    """Whether a user may log in with a password; an empty one never does (rabbit_auth_backend_internal.erl)."""
    if not password:
        return False
    if user.password is not None:
        return user.password == password
    salt = decoded(user.password_hash)[:SALT_SIZE]
    return user.hashing_algorithm in ALGORITHMS and hashed(password, salt, user.hashing_algorithm) == user.password_hash


def hashed(password: str, salt: bytes, algorithm: str = DEFAULT_ALGORITHM) -> str:
    """A password's hash in base64."""
    import hashlib

    digest = hashlib.new(ALGORITHMS[algorithm], salt + password.encode(), usedforsecurity=False).digest()
    return base64.b64encode(salt + digest).decode()


def hash_of(user: UserFact) -> str:
    """A user's password hash in base64. The salt, random in RabbitMQ, is made of the name: every run has the same."""
    if user.password is None:
        return user.password_hash
    import hashlib

    return hashed(user.password, hashlib.sha256(user.name.encode()).digest()[:SALT_SIZE])


def decoded(password_hash: object) -> bytes:
    """The octets of a hash; raises Misuse for what is no base64."""
    try:
        return base64.b64decode(password_hash, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError):
        raise Misuse(f"not_base64: {password_hash!r}") from None
