"""Running one program on both sides until they disagree, and making a program that they disagree on small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fakeamqp.spec.methods import BasicGet, ChannelClose
from tests.model.differential.observations import Observation
from tests.model.differential.sides import FakeSide, RealSide
from tests.model.differential.steps import PLACES, Program, Step, printed


@dataclass
class Disagreement:
    """After which step of which program the two sides differ, and how."""

    program: Program
    step: Step
    expected: Observation
    found: Observation

    def __str__(self) -> str:
        expected, found = self.expected.lines(), self.found.lines()
        lines = [printed(self.program), "", f"after {self.step!r}"]
        lines += [f"  both:     {line}" for line in expected if line in found]
        lines += [f"  fakeamqp: {line}" for line in expected if line not in found]
        lines += [f"  RabbitMQ: {line}" for line in found if line not in expected]
        if sorted(expected) == sorted(found):
            lines += ["in another order; RabbitMQ:", *(f"  {line}" for line in found)]
        return "\n".join(lines)


@dataclass
class Comparison:
    """How many steps both sides made alike, and what they disagreed on, if anything."""

    steps: int = 0
    disagreement: Disagreement | None = None


def compare(program: Program, fake: FakeSide, real: RealSide, patience: float) -> Comparison:
    """Run a program on both sides, up to where RabbitMQ may do this or that.

    Raises UnsupportedFeature where the program asks for what fakeamqp cannot do.
    """
    comparison = Comparison()
    for step in with_ending(program, fake):
        if not fake.make(step):
            continue
        expected = fake.observe(step)
        real.make(step)
        found = real.observe(step, expected, 0 if expected.is_free else patience)
        if expected.is_free or real.is_interleaved(found, expected):
            break
        if found != expected:
            if not fake.explains(step, found, expected):
                comparison.disagreement = Disagreement(program, step, expected, found)
            break
        comparison.steps += 1
    return comparison


def with_ending(program: Program, fake: FakeSide) -> Iterator[Step]:
    """The program, and the steps that bring to light what it left: its channels are closed, its queues emptied."""
    yield from program
    for connection, channel in PLACES:
        yield Step(connection, channel, ChannelClose(200, "Normal shutdown"))
    for called, (ready, _) in fake.queues.items():
        name = fake.name_of(called)
        for _ in range(ready + 1):
            yield Step(fake.owners.get(name, 0), 1, BasicGet(called, no_ack=True))


def shrunk(found: Disagreement, run: Callable[[Program], Comparison]) -> Disagreement:
    """A smaller disagreement: steps are taken away, many at once and then one by one, while the two still disagree."""
    size = max(1, len(found.program) // 2)
    while True:
        smaller = _without_some(found, size, run)
        if smaller is not None:
            found = smaller
        elif size > 1:
            size //= 2
        else:
            return found


def _without_some(found: Disagreement, size: int, run: Callable[[Program], Comparison]) -> Disagreement | None:
    program = found.program
    for start in range(len(program) - size, -size, -size):
        rest = program[: max(0, start)] + program[start + size :]
        again = run(rest).disagreement
        if again is not None:
            return again
    return None
