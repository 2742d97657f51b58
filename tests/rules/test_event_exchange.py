"""The exchange amq.rabbitmq.event of the plugin rabbitmq_event_exchange: what happens in the broker, as messages."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._queues import Connect
from tests.rules._users import User

EVENT = "amq.rabbitmq.event"
Headers = dict[str, Any]


class Events:
    """Listens to the events of all virtual hosts; the exchange is in the virtual host "/"."""

    def __init__(self, connect: Connect) -> None:
        self.channel = connect(virtual_host="/").channel()
        self.queue = self.channel.queue_declare("", exclusive=True).method.queue
        self.seen: list[tuple[str, Headers, pika.BasicProperties, bytes]] = []
        self.channel.queue_bind(self.queue, EVENT, "#")

    def _fetch(self) -> bool:
        method, properties, body = self.channel.basic_get(self.queue, auto_ack=True)
        if method is not None:
            assert method.exchange == EVENT
            self.seen.append((method.routing_key, properties.headers, properties, body))
        return method is not None

    def await_event(self, key: str, **expected: Any) -> Headers:
        """The first event with this key and these headers, once it is there."""
        return self._await(key, expected)[1]

    def await_message(self, key: str, **expected: Any) -> tuple[pika.BasicProperties, bytes]:
        """The message of such an event."""
        return self._await(key, expected)[2:]

    def _await(self, key: str, expected: Headers) -> Any:
        for _ in range(500):
            while self._fetch():
                pass
            for event in self.seen:
                if event[0] == key and expected.items() <= event[1].items():
                    return event
            self.channel.connection.process_data_events(time_limit=0.01)
        raise AssertionError(f"no {key} {expected} among {[event[:2] for event in self.seen]}")

    def count(self, key: str, **expected: Any) -> int:
        """How many such events have been fetched."""
        return sum(event[0] == key and expected.items() <= event[1].items() for event in self.seen)


@pytest.fixture
def events(connect: Connect) -> Events:
    return Events(connect)


def without(headers: Headers, *names: str) -> Headers:
    """The headers but for those whose values a test cannot know."""
    assert set(names) <= set(headers)
    return {name: value for name, value in headers.items() if name not in (*names, "timestamp_in_ms")}


def test_a_new_queue(channel: BlockingChannel, events: Events, vhost: str, version: str) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-max-length": 5})
    expected = {
        "name": "orders",
        "vhost": vhost,
        "durable": True,
        "auto_delete": False,
        "exclusive": False,
        "owner_pid": "",
        "arguments": ['{<<"x-max-length">>,signedint,5}'],
        "user_who_performed_action": "guest",
    }
    headers = events.await_event("queue.created", name="orders", vhost=vhost)
    if version == "3.10":
        assert without(headers) == expected
    else:
        expected["arguments"] += ['{<<"x-queue-type">>,longstr,<<"classic">>}']
        assert without(headers, "leader", "members") == {**expected, "type": "rabbit_classic_queue"}


def test_a_new_quorum_queue(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders", durable=True, arguments={"x-queue-type": "quorum"})
    headers = events.await_event("queue.created", name="orders", vhost=vhost)
    assert without(headers) == {
        "name": "orders",
        "vhost": vhost,
        "durable": True,
        "auto_delete": False,
        "exclusive": False,
        "type": "rabbit_quorum_queue",
        "arguments": ['{<<"x-queue-type">>,longstr,<<"quorum">>}'],
        "user_who_performed_action": "guest",
    }


def test_a_queue_declared_again_is_no_event(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.queue_declare("orders")
    channel.queue_declare("marker")
    events.await_event("queue.created", name="marker", vhost=vhost)
    assert events.count("queue.created", name="orders", vhost=vhost) == 1


def test_a_deleted_queue(channel: BlockingChannel, events: Events, vhost: str, version: str) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    headers = events.await_event("queue.deleted", name="orders", vhost=vhost)
    kind = {"3.10": {}, "4.0": {"type": "rabbit_classic_queue"}}[version]
    assert without(headers) == {"name": "orders", "vhost": vhost, "user_who_performed_action": "guest", **kind}


def test_a_queue_deleted_with_its_connection_is_the_brokers_deed(connect: Connect, events: Events, vhost: str) -> None:
    connection = connect()
    connection.channel().queue_declare("mine", exclusive=True)
    connection.close()
    headers = events.await_event("queue.deleted", name="mine", vhost=vhost)
    assert headers["user_who_performed_action"] == "rmq-internal"


def test_a_new_exchange(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.exchange_declare("x", "topic", durable=True, arguments={"alternate-exchange": "y"})
    headers = events.await_event("exchange.created", name="x", vhost=vhost)
    assert without(headers) == {
        "name": "x",
        "vhost": vhost,
        "type": "topic",
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "policy": "",
        "arguments": ['{<<"alternate-exchange">>,longstr,<<"y">>}'],
        "user_who_performed_action": "guest",
    }


def test_a_deleted_exchange(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.exchange_declare("x")
    channel.exchange_delete("x")
    headers = events.await_event("exchange.deleted", name="x", vhost=vhost)
    assert without(headers) == {"name": "x", "vhost": vhost, "user_who_performed_action": "guest"}


def binding(vhost: str, source: str, key: str, destination: str, arguments: list[str]) -> Headers:
    return {
        "source_name": source,
        "source_kind": "exchange",
        "destination_name": destination,
        "destination_kind": "queue",
        "routing_key": key,
        "arguments": arguments,
        "vhost": vhost,
        "user_who_performed_action": "guest",
    }


def test_a_new_and_a_deleted_binding(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.direct", "k", {"a": 1})
    expected = binding(vhost, "amq.direct", "k", "orders", ['{<<"a">>,signedint,1}'])
    headers = events.await_event("binding.created", destination_name="orders", vhost=vhost)
    assert without(headers) == expected
    channel.queue_unbind("orders", "amq.direct", "k", {"a": 1})
    headers = events.await_event("binding.deleted", destination_name="orders", vhost=vhost)
    assert without(headers) == expected


def test_the_bindings_of_a_deleted_queue_are_deleted(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.direct", "k")
    channel.queue_delete("orders")
    headers = events.await_event("binding.deleted", source_name="amq.direct", vhost=vhost)
    expected = binding(vhost, "amq.direct", "k", "orders", [])
    assert without(headers) == {**expected, "user_who_performed_action": "rmq-internal"}


def test_a_binding_between_exchanges(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.exchange_bind("amq.topic", "amq.fanout", "k")
    headers = events.await_event("binding.created", destination_name="amq.topic", vhost=vhost)
    assert (headers["source_name"], headers["destination_kind"]) == ("amq.fanout", "exchange")


def test_a_binding_made_again_is_an_event_on_4_0(
    channel: BlockingChannel, events: Events, vhost: str, version: str
) -> None:
    channel.queue_declare("orders")
    channel.queue_bind("orders", "amq.direct", "k")
    channel.queue_bind("orders", "amq.direct", "k")
    channel.queue_bind("orders", "amq.direct", "marker")
    events.await_event("binding.created", routing_key="marker", vhost=vhost)
    assert events.count("binding.created", routing_key="k", vhost=vhost) == {"3.10": 1, "4.0": 2}[version]


def test_the_implicit_binding_to_the_default_exchange_is_no_event(
    channel: BlockingChannel, events: Events, vhost: str
) -> None:
    channel.queue_declare("orders")
    channel.queue_delete("orders")
    events.await_event("queue.deleted", name="orders", vhost=vhost)
    assert events.count("binding.created", destination_name="orders", vhost=vhost) == 0
    assert events.count("binding.deleted", destination_name="orders", vhost=vhost) == 0


def test_a_connection(connect: Connect, events: Events, vhost: str) -> None:
    connection = connect(client_properties={"connection_name": f"of {vhost}"})
    opened = events.await_event("connection.created", user_provided_name=f"of {vhost}")
    expected = {"vhost": vhost, "user": "guest", "type": "network", "auth_mechanism": "PLAIN", "protocol": "{0,9,1}"}
    assert expected.items() <= opened.items()
    assert (opened["ssl"], opened["user_who_performed_action"]) == (False, "guest")
    assert f'{{<<"connection_name">>,longstr,<<"of {vhost}">>}}' in opened["client_properties"]
    connection.close()
    closed = events.await_event("connection.closed", pid=opened["pid"])
    assert closed["name"] == opened["name"]
    assert closed["user_provided_name"] == f"of {vhost}"


def test_a_channel(connection: pika.BlockingConnection, events: Events, vhost: str, version: str) -> None:
    channel = connection.channel(7)
    opened = events.await_event("channel.created", number=7, vhost=vhost)
    assert without(opened, "pid", "connection", "name") == {
        "number": 7,
        "vhost": vhost,
        "user": "guest",
        "user_who_performed_action": "guest",
    }
    assert opened["name"].endswith(" (7)")
    channel.close()
    closed = events.await_event("channel.closed", pid=opened["pid"])
    consumers = {"3.10": {}, "4.0": {"consumer_count": 0}}[version]
    assert without(closed, "pid") == {"user_who_performed_action": "guest", **consumers}


def test_a_consumer(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.basic_qos(prefetch_count=5)
    tag = channel.basic_consume("orders", print, consumer_tag="tag", arguments={"x-priority": 3})
    headers = events.await_event("consumer.created", vhost=vhost)
    assert without(headers, "channel") == {
        "consumer_tag": "tag",
        "queue": "orders",
        "vhost": vhost,
        "exclusive": False,
        "ack_required": True,
        "prefetch_count": 5,
        "arguments": ['{<<"x-priority">>,signedint,3}'],
        "user_who_performed_action": "guest",
    }
    channel.basic_cancel(tag)
    headers = events.await_event("consumer.deleted", vhost=vhost)
    assert without(headers, "channel") == {
        "consumer_tag": "tag",
        "queue": "orders",
        "vhost": vhost,
        "user_who_performed_action": "guest",
    }


@pytest.mark.parametrize("kind", ["policy", "operator_policy"])
def test_a_policy(channel: BlockingChannel, events: Events, operator: Any, vhost: str, kind: str) -> None:
    channel.queue_declare("orders")
    policy = {"pattern": "^orders$", "apply-to": "all", "priority": 0, "definition": {"max-length": 9}}
    common = {"vhost": vhost, "user_who_performed_action": "guest"}
    getattr(operator, f"set_{kind}")("p", "^orders$", {"max-length": 9}, vhost)
    assert without(events.await_event("policy.set", vhost=vhost)) == {"name": "p", **common, **policy}
    updated = events.await_event("queue.policy.updated", vhost=vhost)
    assert without(updated) == {"name": "orders", "type": "rabbit_classic_queue", **common, **policy}
    getattr(operator, f"clear_{kind}")("p", vhost)
    cleared = events.await_event(f"{kind.replace('_', '.')}.cleared", vhost=vhost)
    assert without(cleared) == {"name": "p", **common}
    cleared = events.await_event("queue.policy.cleared", vhost=vhost)
    assert without(cleared) == {"name": "orders", "type": "rabbit_classic_queue", **common}


def test_limits_of_a_virtual_host(events: Events, operator: Any, vhost: str, version: str) -> None:
    operator.set_vhost_limits({"max-queues": 9}, vhost)
    value = {"component": "vhost-limits", "name": "limits", "vhost": vhost, "user_who_performed_action": "guest"}
    assert without(events.await_event("parameter.set", vhost=vhost)) == {**value, "value": {"max-queues": 9}}
    where = {"3.10": {}, "4.0": {"vhost": vhost}}[version]
    expected = {"name": "limits", "user_who_performed_action": "guest", "max-queues": 9, **where}
    assert without(events.await_event("vhost.limits.set", **expected)) == expected


def test_a_user(events: Events, operator: Any, connect: Connect, vhost: str) -> None:
    alice = User(operator, connect, vhost, tags=("management",))
    by = {"user_who_performed_action": "guest"}
    assert without(events.await_event("user.created", name=alice.name)) == {"name": alice.name, **by}
    tags = events.await_event("user.tags.set", name=alice.name)
    assert without(tags) == {"name": alice.name, "tags": ["management"], **by}
    operator.change_password(alice.name, "other")
    changed = events.await_event("user.password.changed", name=alice.name)
    assert without(changed) == {"name": alice.name, **by}
    operator.delete_user(alice.name)
    assert without(events.await_event("user.deleted", name=alice.name)) == {"name": alice.name, **by}


def test_permissions(events: Events, operator: Any, connect: Connect, vhost: str) -> None:
    alice = User(operator, connect, vhost)
    alice.may("a", "b", "c")
    common = {"user": alice.name, "vhost": vhost, "user_who_performed_action": "guest"}
    created = events.await_event("permission.created", user=alice.name)
    assert without(created) == {"configure": "a", "write": "b", "read": "c", **common}
    operator.clear_permissions(alice.name, vhost)
    assert without(events.await_event("permission.deleted", user=alice.name)) == common
    operator.set_topic_permissions(alice.name, "amq.topic", "b", "c", vhost=vhost)
    created = events.await_event("topic.permission.created", user=alice.name)
    assert without(created) == {"exchange": "amq.topic", "write": "b", "read": "c", **common}


def test_logins(events: Events, operator: Any, connect: Connect, vhost: str) -> None:
    alice = User(operator, connect, vhost)
    alice.may()
    alice.connect()
    headers = events.await_event("user.authentication.success", name=alice.name)
    assert (headers["auth_mechanism"], headers["connection_type"]) == ("PLAIN", "network")
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        alice.connect("wrong")
    headers = events.await_event("user.authentication.failure", name=alice.name)
    assert "".join(map(chr, headers["error"])) == f"user '{alice.name}' - invalid credentials"


def test_virtual_hosts(events: Events, operator: Any, vhost: str) -> None:
    name = f"{vhost}-other"
    operator.add_vhost(name)
    created = events.await_event("vhost.created", name=name)
    assert (created["tracing"], created["tags"], created["user_who_performed_action"]) == (False, [], "guest")
    trace = events.await_event("exchange.created", vhost=name, name="amq.rabbitmq.trace")
    assert (trace["internal"], trace["durable"], trace["type"]) == (True, True, "topic")
    operator.delete_vhost(name)
    deleted = events.await_event("vhost.deleted", name=name)
    assert without(deleted) == {"name": name, "user_who_performed_action": "guest"}
    assert events.count("exchange.deleted", vhost=name) == 7


def test_an_event_is_a_persistent_message_without_a_body(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    properties, body = events.await_message("queue.created", name="orders", vhost=vhost)
    assert body == b""
    assert properties.delivery_mode == 2
    assert properties.timestamp == properties.headers["timestamp_in_ms"] // 1000
    assert (properties.content_type, properties.message_id, properties.app_id) == (None, None, None)


def test_the_order_of_the_headers(channel: BlockingChannel, events: Events, vhost: str, version: str) -> None:
    channel.exchange_declare("x")
    channel.exchange_delete("x")
    headers = events.await_event("exchange.deleted", name="x", vhost=vhost)
    names = ["user_who_performed_action", "name", "vhost", "timestamp_in_ms"]
    assert list(headers) == (names if version == "3.10" else sorted(names))


def test_messages_are_no_events(channel: BlockingChannel, events: Events, vhost: str) -> None:
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"order")
    channel.basic_get("orders", auto_ack=True)
    channel.queue_purge("orders")
    channel.queue_declare("marker")
    events.await_event("queue.created", name="marker", vhost=vhost)
    of_the_queue = [key for key, headers, *_ in events.seen if "orders" in headers.values()]
    assert of_the_queue == ["queue.created"]


def test_it_is_in_one_virtual_host_alone(connect: Connect, operator: Any, vhost: str) -> None:
    operator.add_vhost(f"{vhost}-other")
    with channel_closed(404, f"NOT_FOUND - no exchange '{EVENT}' in vhost '{vhost}-other'"):
        connect(virtual_host=f"{vhost}-other").channel().exchange_declare(EVENT, passive=True)


def test_nobody_may_publish_to_it(connect: Connect) -> None:
    channel = connect(virtual_host="/").channel()
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange '{EVENT}' in vhost '/'"):
        channel.basic_publish(EVENT, "queue.created", b"forged")
        channel.exchange_declare(EVENT, passive=True)
