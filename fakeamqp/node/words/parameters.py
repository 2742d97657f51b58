"""What operators hand to RabbitMQ as parameters: how it checks them, and what it says of bad ones.

Source: rabbit_parameter_validation.erl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from fakeamqp.node.words import erlang
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.tables import Table


def validation_failed(errors: Iterable[str], where: str = "") -> Misuse:
    """All that is wrong with a parameter, as rabbitmqctl prints it; `where` follows for one that was imported."""
    told = "".join(f"{each}\n" for each in errors)
    return Misuse(f"Validation failed\n\n{told}{where}")


def number_errors(name: str, value: Any, *, integer: bool = False) -> list[str]:
    """What is wrong with a number, if anything."""
    kinds = (int,) if integer else (int, float)
    if isinstance(value, kinds) and not isinstance(value, bool):
        return []
    return [f"{name} should be a number, actually was {erlang.json(value)}"]


def pattern_errors(name: str, value: Any) -> list[str]:
    """What is wrong with a regular expression, if anything."""
    if not isinstance(value, str):
        return [f"{name} should be a binary but was {erlang.json(value)}"]
    try:
        re.compile(value)
    except re.error as error:
        return [f"{name} should be regular expression but is invalid: {_regex_error(value, error)}"]
    return []


def _regex_error(pattern: str, error: re.error) -> str:
    # PCRE, which RabbitMQ uses, tells of a missing bracket where the pattern ends.
    if error.msg.startswith("missing )"):
        return f'{{"missing )",{len(pattern)}}}'
    return f"{{{erlang.string(error.msg)},{error.pos}}}"


def limits_errors(name: str, known: Sequence[str], limits: Any) -> list[str]:
    """What is wrong with limits, if anything; `known` are those there are."""
    if not isinstance(limits, dict):
        return [f"{name} must be a dictionary: {erlang.json(limits)}"]
    unknown = {key: value for key, value in limits.items() if key not in known}
    errors = [f"Unrecognised terms {erlang.json_pairs(unknown)} in {name}"] if unknown else []
    return errors + [each for key in known if key in limits for each in number_errors(key, limits[key], integer=True)]


def limit(limits: Table, name: str) -> int | None:
    """One of some limits; a negative one is none."""
    found: int | None = limits.get(name)
    return None if found is None or found < 0 else found
