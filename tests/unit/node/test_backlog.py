"""The backlog: ready entries in the order in which they leave."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from fakeamqp.node.kernel.message import Entry
from fakeamqp.node.queues.backlog import Backlog, Line, PriorityBacklog, QuorumBacklog
from tests.unit.node._parts import fill, make_queue


def filled(count: int) -> Line:
    queue = make_queue()
    fill(queue, *(b"" for _ in range(count)))
    assert isinstance(queue.backlog, Line)
    return queue.backlog


def with_priorities(*priorities: int | None) -> list[Entry]:
    """New entries of one queue with messages of these priorities."""
    queue = make_queue()
    return [entry for priority in priorities for entry in fill(queue, b"", priority=priority)]


def positions(backlog: Line) -> list[int]:
    backlog.check()
    return [entry.position for entry in backlog]


def test_entries_leave_in_the_order_of_arrival() -> None:
    backlog = filled(3)
    assert len(backlog) == 3
    assert [backlog.pop().position for _ in range(3)] == [0, 1, 2]
    assert not backlog


def test_the_head_is_what_is_popped_next() -> None:
    backlog = filled(2)
    head = backlog.head()
    assert backlog.pop() is head


@pytest.mark.parametrize("kind", [Line, lambda: PriorityBacklog(5), lambda: QuorumBacklog(has_levels=True)])
def test_an_empty_backlog_has_no_head(kind: Callable[[], Backlog]) -> None:
    backlog = kind()
    assert backlog.head() is None
    with pytest.raises(IndexError):
        backlog.pop()


def test_what_is_put_back_has_its_old_place() -> None:
    backlog = filled(4)
    first, second, third = (backlog.pop() for _ in range(3))
    backlog.put_back(third)
    backlog.put_back(first)
    assert positions(backlog) == [0, 2, 3]
    assert backlog.head() is first
    assert backlog.pop() is first
    backlog.put_back(second)
    assert positions(backlog) == [1, 2, 3]


def test_clear_takes_everything_in_order() -> None:
    backlog = filled(3)
    backlog.put_back(backlog.pop())
    assert [entry.position for entry in backlog.clear()] == [0, 1, 2]
    assert len(backlog) == 0
    assert backlog.clear() == []


@pytest.mark.parametrize("seed", range(20))
def test_a_backlog_is_a_sorted_list_whatever_comes_and_goes(seed: int) -> None:
    chance = random.Random(seed)
    queue = make_queue()
    ready: list[int] = []
    taken = []
    for _ in range(200):
        action = chance.choice(["arrive", "take", "return"])
        if action == "arrive":
            (entry,) = fill(queue, b"")
            ready.append(entry.position)
        elif action == "take" and ready:
            taken.append(queue.backlog.pop())
            assert taken[-1].position == ready.pop(0)
        elif action == "return" and taken:
            entry = taken.pop(chance.randrange(len(taken)))
            queue.backlog.put_back(entry)
            ready = sorted([*ready, entry.position])
        assert positions(queue.backlog) == ready


class TestQuorum:
    """The backlog of a quorum queue."""

    def test_what_returned_comes_first_in_the_order_of_returning(self) -> None:
        backlog = QuorumBacklog(has_levels=False)
        assert backlog.head() is None
        for entry in filled(4):
            backlog.append(entry)
        first, second, third = (backlog.pop() for _ in range(3))
        for entry in (third, first, second):
            backlog.put_back(entry)
        assert [entry.position for entry in backlog] == [2, 0, 1, 3]
        assert backlog.head() is third
        assert [entry.position for entry in backlog.clear()] == [2, 0, 1, 3]
        assert len(backlog) == 0
        backlog.check()

    def test_without_levels_priorities_mean_nothing(self) -> None:
        backlog = QuorumBacklog(has_levels=False)
        for entry in with_priorities(0, 9):
            backlog.append(entry)
        assert [entry.position for entry in backlog] == [0, 1]

    def test_two_of_high_priority_leave_then_a_normal_one_that_came_before_the_next(self) -> None:
        backlog = QuorumBacklog(has_levels=True)
        for entry in with_priorities(4, 0, 5, 9, 5, 9, 5):
            backlog.append(entry)
        backlog.check()
        order = [2, 3, 0, 4, 5, 1, 6]
        assert [entry.position for entry in backlog] == order
        assert [backlog.pop().position for _ in range(len(order))] == order

    def test_what_leaves_without_a_choice_counts_as_well(self) -> None:
        backlog = QuorumBacklog(has_levels=True)
        *alone, normal, high, other = with_priorities(0, 0, 0, 9, 9)
        for entry in alone:
            backlog.append(entry)
        assert [backlog.pop().position for _ in alone] == [0, 1]
        for entry in (normal, high, other):
            backlog.append(entry)
        assert [entry.position for entry in backlog] == [2, 3, 4]

    def test_lines_out_of_order_are_noticed(self) -> None:
        backlog = QuorumBacklog(has_levels=True)
        for entry in reversed(filled(2).clear()):
            backlog.append(entry)
        with pytest.raises(AssertionError):
            backlog.check()


class TestPriorities:
    """The backlog of a classic queue with priorities."""

    def test_the_highest_leaves_first_and_of_equal_ones_the_oldest(self) -> None:
        backlog = PriorityBacklog(5)
        for entry in with_priorities(1, 5, None, 5, 3):
            backlog.append(entry)
        backlog.check()
        assert len(backlog) == 5
        assert [entry.position for entry in backlog] == [1, 3, 4, 0, 2]
        assert backlog.head() is next(iter(backlog))
        assert [backlog.pop().position for _ in range(5)] == [1, 3, 4, 0, 2]

    def test_what_is_above_the_highest_is_the_highest(self) -> None:
        backlog = PriorityBacklog(5)
        for entry in with_priorities(5, 255):
            backlog.append(entry)
        assert [entry.position for entry in backlog] == [0, 1]

    def test_what_is_put_back_has_its_old_place_in_its_line(self) -> None:
        backlog = PriorityBacklog(5)
        for entry in with_priorities(1, 5, 5):
            backlog.append(entry)
        first, second, low = (backlog.pop() for _ in range(3))
        for entry in (low, second, first):
            backlog.put_back(entry)
        assert [entry.position for entry in backlog] == [1, 2, 0]
        assert [entry.position for entry in backlog.clear()] == [1, 2, 0]
        assert len(backlog) == 0

    def test_a_line_out_of_order_is_noticed(self) -> None:
        backlog = PriorityBacklog(5)
        (entry,) = with_priorities(5)
        backlog.append(entry)
        backlog.append(entry)
        with pytest.raises(AssertionError):
            backlog.check()


def test_two_entries_at_one_place_are_noticed() -> None:
    backlog = filled(2)
    backlog.append(next(iter(backlog)))
    with pytest.raises(AssertionError):
        backlog.check()


@pytest.mark.parametrize("seed", range(20))
def test_with_priorities_it_is_a_sorted_list_whatever_comes_and_goes(seed: int) -> None:
    chance, backlog = random.Random(seed), PriorityBacklog(255)
    there: list[Entry] = []
    out: list[Entry] = []
    for each in with_priorities(*(chance.choice((None, 0, 1, 100, 255, 300)) for _ in range(60))):
        backlog.append(each)
        there.append(each)
        if chance.random() < 0.5:
            there.sort(key=lambda entry: (-min(entry.message.properties.priority or 0, 255), entry.position))
            out.append(there.pop(0))
            assert backlog.pop() is out[-1]
        if out and chance.random() < 0.3:
            back = out.pop(chance.randrange(len(out)))
            backlog.put_back(back)
            there.append(back)
        backlog.check()
        assert len(backlog) == len(there)
    assert len(backlog.clear()) == len(there)
    assert (len(backlog), backlog.head()) == (0, None)
