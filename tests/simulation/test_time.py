"""Virtual time: who makes it pass, and what happens meanwhile."""

from __future__ import annotations

import calendar
import datetime
import time
from collections.abc import Callable
from datetime import datetime as aliased

import pika
import pika.compat
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker, Deadlock, Misuse
from fakeamqp.spec.methods import ChannelClose

Connect = Callable[..., pika.BlockingConnection]

# -- advance ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1, -1e-9, float("nan"), float("inf"), float("-inf")])
def test_only_a_span_of_time_can_pass(broker: Broker, seconds: float) -> None:
    with pytest.raises(Misuse, match="is no span of time; give a finite number of seconds from 0 on"):
        broker.advance(seconds)
    assert broker.now == 0


@pytest.mark.parametrize("seconds", [0, 0.000001, 1, 1.5, 1e12])
def test_time_passes_as_far_as_it_is_told(broker: Broker, seconds: float) -> None:
    broker.advance(seconds)
    assert broker.now == seconds


def test_time_passes_while_the_broker_is_down(broker: Broker) -> None:
    broker.stop()
    broker.advance(60)
    broker.restart()
    broker.advance(60)
    assert broker.now == 120


def test_a_programs_timer_fires_when_it_next_processes_events(
    broker: Broker, connection: pika.BlockingConnection
) -> None:
    fired: list[float] = []
    connection.call_later(10, lambda: fired.append(broker.now))
    broker.advance(60)
    assert fired == []
    connection.process_data_events()
    assert fired == [60]


# -- programs that wait ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 0.1, 3600])
def test_a_program_sleeps_in_virtual_time(broker: Broker, connection: pika.BlockingConnection, seconds: float) -> None:
    connection.sleep(seconds)
    assert broker.now == seconds


def test_timers_fire_by_time_and_then_in_their_order(broker: Broker, connection: pika.BlockingConnection) -> None:
    fired: list[tuple[str, float]] = []
    for name, delay in (("late", 20), ("first", 10), ("second", 10), ("at once", 0)):
        connection.call_later(delay, lambda name=name: fired.append((name, broker.now)))
    connection.sleep(30)
    assert fired == [("at once", 0), ("first", 10), ("second", 10), ("late", 20)]


def test_a_timer_may_set_another_one(broker: Broker, connection: pika.BlockingConnection) -> None:
    fired: list[float] = []

    def tick() -> None:
        fired.append(broker.now)
        connection.call_later(10, tick)

    tick()
    connection.sleep(35)
    assert fired == [0, 10, 20, 30]


def test_a_removed_timer_does_not_fire(broker: Broker, connection: pika.BlockingConnection) -> None:
    fired: list[str] = []
    kept = connection.call_later(10, lambda: fired.append("kept"))
    removed = connection.call_later(5, lambda: fired.append("removed"))
    connection.remove_timeout(removed)
    connection.sleep(30)
    assert fired == ["kept"]
    connection.remove_timeout(kept)


@pytest.mark.parametrize("delay", [-1, -0.1])
def test_a_timer_in_the_past_is_refused_as_pika_refuses_it(connection: pika.BlockingConnection, delay: float) -> None:
    with pytest.raises(ValueError, match="call_later: delay must be non-negative, but got"):
        connection.call_later(delay, lambda: None)


def test_events_are_processed_for_as_long_as_asked(broker: Broker, connection: pika.BlockingConnection) -> None:
    connection.process_data_events(time_limit=5)
    assert broker.now == 5
    connection.process_data_events(time_limit=0)
    assert broker.now == 5


def test_events_end_the_wait_early(broker: Broker, connection: pika.BlockingConnection) -> None:
    connection.call_later(2, lambda: None)
    connection.process_data_events(time_limit=5)
    assert broker.now == 2


