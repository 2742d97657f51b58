"""The story of a run: what each task, the network and the node did, in words, a numbered step each.

A step is what one of them did until another acted. What tells nobody anything (handshakes, answers that say yes) is
left out, and what goes on and on in the same way is told once.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fakeamqp.exploration.narration import BINDING, EXCHANGE, NETWORK, NODE, QUEUE, Line, Narrator
from fakeamqp.simulation.record.trace import Event

if TYPE_CHECKING:
    from fakeamqp.exploration.runs import Outcome

LONGEST_CYCLE = 6
"""What repeats is recognised if it repeats after at most so many steps."""
Likeness = TypeVar("Likeness")
MOST_DECLARATIONS = 3
"""More declarations in a row are told as a sum."""
WIDTH = 120
INDENT = " " * 18
"""What a line is continued with, below the words of its step."""


class Step(NamedTuple):
    """What one actor did until another acted."""

    lines: tuple[Line, ...]

    @property
    def at_us(self) -> int:
        """When it began."""
        return self.lines[0].at_us

    @property
    def actor(self) -> str:
        """Who did it."""
        return self.lines[0].actor

    @property
    def is_fault(self) -> bool:
        """Whether any of it went wrong on purpose."""
        return any(line.is_fault for line in self.lines)

    @property
    def texts(self) -> tuple[str, ...]:
        """What was done, one by one."""
        return tuple(line.text for line in self.lines)

    @property
    def words(self) -> str:
        """All of it, with the time that passed between; what repeats and repeats is told once, with how often."""
        told: list[str] = []
        for texts, times in _folded(self._timed_texts()):
            told += texts
            if times > 1:
                told.append(f"... {'the same' if len(texts) == 1 else f'these {len(texts)}'} {times - 1} times more")
        return ", ".join(told)

    def _timed_texts(self) -> list[str]:
        before = (self.lines[0], *self.lines)
        passed = (line.at_us - last.at_us for last, line in zip(before, self.lines, strict=False))
        return [
            f"{us / 1e6:g} s later {line.text}" if us else line.text
            for us, line in zip(passed, self.lines, strict=True)
        ]


def tell(outcome: Outcome) -> list[str]:
    """The numbered story of a run, with what was wrong in the end."""
    told = tell_events(outcome.trace)
    if outcome.failure is not None:
        told.append(f"  => {outcome.failure.kind}: {first_line(outcome.failure.text)}")
    return told


def tell_events(trace: Iterable[Event]) -> list[str]:
    """The numbered story of some events."""
    steps = steps_of(trace)
    told = []
    for number, entry in enumerate(_without_repetitions(steps), 1):
        if isinstance(entry, str):
            told.append(f"     {entry}")
            continue
        mark = "!" if entry.is_fault else " "
        told.append(_wrapped(f"{number:3}.{mark}{entry.at_us / 1e6:9.3f} s  {entry.actor}: {entry.words}"))
    return told


def _wrapped(line: str) -> str:
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent=INDENT,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )


def first_line(text: str) -> str:
    """The first line of a text."""
    return text.splitlines()[0] if text else ""


def mermaid(outcome: Outcome) -> str:
    """The story as a Mermaid sequence diagram: between whoever acts and the node."""
    steps = [each for each in _without_repetitions(steps_of(outcome.trace)) if isinstance(each, Step)]
    actors = list(dict.fromkeys(step.actor for step in steps if step.actor not in (NODE, NETWORK)))
    names = {actor: f"P{number}" for number, actor in enumerate(actors)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {names[actor]} as {_quoted(actor)}" for actor in actors]
    lines.append(f"    participant N as {NODE}")
    for step in steps:
        if step.actor in names and not step.is_fault:
            lines += [f"    {_arrow(names[step.actor], text)}: {_quoted(text)}" for text in step.texts]
        else:
            lines.append(f"    Note over {names.get(step.actor, 'N')}: {_quoted(step.words)}")
    if outcome.failure is not None:
        lines.append(f"    Note over N: {_quoted(outcome.failure.kind)}")
    return "\n".join(lines)


def _arrow(name: str, text: str) -> str:
    if text.startswith(("starts", "fails", "dies", "is through")):
        return f"{name}->>{name}"
    return f"N->>{name}" if text.startswith(("gets", "is told", "finds")) else f"{name}->>N"


def _quoted(text: str) -> str:
    return text.replace(";", ",").replace("#", "no. ").replace("\n", " ")


def steps_of(trace: Iterable[Event]) -> list[Step]:
    """What was done, grouped by who did it."""
    groups: list[list[Line]] = []
    for line in Narrator().lines(trace):
        last = groups[-1] if groups else []
        if last and last[0].actor == line.actor and (line.actor == NODE or not (line.is_fault or last[0].is_fault)):
            last.append(line)
        else:
            groups.append([line])
    return [Step(tuple(_with_sums(group))) for group in groups]


def _with_sums(lines: Iterable[Line]) -> Iterator[Line]:
    """The same; many declarations in a row are told as a sum."""
    for declares, found in itertools.groupby(lines, lambda line: bool(line.declares)):
        group = list(found)
        if declares and len(group) > MOST_DECLARATIONS:
            kinds = [line.declares for line in group]
            sums = [_counted(kinds.count(kind), kind) for kind in (QUEUE, EXCHANGE, BINDING) if kind in kinds]
            yield group[0]._replace(text=f"declares {' and '.join(sums)}", declares="")
        else:
            yield from group


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind}{'s' if count > 1 else ''}"


def _without_repetitions(steps: list[Step]) -> list[Step | str]:
    """The steps; where some repeat and repeat, they are told once, with how often."""
    told: list[Step | str] = []
    at = 0
    for likenesses, times in _folded([_likeness(step) for step in steps]):
        told += steps[at : at + len(likenesses)]
        if times > 1:
            told.append(f"... and so on, {times - 1} times more")
        at += len(likenesses) * times
    return told


def _folded(things: Sequence[Likeness]) -> Iterator[tuple[Sequence[Likeness], int]]:
    """The parts of a sequence, and how often each comes in a row: 1, or more than 2 where it is a cycle."""
    at = 0
    while at < len(things):
        length, times = _repetition(things, at)
        yield things[at : at + length], times
        at += length * times


def _repetition(things: Sequence[Likeness], at: int) -> tuple[int, int]:
    for length in range(1, LONGEST_CYCLE + 1):
        cycle = things[at : at + length]
        times = 1
        while things[at + times * length : at + (times + 1) * length] == cycle:
            times += 1
        if times > 2:
            return length, times
    return 1, 1


def _likeness(step: Step) -> tuple[str, str]:
    return step.actor, step.words.replace(" (redelivered)", "")
