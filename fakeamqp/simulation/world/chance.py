"""Chance: everything that could be otherwise is drawn here, so that a seed repeats it."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

UNIMPORTANT = 2**32
"""Draws among more possibilities than this make names; nobody searches through them."""


class Chooser(Protocol):
    """Where choices come from. Streams are independent: what one draws does not shift another."""

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities, from 0 on; `among` names the first of them, where they have names."""


class SeededChooser:
    """Choices from a seed, the same in every process."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """One of `count` possibilities, from 0 on."""
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = random.Random(f"{self.seed}/{stream}")
        return found.randrange(count)


class Choice(NamedTuple):
    """One choice that was made: `chosen` of so many possibilities."""

    stream: str
    of: int
    chosen: int


class RecordingChooser:
    """Keeps what another chooser draws, but for names, which come from the seed."""

    def __init__(self, source: Chooser, seed: int) -> None:
        self._source = source
        self._names = SeededChooser(seed)
        self.choices: list[Choice] = []

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """What the other chooser says."""
        if count > UNIMPORTANT:
            return self._names.choose(stream, count)
        chosen = self._source.choose(stream, count, among)
        self.choices.append(Choice(stream, count, chosen))
        return chosen


class ReplayingChooser:
    """Makes recorded choices again, and 0 where the record is at its end: the quiet choice everywhere."""

    def __init__(self, chosen: Sequence[int]) -> None:
        self._left = iter(chosen)

    def choose(self, stream: str, count: int, /, among: Sequence[str] = ()) -> int:
        """The next of the record; the last possibility where there are fewer than there were."""
        return min(next(self._left, 0), count - 1)


def generated_name(chooser: Chooser, stream: str) -> str:
    """Twenty-two characters as RabbitMQ appends them to `amq.gen-` and `amq.ctag-`."""
    number = chooser.choose(stream, 2**128)
    return base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
