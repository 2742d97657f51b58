"""Definitions that real brokers have exported: whoever imports them has the same broker here."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pika
import pytest

from fakeamqp import Broker, Misuse, UnsupportedDefinitions

HERE = Path(__file__).parent / "definitions"
VERSIONS = ("3.10", "4.0")
TOPOLOGY = ("exchanges", "bindings", "policies", "parameters", "permissions", "topic_permissions", "users")


def exported(version: str, kind: str = "") -> Any:
    """What a real broker of this version has exported: by HTTP, of one virtual host, or by rabbitmqctl."""
    return json.loads((HERE / f"{version}{kind}.json").read_text(encoding="utf-8"))


def sorted_by_text(entries: list[Any]) -> list[Any]:
    return sorted(entries, key=lambda each: json.dumps(each, sort_keys=True))


def imported_queues(definitions: Any) -> list[Any]:
    return [each for each in definitions["queues"] if not each["name"].startswith("amq.")]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_imported_is_exported_again(version: str) -> None:
    definitions = exported(version)
    broker = Broker(version=version)
    broker.delete_vhost("/")
    broker.delete_user("guest")
    report = broker.import_definitions(definitions)
    broker.simulation.world.check()
    again = broker.export_definitions()
    for kind in TOPOLOGY:
        assert sorted_by_text(again[kind]) == sorted_by_text(definitions[kind]), kind
    assert sorted_by_text(again["queues"]) == sorted_by_text(imported_queues(definitions))
    assert {each["name"] for each in again["vhosts"]} == {each["name"] for each in definitions["vhosts"]}
    assert report.unsupported == ()
    assert [each.partition(" in ")[0][:13] for each in report.ignored] == ["queue 'amq.ge"]


def test_virtual_hosts_of_4_0_are_exported_as_they_were() -> None:
    definitions = exported("4.0")
    broker = Broker(version="4.0", definitions=definitions)
    again = {each["name"]: each for each in broker.export_definitions()["vhosts"]}
    assert [again[each["name"]] for each in definitions["vhosts"]] == definitions["vhosts"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["", "-vhost"])
def test_an_imported_shop_is_open(version: str, kind: str) -> None:
    broker = Broker(version=version)
    if kind:
        broker.add_vhost("shop")
    broker.import_definitions(HERE / f"{version}{kind}.json", "shop" if kind else None)
    channel = broker.connect(pika.ConnectionParameters(virtual_host="shop")).channel()
    channel.basic_publish("events", "orders.new", b"routed")
    channel.basic_publish("events", "nobody", b"unrouted")
    channel.basic_publish("amq.headers", "", b"by header", pika.BasicProperties(headers={"k": 1, "s": "v", "b": True}))
    shop = broker.vhost("shop")
    assert [each.body for each in shop.queue("orders").messages] == [b"routed"]
    assert [each.body for each in shop.queue("dead").messages] == [b"by header"]
    orders = shop.queue("orders")
    assert (orders.policy, orders.operator_policy, shop.exchange("events").policy) == ("limits", "op", "ae")
    assert orders.settings == {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": "dead",
        "max-length": 50,
        "max-priority": 5,
        "message-ttl": 60_000,
        "overflow": "reject-publish",
        "single-active-consumer": True,
    }
    broker.advance(61)
    assert [each.body for each in broker.vhost("shop").queue("dead").messages] == [b"by header", b"routed"]
    broker.crash()
    broker.restart()
    broker.simulation.world.check()
    assert broker.vhost("shop").queue("orders").policy == "limits"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_rabbitmqctl_exports_is_refused_where_rabbitmq_refuses_it(version: str) -> None:
    # It spoils the definitions of operator policies; and it leaves out exclusive queues and internal exchanges, but
    # not their bindings.
    definitions = exported(version, "-ctl")
    broker = Broker(version=version)
    with pytest.raises(Misuse, match=r"definition must be a dictionary(?s:.)*\(shop/operator_policy/op\)"):
        broker.import_definitions(definitions)
    definitions["parameters"] = [each for each in definitions["parameters"] if each["component"] == "vhost-limits"]
    if version == "4.0":
        with pytest.raises(Misuse, match="resources_missing"):
            broker.import_definitions(definitions)
    lost = {"mine", "hidden"}
    definitions["bindings"] = [
        each for each in definitions["bindings"] if not {each["source"], each["destination"]} & lost
    ]
    broker.import_definitions(definitions)
    assert broker.vhost("shop").queue("orders").settings["max-length"] == 50
    broker.simulation.world.check()


def test_hashed_and_plain_users_log_in() -> None:
    broker = Broker(version="4.0", users={"bob": "plain"}, definitions=HERE / "4.0.json")
    for user, password in (("guest", "guest"), ("bob", "plain")):
        assert broker.connect(pika.ConnectionParameters(credentials=pika.PlainCredentials(user, password))).is_open
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        broker.connect(pika.ConnectionParameters(credentials=pika.PlainCredentials("alice", "wrong")))
    broker.change_password("alice", "mine")
    settings = {"virtual_host": "shop", "credentials": pika.PlainCredentials("alice", "mine")}
    assert broker.connect(pika.ConnectionParameters(**settings)).is_open


def test_what_fakeamqp_cannot_honour_is_named_and_all_else_is_there() -> None:
    shovel = {"vhost": "/", "component": "shovel", "name": "to-billing", "value": {"src-uri": "amqp://"}}
    definitions = {"parameters": [shovel], "queues": [{"name": "orders", "vhost": "/"}]}
    with pytest.warns(UnsupportedDefinitions, match="left out of the definitions: parameter 'to-billing' of component"):
        broker = Broker(definitions=definitions)
    assert broker.vhost().queue("orders").durable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedDefinitions)
        report = broker.import_definitions(definitions)
    assert report.unsupported == ("parameter 'to-billing' of component 'shovel' in virtual host '/'",)


def test_what_was_made_before_a_refusal_stays_and_the_broker_goes_on() -> None:
    broker = Broker()
    channel = broker.connect().channel()
    channel.queue_declare("orders")
    for body in (b"1", b"2", b"3"):
        channel.basic_publish("", "orders", body)
    policy = {"vhost": "/", "name": "p", "pattern": ".*", "definition": {"max-length": 1}}
    with pytest.raises(Misuse, match="value_negative"):
        broker.import_definitions(
            {"policies": [policy], "queues": [{"name": "q", "vhost": "/", "arguments": {"x-expires": -1}}]}
        )
    broker.simulation.world.check()
    assert [each.body for each in broker.vhost().queue("orders").messages] == [b"3"]


def test_a_file_that_holds_no_json(tmp_path: Path) -> None:
    file = tmp_path / "definitions.json"
    file.write_text("{")
    with pytest.raises(Misuse, match=r"definitions\.json holds no JSON: "):
        Broker(definitions=file)
