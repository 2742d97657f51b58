"""Stop, crash and restart, as clients of every kind see them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel

from fakeamqp import Broker, Misuse
from tests.expect import connection_closed

Connect = Callable[..., pika.BlockingConnection]

SHUTDOWN = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
BROKEN = "Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')"
PERSISTENT = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
def durable(channel: BlockingChannel) -> str:
    """A durable queue with three persistent messages."""
    channel.queue_declare("durable", durable=True)
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("", "durable", body, PERSISTENT)
    return "durable"


def ready(broker: Broker) -> list[tuple[bytes, bool]]:
    return [(each.body, each.redelivered) for each in broker.vhost().queue("durable").messages]


# -- BlockingConnection ----------------------------------------------------------------------------------------------


def test_after_a_stop_a_client_is_told_why(broker: Broker, channel: BlockingChannel) -> None:
    broker.stop()
    with connection_closed(320, SHUTDOWN):
        channel.queue_declare("more")
    assert channel.is_closed
    assert channel.connection.is_closed


def test_after_a_crash_a_clients_stream_is_broken(broker: Broker, channel: BlockingChannel) -> None:
    broker.crash()
    with pytest.raises(pika.exceptions.StreamLostError, match=re.escape(BROKEN)):
        channel.queue_declare("more")
    assert channel.is_closed
    assert channel.connection.is_closed


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_client_that_waits_for_deliveries_learns_of_it(broker: Broker, channel: BlockingChannel, end: str) -> None:
    channel.connection.call_later(60, getattr(broker, end))
    channel.basic_consume("orders", lambda *args: None)
    with pytest.raises((pika.exceptions.ConnectionClosedByBroker, pika.exceptions.StreamLostError)):
        channel.start_consuming()
    assert broker.now == 60


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_who_does_nothing_notices_nothing(broker: Broker, channel: BlockingChannel, end: str) -> None:
    getattr(broker, end)()
    assert channel.connection.is_open
    broker.restart()
    assert channel.connection.is_open
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        channel.connection.process_data_events()


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_nothing_of_an_old_connection_reaches_the_next_node(broker: Broker, channel: BlockingChannel, end: str) -> None:
    channel.queue_declare("durable", durable=True)
    getattr(broker, end)()
    broker.restart()
    channel.basic_publish("", "durable", b"lost")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        channel.queue_declare("more")
    assert ready(broker) == []
    assert [queue.name for queue in broker.list_queues()] == ["durable"]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_while_the_broker_is_down_nobody_can_connect(broker: Broker, connect: Connect, end: str) -> None:
    getattr(broker, end)()
    with pytest.raises(pika.exceptions.AMQPConnectionError) as caught:
        connect()
    assert "ConnectionRefusedError(111, 'Connection refused')" in repr(caught.value)
    broker.restart()
    assert connect().is_open


def test_pika_tries_again_in_virtual_time(broker: Broker, connect: Connect) -> None:
    broker.crash()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(connection_attempts=4, retry_delay=10)
    assert broker.now == 30


def test_pika_gets_in_once_the_broker_is_back(broker: Broker, connection: pika.BlockingConnection) -> None:
    broker.crash()
    opened: list[float] = []

    def on_open(connection: pika.SelectConnection) -> None:
        opened.append(broker.now)
        connection.ioloop.stop()

    parameters = pika.ConnectionParameters(connection_attempts=10, retry_delay=10)
    waiting = pika.SelectConnection(parameters, on_open_callback=on_open)
    waiting.ioloop.call_later(25, broker.restart)
    waiting.ioloop.start()
    assert opened == [30]


def test_a_program_that_reconnects_in_a_loop(broker: Broker, connect: Connect, durable: str) -> None:
    handled: list[bytes] = []
    outages = [broker.crash, broker.stop]

    def handle(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        handled.append(body)
        if outages:
            outages.pop()()
            return
        channel.basic_ack(method.delivery_tag)
        if handled[-3:] == [b"one", b"two", b"three"]:
            channel.stop_consuming()

    for _ in range(3):
        if not broker.is_running:
            broker.restart()
        channel = connect().channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(durable, handle)
        try:
            channel.start_consuming()
            break
        except pika.exceptions.AMQPConnectionError:
            continue
    assert handled == [b"one", b"one", b"one", b"two", b"three"]
    assert broker.vhost().queue("durable").messages == ()


def test_after_a_crash_everything_is_redelivered(broker: Broker, channel: BlockingChannel, durable: str) -> None:
    channel.basic_get(durable)
    broker.crash()
    broker.restart()
    assert ready(broker) == [(b"one", True), (b"two", True), (b"three", True)]


def test_after_a_stop_what_had_been_delivered_is_redelivered(
    broker: Broker, channel: BlockingChannel, durable: str
) -> None:
    channel.basic_get(durable)
    broker.stop()
    broker.restart()
    assert ready(broker) == [(b"one", True), (b"two", False), (b"three", False)]


def test_what_the_broker_said_before_it_crashed_still_arrives(
    broker: Broker, channel: BlockingChannel, durable: str
) -> None:
    found: list[bytes] = []
    channel.basic_consume(durable, lambda *args: found.append(args[3]))
    broker.crash()
    with pytest.raises(pika.exceptions.StreamLostError):
        channel.start_consuming()
    assert found == [b"one", b"two", b"three"]


def test_a_callback_that_crashes_the_broker(broker: Broker, channel: BlockingChannel, durable: str) -> None:
    handled: list[bytes] = []

    def handle(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        handled.append(body)
        if len(handled) == 2:
            broker.crash()
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(durable, handle)
    with pytest.raises(pika.exceptions.StreamLostError, match=re.escape(BROKEN)):
        channel.start_consuming()
    assert handled == [b"one", b"two"]
    broker.restart()
    assert ready(broker) == [(b"two", True), (b"three", True)]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_with_block_around_a_connection_ends_in_what_happened_to_it(
    broker: Broker, connect: Connect, end: str
) -> None:
    with pytest.raises(pika.exceptions.AMQPConnectionError), connect():
        getattr(broker, end)()


def test_a_confirm_that_a_crash_has_overtaken_does_not_come() -> None:
    confirmed: list[Any] = []
    reasons: list[BaseException] = []

    def opened(channel: Channel) -> None:
        channel.queue_declare("durable", durable=True)
        channel.confirm_delivery(confirmed.append)
        channel.basic_publish("", "durable", b"one", PERSISTENT)
        channel.connection.ioloop.call_later(0.1, broker.crash)

    def closed(connection: pika.SelectConnection, reason: BaseException) -> None:
        reasons.append(reason)
        connection.ioloop.stop()

    with Broker(sync_interval=0.5) as broker:
        connection = pika.SelectConnection(
            on_open_callback=lambda connection: connection.channel(on_open_callback=opened), on_close_callback=closed
        )
        connection.ioloop.start()
    assert confirmed == []
    assert isinstance(reasons[0], pika.exceptions.StreamLostError)
    assert broker.now == 0.1


def test_deleting_a_connection_object_is_harmless(broker: Broker, connect: Connect) -> None:
    connect()
    broker.crash()
    broker.restart()
    assert connect().is_open


# -- SelectConnection ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "error", "text"),
    [
        ("stop", pika.exceptions.ConnectionClosedByBroker, SHUTDOWN),
        ("crash", pika.exceptions.StreamLostError, BROKEN),
    ],
)
def test_a_select_connection_is_closed_and_opens_again(broker: Broker, end: str, error: type, text: str) -> None:
    story: list[Any] = []

    def opened(connection: pika.SelectConnection) -> None:
        story.append("open")
        if len(story) == 1:
            connection.ioloop.call_later(1, getattr(broker, end))
        else:
            connection.ioloop.stop()

    def closed(connection: pika.SelectConnection, reason: BaseException) -> None:
        story.append(reason)
        broker.restart()
        pika.SelectConnection(pika.ConnectionParameters(), on_open_callback=opened, custom_ioloop=connection.ioloop)

    connection = pika.SelectConnection(pika.ConnectionParameters(), on_open_callback=opened, on_close_callback=closed)
    connection.ioloop.start()
    assert story[0] == story[2] == "open"
    assert type(story[1]) is error
    assert text in str(story[1])


def test_a_select_connection_that_cannot_open_says_why(broker: Broker) -> None:
    broker.stop()
    story: list[BaseException] = []

    def failed(connection: pika.SelectConnection, reason: BaseException) -> None:
        story.append(reason)
        connection.ioloop.stop()

    pika.SelectConnection(pika.ConnectionParameters(), on_open_error_callback=failed).ioloop.start()
    assert isinstance(story[0], pika.exceptions.AMQPConnectionError)
    assert "Connection refused" in repr(story[0])


# -- AsyncioConnection -----------------------------------------------------------------------------------------------


async def connected() -> tuple[AsyncioConnection, asyncio.Future[BaseException]]:
    """An open connection, and what will have closed it."""
    loop = asyncio.get_running_loop()
    opened, closed = loop.create_future(), loop.create_future()
    AsyncioConnection(
        pika.ConnectionParameters(),
        on_open_callback=opened.set_result,
        on_open_error_callback=lambda _, error: opened.set_exception(error),
        on_close_callback=lambda _, error: closed.set_result(error),
    )
    return await asyncio.wait_for(opened, 10), closed


@pytest.mark.parametrize(
    ("end", "error", "text"),
    [
        ("stop", pika.exceptions.ConnectionClosedByBroker, SHUTDOWN),
        ("crash", pika.exceptions.StreamLostError, BROKEN),
    ],
)
def test_an_asyncio_connection_is_closed_and_opens_again(broker: Broker, end: str, error: type, text: str) -> None:
    async def run() -> BaseException:
        _, closed = await connected()
        getattr(broker, end)()
        reason = await asyncio.wait_for(closed, 10)
        broker.restart()
        connection, _ = await connected()
        assert connection.is_open
        return reason

    reason = asyncio.run(run())
    assert type(reason) is error
    assert text in str(reason)


def test_an_asyncio_connection_that_cannot_open_says_why(broker: Broker) -> None:
    broker.crash()
    with pytest.raises(pika.exceptions.AMQPConnectionError) as caught:
        asyncio.run(connected())
    assert "Connection refused" in repr(caught.value)


@pytest.mark.parametrize("event", ["publish", "advance", "stop", "crash"])
def test_an_event_loop_that_is_closed_disturbs_nobody(broker: Broker, channel: BlockingChannel, event: str) -> None:
    async def leave_a_consumer() -> AsyncioConnection:
        connection, _ = await connected()
        opened = asyncio.get_running_loop().create_future()
        connection.channel(on_open_callback=opened.set_result)
        (await asyncio.wait_for(opened, 10)).basic_consume("orders", lambda *args: None)
        return connection

    left = asyncio.run(leave_a_consumer())
    if event == "publish":
        channel.basic_publish("", "orders", b"one")
        assert len(broker.vhost().queue("orders").unacked) == 1
    elif event == "advance":
        broker.advance(60)
    else:
        getattr(broker, event)()
    assert left.is_open


# -- misuse ----------------------------------------------------------------------------------------------------------


def test_a_running_broker_cannot_be_restarted(broker: Broker) -> None:
    with pytest.raises(Misuse, match=re.escape("the broker is running; call stop() or crash() before restart()")):
        broker.restart()
    assert broker.is_running


COMMANDS: dict[str, Callable[[Broker], object]] = {
    "stop": Broker.stop,
    "crash": Broker.crash,
    "vhost": Broker.vhost,
    "vhosts": Broker.vhosts,
    "list_queues": Broker.list_queues,
    "list_exchanges": Broker.list_exchanges,
    "list_bindings": Broker.list_bindings,
    "list_consumers": Broker.list_consumers,
    "add_vhost": lambda broker: broker.add_vhost("billing"),
    "add_user": lambda broker: broker.add_user("alice", "secret"),
    "close_connections": lambda broker: broker.close_connections("maintenance"),
}


@pytest.mark.parametrize("end", ["stop", "crash"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_broker_that_is_down_says_what_to_do(broker: Broker, end: str, command: str) -> None:
    getattr(broker, end)()
    with pytest.raises(Misuse, match=re.escape("the broker is down; call restart() before ")):
        COMMANDS[command](broker)
    assert not broker.is_running


def test_a_broker_can_go_down_and_come_back_many_times(broker: Broker, connect: Connect, durable: str) -> None:
    for number in range(20):
        (broker.crash if number % 2 else broker.stop)()
        broker.restart()
        broker.simulation.world.check()
        assert connect().channel().queue_declare(durable, passive=True).method.message_count == 3
