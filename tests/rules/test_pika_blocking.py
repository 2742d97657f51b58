"""pika.BlockingConnection as pika's users use it."""

from __future__ import annotations

import functools
import threading
import urllib.parse
from collections.abc import Callable

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.expect import channel_closed, connection_closed
from tests.rules._consuming import publish
from tests.rules._helpers import get_all, wait_for
from tests.target import FakeTarget, Target

Connect = Callable[..., pika.BlockingConnection]


def url_of(target: Target) -> str:
    parameters = target.parameters()
    vhost = urllib.parse.quote(parameters.virtual_host, safe="")
    return f"amqp://guest:guest@{parameters.host}:{parameters.port}/{vhost}"


def nobody_listens(target: Target) -> pika.ConnectionParameters:
    """Parameters of a loopback port on which no broker listens."""
    if isinstance(target, FakeTarget):
        pytest.skip("every host and port leads to fakeamqp")
    return target.parameters(host="127.0.0.1", port=1)


def test_a_connection_by_url(target: Target) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url_of(target) + "?heartbeat=30&connection_attempts=2"))
    channel = connection.channel()
    channel.queue_declare("hello")
    channel.basic_publish(exchange="", routing_key="hello", body=b"Hello World!")
    assert channel.basic_get("hello", auto_ack=True)[2] == b"Hello World!"
    connection.close()
    assert connection.is_closed


def test_the_first_of_several_parameters_is_taken(target: Target) -> None:
    with pika.BlockingConnection([target.parameters(), target.parameters(virtual_host="nope")]) as connection:
        assert connection.is_open


def test_the_next_of_several_parameters_is_taken_when_the_first_is_refused(target: Target) -> None:
    parameters = [target.parameters(virtual_host="nope"), target.parameters()]
    with pika.BlockingConnection(parameters) as connection:
        assert connection.channel().queue_declare("hello").method.queue == "hello"


def test_the_next_of_several_parameters_is_taken_when_the_first_cannot_be_reached(target: Target) -> None:
    with pika.BlockingConnection([nobody_listens(target), target.parameters()]) as connection:
        assert connection.channel().queue_declare("hello").method.queue == "hello"


def test_no_broker_is_a_connection_error(target: Target) -> None:
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(nobody_listens(target))


def test_parameters_may_not_be_an_empty_sequence() -> None:
    with pytest.raises(ValueError, match="non-empty sequence"):
        pika.BlockingConnection([])


def test_a_with_block_closes_the_connection_and_its_channels(target: Target) -> None:
    with pika.BlockingConnection(target.parameters()) as connection:
        channel = connection.channel()
        assert (connection.is_open, connection.is_closed) == (True, False)
        assert (channel.is_open, channel.is_closed) == (True, False)
    assert (connection.is_open, connection.is_closed) == (False, True)
    assert (channel.is_open, channel.is_closed) == (False, True)


def test_a_with_block_accepts_that_the_connection_is_closed_already(target: Target) -> None:
    with pika.BlockingConnection(target.parameters()) as connection:
        connection.close()
    assert connection.is_closed


def test_a_with_block_lets_exceptions_through_and_closes(target: Target) -> None:
    with pytest.raises(ZeroDivisionError), pika.BlockingConnection(target.parameters()) as connection:
        _ = 1 / 0
    assert connection.is_closed


def test_a_closed_connection_refuses_everything(connection: pika.BlockingConnection) -> None:
    connection.close()
    for action in (
        connection.close,
        connection.channel,
        lambda: connection.process_data_events(time_limit=None),
        lambda: connection.add_callback_threadsafe(lambda: None),
    ):
        with pytest.raises(pika.exceptions.ConnectionWrongStateError):
            action()


def test_channels_are_numbered_from_1(connection: pika.BlockingConnection) -> None:
    channels = [connection.channel() for _ in range(3)]
    assert [channel.channel_number for channel in channels] == [1, 2, 3]
    assert [int(channel) for channel in channels] == [1, 2, 3]
    assert all(channel.connection is connection for channel in channels)


