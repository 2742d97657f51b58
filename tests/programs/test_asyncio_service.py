"""asyncio_service: on the test's own event loop, with requests that overlap, fail or lose their connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.programs import asyncio_service
from tests.programs.asyncio_service import Service
from tests.target import Target

Answer = Callable[[str], Awaitable[str]]


def serve(target: Target, answer: Answer, *, limit: int, at_once: int) -> None:
    async def run() -> None:
        async with Service(target.parameters(), at_once) as service:
            await service.serve(answer, limit)

    asyncio.run(asyncio.wait_for(run(), timeout=30))


def request(channel: BlockingChannel, *requests: str) -> None:
    channel.queue_declare("requests")
    for each in requests:
        channel.basic_publish("", "requests", each.encode())


def answers(channel: BlockingChannel) -> list[str]:
    found = []
    while (body := channel.basic_get("answers", auto_ack=True)[2]) is not None:
        found.append(body.decode())
    return found


async def shout(text: str) -> str:
    return text.upper()


def test_every_request_is_answered_in_order(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int]
) -> None:
    request(channel, "one", "two", "three")
    serve(target, shout, limit=3, at_once=1)
    assert answers(channel) == ["ONE", "TWO", "THREE"]
    assert messages_in("requests") == 0


def test_requests_beyond_the_limit_stay(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int]
) -> None:
    request(channel, "one", "two", "three")
    serve(target, shout, limit=2, at_once=2)
    assert answers(channel) == ["ONE", "TWO"]
    assert messages_in("requests") == 1


def test_a_quick_request_overtakes_a_slow_one(target: Target, channel: BlockingChannel) -> None:
    request(channel, "slow", "quick")

    async def run() -> None:
        quick_is_answered = asyncio.Event()

        async def answer(text: str) -> str:
            if text == "slow":
                await quick_is_answered.wait()
            else:
                asyncio.get_running_loop().call_soon(quick_is_answered.set)
            return text

        async with Service(target.parameters(), at_once=2) as service:
            await service.serve(answer, limit=2)

    asyncio.run(asyncio.wait_for(run(), timeout=30))
    assert answers(channel) == ["quick", "slow"]


def test_services_on_one_event_loop_share_the_requests(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int]
) -> None:
    request(channel, "one", "two", "three", "four")

    async def run() -> None:
        async with Service(target.parameters(), at_once=1) as here, Service(target.parameters(), at_once=1) as there:
            both_are_busy = asyncio.Event()
            busy: set[str] = set()

            def named(name: str) -> Answer:
                async def answer(text: str) -> str:
                    busy.add(name)
                    if busy == {"here", "there"}:
                        both_are_busy.set()
                    await both_are_busy.wait()
                    return text.upper()

                return answer

            await asyncio.gather(here.serve(named("here"), limit=2), there.serve(named("there"), limit=2))

    asyncio.run(asyncio.wait_for(run(), timeout=30))
    assert sorted(answers(channel)) == ["FOUR", "ONE", "THREE", "TWO"]
    assert messages_in("requests") == 0


def test_a_request_that_fails_is_dropped_and_the_others_are_answered(
    target: Target, channel: BlockingChannel, messages_in: Callable[[str], int], caplog: pytest.LogCaptureFixture
) -> None:
    request(channel, "4", "four", "5")

    async def square(text: str) -> str:
        return str(int(text) ** 2)

    with caplog.at_level(logging.WARNING, logger=asyncio_service.__name__):
        serve(target, square, limit=3, at_once=1)
    assert answers(channel) == ["16", "25"]
    assert messages_in("requests") == 0
    assert caplog.messages == ["dropped 'four': invalid literal for int() with base 10: 'four'"]


def test_a_request_whose_connection_is_lost_is_answered_by_the_next_service(
    target: Target, connect: Any, operator: Any, vhost: str
) -> None:
    with connect() as connection:
        request(connection.channel(), "fragile")

    async def disconnect(text: str) -> str:
        operator.close_connections("maintenance", vhost=vhost)
        return text

    with connection_closed(320, "CONNECTION_FORCED - maintenance"):
        serve(target, disconnect, limit=1, at_once=1)
    serve(target, shout, limit=1, at_once=1)
    assert answers(connect().channel()) == ["FRAGILE"]


def test_the_service_raises_what_closes_its_channel(target: Target, channel: BlockingChannel, vhost: str) -> None:
    channel.queue_declare("answers", durable=True)
    text = (
        f"PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'answers' in vhost '{vhost}': "
        "received 'false' but current is 'true'"
    )
    with channel_closed(406, text):
        serve(target, shout, limit=1, at_once=1)


def test_the_service_raises_what_keeps_it_from_connecting(target: Target) -> None:
    async def connect() -> None:
        async with Service(target.parameters(virtual_host="no such vhost"), at_once=1):
            raise AssertionError("connected")

    with pytest.raises(pika.exceptions.ProbableAccessDeniedError, match="vhost no such vhost not found"):
        asyncio.run(asyncio.wait_for(connect(), timeout=30))
