"""A run in one word, to be made again: the seed, and each choice that was not the quiet one, by its number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fakeamqp.spec.errors import Misuse


def token_of(seed: int, values: Sequence[int]) -> str:
    """For instance "7:12=1,40=2": seed 7, choice 12 is 1, choice 40 is 2, all others are 0."""
    return f"{seed}:" + ",".join(f"{index}={value}" for index, value in enumerate(values) if value)


def parse_token(token: str) -> tuple[int, list[int]]:
    """The seed and the choices. Raises Misuse for what is no such word."""
    if not re.fullmatch(r"-?\d+:(\d+=\d+(,\d+=\d+)*)?", token):
        raise Misuse(f"{token!r} is no run to replay; it is what a counterexample printed, such as 7:12=1,40=2")
    seed, _, text = token.partition(":")
    pairs = [pair.split("=") for pair in text.split(",") if pair]
    values = [0] * (max((int(index) for index, _ in pairs), default=-1) + 1)
    for index, value in pairs:
        values[int(index)] = int(value)
    return int(seed), values
