"""Field tables: type names as RabbitMQ prints them, and copies that share nothing."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest

from fakeamqp.spec.tables import LongLong, copy_table, copy_value, field_type


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (True, "bool"),
        (0, "signedint"),
        (2**31 - 1, "signedint"),
        (-(2**31), "signedint"),
        (2**31, "long"),
        (-(2**31) - 1, "long"),
        (LongLong(1), "long"),
        ("text", "longstr"),
        (b"octets", "binary"),
        (1.5, "double"),
        (decimal.Decimal("1.5"), "decimal"),
        (datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc), "timestamp"),
        ({}, "table"),
        ([], "array"),
        (None, "void"),
    ],
)
def test_every_kind_of_value_has_a_name(value: Any, name: str) -> None:
    assert field_type(value) == name


def test_a_copy_shares_no_container_with_its_original() -> None:
    original = {"list": [1, {"deep": [2]}], "table": {"key": "value"}}
    copied = copy_table(original)
    assert copied == original
    copied["list"][1]["deep"].append(3)
    copied["table"]["key"] = "changed"
    assert original == {"list": [1, {"deep": [2]}], "table": {"key": "value"}}


@pytest.mark.parametrize("value", [LongLong(5), True, "text", b"octets", None])
def test_a_single_value_is_its_own_copy(value: Any) -> None:
    assert copy_value(value) is value
