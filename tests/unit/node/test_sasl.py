"""What the responses of the SASL mechanisms say."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.sessions.sasl import MECHANISMS, login_and_password
from fakeamqp.node.words.profile import PROFILES


@pytest.mark.parametrize(
    ("mechanism", "response", "login"),
    [
        ("PLAIN", b"\0ann\0secret", ("ann", "secret")),
        ("PLAIN", b"\0ann\0", ("ann", "")),
        ("PLAIN", "\0änn\0sécret".encode(), ("änn", "sécret")),
        ("AMQPLAIN", {"LOGIN": "ann", "PASSWORD": "secret"}, ("ann", "secret")),
        ("ANONYMOUS", b"whoever", ("guest", "guest")),
    ],
)
def test_a_good_response_names_user_and_password(mechanism: str, response: Any, login: tuple[str, str]) -> None:
    assert login_and_password(mechanism, response) == login


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("PLAIN", b""),
        ("PLAIN", b"ann secret"),
        ("PLAIN", b"somebody\0ann\0secret"),
        ("PLAIN", b"\0ann\0secret\0more"),
        ("PLAIN", {"LOGIN": "ann", "PASSWORD": "secret"}),
        ("AMQPLAIN", b"\0ann\0secret"),
        ("AMQPLAIN", {"LOGIN": "ann"}),
        ("AMQPLAIN", {"LOGIN": "ann", "PASSWORD": 5}),
        ("EXTERNAL", b""),
    ],
)
def test_a_bad_response_names_nobody(mechanism: str, response: Any) -> None:
    assert login_and_password(mechanism, response) is None


def test_each_version_offers_its_mechanisms() -> None:
    assert set(MECHANISMS) == set(PROFILES)
    assert b"ANONYMOUS" in MECHANISMS["4.0"].split()
    assert b"ANONYMOUS" not in MECHANISMS["3.10"].split()
