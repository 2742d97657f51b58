"""Timers: in the order of their times, and of their making where those are equal."""

from __future__ import annotations

import random

from fakeamqp.node.kernel.timers import NEVER_US, Timers


def nothing() -> None:
    """What a timer does here."""


def due(timers: Timers, now_us: int) -> list[int]:
    """Take all that is due, as their sequence numbers."""
    taken = []
    while (timer := timers.pop_due(now_us)) is not None:
        taken.append(timer.sequence)
    return taken


def test_timers_come_by_time_and_then_by_age() -> None:
    timers = Timers()
    for at_us in (30, 10, 30, 20, 10):
        timers.at(at_us, nothing)
    assert due(timers, 30) == [1, 4, 3, 0, 2]


def test_a_timer_is_due_at_its_time_and_not_before() -> None:
    timers = Timers()
    timer = timers.at(10, nothing)
    assert timers.pop_due(9) is None
    assert timers.pop_due(10) is timer
    assert timers.pop_due(10) is None


def test_a_cancelled_timer_never_comes() -> None:
    timers = Timers()
    first, second, third = (timers.at(at_us, nothing) for at_us in (10, 20, 30))
    first.cancel()
    second.cancel()
    second.cancel()
    assert timers.next_deadline() == 30
    assert timers.pop_due(100) is third
    assert timers.next_deadline() is None


def test_the_deadline_is_the_earliest_timers() -> None:
    timers = Timers()
    assert timers.next_deadline() is None
    timers.at(20, nothing)
    timers.at(10, nothing)
    assert timers.next_deadline() == 10


def test_the_quick_guess_is_never_later_than_the_deadline() -> None:
    timers = Timers()
    assert timers.next_us == NEVER_US
    early, _ = timers.at(10, nothing), timers.at(20, nothing)
    assert timers.next_us == 10
    early.cancel()
    assert timers.next_us <= 20
    timers.pop_due(20)
    assert timers.next_us == NEVER_US


def test_housekeeping_is_no_work() -> None:
    timers = Timers()
    timers.at(10, nothing, is_housekeeping=True)
    assert not timers.has_work()
    work = timers.at(20, nothing)
    assert timers.has_work()
    work.cancel()
    assert not timers.has_work()


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    kept = timers.at(10, nothing)
    for _ in range(1000):
        timers.at(5, nothing).cancel()
    assert len(timers._heap) < 200
    assert due(timers, 10) == [kept.sequence]


def test_whatever_is_cancelled_when_or_how_often_the_others_come_in_order() -> None:
    timers, chance = Timers(), random.Random(1)
    waiting = [timers.at(chance.randrange(100), nothing) for _ in range(500)]
    gone = set()
    for now_us in range(0, 100, 10):
        for each in chance.sample(waiting, 40):
            each.cancel()
            each.cancel()
            gone.add(each.sequence)
        expected = sorted(
            (each.at_us, each.sequence) for each in waiting if each.at_us <= now_us and each.sequence not in gone
        )
        assert due(timers, now_us) == [sequence for _, sequence in expected]
        assert timers._cancelled == sum(each.action is None for each in timers._heap)
        gone.update(sequence for _, sequence in expected)
