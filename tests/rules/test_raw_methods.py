"""Methods that pika's API cannot send, and which method RabbitMQ says has failed."""

from __future__ import annotations

from typing import Any

import pika
import pika.exceptions
import pika.spec
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.amqp_object import Method
from pika.spec import Access, Basic, Channel, Confirm, Connection, Exchange, Queue, Tx

from tests.rules._helpers import get_all
from tests.rules._raw import Refusal, Wire
from tests.rules._users import Connect


@pytest.fixture
def wire(connection: pika.BlockingConnection) -> Wire:
    """A connection with an open channel 1."""
    return Wire(connection)


SECOND_OPEN = "CHANNEL_ERROR - second 'channel.open' seen"
NOT_OPEN = "CHANNEL_ERROR - expected 'channel.open'"
RUNNING = "CHANNEL_ERROR - unexpected method in connection state running"
UNIMPLEMENTED = "COMMAND_INVALID - unimplemented method"


@pytest.mark.parametrize(
    ("method", "channel", "refusal"),
    [
        (Channel.Open(), 1, Refusal(504, SECOND_OPEN, (20, 10))),
        (Queue.Declare(queue="q"), 7, Refusal(504, NOT_OPEN, (50, 10))),
        (Basic.Get(queue="q"), 7, Refusal(504, NOT_OPEN, (60, 70))),
        (Channel.Close(0, "", 0, 0), 7, Refusal(504, NOT_OPEN, (20, 40))),
        (Tx.Select(), 65535, Refusal(504, NOT_OPEN, (90, 10))),
        (Connection.Open("/"), 0, Refusal(504, RUNNING, (10, 40))),
        (Connection.TuneOk(0, 0, 0), 0, Refusal(504, RUNNING, (10, 31))),
        (Connection.StartOk({}, "PLAIN", "", "en_US"), 0, Refusal(504, RUNNING, (10, 11))),
        (Connection.Blocked("why"), 0, Refusal(504, RUNNING, (10, 60))),
        (Connection.Unblocked(), 0, Refusal(504, RUNNING, (10, 61))),
        (Connection.SecureOk(""), 0, Refusal(504, RUNNING, (10, 21))),
        (Connection.CloseOk(), 0, Refusal(504, RUNNING, (10, 51))),
        (Basic.Ack(1), 0, Refusal(504, RUNNING, (60, 80))),
        (Queue.Declare(queue="q"), 0, Refusal(504, RUNNING, (50, 10))),
        (Channel.Open(), 0, Refusal(504, RUNNING, (20, 10))),
        (Connection.Close(200, "", 0, 0), 1, Refusal(503, UNIMPLEMENTED, (10, 50))),
        (Connection.Open("/"), 1, Refusal(503, UNIMPLEMENTED, (10, 40))),
        (Connection.Close(200, "", 0, 0), 7, Refusal(504, NOT_OPEN, (10, 50))),
        (Queue.DeclareOk("q", 0, 0), 1, Refusal(503, UNIMPLEMENTED, (50, 11))),
        (Queue.BindOk(), 1, Refusal(503, UNIMPLEMENTED, (50, 21))),
        (Exchange.DeclareOk(), 1, Refusal(503, UNIMPLEMENTED, (40, 11))),
        (Basic.ConsumeOk("tag"), 1, Refusal(503, UNIMPLEMENTED, (60, 21))),
        (Basic.CancelOk("tag"), 1, Refusal(503, UNIMPLEMENTED, (60, 31))),
        (Basic.GetEmpty(), 1, Refusal(503, UNIMPLEMENTED, (60, 72))),
        (Basic.QosOk(), 1, Refusal(503, UNIMPLEMENTED, (60, 11))),
        (Basic.RecoverOk(), 1, Refusal(503, UNIMPLEMENTED, (60, 111))),
        (Confirm.SelectOk(), 1, Refusal(503, UNIMPLEMENTED, (85, 11))),
        (Tx.SelectOk(), 1, Refusal(503, UNIMPLEMENTED, (90, 11))),
        (Channel.OpenOk(), 1, Refusal(503, UNIMPLEMENTED, (20, 11))),
        (Channel.CloseOk(), 1, Refusal(503, UNIMPLEMENTED, (20, 41))),
        (Channel.FlowOk(active=True), 1, Refusal(503, UNIMPLEMENTED, (20, 21))),
        (Channel.Flow(active=False), 1, Refusal(540, "NOT_IMPLEMENTED - active=false", (20, 20))),
        (Basic.Qos(prefetch_size=1), 1, Refusal(540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", (60, 10))),
        (
            Basic.Qos(prefetch_size=9, global_qos=True),
            1,
            Refusal(540, "NOT_IMPLEMENTED - prefetch_size!=0 (9)", (60, 10)),
        ),
        (Basic.Recover(requeue=False), 1, Refusal(540, "NOT_IMPLEMENTED - requeue=false", (60, 110))),
        (Basic.RecoverAsync(requeue=False), 1, Refusal(540, "NOT_IMPLEMENTED - requeue=false", (60, 100))),
    ],
    ids=lambda value: value.NAME if isinstance(value, Method) else None,
)
def test_a_method_out_of_place_closes_the_connection(
    wire: Wire, method: Method, channel: int, refusal: Refusal
) -> None:
    assert wire.connection_refusal(method, channel) == refusal
    assert wire.connection.is_closed
    assert wire.channel.is_closed


@pytest.mark.parametrize(
    "method",
    [
        Basic.Deliver("tag", 1, False, "", "q"),
        Basic.Return(312, "NO_ROUTE", "", "q"),
        Basic.GetOk(1, False, "", "q", 0),
    ],
    ids=lambda method: method.NAME,
)
def test_a_client_may_not_deliver(wire: Wire, method: Method) -> None:
    index = method.INDEX
    refusal = Refusal(503, UNIMPLEMENTED, (index >> 16, index & 0xFFFF))
    assert wire.connection_refusal(method, body=b"") == refusal


def test_a_consumer_tag_may_not_be_used_twice_on_a_channel(wire: Wire) -> None:
    wire.channel.queue_declare("q")
    wire.channel.basic_consume("q", lambda *_: None, consumer_tag="tag")
    refusal = Refusal(530, "NOT_ALLOWED - attempt to reuse consumer tag 'tag'", (60, 20))
    assert wire.connection_refusal(Basic.Consume(queue="q", consumer_tag="tag")) == refusal


def test_a_used_consumer_tag_is_found_before_a_missing_queue(wire: Wire) -> None:
    wire.channel.queue_declare("q")
    wire.channel.basic_consume("q", lambda *_: None, consumer_tag="tag")
    refusal = Refusal(530, "NOT_ALLOWED - attempt to reuse consumer tag 'tag'", (60, 20))
    assert wire.connection_refusal(Basic.Consume(queue="nope", consumer_tag="tag")) == refusal


def test_a_consumer_tag_may_be_used_on_two_channels_and_again_after_its_end(wire: Wire) -> None:
    other = wire.connection.channel()
    other.queue_declare("q")
    for channel in (wire.channel, other):
        channel.basic_consume("q", lambda *_: None, consumer_tag="tag")
    other.basic_cancel("tag")
    answer = wire.call(Basic.Consume(queue="q", consumer_tag="tag"), Basic.ConsumeOk, other.channel_number)
    assert answer.consumer_tag == "tag"


def test_immediate_publishing_is_not_implemented(wire: Wire) -> None:
    refusal = Refusal(540, "NOT_IMPLEMENTED - immediate=true", (60, 40))
    assert wire.connection_refusal(Basic.Publish(routing_key="q", immediate=True), body=b"") == refusal


def test_immediate_is_found_before_a_missing_exchange(wire: Wire) -> None:
    refusal = Refusal(540, "NOT_IMPLEMENTED - immediate=true", (60, 40))
    assert wire.connection_refusal(Basic.Publish(exchange="nope", immediate=True), body=b"") == refusal


def test_a_closed_channel_number_is_not_open(wire: Wire) -> None:
    wire.channel.close()
    assert wire.connection_refusal(Basic.Get(queue="q")) == Refusal(504, NOT_OPEN, (60, 70))


@pytest.mark.parametrize("refused", [Queue.Purge(queue="nope"), Tx.Commit()], ids=["queue.purge", "tx.commit"])
def test_a_channel_number_that_the_broker_closed_is_not_open(wire: Wire, refused: Method) -> None:
    wire.channel_refusal(refused)
    assert wire.connection_refusal(Queue.Declare(queue="q")) == Refusal(504, NOT_OPEN, (50, 10))


@pytest.mark.parametrize("number", [2, 2047, 65535])
def test_a_channel_opens_at_any_number(wire: Wire, number: int) -> None:
    channel = wire.connection.channel(number)
    assert channel.queue_declare("q").method.queue == "q"


@pytest.mark.parametrize(
    ("method", "refusal"),
    [
        (
            Exchange.Declare(exchange="nope", type="direct", passive=True),
            (404, "NOT_FOUND - no exchange 'nope' in vhost '{}'"),
        ),
        (
            Exchange.Declare(exchange="nope", type="nonsense", passive=True),
            (404, "NOT_FOUND - no exchange 'nope' in vhost '{}'"),
        ),
        (
            Exchange.Delete(exchange="amq.topic"),
            (403, "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '{}' not allowed"),
        ),
        (Exchange.Bind(destination="nope", source="nope"), (404, "NOT_FOUND - no exchange 'nope' in vhost '{}'")),
        (
            Exchange.Unbind(destination="", source="nope"),
            (403, "ACCESS_REFUSED - operation not permitted on the default exchange"),
        ),
        (Queue.Declare(queue="nope", passive=True), (404, "NOT_FOUND - no queue 'nope' in vhost '{}'")),
        (Queue.Bind(queue="nope", exchange="amq.topic"), (404, "NOT_FOUND - no queue 'nope' in vhost '{}'")),
        (
            Queue.Unbind(queue="q", exchange=""),
            (403, "ACCESS_REFUSED - operation not permitted on the default exchange"),
        ),
        (Queue.Purge(queue="nope"), (404, "NOT_FOUND - no queue 'nope' in vhost '{}'")),
        (Queue.Delete(queue=""), (404, "NOT_FOUND - no previously declared queue")),
        (Basic.Get(queue="nope"), (404, "NOT_FOUND - no queue 'nope' in vhost '{}'")),
        (Basic.Consume(queue="nope"), (404, "NOT_FOUND - no queue 'nope' in vhost '{}'")),
        (Basic.Ack(delivery_tag=5), (406, "PRECONDITION_FAILED - unknown delivery tag 5")),
        (Basic.Nack(delivery_tag=5), (406, "PRECONDITION_FAILED - unknown delivery tag 5")),
        (Basic.Reject(delivery_tag=5), (406, "PRECONDITION_FAILED - unknown delivery tag 5")),
        (Tx.Commit(), (406, "PRECONDITION_FAILED - channel is not transactional")),
        (Tx.Rollback(), (406, "PRECONDITION_FAILED - channel is not transactional")),
    ],
    ids=lambda value: value.NAME if isinstance(value, Method) else None,
)
def test_a_refusal_that_closes_the_channel_names_the_method(
    wire: Wire, vhost: str, method: Method, refusal: tuple[int, str]
) -> None:
    code, text = refusal
    failed = (method.INDEX >> 16, method.INDEX & 0xFFFF)
    assert wire.channel_refusal(method) == Refusal(code, text.format(vhost), failed)


def test_a_refused_publish_is_named_by_its_method(wire: Wire, vhost: str) -> None:
    refusal = Refusal(404, f"NOT_FOUND - no exchange 'nope' in vhost '{vhost}'", (60, 40))
    assert wire.channel_refusal(Basic.Publish(exchange="nope"), body=b"body") == refusal


def test_an_unknown_exchange_type_is_named_by_its_method(wire: Wire, version: str) -> None:
    method = Exchange.Declare(exchange="x", type="nonsense")
    if version == "3.10":
        refusal = Refusal(503, "COMMAND_INVALID - unknown exchange type 'nonsense'", (40, 10))
        assert wire.connection_refusal(method) == refusal
    else:
        refusal = Refusal(406, "PRECONDITION_FAILED - unknown exchange type 'nonsense'", (40, 10))
        assert wire.channel_refusal(method) == refusal


@pytest.mark.parametrize("publishes", [0, 1])
def test_confirm_mode_does_not_become_a_transaction(wire: Wire, publishes: int) -> None:
    wire.channel.confirm_delivery()
    for _ in range(publishes):
        wire.channel.basic_publish("amq.fanout", "", b"")
    refusal = Refusal(406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", (90, 10))
    assert wire.channel_refusal(Tx.Select()) == refusal


def test_a_transaction_does_not_become_confirm_mode(wire: Wire) -> None:
    wire.channel.tx_select()
    refusal = Refusal(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", (85, 10))
    assert wire.channel_refusal(Confirm.Select()) == refusal


@pytest.mark.parametrize("ends", [Tx.Commit, Tx.Rollback], ids=["commit", "rollback"])
def test_a_finished_transaction_does_not_become_confirm_mode_either(wire: Wire, ends: type[Method]) -> None:
    wire.channel.tx_select()
    wire.call(ends(), {Tx.Commit: Tx.CommitOk, Tx.Rollback: Tx.RollbackOk}[ends])
    refusal = Refusal(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", (85, 10))
    assert wire.channel_refusal(Confirm.Select()) == refusal


def test_both_modes_may_be_selected_again(wire: Wire) -> None:
    wire.channel.tx_select()
    wire.channel.tx_select()
    other = wire.connection.channel()
    other.confirm_delivery()
    wire.call(Confirm.Select(), Confirm.SelectOk, other.channel_number)
    assert wire.channel.is_open
    assert other.is_open


def test_an_operators_refusal_names_no_method(wire: Wire, operator: Any, vhost: str) -> None:
    closes = wire.listen(Connection.Close, 0)
    operator.close_connections("maintenance", vhost=vhost)
    with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
        wire.connection.process_data_events(time_limit=5)
    assert [(close.class_id, close.method_id) for close in closes] == [(0, 0)]


def test_the_refusal_of_too_many_channels_names_no_method(connect: Connect) -> None:
    wire = Wire(connect(channel_max=1))
    text = "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)"
    assert wire.connection_refusal(Channel.Open(), 2) == Refusal(530, text, (0, 0))


def test_flow_may_be_switched_on(wire: Wire) -> None:
    assert wire.call(Channel.Flow(active=True), Channel.FlowOk).active


NOWAIT = {
    "exchange.declare": Exchange.Declare(exchange="x2", type="direct", nowait=True),
    "exchange.declare passive": Exchange.Declare(exchange="x", type="direct", passive=True, nowait=True),
    "exchange.delete": Exchange.Delete(exchange="x", nowait=True),
    "exchange.bind": Exchange.Bind(destination="x", source="amq.topic", nowait=True),
    "exchange.unbind": Exchange.Unbind(destination="x", source="amq.fanout", nowait=True),
    "queue.declare": Queue.Declare(queue="q2", nowait=True),
    "queue.declare passive": Queue.Declare(queue="q", passive=True, nowait=True),
    "queue.bind": Queue.Bind(queue="q", exchange="amq.topic", nowait=True),
    "queue.purge": Queue.Purge(queue="q", nowait=True),
    "queue.delete": Queue.Delete(queue="q", nowait=True),
    "basic.consume": Basic.Consume(queue="q", consumer_tag="tag", nowait=True),
    "basic.consume without a tag": Basic.Consume(queue="q", nowait=True),
    "basic.cancel": Basic.Cancel(consumer_tag="nope", nowait=True),
    "confirm.select": Confirm.Select(nowait=True),
}


@pytest.mark.parametrize("method", NOWAIT.values(), ids=NOWAIT)
def test_a_nowait_method_gets_no_answer(wire: Wire, method: Method) -> None:
    wire.channel.exchange_declare("x")
    wire.channel.queue_declare("q")
    group, name = method.NAME.split(".")
    answers = wire.listen(getattr(getattr(pika.spec, group), f"{name}Ok"))
    wire.send(method)
    wire.call(Tx.Rollback(), Channel.Close)
    assert answers == []


def test_nowait_methods_do_what_they_say(wire: Wire, connection: pika.BlockingConnection) -> None:
    wire.send(Exchange.Declare(exchange="x", type="fanout", nowait=True))
    wire.send(Queue.Declare(queue="q", nowait=True))
    wire.send(Queue.Bind(queue="q", exchange="x", nowait=True))
    wire.channel.basic_publish("x", "", b"routed")
    assert get_all(wire.channel, "q") == [b"routed"]


def test_a_refused_nowait_method_closes_the_channel(wire: Wire, vhost: str) -> None:
    refusal = Refusal(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'", (50, 30))
    assert wire.channel_refusal(Queue.Purge(queue="nope", nowait=True)) == refusal


def test_access_is_granted_to_whoever_requests_it(wire: Wire) -> None:
    answer = wire.call(Access.Request(realm="/nowhere", exclusive=True), Access.RequestOk)
    assert answer.ticket == 1


@pytest.mark.parametrize("ticket", [1, 65535])
def test_tickets_mean_nothing(wire: Wire, ticket: int) -> None:
    assert wire.call(Queue.Declare(ticket=ticket, queue="q"), Queue.DeclareOk).queue == "q"
    wire.send(Basic.Publish(ticket=ticket, routing_key="q"), body=b"body")
    assert get_all(wire.channel, "q") == [b"body"]


def test_no_local_means_nothing(wire: Wire) -> None:
    other = wire.connection.channel()
    other.queue_declare("q")
    wire.call(Basic.Consume(queue="q", no_local=True, consumer_tag="tag"), Basic.ConsumeOk)
    wire.channel.confirm_delivery()
    wire.channel.basic_publish("", "q", b"own")
    assert get_all(other, "q") == []
    wire.channel.close()
    method, _, body = other.basic_get("q")
    assert (method.redelivered, body) == (True, b"own")


def test_a_consumer_without_a_tag_gets_one_from_the_server(wire: Wire) -> None:
    wire.channel.queue_declare("q")
    tag = wire.call(Basic.Consume(queue="q"), Basic.ConsumeOk).consumer_tag
    assert tag.startswith("amq.ctag-")
    assert len(tag) == len("amq.ctag-") + 22


def test_closing_a_channel_twice_is_answered_once(wire: Wire, channel: BlockingChannel) -> None:
    number = channel.channel_number
    wire.call(Channel.Close(200, "", 0, 0), Channel.CloseOk, number)
    assert wire.connection_refusal(Channel.Close(200, "", 0, 0), number) == Refusal(504, NOT_OPEN, (20, 40))
