"""Programs that wait for one another: whoever waits for a lock or a join waits for somebody who can never go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fakeamqp.simulation.tasks.tasks import Fiber


def knot(fibers: Sequence[Fiber]) -> list[Fiber]:
    """Some that wait in a circle, or for a lock of somebody who is over; none if nobody does."""
    for fiber in fibers:
        for path in _paths((fiber,)):
            last = path[-1]
            if not last.is_alive:
                return list(path[:-1])
            if last in path[:-1]:
                return list(path[path.index(last) : -1])
    return []


def _paths(path: tuple[Fiber, ...]) -> Iterator[tuple[Fiber, ...]]:
    """From who waits to who blocks it, to who blocks that one: as far as it goes."""
    last = path[-1]
    blockers = getattr(last.waiter, "blockers", ())
    if last in path[:-1] or not last.is_alive or not blockers:
        yield path
        return
    for blocker in blockers:
        yield from _paths((*path, blocker))


def knot_story(waits: Sequence[str]) -> str:
    """Who waits for whom."""
    return "\n".join(
        [
            "nothing can happen any more, as programs wait for what none of them gives back:",
            *(f"  {each}" for each in waits),
            "Real programs would hang here. If they should not: take locks in the same order everywhere, give them "
            "back with `with`, hold none over a call to the broker",
        ]
    )
