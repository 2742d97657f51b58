"""Passwords: plain, and hashed as RabbitMQ stores them."""

from __future__ import annotations

import pytest

from fakeamqp.node.words.facts import UserFact
from fakeamqp.node.words.passwords import ALGORITHMS, decoded, hash_of, hashed, is_password_of
from fakeamqp.spec.errors import Misuse

OF_GUEST = "Jj0jMWrcd9jYUF4YOgtRtFBnoYupb/zh2VQt/ayEV8uHw0L+"
"""What a real broker exported for the password "guest"."""
MD5_OF_X = "lNnPmaBcAL/UyupBBU+EflHKBCU="
"""What a real broker made of "x" with rabbit_password_hashing_md5."""


def user(password: str | None, password_hash: str = "", algorithm: str = "rabbit_password_hashing_sha256") -> UserFact:
    return UserFact("ann", password, (), password_hash, algorithm)


@pytest.mark.parametrize(
    ("fact", "password", "expected"),
    [
        (user("secret"), "secret", True),
        (user("secret"), "other", False),
        (user(""), "", False),
        (user(None), "", False),
        (user(None), "secret", False),
        (user(None, OF_GUEST), "guest", True),
        (user(None, OF_GUEST), "other", False),
        (user(None, MD5_OF_X, "rabbit_password_hashing_md5"), "x", True),
        (user(None, OF_GUEST, "rabbit_password_hashing_md5"), "guest", False),
        (user(None, OF_GUEST, "unknown"), "guest", False),
    ],
)
def test_who_may_log_in(fact: UserFact, password: str, expected: bool) -> None:
    assert is_password_of(fact, password) is expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_hash_carries_its_salt(algorithm: str) -> None:
    made = hashed("sécret", b"salt", algorithm)
    assert decoded(made)[:4] == b"salt"
    assert is_password_of(user(None, made, algorithm), "sécret")


def test_the_hash_of_a_plain_password_is_always_the_same_and_that_of_another_user_is_not() -> None:
    assert hash_of(user("secret")) == hash_of(user("secret"))
    assert hash_of(user("secret").replace(name="bob")) != hash_of(user("secret"))
    assert is_password_of(user(None, hash_of(user("secret"))), "secret")


def test_a_hash_that_is_known_is_kept() -> None:
    assert hash_of(user(None, OF_GUEST)) == OF_GUEST


@pytest.mark.parametrize("wrong", ["!!", 5, None, "abc"])
def test_what_is_no_base64_is_refused(wrong: object) -> None:
    with pytest.raises(Misuse, match="not_base64"):
        decoded(wrong)
