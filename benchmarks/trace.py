"""The trace: what it costs to have it, and what it costs to have switched it off."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.timing import Figure, at_most, in_new_interpreter, interleaved, shown

MESSAGES = 2000
ROUNDS = 4
ROUNDS_INSIDE = 3
MOST_WHEN_OFF = 1.05
MOST_WHEN_ON = 1.4
DIRECT = ("publish", "get_and_ack", "deliver_and_ack")
PIKA = ("publish", "consume_and_ack")


def fastest(door: str, operation: str, trace_limit: int) -> float:
    """Seconds for one operation at a door of a broker with this trace, in this interpreter."""
    import fakeamqp
    from benchmarks.direct import DirectRounds
    from benchmarks.program import Program

    broker = fakeamqp.Broker(trace_limit=trace_limit)
    rounds = DirectRounds(broker) if door == "direct" else Program(broker.connect, MESSAGES)
    return min(getattr(rounds, operation)() for _ in range(ROUNDS_INSIDE))


def figures() -> Iterator[Figure]:
    """A trace that is off against none at all, and one that is on against that."""
    for door, operations in (("direct", DIRECT), ("pika", PIKA)):
        for operation in operations:
            yield from _figures(door, operation)


def _figures(door: str, operation: str) -> Iterator[Figure]:
    def side(trace_limit: int, *, first: str = "") -> float:
        what = f"fastest({door!r}, {operation!r}, {trace_limit})"
        return in_new_interpreter(f"{first}from benchmarks.trace import fastest; print({what})")

    untraced = "from benchmarks.untraced import import_untraced; import_untraced(); "
    none_s, off_s, on_s = interleaved(ROUNDS, lambda: side(0, first=untraced), lambda: side(0), lambda: side(1000))
    name = f"trace, {door}: {operation.replace('_', ' ')}"
    yield at_most(MOST_WHEN_OFF, f"{name}, off", shown(off_s), f"without tracing code, {shown(none_s)}", off_s / none_s)
    yield at_most(MOST_WHEN_ON, f"{name}, on", shown(on_s), f"trace off, {shown(off_s)}", on_s / off_s)
