"""What an outage leaves of the exchanges of plugins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.rules._helpers import get_all
from tests.rules._outage import Outage, Rows, Site
from tests.rules._plugin_exchanges import owners, publish

KEYS = [f"key-{number}" for number in range(30)]

rows = Rows()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rows.parametrize(metafunc)


@pytest.fixture(scope="module")
def outage(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """The one outage that all rules of this module share."""
    with rows.outage(request) as outage:
        yield outage


def test_after_an_outage(outage: Outage, rule: str) -> None:
    outage.finish(rule)


def bound(channel: BlockingChannel, exchange: str, bindings: list[tuple[str, str]]) -> list[str]:
    """Declare durable queues and bind them in this order, each with its key; their names."""
    for queue, key in bindings:
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange, key)
    return sorted({queue for queue, _ in bindings})


def spreads(channel: BlockingChannel, queues: list[str], *orders: list[tuple[str, str]]) -> list[str]:
    """How fresh x-consistent-hash exchanges spread over queues that are bound in these orders."""
    found = []
    for number, bindings in enumerate(orders):
        channel.exchange_declare(f"fresh-{number}", "x-consistent-hash")
        bound(channel, f"fresh-{number}", bindings)
        found.append(owners(channel, f"fresh-{number}", KEYS, queues))
        channel.exchange_delete(f"fresh-{number}")
    return found


@rows.row
def a_hash_exchange_may_have_its_buckets_in_another_order(site: Site) -> Iterator[None]:
    # Bindings are recovered in parallel: the order is chance, whatever it was before.
    channel = site.channel()
    channel.exchange_declare("hash", "x-consistent-hash", durable=True)
    queues = bound(channel, "hash", [("sb", "1"), ("sa", "2")])
    yield
    channel = site.channel()
    after = owners(channel, "hash", KEYS, queues)
    assert after in spreads(channel, queues, [("sa", "2"), ("sb", "1")], [("sb", "1"), ("sa", "2")])
    assert owners(channel, "hash", KEYS, queues) == after


@rows.row
def of_two_weights_of_a_queue_one_counts(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("twice", "x-consistent-hash", durable=True)
    queues = bound(channel, "twice", [("ta", "3"), ("tb", "1"), ("ta", "10")])
    yield
    channel = site.channel()
    orders = [[("tb", "1"), ("ta", weight)] for weight in ("3", "10")]
    orders += [order[::-1] for order in orders]
    assert owners(channel, "twice", KEYS, queues) in spreads(channel, queues, *orders)


@rows.row
def a_history_exchange_remembers_nothing(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("history", "x-recent-history", durable=True)
    publish(channel, "history", "", b"before", delivery_mode=2)
    yield
    channel = site.channel()
    publish(channel, "history", "", b"after")
    bound(channel, "history", [("h", "")])
    assert get_all(channel, "h") == [b"after"]


@rows.row
def a_history_is_remembered_in_queues_as_what_it_was_published_as(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("saved", "x-recent-history", durable=True)
    publish(channel, "saved", "", b"persistent", delivery_mode=2)
    publish(channel, "saved", "", b"transient")
    bound(channel, "saved", [("s", "")])
    if not site.graceful:
        publish(channel, "saved", "", b"confirmed", delivery_mode=2)  # what came before it is on disk with it
    yield
    expected = [b"persistent"] if site.graceful else [b"persistent", b"confirmed"]
    assert get_all(site.channel(), "s") == expected


@rows.row
def a_random_exchange_still_chooses(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("random", "x-random", durable=True)
    queues = bound(channel, "random", [("ra", "x"), ("rb", "y")])
    yield
    chosen = owners(site.channel(), "random", [str(number) for number in range(60)], queues)
    assert {chosen.count("ra") > 0, chosen.count("rb") > 0, chosen.count("r") == 60} == {True}


@rows.row
def a_modulus_exchange_spreads_as_before(site: Site) -> Iterator[None]:
    channel = site.channel()
    channel.exchange_declare("modulus", "x-modulus-hash", durable=True)
    queues = bound(channel, "modulus", [("mb", "1"), ("ma", "2"), ("mc", "0")])
    before = owners(channel, "modulus", KEYS, queues)
    yield
    assert owners(site.channel(), "modulus", KEYS, queues) == before
