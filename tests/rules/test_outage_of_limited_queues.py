"""What a stop or a crash of the node means for times to live, limits, dead letters and priorities."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rules._helpers import get_all
from tests.rules._kinds import declare, drain, send
from tests.rules._outage import Outage, Rows, Site, publish
from tests.rules._queues import wait_until_ready

AT_LEAST_ONCE = {"dead_letter_strategy": "at-least-once", "overflow": "reject-publish", "dead_letter_exchange": ""}
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


def reject(site: Site, queue: str, count: int = 1) -> None:
    """Get and reject messages."""
    channel = site.channel()
    for _ in range(count):
        channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)


@rows.row
def a_queue_that_nobody_uses_any_more_expires(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "leased", "classic", expires=1000)
    channel.basic_consume("leased", print)
    yield
    site.target.let_time_pass(2.5)
    assert not site.exists("queue", "leased")


@rows.row
def messages_still_expire(site: Site) -> Iterator[None]:
    channel = site.channel()
    for kind in ("classic", "quorum"):
        declare(channel, f"brief {kind}", kind, message_ttl=5000)
        publish(channel, f"brief {kind}", b"1", b"2")
    yield
    site.target.let_time_pass(5)
    wait_until_ready(site.channel(), "brief classic", 0)
    wait_until_ready(site.channel(), "brief quorum", 0)


@rows.row
def a_limit_still_holds(site: Site) -> Iterator[None]:
    declare(site.channel(), "limited", "classic", max_length=2)
    publish(site.channel(), "limited", b"1", b"2")
    yield
    publish(site.channel(), "limited", b"3")
    assert get_all(site.channel(), "limited") == [b"2", b"3"]


@rows.row
def priorities_still_hold(site: Site) -> Iterator[None]:
    declare(site.channel(), "urgent", "classic", max_priority=9)
    send(site.channel(), "urgent", "1a", "5b", "9c", "5d", delivery_mode=2)
    yield
    assert drain(site.channel(), "urgent", 4) == ["9c", "5b", "5d", "1a"]


@rows.row
def what_waits_to_be_dead_lettered_is_tried_again_at_once(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "orders", "quorum", dead_letter_routing_key="grave", **AT_LEAST_ONCE)
    publish(channel, "orders", b"1", b"2", b"3")
    reject(site, "orders", 2)
    wait_until_ready(channel, "orders", 1)
    channel.queue_declare("grave", durable=True)
    yield
    channel = site.channel()
    wait_until_ready(channel, "grave", 2)
    assert sorted(get_all(channel, "grave")) == [b"1", b"2"]
    wait_until_ready(channel, "orders", 1)


@rows.row
def what_was_returned_to_a_quorum_queue_still_goes_first(site: Site) -> Iterator[None]:
    """What was out returns behind it; without a delivery limit, as in 3.10, what a client returns goes to the end."""
    channel = site.channel()
    declare(channel, "returned", "quorum")
    send(channel, "returned", "a", "b", "c", "d")
    holder = site.channel()
    tags = [holder.basic_get("returned")[0].delivery_tag for _ in range(2)]
    holder.basic_nack(tags[1])
    wait_until_ready(channel, "returned", 3)
    send(channel, "returned", "9high")
    yield
    in_order = {"3.10": ["a", "c", "d", "b", "9high"], "4.0": ["b", "a", "c", "9high", "d"]}
    assert drain(site.channel(), "returned", 5) == in_order[site.version]


@rows.row
def what_was_out_of_a_quorum_queue_returns_in_the_order_of_delivery_tags_as_texts(site: Site) -> Iterator[None]:
    channel = site.channel()
    declare(channel, "out", "quorum")
    send(channel, "out", *"abcdefghijkl")
    holder = site.channel()
    for _ in range(11):
        holder.basic_get("out")
    wait_until_ready(channel, "out", 1)
    yield
    assert drain(site.channel(), "out", 12) == list("ajkbcdefghil")
