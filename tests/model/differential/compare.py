"""Running one program on both sides until they disagree, and making a program that they disagree on small."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fakeamqp import UnsupportedFeature
from fakeamqp.spec.methods import BasicGet, ChannelClose
from tests.model.differential.observations import Observation
from tests.model.differential.sides import FakeSide, RealSide
from tests.model.differential.steps import PLACES, Pass, Program, Step, printed

LATE = "the machine was too slow for a program in which time matters"
"""Why a program was not compared to its end that may be the next time."""


@dataclass
class Disagreement:
    """After which step of which program the two sides differ, and how."""

    program: Program
    step: Step
    expected: Observation
    found: Observation

    @property
    def kind(self) -> tuple[object, ...]:
        """What is alike in two disagreements of one cause: what was done, and in which kinds of lines they differ."""
        expected, found = self.expected.lines(), self.found.lines()
        only_expected = {_kind(line) for line in expected if line not in found}
        only_found = {_kind(line) for line in found if line not in expected}
        return type(self.step.method), frozenset(only_expected), frozenset(only_found)

    def __str__(self) -> str:
        expected, found = self.expected.lines(), self.found.lines()
        lines = [printed(self.program), "", f"after {self.step!r}"]
        lines += [f"  both:     {line}" for line in expected if line in found]
        lines += [f"  fakeamqp: {line}" for line in expected if line not in found]
        lines += [f"  RabbitMQ: {line}" for line in found if line not in expected]
        if sorted(expected) == sorted(found):
            lines += ["in another order; RabbitMQ:", *(f"  {line}" for line in found)]
        return "\n".join(lines)


def _kind(line: str) -> str:
    """A line of an observation, without its place, its numbers and what is in quotes."""
    return re.sub(r"'[^']*'|\d+", "", line.partition("(")[0] if "Basic" in line else line)


@dataclass
class Comparison:
    """What came of a program on both sides."""

    steps: int = 0
    """How many steps both made alike."""
    freedoms: int = 0
    """After how many RabbitMQ was free to do this or that, so that the sides were brought together again."""
    disagreement: Disagreement | None = None
    ending: str = ""
    """Why the program was not compared to its end, where it was not for a disagreement."""


def compare(program: Program, fake: FakeSide, real: RealSide, patience: float) -> Comparison:
    """Run a program on both sides. Where RabbitMQ may do this or that, they are brought together, and go on."""
    comparison = Comparison()
    for step in with_ending(program, fake):
        try:
            if not fake.make(step):
                continue
        except UnsupportedFeature as unsupported:
            comparison.ending = f"{step!r}: {unsupported}"
            break
        expected = fake.observe(step)
        real.make(step)
        found = real.observe(step, expected, 0 if expected.is_free else patience)
        if real.is_late and is_timed(program):
            comparison.ending = LATE
            break
        if expected.is_free or (found != expected and _is_excused(step, fake, real, expected, found)):
            comparison.freedoms += 1
            bring_together(fake, real)
        elif found != expected:
            comparison.disagreement = Disagreement(program, step, expected, found)
            break
        comparison.steps += 1
    return comparison


def _is_excused(step: Step, fake: FakeSide, real: RealSide, expected: Observation, found: Observation) -> bool:
    """Whether RabbitMQ was free to bring what it has brought instead of what was expected."""
    return real.is_interleaved(found, expected) or fake.explains(step, found, expected)


def is_timed(program: Program) -> bool:
    """Whether time passes in a program, so that what lives for a short time expires."""
    return any(isinstance(step.method, Pass) for step in program)


def bring_together(fake: FakeSide, real: RealSide) -> None:
    """Have both sides start anew with what fakeamqp has, but for messages and consumers."""
    topology = fake.topology()
    for side in (fake, real):
        side.start_anew(topology)


def with_ending(program: Program, fake: FakeSide) -> Iterator[Step]:
    """The program, and the steps that bring to light what it left: its channels are closed, its queues emptied."""
    yield from program
    for connection, channel in PLACES:
        yield Step(connection, channel, ChannelClose(200, "Normal shutdown"))
    for called, (ready, _) in tuple(fake.queues.items()):
        name = fake.name_of(called)
        for _ in range(ready + 1):
            yield Step(fake.owners.get(name, 0), 1, BasicGet(called, no_ack=True))


def shrunk(
    found: Disagreement, run: Callable[[Program], Comparison], may_go_on: Callable[[], bool] = lambda: True
) -> Disagreement:
    """A smaller disagreement: steps are taken away, many at once and then one by one, while the two still disagree
    in the same way."""
    size = max(1, len(found.program) // 2)
    while True:
        smaller = _without_some(found, size, run, may_go_on)
        if smaller is not None:
            found = smaller
        elif size > 1:
            size //= 2
        else:
            return found


def _without_some(
    found: Disagreement, size: int, run: Callable[[Program], Comparison], may_go_on: Callable[[], bool]
) -> Disagreement | None:
    program = found.program
    for start in range(len(program) - size, -size, -size):
        if not may_go_on():
            return None
        rest = program[: max(0, start)] + program[start + size :]
        again = run(rest).disagreement
        if again is not None and again.kind == found.kind:
            return again
    return None
