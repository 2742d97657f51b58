"""Events of the operator's doings, as whoever listens to amq.rabbitmq.event hears them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import fakeamqp
from fakeamqp.spec.methods import BasicGet, BasicGetEmpty, QueueBind, QueueDeclare
from fakeamqp.testing.direct import DirectChannel, connect

Doing = Callable[[fakeamqp.Broker], None]


def listen(broker: fakeamqp.Broker) -> DirectChannel:
    channel = connect(broker).channel()
    channel.call(QueueDeclare("heard"))
    channel.call(QueueBind("heard", "amq.rabbitmq.event", "#"))
    while not isinstance(channel.call(BasicGet("heard", no_ack=True)), BasicGetEmpty):
        """What the listener itself has brought about is of no interest."""
    return channel


def heard(channel: DirectChannel) -> list[str]:
    keys = []
    while not isinstance(got := channel.call(BasicGet("heard", no_ack=True)), BasicGetEmpty):
        keys.append(got.routing_key)  # type: ignore[attr-defined]
    return keys


def set_and_clear_limits(broker: fakeamqp.Broker) -> None:
    broker.set_vhost_limits({"max-queues": 5})
    broker.clear_vhost_limits()


def change_tags(broker: fakeamqp.Broker) -> None:
    broker.add_user("alice", "secret")
    broker.set_user_tags("alice", ("monitoring",))
    broker.change_password("alice", "other")


def import_what_is_there(broker: fakeamqp.Broker) -> None:
    definitions = broker.export_definitions()
    broker.import_definitions({"vhosts": [{"name": "/", "default_queue_type": "quorum"}]})
    broker.import_definitions({"users": definitions["users"]})


def change_policies(broker: fakeamqp.Broker) -> None:
    broker.set_policy("short", ".*", {"max-length": 100})
    broker.clear_policy("short")


@pytest.mark.parametrize(
    ("do", "keys"),
    [
        (
            set_and_clear_limits,
            ["parameter.set", "vhost.limits.set", "parameter.cleared", "vhost.limits.cleared"],
        ),
        (change_tags, ["user.created", "user.tags.set", "user.tags.set", "user.password.changed"]),
        (import_what_is_there, ["user.password.changed"]),
        (change_policies, ["queue.policy.updated", "policy.set", "queue.policy.cleared", "policy.cleared"]),
    ],
)
def test_what_an_operator_does_is_heard(do: Doing, keys: list[str]) -> None:
    broker = fakeamqp.Broker()
    channel = listen(broker)
    do(broker)
    assert heard(channel) == keys
