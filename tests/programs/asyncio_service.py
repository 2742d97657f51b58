"""An asyncio service: takes requests from one queue, works on several at once, puts the answers into another queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.connection import Connection, Parameters

REQUESTS = "requests"
ANSWERS = "answers"

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Service:
    """Connected inside its `async with` block, on the event loop that runs there."""

    def __init__(self, parameters: Parameters, at_once: int) -> None:
        self._parameters = parameters
        self._at_once = at_once
        self._error: BaseException | None = None

    async def __aenter__(self) -> Service:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Connection] = loop.create_future()
        self._closed: asyncio.Future[BaseException] = loop.create_future()
        self._connection = AsyncioConnection(
            self._parameters,
            on_open_callback=opened.set_result,
            on_open_error_callback=lambda _connection, error: opened.set_exception(error),
            on_close_callback=lambda _connection, reason: self._closed.set_result(self._error or reason),
            custom_ioloop=loop,
        )
        await opened
        channel_opened: asyncio.Future[Channel] = loop.create_future()
        self._connection.channel(on_open_callback=channel_opened.set_result)
        self._channel = await self._unless_closed(channel_opened)
        self._channel.add_on_close_callback(self._on_channel_closed)
        await self._call(self._channel.queue_declare, REQUESTS)
        await self._call(self._channel.queue_declare, ANSWERS)
        await self._call(self._channel.basic_qos, prefetch_count=self._at_once)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._connection.is_open:
            self._connection.close()
        await self._closed

    def _on_channel_closed(self, _channel: Channel, reason: BaseException) -> None:
        if self._connection.is_open:
            self._error = reason
            self._connection.close()

    async def _unless_closed(self, awaitable: Awaitable[Result]) -> Result:
        """What it results in; raises the reason if the connection closes meanwhile."""
        waiting = asyncio.ensure_future(awaitable)
        either: set[asyncio.Future[Any]] = {waiting, self._closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._closed.done():
            waiting.cancel()
            raise self._closed.result()
        return waiting.result()

    async def _call(self, method: Callable[..., Any], *arguments: Any, **settings: Any) -> None:
        """Call a method of the channel, and wait until the broker has done it."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        method(*arguments, **settings, callback=done.set_result)
        await self._unless_closed(done)

    async def serve(self, answer: Callable[[str], Awaitable[str]], limit: int) -> None:
        """Answer `limit` requests; one for which `answer` raises ValueError is dropped."""
        requests: asyncio.Queue[tuple[int, str]] = asyncio.Queue()
        consumer_tag = self._channel.basic_consume(
            REQUESTS,
            lambda _channel, method, _properties, body: requests.put_nowait((method.delivery_tag, body.decode())),
        )
        answering = []
        for _ in range(limit):
            delivery_tag, request = await self._unless_closed(requests.get())
            answering.append(asyncio.ensure_future(self._answer(answer, delivery_tag, request)))
        await self._unless_closed(asyncio.gather(*answering))
        await self._call(self._channel.basic_cancel, consumer_tag)
        while not requests.empty():
            delivery_tag, _ = requests.get_nowait()
            self._channel.basic_nack(delivery_tag)

    async def _answer(self, answer: Callable[[str], Awaitable[str]], delivery_tag: int, request: str) -> None:
        try:
            text = await answer(request)
        except ValueError as error:
            log.warning("dropped %r: %s", request, error)
            self._channel.basic_nack(delivery_tag, requeue=False)
        else:
            self._channel.basic_publish(exchange="", routing_key=ANSWERS, body=text.encode())
            self._channel.basic_ack(delivery_tag)
