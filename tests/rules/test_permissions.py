"""Configure, write and read permissions: which method needs which, and in what order they are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed
from tests.rules._users import Connect, User, refused


class Call(NamedTuple):
    """A method, and the permissions it needs in the order in which they are checked: (access, kind, name)."""

    method: Callable[[BlockingChannel], object]
    needs: list[tuple[str, str, str]]


def _publish(channel: BlockingChannel, exchange: str, routing_key: str = "") -> None:
    channel.confirm_delivery()
    channel.basic_publish(exchange, routing_key, b"")


ALTERNATE = {"alternate-exchange": "alternate"}
CALLS = {
    "exchange.declare": Call(lambda c: c.exchange_declare("new"), [("configure", "exchange", "new")]),
    "exchange.declare again": Call(lambda c: c.exchange_declare("x"), [("configure", "exchange", "x")]),
    "exchange.declare with an alternate exchange": Call(
        lambda c: c.exchange_declare("new", arguments=ALTERNATE),
        [("configure", "exchange", "new"), ("read", "exchange", "new"), ("write", "exchange", "alternate")],
    ),
    "exchange.delete": Call(lambda c: c.exchange_delete("x"), [("configure", "exchange", "x")]),
    "exchange.delete of nothing": Call(lambda c: c.exchange_delete("nope"), [("configure", "exchange", "nope")]),
    "exchange.bind": Call(
        lambda c: c.exchange_bind("destination", "x", "key"),
        [("write", "exchange", "destination"), ("read", "exchange", "x")],
    ),
    "exchange.unbind": Call(
        lambda c: c.exchange_unbind("destination", "x", "key"),
        [("write", "exchange", "destination"), ("read", "exchange", "x")],
    ),
    "exchange.unbind of nothing": Call(
        lambda c: c.exchange_unbind("nowhere", "nope"), [("write", "exchange", "nowhere"), ("read", "exchange", "nope")]
    ),
    "queue.declare": Call(lambda c: c.queue_declare("new"), [("configure", "queue", "new")]),
    "queue.declare again": Call(lambda c: c.queue_declare("q"), [("configure", "queue", "q")]),
    "queue.delete": Call(lambda c: c.queue_delete("q"), [("configure", "queue", "q")]),
    "queue.delete of nothing": Call(lambda c: c.queue_delete("nope"), [("configure", "queue", "nope")]),
    "queue.bind": Call(lambda c: c.queue_bind("q", "x", "key"), [("write", "queue", "q"), ("read", "exchange", "x")]),
    "queue.unbind": Call(
        lambda c: c.queue_unbind("q", "x", "key"), [("write", "queue", "q"), ("read", "exchange", "x")]
    ),
    "queue.unbind of nothing": Call(
        lambda c: c.queue_unbind("nowhere", "nope"), [("write", "queue", "nowhere"), ("read", "exchange", "nope")]
    ),
    "queue.purge": Call(lambda c: c.queue_purge("q"), [("read", "queue", "q")]),
    "basic.publish": Call(lambda c: _publish(c, "x"), [("write", "exchange", "x")]),
    "basic.publish to the default exchange": Call(
        lambda c: _publish(c, "", "q"), [("write", "exchange", "amq.default")]
    ),
    "basic.get": Call(lambda c: c.basic_get("q"), [("read", "queue", "q")]),
    "basic.consume": Call(lambda c: c.basic_consume("q", lambda *_: None), [("read", "queue", "q")]),
}
NEEDED = [
    pytest.param(call, position, id=f"{name}: {call.needs[position][0]}")
    for name, call in CALLS.items()
    for position in range(len(call.needs))
]


@pytest.fixture
def alice(operator: Any, connect: Connect, vhost: str, channel: BlockingChannel) -> User:
    """A user without permissions, in a virtual host that has some exchanges and queues."""
    for exchange in ("x", "destination"):
        channel.exchange_declare(exchange)
    channel.queue_declare("q")
    channel.queue_bind("q", "x", "key")
    channel.exchange_bind("destination", "x", "key")
    return User(operator, connect, vhost)


def _exactly(needs: list[tuple[str, str, str]]) -> dict[str, str]:
    names: dict[str, list[str]] = {}
    for access, _, name in needs:
        names.setdefault(access, []).append(name)
    return {access: f"^({'|'.join(found)})$" for access, found in names.items()}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_method_is_allowed_with_just_the_permissions_it_needs(alice: User, call: Call) -> None:
    alice.may(**_exactly(call.needs))
    channel = alice.connect().channel()
    call.method(channel)
    channel.exchange_declare("amq.direct", passive=True)
    assert channel.is_open


@pytest.mark.parametrize(("call", "position"), NEEDED)
def test_a_method_is_refused_without_one_of_the_permissions_it_needs(
    alice: User, vhost: str, version: str, call: Call, position: int
) -> None:
    access, kind, name = call.needs[position]
    alice.may(**{"configure": ".*", "write": ".*", "read": ".*", access: "^$"})
    with channel_closed(403, refused(version, access, f"{kind} '{name}'", vhost, alice)):
        call.method(alice.connect().channel())


@pytest.mark.parametrize(("call", "position"), NEEDED)
def test_permissions_are_checked_in_order(alice: User, vhost: str, version: str, call: Call, position: int) -> None:
    access, kind, name = call.needs[position]
    alice.may(**_exactly(call.needs[:position]))
    with channel_closed(403, refused(version, access, f"{kind} '{name}'", vhost, alice)):
        call.method(alice.connect().channel())


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(lambda c: c.queue_declare("q", passive=True), id="queue.declare passive"),
        pytest.param(lambda c: c.exchange_declare("x", passive=True), id="exchange.declare passive"),
        pytest.param(lambda c: c.basic_qos(prefetch_count=1), id="basic.qos"),
        pytest.param(lambda c: c.basic_recover(requeue=True), id="basic.recover"),
        pytest.param(lambda c: c.confirm_delivery(), id="confirm.select"),
        pytest.param(lambda c: c.tx_select(), id="tx.select"),
    ],
)
def test_some_methods_need_no_permission(alice: User, method: Callable[[BlockingChannel], object]) -> None:
    alice.may()
    channel = alice.connect().channel()
    method(channel)
    channel.queue_declare("q", passive=True)
    assert channel.is_open


def test_settling_and_cancelling_need_no_permission(alice: User, channel: BlockingChannel) -> None:
    for body in (b"first", b"second", b"third"):
        channel.basic_publish("", "q", body)
    alice.may(read=".*")
    own = alice.connect().channel()
    tags = [own.basic_get("q")[0].delivery_tag for _ in range(3)]
    own.basic_consume("q", lambda *_: None, consumer_tag="mine")
    alice.may()
    own.basic_ack(tags[0])
    own.basic_nack(tags[1], requeue=False)
    own.basic_reject(tags[2], requeue=False)
    own.basic_cancel("mine")
    status = own.queue_declare("q", passive=True).method
    assert (status.message_count, status.consumer_count) == (0, 0)


def test_a_passive_declare_of_a_missing_queue_or_exchange_says_that_it_is_missing(alice: User, vhost: str) -> None:
    alice.may()
    connection = alice.connect()
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        connection.channel().queue_declare("nope", passive=True)
    with channel_closed(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'"):
        connection.channel().exchange_declare("nope", passive=True)


@pytest.mark.parametrize(
    ("method", "access", "resource"),
    [
        pytest.param(lambda c: c.queue_purge("nope"), "read", "queue 'nope'", id="queue.purge"),
        pytest.param(lambda c: c.basic_get("nope"), "read", "queue 'nope'", id="basic.get"),
        pytest.param(lambda c: c.basic_consume("nope", print), "read", "queue 'nope'", id="basic.consume"),
        pytest.param(lambda c: _publish(c, "nope"), "write", "exchange 'nope'", id="basic.publish"),
        pytest.param(lambda c: c.queue_bind("nope", "nada"), "write", "queue 'nope'", id="queue.bind"),
        pytest.param(lambda c: c.exchange_bind("nope", "nada"), "write", "exchange 'nope'", id="exchange.bind"),
        pytest.param(lambda c: c.queue_declare("q", durable=True), "configure", "queue 'q'", id="queue.declare"),
        pytest.param(lambda c: c.exchange_declare("x", "fanout"), "configure", "exchange 'x'", id="exchange.declare"),
        pytest.param(
            lambda c: c.exchange_declare("amq.new"), "configure", "exchange 'amq.new'", id="exchange.declare amq."
        ),
        pytest.param(
            lambda c: c.queue_declare("q", arguments={"x-message-ttl": -1}), "configure", "queue 'q'", id="arguments"
        ),
    ],
)
def test_a_permission_is_checked_before_anything_else_is_found_wrong(
    alice: User, vhost: str, version: str, method: Callable[[BlockingChannel], object], access: str, resource: str
) -> None:
    alice.may()
    with channel_closed(403, refused(version, access, resource, vhost, alice)):
        method(alice.connect().channel())


@pytest.mark.parametrize(
    ("method", "text"),
    [
        pytest.param(
            lambda c: c.queue_declare("amq.new"),
            "queue name 'amq.new' contains reserved prefix 'amq.*'",
            id="queue.declare amq.",
        ),
        pytest.param(
            lambda c: c.exchange_declare(""),
            "operation not permitted on the default exchange",
            id="exchange.declare ''",
        ),
        pytest.param(
            lambda c: c.exchange_delete(""), "operation not permitted on the default exchange", id="exchange.delete ''"
        ),
    ],
)
def test_some_refusals_come_before_the_permission(
    alice: User, method: Callable[[BlockingChannel], object], text: str
) -> None:
    alice.may()
    with channel_closed(403, f"ACCESS_REFUSED - {text}"):
        method(alice.connect().channel())


def test_deleting_a_system_exchange_is_refused_before_the_permission_is_checked(alice: User, vhost: str) -> None:
    alice.may()
    with channel_closed(
        403, f"ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '{vhost}' not allowed"
    ):
        alice.connect().channel().exchange_delete("amq.direct")


def test_both_ends_of_a_binding_are_permitted_before_either_is_looked_up(alice: User, vhost: str, version: str) -> None:
    alice.may(write=".*")
    connection = alice.connect()
    with channel_closed(403, refused(version, "read", "exchange 'nada'", vhost, alice)):
        connection.channel().queue_bind("nope", "nada")
    with channel_closed(403, refused(version, "read", "exchange 'nada'", vhost, alice)):
        connection.channel().exchange_bind("nope", "nada")


def test_binding_to_the_default_exchange_is_refused_after_the_write_permission(
    alice: User, vhost: str, version: str
) -> None:
    alice.may()
    with channel_closed(403, refused(version, "write", "queue 'q'", vhost, alice)):
        alice.connect().channel().queue_bind("q", "", "key")
    alice.may(write=".*")
    with channel_closed(403, "ACCESS_REFUSED - operation not permitted on the default exchange"):
        alice.connect().channel().queue_bind("q", "", "key")


def test_binding_the_default_exchange_to_another_is_refused_after_the_write_permission(
    alice: User, vhost: str, version: str
) -> None:
    alice.may()
    with channel_closed(403, refused(version, "write", "exchange 'amq.default'", vhost, alice)):
        alice.connect().channel().exchange_bind("", "amq.direct")
    alice.may(write=".*")
    with channel_closed(403, "ACCESS_REFUSED - operation not permitted on the default exchange"):
        alice.connect().channel().exchange_bind("", "amq.direct")


def test_publishing_to_an_internal_exchange_needs_the_permission_first(
    alice: User, channel: BlockingChannel, vhost: str, version: str
) -> None:
    channel.exchange_declare("internal", internal=True)
    alice.may()
    with channel_closed(403, refused(version, "write", "exchange 'internal'", vhost, alice)):
        _publish(alice.connect().channel(), "internal")
    alice.may(write=".*")
    with channel_closed(403, f"ACCESS_REFUSED - cannot publish to internal exchange 'internal' in vhost '{vhost}'"):
        _publish(alice.connect().channel(), "internal")


def test_the_lock_on_an_exclusive_queue_is_found_after_the_permission(
    alice: User, channel: BlockingChannel, vhost: str, version: str
) -> None:
    channel.queue_declare("locked", exclusive=True)
    alice.may()
    with channel_closed(403, refused(version, "read", "queue 'locked'", vhost, alice)):
        alice.connect().channel().basic_get("locked")


def test_a_refused_publish_does_not_reach_the_queue(
    alice: User, channel: BlockingChannel, vhost: str, version: str
) -> None:
    alice.may()
    own = alice.connect().channel()
    with channel_closed(403, refused(version, "write", "exchange 'x'", vhost, alice)):
        own.basic_publish("x", "key", b"lost")
        own.queue_declare("q", passive=True)
    assert channel.basic_get("q") == (None, None, None)


def test_bindings_route_without_the_publishers_permission_on_the_queue(alice: User, channel: BlockingChannel) -> None:
    alice.may(write="^x$")
    _publish(alice.connect().channel(), "x", "key")
    assert channel.basic_get("q")[0].exchange == "x"


def test_the_alternate_exchange_needs_no_permission_when_the_exchange_exists(
    alice: User, channel: BlockingChannel
) -> None:
    channel.exchange_declare("with alternate", arguments=ALTERNATE)
    alice.may(configure="^with alternate$")
    own = alice.connect().channel()
    own.exchange_declare("with alternate", arguments=ALTERNATE)
    assert own.is_open


def test_messages_reach_the_alternate_exchange_without_the_publishers_permission(
    alice: User, channel: BlockingChannel
) -> None:
    channel.exchange_declare("with alternate", arguments=ALTERNATE)
    channel.exchange_declare("alternate", "fanout")
    channel.queue_bind("q", "alternate")
    alice.may(write="^with alternate$")
    _publish(alice.connect().channel(), "with alternate", "nobody")
    assert channel.basic_get("q")[0].exchange == "with alternate"


def test_a_server_named_queue_needs_the_permission_to_configure_its_name(alice: User, version: str, vhost: str) -> None:
    alice.may(configure=r"^amq\.gen-")
    connection = alice.connect()
    assert connection.channel().queue_declare("").method.queue.startswith("amq.gen-")
    with channel_closed(403, refused(version, "configure", "queue 'new'", vhost, alice)):
        connection.channel().queue_declare("new")


def test_a_server_named_queue_is_refused_by_its_new_name(alice: User, version: str, vhost: str) -> None:
    alice.may(configure="^q$")
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as caught:
        alice.connect().channel().queue_declare("")
    before, after = refused(version, "configure", "queue 'amq.gen-|'", vhost, alice).split("|")
    assert caught.value.reply_code == 403
    assert caught.value.reply_text.startswith(before)
    assert caught.value.reply_text.endswith(after)
    assert len(caught.value.reply_text) == len(before) + 22 + len(after)


def test_the_creator_of_a_queue_needs_permissions_like_anybody_else(alice: User, version: str, vhost: str) -> None:
    alice.may(configure=".*")
    channel = alice.connect().channel()
    channel.queue_declare("own", exclusive=True)
    with channel_closed(403, refused(version, "read", "queue 'own'", vhost, alice)):
        channel.basic_get("own")


def test_a_name_that_stands_for_the_last_declared_queue_is_checked_as_that_queue(
    alice: User, version: str, vhost: str
) -> None:
    alice.may(configure="^own$", read="^other$")
    channel = alice.connect().channel()
    channel.queue_declare("own")
    with channel_closed(403, refused(version, "read", "queue 'own'", vhost, alice)):
        channel.queue_purge("")
