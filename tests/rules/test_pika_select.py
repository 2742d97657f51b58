"""pika.SelectConnection as pika's users use it: callbacks on pika's own loop."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.channel import Channel

from tests.rules._helpers import get_all
from tests.target import FakeTarget, Target

spec = pika.spec


def run(
    parameters: pika.ConnectionParameters, on_channel: Callable[[Channel], None]
) -> tuple[pika.SelectConnection, BaseException]:
    """Open a connection and a channel, run the loop until the connection ends: the connection, and why it ended."""
    ends: list[BaseException] = []

    def on_end(connection: pika.SelectConnection, reason: BaseException) -> None:
        ends.append(reason)
        connection.ioloop.stop()

    connection = pika.SelectConnection(
        parameters,
        on_open_callback=lambda connection: connection.channel(on_open_callback=on_channel),
        on_open_error_callback=on_end,
        on_close_callback=on_end,
    )
    start(connection)
    connection.ioloop.close()
    assert len(ends) == 1, "the loop ended although the connection did not"
    return connection, ends[0]


def start(connection: pika.SelectConnection) -> None:
    """Run the loop until something stops it, but not forever."""
    watchdog = connection.ioloop.call_later(30, connection.ioloop.stop)
    connection.ioloop.start()
    connection.ioloop.remove_timeout(watchdog)


def assert_reply(reason: Any, kind: type[BaseException], code: int, text: str) -> None:
    assert type(reason) is kind
    assert (reason.reply_code, reason.reply_text) == (code, text)


def test_the_life_of_a_connection(target: Target) -> None:
    events: list[str] = []

    def on_open(connection: pika.SelectConnection) -> None:
        events.append(f"open {connection.is_open}")
        connection.channel(on_open_callback=on_channel)

    def on_channel(channel: Channel) -> None:
        events.append(f"channel {channel.channel_number} {channel.is_open}")
        channel.add_on_close_callback(on_channel_closed)
        channel.close()

    def on_channel_closed(channel: Channel, reason: Exception) -> None:
        events.append(f"channel closed {type(reason).__name__}")
        channel.connection.close()

    def on_close(connection: pika.SelectConnection, reason: Exception) -> None:
        events.append(f"closed {type(reason).__name__} {connection.is_closed}")
        connection.ioloop.stop()

    connection = pika.SelectConnection(target.parameters(), on_open_callback=on_open, on_close_callback=on_close)
    assert not connection.is_open
    start(connection)
    connection.ioloop.close()
    assert events == [
        "open True",
        "channel 1 True",
        "channel closed ChannelClosedByClient",
        "closed ConnectionClosedByClient True",
    ]


def test_a_close_by_the_client_is_given_as_the_reason(target: Target) -> None:
    reasons: list[BaseException] = []

    def on_channel(channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, reason: reasons.append(reason))
        channel.connection.close(299, "had enough")

    _, reason = run(target.parameters(), on_channel)
    assert_reply(reason, pika.exceptions.ConnectionClosedByClient, 299, "had enough")
    assert len(reasons) == 1
    assert_reply(reasons[0], pika.exceptions.ChannelClosedByClient, 299, "had enough")


def test_the_asynchronous_publisher(target: Target, channel: Any) -> None:
    tags: set[int] = set()

    def on_channel(publishing: Channel) -> None:
        publishing.queue_declare("text", callback=lambda _: on_queue(publishing))

    def on_queue(publishing: Channel) -> None:
        publishing.confirm_delivery(functools.partial(on_confirmed, publishing), callback=lambda _: send(publishing))

    def send(publishing: Channel) -> None:
        for number in range(1, 6):
            publishing.basic_publish("", "text", b"%d" % number, pika.BasicProperties(delivery_mode=2))

    def on_confirmed(publishing: Channel, frame: Any) -> None:
        assert isinstance(frame.method, spec.Basic.Ack)
        confirmed = frame.method.delivery_tag
        tags.update(range(1 if frame.method.multiple else confirmed, confirmed + 1))
        if len(tags) == 5:
            publishing.connection.close()

    _, reason = run(target.parameters(), on_channel)
    assert_reply(reason, pika.exceptions.ConnectionClosedByClient, 200, "Normal shutdown")
    assert tags == {1, 2, 3, 4, 5}
    assert get_all(channel, "text") == [b"1", b"2", b"3", b"4", b"5"]


def test_the_asynchronous_consumer(target: Target, channel: Any) -> None:
    events: list[Any] = []
    channel.queue_declare("text")
    channel.exchange_declare("message", "topic")
    for number in range(3):
        channel.basic_publish("", "text", b"%d" % number)

    def on_channel(consuming: Channel) -> None:
        consuming.exchange_declare("message", "topic", callback=lambda _: on_exchange(consuming))

    def on_exchange(consuming: Channel) -> None:
        consuming.queue_bind("text", "message", "example.text", callback=lambda _: on_bind(consuming))

    def on_bind(consuming: Channel) -> None:
        consuming.basic_qos(prefetch_count=1, callback=lambda _: on_qos(consuming))

    def on_qos(consuming: Channel) -> None:
        events.append(consuming.basic_consume("text", on_message, consumer_tag="worker", callback=on_consume_ok))

    def on_consume_ok(frame: Any) -> None:
        events.append(frame.method.consumer_tag)

    def on_message(consuming: Channel, deliver: Any, properties: pika.BasicProperties, body: bytes) -> None:
        events.append((deliver.delivery_tag, body))
        consuming.basic_ack(deliver.delivery_tag)
        if body == b"2":
            consuming.basic_publish("message", "example.text", b"last")
        if body == b"last":
            consuming.basic_cancel("worker", callback=functools.partial(on_cancel_ok, consuming))

    def on_cancel_ok(consuming: Channel, frame: Any) -> None:
        events.append(f"cancelled {frame.method.consumer_tag}")
        consuming.connection.close()

    run(target.parameters(), on_channel)
    assert events == ["worker", "worker", (1, b"0"), (2, b"1"), (3, b"2"), (4, b"last"), "cancelled worker"]
    assert get_all(channel, "text") == []


def test_a_channel_closed_by_rabbitmq_tells_why(target: Target, vhost: str) -> None:
    reasons: list[BaseException] = []

    def on_channel(channel: Channel) -> None:
        channel.add_on_close_callback(on_channel_closed)
        channel.queue_declare("nope", passive=True, callback=lambda _: pytest.fail("declared"))

    def on_channel_closed(channel: Channel, reason: BaseException) -> None:
        reasons.append(reason)
        assert channel.connection.is_open
        channel.connection.close()

    run(target.parameters(), on_channel)
    text = f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"
    assert_reply(reasons[0], pika.exceptions.ChannelClosedByBroker, 404, text)


def test_a_connection_closed_by_rabbitmq_tells_why_and_tells_its_channels(target: Target) -> None:
    reasons: list[BaseException] = []

    def on_channel(channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, reason: reasons.append(reason))
        channel.basic_qos(prefetch_size=1)

    connection, reason = run(target.parameters(), on_channel)
    assert connection.is_closed
    for each in (reason, *reasons):
        assert_reply(each, pika.exceptions.ConnectionClosedByBroker, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)")
    assert len(reasons) == 1


def test_calls_are_answered_in_order(target: Target) -> None:
    answers: list[str] = []

    def on_channel(channel: Channel) -> None:
        for name in ("a", "b", "c"):
            channel.queue_declare(name, callback=lambda frame: answers.append(frame.method.queue))
        channel.queue_delete("a", callback=lambda _: channel.connection.close())

    run(target.parameters(), on_channel)
    assert answers == ["a", "b", "c"]


def test_calls_without_a_callback_are_not_answered_and_happen(target: Target, channel: Any) -> None:
    def on_channel(asynchronous: Channel) -> None:
        asynchronous.queue_declare("quiet")
        asynchronous.exchange_declare("loud", "fanout")
        asynchronous.queue_bind("quiet", "loud")
        asynchronous.basic_publish("loud", "", b"1")
        asynchronous.queue_declare("last", callback=lambda _: asynchronous.connection.close())

    run(target.parameters(), on_channel)
    assert get_all(channel, "quiet") == [b"1"]


def test_get_answers_to_its_callback(target: Target) -> None:
    answers: list[tuple[int, bytes]] = []

    def on_channel(channel: Channel) -> None:
        channel.add_callback(lambda _: channel.connection.close(), [spec.Basic.GetEmpty])
        channel.queue_declare("text")
        channel.basic_publish("", "text", b"1")
        channel.basic_get("text", functools.partial(on_answer, channel), auto_ack=True)

    def on_answer(channel: Channel, _: Channel, method: Any, __: pika.BasicProperties, body: bytes) -> None:
        answers.append((method.message_count, body))
        channel.basic_get("text", lambda *_: pytest.fail("got"), auto_ack=True)

    run(target.parameters(), on_channel)
    assert answers == [(0, b"1")]


def test_returns_and_cancellations_reach_their_callbacks(target: Target) -> None:
    events: list[str] = []

    def on_channel(channel: Channel) -> None:
        channel.add_on_return_callback(functools.partial(on_return, channel))
        channel.add_on_cancel_callback(functools.partial(on_cancel, channel))
        channel.queue_declare("text")
        channel.basic_consume("text", lambda *_: None, consumer_tag="worker")
        channel.basic_publish("", "nowhere", b"1", mandatory=True)

    def on_return(channel: Channel, _: Channel, method: Any, __: pika.BasicProperties, body: bytes) -> None:
        events.append(f"{method.reply_code} {method.reply_text} {body.decode()}")
        channel.queue_delete("text")

    def on_cancel(channel: Channel, frame: Any) -> None:
        events.append(f"cancelled {frame.method.consumer_tag}")
        channel.connection.close()

    run(target.parameters(), on_channel)
    assert events == ["312 NO_ROUTE 1", "cancelled worker"]


def test_a_refused_login_calls_the_error_callback(target: Target) -> None:
    credentials = pika.PlainCredentials("guest", "wrong")
    connection, reason = run(target.parameters(credentials=credentials), lambda _: pytest.fail("opened"))
    assert connection.is_closed
    assert isinstance(reason, pika.exceptions.ProbableAuthenticationError)
    assert "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN." in str(reason)


def test_a_missing_virtual_host_calls_the_error_callback(target: Target) -> None:
    _, reason = run(target.parameters(virtual_host="nope"), lambda _: pytest.fail("opened"))
    assert isinstance(reason, pika.exceptions.ProbableAccessDeniedError)
    assert "NOT_ALLOWED - vhost nope not found" in str(reason)


def test_no_broker_calls_the_error_callback(target: Target) -> None:
    if isinstance(target, FakeTarget):
        pytest.skip("every host and port leads to fakeamqp")
    _, reason = run(target.parameters(host="127.0.0.1", port=1), lambda _: pytest.fail("opened"))
    assert isinstance(reason, pika.exceptions.AMQPConnectionError)


def test_timers_fire_on_the_loop_unless_removed(target: Target) -> None:
    fired: list[str] = []

    def on_channel(channel: Channel) -> None:
        loop = channel.connection.ioloop
        loop.call_later(0.2, channel.connection.close)
        loop.call_later(0.1, lambda: fired.append("second"))
        loop.call_later(0.01, lambda: fired.append("first"))
        loop.remove_timeout(loop.call_later(0.05, lambda: fired.append("removed")))

    run(target.parameters(), on_channel)
    assert fired == ["first", "second"]


def test_another_thread_may_add_a_callback_to_the_loop(target: Target) -> None:
    called: list[threading.Thread] = []
    threads: list[threading.Thread] = []

    def on_channel(channel: Channel) -> None:
        def in_loop() -> None:
            called.append(threading.current_thread())
            channel.connection.close()

        threads.append(threading.Thread(target=channel.connection.ioloop.add_callback_threadsafe, args=[in_loop]))
        threads[0].start()

    run(target.parameters(), on_channel)
    threads[0].join(30)
    assert called == [threading.current_thread()]


def test_a_loop_stopped_and_started_again_goes_on(target: Target) -> None:
    connection = pika.SelectConnection(target.parameters(), on_open_callback=lambda opened: opened.ioloop.stop())
    start(connection)
    assert connection.is_open
    connection.add_on_close_callback(lambda closed, _: closed.ioloop.stop())
    connection.close()
    start(connection)
    connection.ioloop.close()
    assert connection.is_closed


def test_a_consumer_reconnects_after_its_connection_is_closed(target: Target, channel: Any) -> None:
    channel.queue_declare("text")
    channel.basic_publish("", "text", b"1")
    received: list[tuple[bytes, bool]] = []

    def on_channel(consuming: Channel) -> None:
        consuming.basic_consume("text", on_message)

    def on_message(consuming: Channel, deliver: Any, _: pika.BasicProperties, body: bytes) -> None:
        received.append((body, deliver.redelivered))
        if deliver.redelivered:
            consuming.basic_ack(deliver.delivery_tag)
        consuming.connection.close()

    for _ in range(2):
        run(target.parameters(), on_channel)
    assert received == [(b"1", False), (b"1", True)]


def test_two_connections_on_one_loop(target: Target) -> None:
    loop = pika.adapters.select_connection.IOLoop()
    events: list[str] = []

    def on_consuming(consuming: Channel) -> None:
        consuming.queue_declare("text")
        consuming.basic_consume("text", on_message, auto_ack=True, callback=lambda _: publish())

    def publish() -> None:
        pika.SelectConnection(
            target.parameters(),
            on_open_callback=lambda connection: connection.channel(on_open_callback=on_publishing),
            custom_ioloop=loop,
        )

    def on_publishing(publishing: Channel) -> None:
        publishing.basic_publish("", "text", b"1")
        publishing.connection.close()

    def on_message(consuming: Channel, _: Any, __: pika.BasicProperties, body: bytes) -> None:
        events.append(body.decode())
        consuming.connection.close()

    pika.SelectConnection(
        target.parameters(),
        on_open_callback=lambda connection: connection.channel(on_open_callback=on_consuming),
        on_close_callback=lambda *_: loop.stop(),
        custom_ioloop=loop,
    )
    loop.call_later(30, loop.stop)
    loop.start()
    loop.close()
    assert events == ["1"]
