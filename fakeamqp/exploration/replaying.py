"""What `pytest --amqp-replay` asks for: a run, and which of the explorations of the test it belongs to."""

from __future__ import annotations

import os
import re
import shlex

from fakeamqp.exploration import settings
from fakeamqp.exploration.tokens import Token

_asked: list[tuple[int, str]] = []
"""At most one: the number of the exploration in its test, from 1, and the run."""
_count = [0]
"""How many explorations the running test has begun."""


def ask(text: str) -> None:
    """Have one run made instead of an exploration: "7:12=1", or "2/7:12=1" in the second exploration of a test.

    Raises Misuse for what is neither.
    """
    number, _, token = text.partition("/") if re.match(r"[1-9]\d*/", text) else ("1", "/", text)
    Token(token)
    _asked[:] = [(int(number), token)]


def forget() -> None:
    """Explorations explore again."""
    _asked.clear()


def begin_test() -> None:
    """Explorations are counted anew."""
    _count[0] = 0


def begin_exploration() -> str | None:
    """Count an exploration; the run that is to be made instead, if it is this one that was asked for."""
    _count[0] += 1
    return next((token for number, token in _asked if number == _count[0]), None)


def how_to_replay(token: str, scenario: object, invariant: object) -> str:
    """The line that makes a run again: of a shell where a test explores, of Python elsewhere."""
    test = os.environ.get("PYTEST_CURRENT_TEST")
    if test is not None:
        which = f"{_count[0]}/" if _count[0] > 1 else ""
        node = settings.findable(test.rpartition(" ")[0])
        return f"pytest {shlex.quote(node)} {shlex.quote(f'--amqp-replay={which}{token}')}"
    return f"fakeamqp.replay({_name(scenario)}, {_name(invariant)}, {token!r})"


def _name(thing: object) -> str:
    return "None" if thing is None else str(getattr(thing, "__qualname__", type(thing).__qualname__))
