"""Chance: everything that could be otherwise is drawn here, so that a seed repeats it."""

from __future__ import annotations

import base64
import random
from typing import Protocol


class Chooser(Protocol):
    """Where choices come from. Streams are independent: what one draws does not shift another."""

    def choose(self, stream: str, count: int) -> int:
        """One of `count` possibilities, from 0 on."""


class SeededChooser:
    """Choices from a seed, the same in every process."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def choose(self, stream: str, count: int) -> int:
        """One of `count` possibilities, from 0 on."""
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = random.Random(f"{self.seed}/{stream}")
        return found.randrange(count)


def generated_name(chooser: Chooser, stream: str) -> str:
    """Twenty-two characters as RabbitMQ appends them to `amq.gen-` and `amq.ctag-`."""
    number = chooser.choose(stream, 2**128)
    return base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