def test_consume_gives_up_after_its_timeout_each_time(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    found = []
    for _, _, body in channel.consume("orders", auto_ack=True, inactivity_timeout=60):
        found.append((body, broker.now))
        if len(found) == 3:
            break
    assert found == [(b"one", 0), (None, 60), (None, 120)]


def test_a_program_that_computes_spends_no_virtual_time(broker: Broker, channel: BlockingChannel) -> None:
    for number in range(100):
        channel.basic_publish("", "orders", b"%d" % number)
    assert broker.now == 0


def test_pika_reads_virtual_time_inside_and_real_time_after() -> None:
    with Broker() as broker:
        assert pika.compat.time_now() == 0
        broker.advance(7)
        assert pika.compat.time_now() == 7
    assert pika.compat.time_now() == pytest.approx(time.monotonic(), abs=60)


# -- heartbeats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heartbeat", [1, 60, None])
def test_a_connection_survives_whatever_time_passes(broker: Broker, connect: Connect, heartbeat: int | None) -> None:
    connection = connect(heartbeat=heartbeat)
    channel = connection.channel()
    broker.advance(3600)
    channel.queue_declare("orders")
    connection.sleep(3600)
    channel.queue_declare("orders")
    broker.advance(3600)
    connection.process_data_events()
    channel.queue_declare("orders")


@pytest.mark.parametrize("heartbeat", [10, 60])
def test_a_connection_that_nobody_polls_is_dropped_and_its_messages_come_back(
    broker: Broker, connect: Connect, channel: BlockingChannel, connection: pika.BlockingConnection, heartbeat: int
) -> None:
    forgotten = connect(heartbeat=heartbeat)
    channel.basic_publish("", "orders", b"one")
    forgotten.channel().basic_get("orders")
    connection.sleep(heartbeat)
    assert [message.body for message in broker.vhost().queue("orders").unacked] == [b"one"]
    connection.sleep(2 * heartbeat)
    assert [(each.body, each.redelivered) for each in broker.vhost().queue("orders").messages] == [(b"one", True)]
    assert forgotten.is_open  # it does not know
    with pytest.raises(pika.exceptions.StreamLostError):
        forgotten.process_data_events()
    assert forgotten.is_closed


def test_without_heartbeats_a_connection_that_nobody_polls_lives_for_ever(
    connect: Connect, connection: pika.BlockingConnection
) -> None:
    forgotten = connect(heartbeat=0)
    connection.sleep(1_000_000)
    forgotten.channel().queue_declare("orders")


def test_a_connection_that_processes_events_now_and_then_lives(
    connect: Connect, connection: pika.BlockingConnection
) -> None:
    publisher = connect(heartbeat=60)
    for _ in range(100):
        connection.sleep(50)
        publisher.process_data_events()
    publisher.channel()


def test_heartbeats_keep_a_connection_through_a_long_callback(
    broker: Broker, connect: Connect, channel: BlockingChannel
) -> None:
    consumer = connect(heartbeat=60).channel()

    def work(channel: BlockingChannel, method: object, properties: object, body: bytes) -> None:
        channel.connection.sleep(1700)
        channel.basic_ack(method.delivery_tag)  # type: ignore[attr-defined]
        channel.stop_consuming()

    channel.basic_publish("", "orders", b"one")
    consumer.basic_consume("orders", work)
    consumer.start_consuming()
    assert broker.now == 1700
    assert broker.vhost().queue("orders").unacked == ()


def test_whoever_does_not_acknowledge_for_half_an_hour_loses_the_channel(
    broker: Broker, channel: BlockingChannel
) -> None:
    channel.basic_publish("", "orders", b"one")
    channel.basic_get("orders")
    channel.connection.sleep(1859)
    assert channel.is_open
    channel.connection.sleep(2)
    assert not channel.is_open
    (close,) = [event.method for event in broker.trace if isinstance(event.method, ChannelClose)]
    assert "Timeout value used: 1800000 ms. " in close.reply_text
    assert len(broker.vhost().queue("orders").messages) == 1


def test_a_channel_that_acknowledges_in_time_stays_open_for_hours(broker: Broker, channel: BlockingChannel) -> None:
    for _ in range(10):
        channel.basic_publish("", "orders", b"one")
        method, _, _ = channel.basic_get("orders")
        channel.connection.sleep(1000)
        channel.basic_ack(method.delivery_tag)
    assert channel.is_open


def test_waiting_forever_with_an_unacknowledged_message_is_a_deadlock(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    channel.basic_consume("orders", print)
    with pytest.raises(Deadlock, match="holds 1"):
        channel.start_consuming()


@pytest.mark.parametrize("timeout", [None, 0.5, 300])
def test_a_blocked_connection_timeout_is_accepted(connect: Connect, timeout: float | None) -> None:
    connection = connect(blocked_connection_timeout=timeout)
    connection.sleep(1000)
    assert connection.is_open


# -- expiry ----------------------------------------------------------------------------------------------------------


def publish(channel: BlockingChannel, body: bytes, expiration_ms: int | None = None) -> None:
    expiration = None if expiration_ms is None else str(expiration_ms)
    channel.basic_publish("", "orders", body, pika.BasicProperties(expiration=expiration))


def bodies(broker: Broker) -> list[bytes]:
    return [message.body for message in broker.vhost().queue("orders").messages]


def test_a_message_expires_in_its_time(broker: Broker, channel: BlockingChannel) -> None:
    publish(channel, b"one", 30_000)
    broker.advance(29.999)
    assert bodies(broker) == [b"one"]
    broker.advance(0.002)
    assert bodies(broker) == []


def test_a_message_behind_one_that_does_not_expire_waits(broker: Broker, channel: BlockingChannel) -> None:
    publish(channel, b"lasting")
    publish(channel, b"brief", 1000)
    broker.advance(60)
    assert bodies(broker) == [b"lasting", b"brief"]
    assert channel.basic_get("orders", auto_ack=True)[2] == b"lasting"
    assert bodies(broker) == []


def test_an_unacked_message_does_not_expire_before_it_is_back(broker: Broker, channel: BlockingChannel) -> None:
    publish(channel, b"one", 1000)
    method = channel.basic_get("orders")[0]
    broker.advance(60)
    assert len(broker.vhost().queue("orders").unacked) == 1
    channel.basic_nack(method.delivery_tag)
    channel.connection.process_data_events()
    assert bodies(broker) == []
    assert broker.vhost().queue("orders").unacked == ()


def test_a_message_expires_while_the_programs_sleep(broker: Broker, channel: BlockingChannel) -> None:
    publish(channel, b"one", 1000)
    channel.connection.sleep(1)
    assert bodies(broker) == []


def test_a_message_expires_while_the_broker_is_down(broker: Broker, channel: BlockingChannel, connect: Connect) -> None:
    channel.queue_declare("durable", durable=True)
    properties = pika.BasicProperties(delivery_mode=2, expiration="1000")
    channel.basic_publish("", "durable", b"one", properties)
    broker.crash()
    broker.advance(2)
    broker.restart()
    broker.advance(0)
    assert broker.vhost().queue("durable").messages == ()


def test_a_deadlock_tells_of_an_alarm(broker: Broker, channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    broker.alarm("memory")
    with pytest.raises(Deadlock, match="low on memory and reads nothing from who has published"):
        channel.basic_publish("", "orders", b"one")


# -- the clocks of tasks -----------------------------------------------------------------------------------------------

CLOCKS: dict[str, Callable[[], float]] = {
    "time": lambda: time.time(),  # noqa: PLW0108
    "time_ns": lambda: time.time_ns() / 1e9,
    "monotonic": lambda: time.monotonic(),  # noqa: PLW0108
    "monotonic_ns": lambda: time.monotonic_ns() / 1e9,
    "perf_counter": lambda: time.perf_counter(),  # noqa: PLW0108
    "perf_counter_ns": lambda: time.perf_counter_ns() / 1e9,
    "localtime": lambda: time.mktime(time.localtime()),
    "gmtime": lambda: calendar.timegm(time.gmtime()),
    "ctime": lambda: time.mktime(time.strptime(time.ctime())),
    "strftime": lambda: time.mktime(time.strptime(time.strftime("%c"), "%c")),
    "datetime.now": lambda: datetime.datetime.now().timestamp(),
    "datetime.now(tz)": lambda: datetime.datetime.now(tz=datetime.timezone.utc).timestamp(),
    "datetime.utcnow": lambda: datetime.datetime.utcnow().replace(tzinfo=datetime.timezone.utc).timestamp(),
    "datetime.today": lambda: datetime.datetime.today().timestamp(),
    "an imported name": lambda: aliased.now().timestamp(),
}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # deprecated since Python 3.12, and used all the same
@pytest.mark.parametrize("clock", CLOCKS.values(), ids=CLOCKS)
def test_every_clock_of_a_task_is_the_virtual_one(broker: Broker, clock: Callable[[], float]) -> None:
    read: list[float] = []
    for _ in range(20):  # the interpreter remembers where it has found a function
        clock()

    def look() -> None:
        for _ in range(2):
            read.append(clock())
            time.sleep(1000)
            read.append(time.time())

    broker.spawn(look)
    broker.run()
    first, after, second, _ = read
    assert second - first == pytest.approx(1000, abs=1e-5)
    assert first == pytest.approx(after - 1000, abs=1) or first == 0


def test_the_date_of_a_task_is_virtual(broker: Broker) -> None:
    dates: list[datetime.date] = []

    def look() -> None:
        dates.append(datetime.date.today())
        time.sleep(86_400)
        dates.append(datetime.date.today())
        assert type(dates[0]) is datetime.date

    broker.spawn(look)
    broker.run()
    assert dates[1] - dates[0] == datetime.timedelta(days=1)


def test_what_is_told_a_time_tells_of_that(broker: Broker) -> None:
    told: list[object] = []

    def look() -> None:
        told.extend((time.gmtime(0).tm_year, time.strftime("%Y", time.gmtime(0)), time.ctime(86_400 * 10)[-4:]))

    broker.spawn(look)
    broker.run()
    assert told == [1970, "1970", "1970"]


def test_classes_made_of_datetime_read_the_virtual_clock(broker: Broker) -> None:
    class Mine(datetime.datetime):
        pass

    read: list[datetime.datetime] = []
    broker.spawn(lambda: read.append(Mine.now()))
    broker.run()
    assert type(read[0]) is Mine
    assert read[0].timestamp() == pytest.approx(time.time(), abs=1)


def test_clocks_are_real_afterwards() -> None:
    before = vars(datetime.datetime)["now"]
    with Broker() as broker:
        broker.spawn(time.sleep, 1)
        assert vars(datetime.datetime)["now"] is not before
        broker.run()
    assert vars(datetime.datetime)["now"] is before
    assert abs(datetime.datetime.now().timestamp() - time.time()) < 60


def test_clocks_may_stay_real() -> None:
    real = vars(datetime.datetime)["now"]
    with Broker(patch_time=False) as broker:
        broker.spawn(int)
        assert vars(datetime.datetime)["now"] is real
        broker.run()