def test_a_channel_number_can_be_chosen_and_is_free_after_close(connection: pika.BlockingConnection) -> None:
    channel = connection.channel(channel_number=7)
    assert channel.channel_number == 7
    assert connection.channel().channel_number == 1
    channel.close()
    assert connection.channel(channel_number=7).queue_declare("hello").method.queue == "hello"


def test_a_channel_number_in_use_closes_the_connection(connection: pika.BlockingConnection) -> None:
    connection.channel(channel_number=7)
    with connection_closed(504, "CHANNEL_ERROR - second 'channel.open' seen"):
        connection.channel(channel_number=7)


def test_the_server_has_all_that_pika_asks_about(connection: pika.BlockingConnection) -> None:
    assert connection.basic_nack_supported
    assert connection.consumer_cancel_notify_supported
    assert connection.exchange_exchange_bindings_supported
    assert connection.publisher_confirms_supported


def test_process_data_events_without_events_returns(connection: pika.BlockingConnection) -> None:
    connection.process_data_events()
    connection.process_data_events(time_limit=0.01)
    assert connection.is_open


def test_callbacks_run_only_while_events_are_processed(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("hello")
    received: list[bytes] = []
    channel.basic_consume("hello", lambda *arguments: received.append(arguments[3]), auto_ack=True)
    publish(connection, "hello", b"1")
    channel.queue_declare("hello", passive=True)
    assert received == []
    wait_for(connection, lambda: received == [b"1"])


def test_process_data_events_without_a_limit_waits_for_an_event(connection: pika.BlockingConnection) -> None:
    fired: list[str] = []
    connection.call_later(0.05, lambda: fired.append("timer"))
    connection.process_data_events(time_limit=None)
    assert fired == ["timer"]


def test_timers_fire_in_the_order_of_their_times(connection: pika.BlockingConnection) -> None:
    fired: list[str] = []
    connection.call_later(0.2, lambda: fired.append("later"))
    connection.call_later(0.05, lambda: fired.append("sooner"))
    connection.sleep(0.4)
    assert fired == ["sooner", "later"]


def test_a_removed_timer_does_not_fire(connection: pika.BlockingConnection) -> None:
    fired: list[str] = []
    timer = connection.call_later(0.02, lambda: fired.append("removed"))
    connection.call_later(0.05, lambda: fired.append("kept"))
    connection.remove_timeout(timer)
    connection.sleep(0.1)
    assert fired == ["kept"]


def test_a_timer_may_set_the_next(connection: pika.BlockingConnection) -> None:
    fired: list[int] = []

    def tick() -> None:
        fired.append(len(fired))
        if len(fired) < 3:
            connection.call_later(0.01, tick)

    connection.call_later(0, tick)
    connection.sleep(0.3)
    assert fired == [0, 1, 2]


def test_sleep_dispatches_deliveries(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("hello")
    received: list[bytes] = []
    channel.basic_consume("hello", lambda *arguments: received.append(arguments[3]), auto_ack=True)
    connection.call_later(0.05, lambda: channel.basic_publish("", "hello", b"1"))
    connection.sleep(0.5)
    assert received == [b"1"]


def test_a_threadsafe_callback_of_the_same_thread_runs_with_the_next_events(
    connection: pika.BlockingConnection,
) -> None:
    called: list[int] = []
    connection.add_callback_threadsafe(lambda: called.append(1))
    assert called == []
    wait_for(connection, lambda: called == [1])


def test_a_threadsafe_callback_runs_in_the_connections_thread(connection: pika.BlockingConnection) -> None:
    called: list[threading.Thread] = []
    thread = threading.Thread(
        target=connection.add_callback_threadsafe, args=[lambda: called.append(threading.current_thread())]
    )
    thread.start()
    wait_for(connection, lambda: bool(called))
    thread.join(30)
    assert called == [threading.current_thread()]


def test_heartbeats_keep_a_sleeping_connection_open(connect: Connect) -> None:
    connection = connect(heartbeat=1)
    channel = connection.channel()
    connection.sleep(4)
    assert connection.is_open
    assert channel.queue_declare("hello").method.queue == "hello"


def test_a_connection_without_heartbeats_survives_silence(
    connect: Connect, let_time_pass: Callable[[float], None]
) -> None:
    connection = connect(heartbeat=0)
    channel = connection.channel()
    let_time_pass(3)
    assert channel.queue_declare("hello").method.queue == "hello"


@pytest.mark.parametrize(("asked", "got"), [(0, 0), (1, 1), (30, 30), (600, 600), (None, 60)])
def test_the_heartbeat_is_the_clients_choice(connect: Connect, asked: int | None, got: int) -> None:
    assert connect(heartbeat=asked)._impl.params.heartbeat == got


def test_nothing_blocks_a_connection_of_a_healthy_broker(connection: pika.BlockingConnection) -> None:
    blocked: list[object] = []
    connection.add_on_connection_blocked_callback(lambda *arguments: blocked.append(arguments))
    connection.add_on_connection_unblocked_callback(lambda *arguments: blocked.append(arguments))
    channel = connection.channel()
    channel.queue_declare("hello")
    publish(connection, "hello", b"1")
    connection.process_data_events()
    assert (blocked, get_all(channel, "hello")) == ([], [b"1"])


def test_two_connections_in_one_thread(connect: Connect) -> None:
    producing, consuming = connect(), connect()
    channel = consuming.channel()
    channel.queue_declare("hello")
    received: list[bytes] = []
    channel.basic_consume("hello", lambda *arguments: received.append(arguments[3]), auto_ack=True)
    for number in range(3):
        publish(producing, "hello", b"%d" % number)
        wait_for(consuming, functools.partial(lambda count: len(received) == count, number + 1))
    assert received == [b"0", b"1", b"2"]


def test_closing_a_connection_closes_its_channels_and_leaves_others(connect: Connect) -> None:
    first, second = connect(), connect()
    channels = [first.channel(), second.channel()]
    first.close()
    assert [channel.is_open for channel in channels] == [False, True]


def test_a_channel_closed_by_rabbitmq_leaves_the_connection_open(
    connection: pika.BlockingConnection, vhost: str
) -> None:
    channel, other = connection.channel(), connection.channel()
    with channel_closed(404, f"NOT_FOUND - no queue 'nope' in vhost '{vhost}'"):
        channel.queue_declare("nope", passive=True)
    assert (channel.is_closed, other.is_open, connection.is_open) == (True, True, True)


def test_a_consumer_thread_is_stopped_from_the_main_thread(connect: Connect) -> None:
    consuming = connect()
    channel = consuming.channel()
    channel.queue_declare("hello")
    received: list[bytes] = []
    all_there = threading.Event()

    def on_message(
        channel: BlockingChannel, method: pika.spec.Basic.Deliver, _: pika.BasicProperties, body: bytes
    ) -> None:
        received.append(body)
        channel.basic_ack(method.delivery_tag)
        if len(received) == 3:
            all_there.set()

    channel.basic_consume("hello", on_message)
    thread = threading.Thread(target=channel.start_consuming, daemon=True)
    thread.start()
    publish(connect(), "hello", b"1", b"2", b"3")
    assert all_there.wait(30)
    consuming.add_callback_threadsafe(channel.stop_consuming)
    thread.join(30)
    assert not thread.is_alive()
    assert received == [b"1", b"2", b"3"]
    assert channel.is_open


def test_work_in_threads_is_acknowledged_by_threadsafe_callbacks(connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=1)
    channel.queue_declare("hello")
    publish(connection, "hello", b"1", b"2", b"3")
    done: list[bytes] = []
    threads: list[threading.Thread] = []

    def finish(tag: int, body: bytes) -> None:
        channel.basic_ack(tag)
        done.append(body)
        if len(done) == 3:
            channel.stop_consuming()

    def work(tag: int, body: bytes) -> None:
        connection.add_callback_threadsafe(functools.partial(finish, tag, body))

    def on_message(_: BlockingChannel, method: pika.spec.Basic.Deliver, __: object, body: bytes) -> None:
        threads.append(threading.Thread(target=work, args=[method.delivery_tag, body]))
        threads[-1].start()

    channel.basic_consume("hello", on_message)
    channel.start_consuming()
    for thread in threads:
        thread.join(30)
    assert done == [b"1", b"2", b"3"]
    assert get_all(channel, "hello") == []
