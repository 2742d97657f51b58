"""The versions of RabbitMQ that a node can behave as."""

from __future__ import annotations

import pytest

import fakeamqp
from fakeamqp.node.words.profile import PROFILES, profile_of


@pytest.mark.parametrize("version", PROFILES)
def test_a_profile_is_found_by_its_series(version: str) -> None:
    profile = profile_of(version)
    assert profile.version == version
    assert profile.full_version.startswith(f"{version}.")


@pytest.mark.parametrize("version", ["3.9", "4", "4.0.5", ""])
def test_an_unknown_version_is_a_misuse_that_names_the_known_ones(version: str) -> None:
    with pytest.raises(fakeamqp.Misuse, match=r"no RabbitMQ version .* here; version= takes one of 3\.10, 4\.0"):
        fakeamqp.Broker(version=version)
