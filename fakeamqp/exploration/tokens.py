"""A run in one word, to be made again: the seed, each choice that was not the quiet one, the faults and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from fakeamqp.exploration.runs import Case
from fakeamqp.simulation.faults.faults import TAKES, Faults
from fakeamqp.spec.errors import Misuse

OF_A_CASE = ("max_steps", "horizon", "may_hang")
"""Fields of a case that a token tells where they are not what they are by default."""
PLUS = r"\u002b"
"""How JSON can write what stands between settings."""


def token_of(case: Case, values: Sequence[int]) -> str:
    """For instance "7:12=1,40=2+crash=1": seed 7, choice 12 is 1, choice 40 is 2, all others are 0, with one crash.

    Settings that JSON cannot tell, such as functions, are not in it.
    """
    choices = ",".join(f"{index}={value}" for index, value in enumerate(values) if value)
    given: dict[str, Any] = {kind: getattr(case.faults, kind) for kind in case.faults.kinds}
    if case.faults.tasks is not None:
        given["tasks"] = case.faults.tasks
    defaults = {field.name: field.default for field in fields(Case)}
    given |= {name: getattr(case, name) for name in OF_A_CASE if getattr(case, name) != defaults[name]}
    return "+".join([f"{case.seed}:{choices}", *_written({**given, **case.broker})])


def _written(settings: dict[str, Any]) -> list[str]:
    told = {name: _json(value) for name, value in settings.items()}
    return [f"{name}={text}" for name, text in told.items() if text is not None]


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value, separators=(",", ":")).replace("+", PLUS)
    except (TypeError, ValueError):
        return None


class Token:
    """What a token says."""

    def __init__(self, text: str) -> None:
        """Raises Misuse for what is no token."""
        run, *settings = text.split("+")
        if not re.fullmatch(r"-?\d+:(\d+=\d+(,\d+=\d+)*)?", run):
            raise _no_token(text)
        seed, _, choices = run.partition(":")
        pairs = [pair.split("=") for pair in choices.split(",") if pair]
        self.seed = int(seed)
        self.values = [0] * (max((int(index) for index, _ in pairs), default=-1) + 1)
        for index, value in pairs:
            self.values[int(index)] = int(value)
        try:
            self._settings = {name: json.loads(value) for name, _, value in (each.partition("=") for each in settings)}
        except ValueError:
            raise _no_token(text) from None

    def of(self, case: Case) -> Case:
        """A case as the token says it was; what it does not tell stays."""
        told = dict(self._settings)
        faults = {name: told.pop(name) for name in (*TAKES, "tasks") if name in told}
        known = {name: told.pop(name) for name in OF_A_CASE if name in told}
        return replace(
            case,
            seed=self.seed,
            faults=Faults(**faults) if faults else case.faults,
            broker={**case.broker, **told},
            **known,
        )


def _no_token(text: str) -> Misuse:
    return Misuse(f"{text!r} is no run to replay; it is what a counterexample printed, such as 7:12=1,40=2")
