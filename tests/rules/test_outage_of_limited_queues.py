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
