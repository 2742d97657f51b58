"""Virtual hosts: the routes through their exchanges, and their invariants."""

from __future__ import annotations

from typing import Any

import pytest

from fakeamqp.node.kernel.message import Message, MessageWithMore
from fakeamqp.node.routing.exchanges import Exchange
from fakeamqp.node.state import vhost as vhosts
from fakeamqp.node.state.vhost import VirtualHost
from fakeamqp.node.words.bindings import Binding, Destination
from fakeamqp.node.words.facts import BindingFact, ExchangeFact
from fakeamqp.spec.errors import SoftError
from fakeamqp.spec.properties import BasicProperties
from tests.unit.node._parts import make_queue, make_types

TYPES = make_types()
PREDECLARED = ["", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"]


@pytest.fixture
def vhost() -> VirtualHost:
    """A virtual host with three queues."""
    vhost = VirtualHost("/", TYPES)
    for name in ("one", "two", "three"):
        vhost.add_queue(make_queue(name))
    return vhost


def add_exchange(vhost: VirtualHost, name: str, kind: str = "fanout", **arguments: Any) -> None:
    fact = ExchangeFact(
        "/", name, kind, True, False, False, {key.replace("_", "-"): arguments[key] for key in arguments}
    )
    vhost.add_exchange(Exchange(fact, TYPES.make_index(fact)))


def bind(vhost: VirtualHost, source: str, kind: str, name: str, key: str = "", **arguments: Any) -> Binding:
    binding = Binding(source, Destination(kind, name), key, arguments)
    vhost.add_binding(binding)
    return binding


def published(*keys: str, headers: dict[str, Any] | None = None) -> Message:
    return MessageWithMore("anywhere", keys[0], BasicProperties(headers=headers), b"", further_keys=keys[1:])


def route(vhost: VirtualHost, exchange: str, key: str = "", headers: dict[str, Any] | None = None) -> list[str]:
    """Where a message goes, found anew and remembered."""
    message = published(key, headers=headers)
    found = [queue.name for queue in vhost.route(exchange, message)]
    assert found == [queue.name for queue in vhost.route(exchange, message)]
    vhost.check()
    return found


def test_some_exchanges_are_there_from_the_start(vhost: VirtualHost) -> None:
    assert list(vhost.exchanges) == [*PREDECLARED, "amq.rabbitmq.event"]


def test_what_is_not_there_is_not_found(vhost: VirtualHost) -> None:
    with pytest.raises(SoftError, match="NOT_FOUND - no queue 'four' in vhost '/'"):
        vhost.queue("four")
    with pytest.raises(SoftError, match="NOT_FOUND - no exchange 'prices' in vhost '/'"):
        vhost.exchange("prices")
    assert vhost.queue("one").name == "one"
    assert vhost.exchange("amq.topic").fact.type == "topic"


class TestRoutes:
    def test_the_default_exchange_leads_to_the_queue_of_that_name(self, vhost: VirtualHost) -> None:
        assert route(vhost, "", "one") == ["one"]
        assert route(vhost, "", "four") == []

    def test_a_queue_gets_a_message_once_however_it_is_bound(self, vhost: VirtualHost) -> None:
        bind(vhost, "amq.topic", "queue", "one", "a.*")
        bind(vhost, "amq.topic", "queue", "one", "#")
        assert route(vhost, "amq.topic", "a.b") == ["one"]

    def test_exchanges_lead_to_exchanges(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "first")
        add_exchange(vhost, "second")
        bind(vhost, "first", "exchange", "second")
        bind(vhost, "first", "queue", "one")
        bind(vhost, "second", "queue", "two")
        bind(vhost, "second", "queue", "one")
        assert route(vhost, "first") == ["one", "two"]

    def test_a_cycle_of_exchanges_ends(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "first")
        add_exchange(vhost, "second")
        bind(vhost, "first", "exchange", "second")
        bind(vhost, "second", "exchange", "first")
        bind(vhost, "second", "queue", "one")
        assert route(vhost, "first") == ["one"]

    def test_the_alternate_exchange_is_asked_where_nothing_matched(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "prices", "direct", alternate_exchange="lost")
        assert route(vhost, "prices", "key") == []
        add_exchange(vhost, "lost")
        bind(vhost, "lost", "queue", "two")
        assert route(vhost, "prices", "key") == ["two"]
        bind(vhost, "prices", "queue", "one", "key")
        assert route(vhost, "prices", "key") == ["one"]

    def test_several_keys_lead_to_each_queue_once(self, vhost: VirtualHost) -> None:
        assert [queue.name for queue in vhost.route("", published("two", "four", "one", "two"))] == ["two", "one"]
        bind(vhost, "amq.direct", "queue", "one", "a")
        bind(vhost, "amq.direct", "queue", "one", "b")
        assert [queue.name for queue in vhost.route("amq.direct", published("a", "b"))] == ["one"]

    def test_headers_are_looked_at_every_time(self, vhost: VirtualHost) -> None:
        bind(vhost, "amq.headers", "queue", "one", color="red")
        assert route(vhost, "amq.headers", headers={"color": "red"}) == ["one"]
        assert route(vhost, "amq.headers", headers={"color": "blue"}) == []


class TestRememberedRoutes:
    """A route that was found before is found anew when something has changed."""

    def test_a_binding_that_came_or_went(self, vhost: VirtualHost) -> None:
        assert route(vhost, "amq.fanout") == []
        binding = bind(vhost, "amq.fanout", "queue", "one")
        assert route(vhost, "amq.fanout") == ["one"]
        vhost.remove_binding(binding)
        assert route(vhost, "amq.fanout") == []

    def test_an_exchange_that_came_or_went(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "prices", alternate_exchange="lost")
        assert route(vhost, "prices") == []
        add_exchange(vhost, "lost")
        binding = bind(vhost, "lost", "queue", "one")
        assert route(vhost, "prices") == ["one"]
        vhost.remove_binding(binding)
        vhost.remove_exchange("lost")
        assert route(vhost, "prices") == []

    def test_a_queue_that_was_made_anew(self, vhost: VirtualHost) -> None:
        binding = bind(vhost, "amq.fanout", "queue", "one")
        route(vhost, "amq.fanout")
        vhost.remove_binding(binding)
        vhost.remove_queue("one")
        vhost.add_queue(make_queue("one"))
        bind(vhost, "amq.fanout", "queue", "one")
        assert vhost.route("amq.fanout", published("")) == (vhost.queue("one"),)

    def test_only_so_many_are_remembered(self, vhost: VirtualHost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vhosts, "ROUTE_CACHE_SIZE", 2)
        bind(vhost, "amq.topic", "queue", "one", "#")
        for number in range(5):
            assert route(vhost, "amq.topic", str(number)) == ["one"]


class TestBindings:
    def test_they_are_known_from_both_ends(self, vhost: VirtualHost) -> None:
        one, two = bind(vhost, "amq.fanout", "queue", "one"), bind(vhost, "amq.direct", "queue", "one", "key")
        assert vhost.bindings_to(Destination("queue", "one")) == [one, two]
        assert vhost.bindings() == [BindingFact("/", two), BindingFact("/", one)]
        assert vhost.has_binding(Binding("amq.fanout", Destination("queue", "one"), "", {}))
        assert not vhost.has_binding(Binding("amq.fanout", Destination("exchange", "one"), "", {}))

    def test_one_that_leads_nowhere_is_noticed(self, vhost: VirtualHost) -> None:
        bind(vhost, "amq.fanout", "queue", "one")
        bind(vhost, "amq.fanout", "exchange", "amq.topic")
        vhost.check()
        vhost.remove_queue("one")
        with pytest.raises(AssertionError, match="queue 'one'"):
            vhost.check()


class TestManyKeys:
    def test_where_keys_play_no_part_one_route_is_remembered(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "all")
        bind(vhost, "all", "queue", "one")
        for number in range(5):
            assert route(vhost, "all", str(number)) == ["one"]
        assert list(vhost._routes) == [("all", None)]
        bind(vhost, "all", "queue", "two")
        assert route(vhost, "all", "0") == ["one", "two"]

    def test_where_one_exchange_on_the_way_looks_at_keys_each_has_its_own(self, vhost: VirtualHost) -> None:
        add_exchange(vhost, "all")
        add_exchange(vhost, "some", "direct")
        bind(vhost, "all", "exchange", "some")
        bind(vhost, "some", "queue", "one", "1")
        assert route(vhost, "all", "1") == ["one"]
        assert route(vhost, "all", "2") == []
