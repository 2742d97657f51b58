"""pika's AsyncioConnection as pika's users use it: callbacks and futures on asyncio's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pika
import pytest
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

from tests.rules._helpers import get_all
from tests.target import Target

spec = pika.spec
Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """asyncio.run, but not forever."""

    async def bounded() -> Result:
        return await asyncio.wait_for(main, 30)

    return asyncio.run(bounded())


def answer(start: Callable[[Callable[..., None]], Any]) -> Awaitable[Any]:
    """start(callback) calls back later: a future of the last argument."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    start(lambda *arguments: future.done() or future.set_result(arguments[-1]))
    return future


async def connected(target: Target, **settings: Any) -> AsyncioConnection:
    """An open connection on the running loop."""
    future: asyncio.Future[AsyncioConnection] = asyncio.get_running_loop().create_future()
    AsyncioConnection(
        target.parameters(**settings),
        on_open_callback=future.set_result,
        on_open_error_callback=lambda _, error: future.set_exception(error),
    )
    return await future


async def opened(connection: AsyncioConnection) -> Channel:
    channel: Channel = await answer(lambda callback: connection.channel(on_open_callback=callback))
    return channel


async def closed(connection: AsyncioConnection) -> BaseException:
    """Close the connection: the reason that its callback is given."""

    def start(callback: Callable[..., None]) -> None:
        connection.add_on_close_callback(callback)
        connection.close()

    reason: BaseException = await answer(start)
    return reason


def test_the_life_of_a_connection(target: Target) -> None:
    async def main() -> None:
        connection = await connected(target)
        assert connection.is_open
        assert connection.ioloop is asyncio.get_running_loop()
        channel = await opened(connection)
        assert (channel.channel_number, channel.is_open) == (1, True)
        reason: Any = await closed(connection)
        assert type(reason) is pika.exceptions.ConnectionClosedByClient
        assert (reason.reply_code, reason.reply_text) == (200, "Normal shutdown")
        assert (connection.is_closed, channel.is_closed) == (True, True)

    run(main())


def test_publishing_and_getting_with_futures(target: Target) -> None:
    async def main() -> None:
        connection = await connected(target)
        channel = await opened(connection)
        frame = await answer(lambda callback: channel.queue_declare("text", callback=callback))
        assert frame.method.queue == "text"
        channel.basic_publish("", "text", b"hello")
        body = await answer(lambda callback: channel.basic_get("text", callback, auto_ack=True))
        assert body == b"hello"
        await closed(connection)

    run(main())


def test_confirms_resolve_futures(target: Target, channel: Any) -> None:
    channel.queue_declare("text")

    async def main() -> None:
        connection = await connected(target)
        publishing = await opened(connection)
        confirms: dict[int, asyncio.Future[None]] = {}

        def on_confirmed(frame: Any) -> None:
            assert isinstance(frame.method, spec.Basic.Ack)
            confirmed = frame.method.delivery_tag
            for tag in [tag for tag in confirms if tag == confirmed or (frame.method.multiple and tag < confirmed)]:
                confirms.pop(tag).set_result(None)

        await answer(lambda callback: publishing.confirm_delivery(on_confirmed, callback=callback))
        futures = []
        for tag in range(1, 4):
            confirms[tag] = asyncio.get_running_loop().create_future()
            futures.append(confirms[tag])
            publishing.basic_publish("", "text", b"%d" % tag)
        await asyncio.gather(*futures)
        assert confirms == {}
        await closed(connection)

    run(main())
    assert get_all(channel, "text") == [b"1", b"2", b"3"]


def test_consuming_into_a_queue_of_asyncio(target: Target, channel: Any) -> None:
    channel.queue_declare("text")
    for number in range(3):
        channel.basic_publish("", "text", b"%d" % number)

    async def main() -> list[bytes]:
        connection = await connected(target)
        consuming = await opened(connection)
        await answer(lambda callback: consuming.basic_qos(prefetch_count=1, callback=callback))
        messages: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        tag = consuming.basic_consume(
            "text", lambda _, deliver, __, body: messages.put_nowait((deliver.delivery_tag, body))
        )
        bodies = []
        for expected in range(1, 4):
            delivery_tag, body = await messages.get()
            assert (delivery_tag, messages.qsize()) == (expected, 0)
            bodies.append(body)
            consuming.basic_ack(delivery_tag)
        await answer(lambda callback: consuming.basic_cancel(tag, callback=callback))
        await closed(connection)
        return bodies

    assert run(main()) == [b"0", b"1", b"2"]
    assert get_all(channel, "text") == []


