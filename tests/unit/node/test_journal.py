"""The journal: what is safe, what is still pending, and what a crash leaves of that."""

from __future__ import annotations

import pytest

from fakeamqp.node.kernel.journal import Journal, QueueStore
from fakeamqp.node.kernel.message import QuorumEntry
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import (
    BindingFact,
    ExchangeFact,
    Fact,
    PermissionFact,
    TopicPermissionFact,
    UserFact,
    VirtualHostFact,
    key_of,
)
from tests.unit.node._parts import fill, make_queue, queue_fact

ORDERS, BILLS = ("/", "orders"), ("/", "bills")


def add(journal: Journal, name: str, *bodies: bytes) -> QueueStore:
    """Persistent messages come into a queue."""
    store = journal.store(("/", name))
    for entry in fill(make_queue(name), *bodies):
        journal.add_entry(store, entry)
    return store


def kept(store: QueueStore) -> list[bytes]:
    """The bodies on disk, by position."""
    return [store.entries[position][0].body for position in sorted(store.entries)]


class TestFacts:
    def test_a_fact_is_safe_at_once(self) -> None:
        journal = Journal()
        fact = VirtualHostFact("/")
        journal.put(fact)
        journal.lose_tail({})
        assert list(journal.facts.values()) == [fact]

    def test_a_later_fact_replaces_an_earlier_one_of_the_same_thing(self) -> None:
        journal = Journal()
        journal.put(UserFact("ann", "old", ()))
        journal.put(UserFact("bob", "secret", ()))
        journal.put(UserFact("ann", "new", ()))
        assert list(journal.facts.values()) == [UserFact("ann", "new", ()), UserFact("bob", "secret", ())]

    @pytest.mark.parametrize(
        ("fact", "other"),
        [
            (VirtualHostFact("one"), VirtualHostFact("two")),
            (VirtualHostFact("name"), UserFact("name", "secret", ())),
            (PermissionFact("ann", "/", "", "", ""), PermissionFact("ann", "two", "", "", "")),
            (TopicPermissionFact("ann", "/", "one", "", ""), TopicPermissionFact("ann", "/", "two", "", "")),
            (queue_fact("one"), queue_fact("one", vhost="two")),
            (queue_fact("name"), ExchangeFact("/", "name", "direct", True, False, False, {})),
            (
                BindingFact("/", Binding("one", Destination("queue", "orders"), "key", {})),
                BindingFact("/", Binding("one", Destination("exchange", "orders"), "key", {})),
            ),
        ],
    )
    def test_facts_of_different_things_stand_side_by_side(self, fact: Fact, other: Fact) -> None:
        assert key_of(fact) != key_of(other)

    def test_a_deleted_fact_is_gone(self) -> None:
        journal = Journal()
        journal.put(queue_fact())
        journal.delete(queue_fact())
        journal.delete(queue_fact())
        assert journal.facts == {}

    def test_a_queue_takes_its_messages_along(self) -> None:
        journal = Journal()
        journal.put(queue_fact())
        add(journal, "orders", b"safe")
        journal.sync()
        add(journal, "orders", b"pending")
        journal.delete(queue_fact())
        journal.sync()
        assert journal.stores == {}
        assert kept(journal.store(ORDERS)) == []


class TestPositions:
    def test_positions_count_records(self) -> None:
        journal = Journal()
        assert (journal.appended, journal.synced) == (0, 0)
        add(journal, "orders", b"1", b"2")
        assert (journal.appended, journal.synced) == (2, 0)
        journal.sync()
        assert (journal.appended, journal.synced) == (2, 2)
        add(journal, "orders", b"3")
        assert (journal.appended, journal.synced) == (3, 2)

    def test_positions_go_on_after_a_loss(self) -> None:
        journal = Journal()
        add(journal, "orders", b"1", b"2")
        journal.lose_tail({})
        assert (journal.appended, journal.synced) == (2, 2)

    def test_a_deleted_queue_makes_nobody_elses_records_safe(self) -> None:
        journal = Journal()
        journal.put(queue_fact("bills"))
        add(journal, "orders", b"order")
        position = journal.appended
        add(journal, "bills", b"bill")
        journal.delete(queue_fact("bills"))
        assert journal.synced < position


class TestSync:
    def test_messages_are_on_disk_when_it_has_synced(self) -> None:
        journal = Journal()
        store = add(journal, "orders", b"1", b"2")
        assert kept(store) == []
        journal.sync()
        assert kept(store) == [b"1", b"2"]
        assert journal.pending() == {}

    def test_what_left_its_queue_is_gone(self) -> None:
        journal = Journal()
        store = journal.store(ORDERS)
        first, second = fill(make_queue(), b"1", b"2")
        journal.add_entry(store, first)
        journal.add_entry(store, second)
        journal.mark_entry(store, first, 1)
        journal.remove_entry(store, first)
        journal.sync()
        assert kept(store) == [b"2"]
        assert store.deliveries == {}

    def test_how_often_a_message_was_delivered_is_kept(self) -> None:
        journal = Journal()
        store = journal.store(ORDERS)
        never, once, thrice = fill(make_queue(arguments={"x-queue-type": "quorum"}), b"never", b"once", b"thrice")
        assert isinstance(thrice, QuorumEntry)
        thrice.deliveries = 3
        for entry in (never, once, thrice):
            journal.add_entry(store, entry)
        journal.mark_entry(store, once, 1)
        journal.sync()
        assert store.deliveries == {once.position: 1, thrice.position: 3}


class TestLosingTheTail:
    def test_pending_records_are_counted_by_queue(self) -> None:
        journal = Journal()
        add(journal, "orders", b"1", b"2")
        add(journal, "bills", b"3")
        assert journal.pending() == {ORDERS: 2, BILLS: 1}

    @pytest.mark.parametrize("count", range(4))
    def test_of_each_queue_the_first_records_are_kept(self, count: int) -> None:
        journal = Journal()
        orders, bills = journal.store(ORDERS), journal.store(BILLS)
        for order, bill in zip(
            fill(make_queue("orders"), b"1", b"2", b"3"), fill(make_queue("bills"), b"a", b"b", b"c"), strict=True
        ):
            journal.add_entry(orders, order)
            journal.add_entry(bills, bill)
        journal.lose_tail({ORDERS: count, BILLS: 3 - count})
        assert kept(orders) == [b"1", b"2", b"3"][:count]
        assert kept(bills) == [b"a", b"b", b"c"][: 3 - count]
        assert journal.pending() == {}

    def test_what_was_synced_before_stays(self) -> None:
        journal = Journal()
        store = add(journal, "orders", b"safe")
        journal.sync()
        entry = fill(make_queue(), b"again")[0]
        journal.remove_entry(store, entry)
        journal.lose_tail({})
        assert kept(store) == [b"safe"]