def test_a_channel_closed_by_rabbitmq_tells_why(target: Target, vhost: str) -> None:
    async def main() -> Any:
        connection = await connected(target)
        channel = await opened(connection)
        failed = answer(channel.add_on_close_callback)
        channel.queue_declare("nope", passive=True, callback=lambda _: pytest.fail("declared"))
        reason = await failed
        assert connection.is_open
        await closed(connection)
        return reason

    reason = run(main())
    assert type(reason) is pika.exceptions.ChannelClosedByBroker
    assert (reason.reply_code, reason.reply_text) == (404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'")


def test_a_connection_closed_by_rabbitmq_tells_why(target: Target) -> None:
    async def main() -> Any:
        connection = await connected(target)
        channel = await opened(connection)
        failed = answer(connection.add_on_close_callback)
        channel.basic_qos(prefetch_size=1)
        return await failed

    reason = run(main())
    assert type(reason) is pika.exceptions.ConnectionClosedByBroker
    assert (reason.reply_code, reason.reply_text) == (540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)")


def test_a_refused_login_calls_the_error_callback(target: Target) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError, match="ACCESS_REFUSED - Login was refused"):
        run(connected(target, credentials=pika.PlainCredentials("guest", "wrong")))


def test_a_missing_virtual_host_calls_the_error_callback(target: Target) -> None:
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="NOT_ALLOWED - vhost nope not found"):
        run(connected(target, virtual_host="nope"))


def test_a_request_is_answered_by_another_connection_on_the_loop(target: Target) -> None:
    async def main() -> bytes:
        server, client = await asyncio.gather(connected(target), connected(target))
        serving, asking = await asyncio.gather(opened(server), opened(client))

        def on_request(_: Channel, deliver: Any, properties: pika.BasicProperties, body: bytes) -> None:
            serving.basic_publish("", properties.reply_to, body.upper())
            serving.basic_ack(deliver.delivery_tag)

        await answer(lambda callback: serving.queue_declare("requests", callback=callback))
        serving.basic_consume("requests", on_request)
        frame = await answer(lambda callback: asking.queue_declare("", exclusive=True, callback=callback))
        replies = frame.method.queue
        reply = answer(lambda callback: asking.basic_consume(replies, callback, auto_ack=True))
        asking.basic_publish("", "requests", b"hello", pika.BasicProperties(reply_to=replies))
        body: bytes = await reply
        await asyncio.gather(closed(server), closed(client))
        return body

    assert run(main()) == b"HELLO"


def test_asyncio_goes_on_beside_the_connection(target: Target) -> None:
    async def main() -> list[int]:
        ticks: list[int] = []

        async def tick() -> None:
            for number in range(3):
                ticks.append(number)
                await asyncio.sleep(0)

        connection, _ = await asyncio.gather(connected(target), tick())
        await closed(connection)
        return ticks

    assert run(main()) == [0, 1, 2]


def test_a_loop_of_ones_own(target: Target) -> None:
    loop = asyncio.new_event_loop()
    events: list[str] = []

    def on_open(connection: AsyncioConnection) -> None:
        events.append("open")
        connection.channel(on_open_callback=on_channel)

    def on_channel(channel: Channel) -> None:
        events.append("channel")
        channel.queue_declare("text", callback=lambda _: channel.connection.close())

    def on_close(_: AsyncioConnection, reason: BaseException) -> None:
        events.append(type(reason).__name__)
        loop.stop()

    connection = AsyncioConnection(
        target.parameters(), on_open_callback=on_open, on_close_callback=on_close, custom_ioloop=loop
    )
    assert connection.ioloop is loop
    watchdog = loop.call_later(30, loop.stop)
    loop.run_forever()
    watchdog.cancel()
    loop.close()
    assert events == ["open", "channel", "ConnectionClosedByClient"]


def test_create_connection_tries_all_parameters(target: Target) -> None:
    async def main() -> None:
        parameters = [target.parameters(virtual_host="nope"), target.parameters()]
        connection = await answer(
            lambda callback: AsyncioConnection.create_connection(
                parameters, callback, custom_ioloop=asyncio.get_running_loop()
            )
        )
        assert isinstance(connection, AsyncioConnection)
        assert connection.is_open
        await closed(connection)

    run(main())
