"""Faults by hand and by script: what each does to programs that know nothing of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, ConnectionClosed, NackError

import fakeamqp
from fakeamqp import Broker, Deadlock, Fault, Faults, Misuse
from fakeamqp.exploration.runs import Case, run_once
from fakeamqp.exploration.searches import RandomWalk
from fakeamqp.exploration.story import steps_of
from fakeamqp.simulation.faults.faults import TAKES

NO_HEARTBEAT = pika.ConnectionParameters(heartbeat=0)
PERSISTENT = pika.BasicProperties(delivery_mode=2)
Connect = Callable[..., pika.BlockingConnection]


def bodies(broker: Broker, queue: str = "orders") -> list[bytes]:
    """What is ready in a queue."""
    return [message.body for message in broker.vhost().queue(queue).messages]


def told(broker: Broker) -> list[str]:
    """The faults in the story of what has happened."""
    return [f"{step.actor}: {step.words}" for step in steps_of(broker.trace) if step.is_fault]


def publish_safely(*sent: bytes) -> None:
    """A program that publishes, and waits for each confirm."""
    channel = pika.BlockingConnection(NO_HEARTBEAT).channel()
    channel.queue_declare("orders", durable=True)
    channel.confirm_delivery()
    for body in sent:
        channel.basic_publish("", "orders", body, PERSISTENT)
    channel.connection.close()


def consume(found: list[tuple[bytes, bool]], **settings: Any) -> None:
    """A program that consumes for ever, and says of each delivery whether it was one again."""
    channel = pika.BlockingConnection(pika.ConnectionParameters(**{"heartbeat": 0, **settings})).channel()
    channel.queue_declare("orders", durable=True)
    channel.basic_qos(prefetch_count=1)

    def take(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        found.append((body, method.redelivered))
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume("orders", take)
    channel.start_consuming()


@pytest.fixture
def confirming(channel: BlockingChannel) -> BlockingChannel:
    """A channel in confirm mode."""
    channel.confirm_delivery()
    return channel


# -- refused and lost confirms ---------------------------------------------------------------------------------------


def test_nack_refuses_the_next_publish_and_stores_nothing(broker: Broker, confirming: BlockingChannel) -> None:
    broker.faults.nack()
    with pytest.raises(NackError):
        confirming.basic_publish("", "orders", b"one")
    confirming.basic_publish("", "orders", b"two")
    assert bodies(broker) == [b"two"]
    assert told(broker) == ["the node: refuses the test's b'one'"]
    assert broker.faults.plan == ()
    broker.simulation.world.check()


def test_nack_waits_for_a_channel_that_asks_for_confirms(broker: Broker, channel: BlockingChannel) -> None:
    broker.faults.nack()
    channel.basic_publish("", "orders", b"one")
    assert broker.faults.plan == (Fault("nack"),)
    channel.confirm_delivery()
    with pytest.raises(NackError):
        channel.basic_publish("", "orders", b"two")
    assert bodies(broker) == [b"one"]


def test_nack_of_the_third_publish_of_a_task(broker: Broker) -> None:
    broker.faults.nack(task="second", occurrence=3)
    first = broker.spawn(publish_safely, b"a", b"b", b"c", name="first")
    second = broker.spawn(publish_safely, b"1", b"2", b"3", b"4", name="second")
    with pytest.raises(NackError):
        broker.run()
    broker.run()
    assert (first.exception, type(second.exception)) == (None, NackError)
    assert sorted(bodies(broker)) == [b"1", b"2", b"a", b"b", b"c"]


def test_nack_from_a_step_on(broker: Broker) -> None:
    broker.spawn(publish_safely, b"one", b"two", b"three", name="first")
    broker.run()
    first_steps = broker.steps
    broker.faults.nack(at=first_steps + first_steps // 2)
    broker.spawn(publish_safely, b"one", b"two", b"three", name="publisher")
    assert [fault.at for fault in broker.faults.plan] == [first_steps + first_steps // 2]
    with pytest.raises(NackError):
        broker.run()
    assert told(broker) == ["the node: refuses publisher's b'two'"]


def test_a_lost_confirm_is_waited_for_for_ever(broker: Broker, confirming: BlockingChannel) -> None:
    broker.faults.lose_confirm(occurrence=2)
    confirming.basic_publish("", "orders", b"one")
    with pytest.raises(Deadlock):
        confirming.basic_publish("", "orders", b"two")
    assert bodies(broker) == [b"one", b"two"]
    assert told(broker) == ["the network: loses the basic.ack of the test's publish no. 2"]


def test_a_lost_confirm_is_missed_by_who_looks_for_it(broker: Broker) -> None:
    confirmed: list[int] = []

    def run() -> None:
        def opened(connection: Any) -> None:
            connection.channel(on_open_callback=ready)

        def ready(channel: Any) -> None:
            channel.queue_declare("orders")
            channel.confirm_delivery(lambda frame: confirmed.append(frame.method.delivery_tag))
            for number in range(3):
                connection.ioloop.call_later(number, lambda: channel.basic_publish("", "orders", b"one"))
            connection.ioloop.call_later(10, connection.ioloop.stop)

        connection = pika.SelectConnection(NO_HEARTBEAT, on_open_callback=opened)
        connection.ioloop.start()

    broker.faults.lose_confirm(task="run", occurrence=2)
    broker.spawn(run)
    broker.run()
    assert confirmed == [1, 3]


# -- closed channels and cancelled consumers -------------------------------------------------------------------------


def test_a_channel_is_closed_before_a_method_which_is_not_executed(broker: Broker, channel: BlockingChannel) -> None:
    broker.faults.close_channel(code=404, text="no exchange 'x' in vhost '/'", before="basic.publish")
    channel.basic_publish("", "orders", b"one")
    with pytest.raises(ChannelClosedByBroker) as caught:
        channel.queue_declare("orders", passive=True)
    assert (caught.value.reply_code, caught.value.reply_text) == (404, "NOT_FOUND - no exchange 'x' in vhost '/'")
    assert bodies(broker) == []
    assert told(broker) == ["the node: closes channel 1 with 404 NOT_FOUND - no exchange 'x' in vhost '/'"]
    other = channel.connection.channel()
    other.basic_publish("", "orders", b"two")
    assert bodies(broker) == [b"two"]


def test_the_close_blames_the_method(broker: Broker, channel: BlockingChannel) -> None:
    for moment, blamed in (("before", (50, 10)), ("after", (0, 0))):
        broker.faults.close_channel(**{moment: "queue.declare"})
        with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED"):
            channel.connection.channel().queue_declare(moment)
        closes = [event.method for event in broker.trace if event.method and event.method.NAME == "channel.close"]
        assert (closes[-1].class_id, closes[-1].method_id) == blamed  # type: ignore[attr-defined]
    assert list(broker.vhost().queues) == ["orders", "after"]


def test_a_channel_is_closed_for_no_reason(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    channel.basic_consume("orders", lambda *args: None)
    broker.faults.close_channel()
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED"):
        channel.start_consuming()
    assert bodies(broker) == [b"one"]
    broker.faults.close_channel()
    assert len(told(broker)) == 1


def test_the_channels_of_one_task_are_closed(broker: Broker, connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    broker.spawn(consume, [], name="worker")
    broker.run()
    broker.faults.close_channel(task="worker", code=405, text="gone")
    with pytest.raises(ChannelClosedByBroker, match="RESOURCE_LOCKED - gone"):
        broker.run()
    assert channel.is_open
    assert told(broker) == ["the node: closes channel 1 of worker with 405 RESOURCE_LOCKED - gone"]


def test_a_consumer_is_cancelled(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("others")
    told_of: list[str] = []
    channel.add_on_cancel_callback(lambda frame: told_of.append(frame.method.consumer_tag))
    channel.basic_consume("orders", lambda *args: None, consumer_tag="one")
    channel.basic_consume("others", lambda *args: None, consumer_tag="two")
    broker.faults.cancel_consumer(queue="orders")
    channel.connection.process_data_events()
    assert (told_of, channel.consumer_tags) == (["one"], ["two"])
    assert [consumer.tag for consumer in broker.list_consumers()] == ["two"]
    assert told(broker) == ["the node: cancels consumers of 'orders'"]
    broker.simulation.world.check()


def test_a_cancelled_consumer_keeps_what_it_holds(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.cancel_consumer(before="basic.ack", task="consume", occurrence=2)
    consumer = broker.spawn(consume, found)
    broker.spawn(publish_safely, b"one", b"two", b"three")
    broker.run()
    assert not consumer.is_alive  # start_consuming returns when nothing is consumed any more
    assert found == [(b"one", False), (b"two", False)]
    assert bodies(broker) == [b"three"]
    assert told(broker) == ["the node: cancels consumers of 'orders' of consume"]


# -- redelivered and out of order ------------------------------------------------------------------------------------


def test_a_delivery_comes_again_although_it_was_acknowledged(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.redeliver(task="consume")
    broker.spawn(publish_safely, b"one", b"two")
    broker.run()
    broker.spawn(consume, found)
    broker.run()
    assert found == [(b"one", False), (b"one", True), (b"one", True), (b"two", False)]
    assert (bodies(broker), broker.vhost().queue("orders").unacked) == ([], ())
    assert told(broker) == ["the node: never hears of consume's ack of b'one', and requeues it"] * 2
    assert (broker.faults.plan, broker.faults.waiting) == ((), [])
    broker.simulation.world.check()


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
def test_only_one_of_several_that_are_acknowledged_together(
    broker: Broker, connection: pika.BlockingConnection, queue_type: str
) -> None:
    channel = connection.channel()
    channel.queue_declare("jobs", durable=True, arguments={"x-queue-type": queue_type})
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("", "jobs", body)
    broker.faults.redeliver(occurrence=2, times=1, queue="jobs")
    tags = [channel.basic_get("jobs")[0].delivery_tag for _ in range(3)]
    channel.basic_ack(tags[-1], multiple=True)
    assert bodies(broker, "jobs") == [b"two"]
    again, _, body = channel.basic_get("jobs")
    assert (body, again.redelivered) == (b"two", True)
    channel.basic_ack(0, multiple=True)
    assert (bodies(broker, "jobs"), broker.vhost().queue("jobs").unacked) == ([], ())
    broker.simulation.world.check()


def test_what_is_not_acknowledged_is_not_redelivered(broker: Broker, channel: BlockingChannel) -> None:
    for body in (b"one", b"two"):
        channel.basic_publish("", "orders", body)
    broker.faults.redeliver()
    channel.basic_get("orders", auto_ack=True)
    assert broker.faults.plan == (Fault("redeliver"),)
    method, _, _ = channel.basic_get("orders")
    assert broker.faults.plan == ()
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert bodies(broker) == []


def test_a_wrong_acknowledgement_is_as_wrong_as_ever(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "orders", b"one")
    broker.faults.redeliver()
    channel.basic_get("orders")
    channel.basic_ack(7, multiple=True)
    with pytest.raises(ChannelClosedByBroker, match="unknown delivery tag 7"):
        channel.queue_declare("orders", passive=True)
    assert bodies(broker) == [b"one"]


def get_all(channel: BlockingChannel, queue: str) -> list[bytes]:
    """What basic.get finds, acknowledged each."""
    found = []
    while (answer := channel.basic_get(queue))[0] is not None:
        found.append(answer[2])
        channel.basic_ack(answer[0].delivery_tag)
    return found


@pytest.mark.parametrize("prefetch_count", [0, 1, 2])
def test_two_deliveries_change_places(broker: Broker, channel: BlockingChannel, prefetch_count: int) -> None:
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("", "orders", body)
    found: list[tuple[bytes, int, bool]] = []

    def take(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        found.append((body, method.delivery_tag, method.redelivered))
        channel.basic_ack(method.delivery_tag)
        broker.simulation.world.check()

    broker.faults.reorder()
    channel.basic_qos(prefetch_count=prefetch_count)
    channel.basic_consume("orders", take)
    while len(found) < 3:
        channel.connection.process_data_events(time_limit=None)
    assert found == [(b"two", 1, False), (b"one", 2, False), (b"three", 3, False)]
    assert (bodies(broker), broker.vhost().queue("orders").unacked) == ([], ())
    assert told(broker) == ["the node: delivers b'two' to the test before b'one'"]


def test_what_changed_places_is_acknowledged_as_what_it_is(broker: Broker, channel: BlockingChannel) -> None:
    for body in (b"one", b"two", b"three"):
        channel.basic_publish("", "orders", body)
    broker.faults.reorder(occurrence=2)
    deliveries = [channel.basic_get("orders") for _ in range(3)]
    assert [body for _, _, body in deliveries] == [b"one", b"three", b"two"]
    channel.basic_ack(deliveries[1][0].delivery_tag)
    channel.connection.close()
    assert bodies(broker) == [b"one", b"two"]


def test_a_message_comes_before_one_of_higher_priority(broker: Broker, connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("jobs", arguments={"x-max-priority": 5})
    for body, priority in ((b"low", 1), (b"high", 3), (b"highest", 5)):
        channel.basic_publish("", "jobs", body, pika.BasicProperties(priority=priority))
    broker.faults.reorder(queue="jobs")
    assert get_all(channel, "jobs") == [b"high", b"highest", b"low"]
    broker.simulation.world.check()


def test_what_has_nothing_behind_it_stays_in_order(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("jobs", durable=True, arguments={"x-queue-type": "quorum"})
    broker.faults.reorder()
    for body in (b"one", b"two"):
        channel.basic_publish("", "jobs", body)
    assert get_all(channel, "jobs") == [b"one", b"two"]
    channel.basic_publish("", "orders", b"one")
    assert get_all(channel, "orders") == [b"one"]
    assert broker.faults.plan == (Fault("reorder"),)


def test_a_crash_keeps_messages_that_changed_places(broker: Broker, connection: pika.BlockingConnection) -> None:
    channel = connection.channel()
    channel.queue_declare("jobs", durable=True)
    for body in (b"one", b"two"):
        channel.basic_publish("", "jobs", body, PERSISTENT)
    broker.faults.reorder()
    assert channel.basic_get("jobs")[2] == b"two"
    broker.crash(lose="nothing")
    broker.restart()
    found = broker.vhost().queue("jobs").messages
    assert [(message.body, message.redelivered) for message in found][1] == (b"two", True)


# -- ambiguity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moment", "stored"), [("before", []), ("after", [b"one"])])
def test_whether_an_unconfirmed_publish_was_stored_nobody_knows(
    broker: Broker, confirming: BlockingChannel, moment: str, stored: list[bytes]
) -> None:
    broker.faults.disconnect(**{moment: "basic.publish"})
    with pytest.raises(AMQPConnectionError):
        confirming.basic_publish("", "orders", b"one")
    assert bodies(broker) == stored


@pytest.mark.parametrize(("moment", "again"), [("before", [(b"one", True)]), ("after", [])])
def test_whether_an_ack_was_heard_nobody_knows(broker: Broker, moment: str, again: list[tuple[bytes, bool]]) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.disconnect(task="worker", **{moment: "basic.ack"})
    worker = broker.spawn(consume, found, name="worker", restart=True)
    broker.spawn(publish_safely, b"one")
    broker.run()
    assert found == [(b"one", False), *again]
    assert worker.starts == 2
    assert told(broker) == ["the network: disconnect worker"]


def test_a_disconnection_by_hand_strikes_everybody_or_one_task(
    broker: Broker, connection: pika.BlockingConnection
) -> None:
    channel = connection.channel()
    worker = broker.spawn(consume, [], name="worker", restart=True)
    broker.run()
    broker.faults.disconnect(task="worker")
    broker.run(seconds=0.5)
    assert (channel.is_open, isinstance(worker.exception, AMQPConnectionError)) == (True, True)
    broker.run()
    broker.faults.disconnect()
    with pytest.raises(AMQPConnectionError):
        channel.queue_declare("orders", passive=True)


def test_at_a_step_another_task_is_struck_on_its_own_connection(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    other = broker.spawn(consume, found, name="other", restart=True)
    broker.run()
    broker.faults.disconnect(at=broker.steps + 3, task="other")
    publisher = broker.spawn(publish_safely, b"one", b"two", b"three")
    broker.run()
    assert (publisher.exception, other.starts) == (None, 2)


def test_a_killed_program_never_acknowledges(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.kill(before="basic.ack", task="worker")
    worker = broker.spawn(consume, found, name="worker", restart=3)
    broker.spawn(publish_safely, b"one")
    broker.run()
    assert found == [(b"one", False), (b"one", True)]
    assert (worker.starts, broker.now) == (2, 3)
    assert "kill worker" in [event.text for event in broker.trace if event.kind == "fault"]


# -- silence ---------------------------------------------------------------------------------------------------------


def test_missed_heartbeats_end_a_partitioned_connection_at_both_ends(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    ended: list[tuple[str, float]] = []

    def worker() -> None:
        try:
            consume(found, heartbeat=60)
        finally:
            ended.append(("client", broker.now))

    broker.spawn(worker)
    broker.spawn(publish_safely, b"one")
    broker.run()
    broker.faults.partition(task="worker")
    broker.spawn(publish_safely, b"two")
    with pytest.raises(AMQPConnectionError):
        broker.run()
    assert [message.body for message in broker.vhost().queue("orders").unacked] == [b"two"]
    assert len(broker.list_consumers()) == 1  # the node knows nothing yet
    broker.run()
    assert (found, bodies(broker), broker.list_consumers()) == ([(b"one", False)], [b"two"], [])
    assert 60 <= ended[0][1] <= 130
    assert 120 <= broker.now <= 150


def test_a_plain_program_notices_a_partition_too(broker: Broker, connect: Connect) -> None:
    channel = connect(heartbeat=10).channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *args: None)
    broker.faults.partition()
    with pytest.raises(AMQPConnectionError):
        channel.start_consuming()
    assert 10 <= broker.now <= 30
    broker.advance(30)
    assert broker.list_consumers() == []


def test_the_node_notices_while_the_program_does_nothing(broker: Broker, connect: Connect) -> None:
    channel = connect(heartbeat=10).channel()
    channel.queue_declare("orders")
    channel.basic_consume("orders", lambda *args: None)
    other = connect(heartbeat=10)
    broker.faults.partition(before="basic.publish")
    channel.basic_publish("", "orders", b"one")
    broker.advance(100)
    assert (broker.list_consumers(), bodies(broker)) == ([], [])
    other.process_data_events()
    assert other.is_open


def test_without_heartbeats_nobody_notices(broker: Broker, channel: BlockingChannel) -> None:
    broker.faults.partition()
    with pytest.raises(Deadlock, match="through a network that carries nothing any more"):
        channel.queue_declare("others")
    assert list(broker.vhost().queues) == ["orders"]


def test_what_was_said_in_a_partition_arrives_when_it_is_over(broker: Broker, channel: BlockingChannel) -> None:
    broker.faults.partition(seconds=20)
    channel.basic_publish("", "orders", b"one")
    assert bodies(broker) == []
    assert channel.queue_declare("orders", passive=True).method.message_count == 1
    assert (broker.now, bodies(broker)) == (20, [b"one"])


def test_a_goodbye_arrives_late(broker: Broker) -> None:
    task = broker.spawn(consume, [], name="worker")
    broker.run()
    broker.faults.partition(task="worker", seconds=20)
    task.kill()
    assert len(broker.list_consumers()) == 1
    broker.run()
    assert (broker.now, broker.list_consumers()) == (20, [])


def test_a_partition_hides_a_crash(broker: Broker, connect: Connect) -> None:
    connection = connect(heartbeat=60)
    broker.faults.partition(seconds=30)
    broker.crash()
    connection.process_data_events()
    assert connection.is_open
    with pytest.raises(AMQPConnectionError):
        connection.sleep(40)
    assert broker.now == 30


def test_slow_answers_arrive_later_and_in_order(broker: Broker, channel: BlockingChannel) -> None:
    broker.faults.slow(seconds=5, after="queue.declare")
    channel.queue_declare("others")
    assert broker.now == 5
    channel.queue_declare("others")
    assert broker.now == 5


def test_a_timer_reads_nothing_that_is_still_under_way(broker: Broker, channel: BlockingChannel) -> None:
    found: list[float] = []
    channel.basic_consume("orders", lambda *args: found.append(broker.now), auto_ack=True)
    channel.connection.call_later(2, lambda: None)
    broker.faults.slow(seconds=5)
    channel.basic_publish("", "orders", b"one")
    channel.connection.sleep(10)
    assert found == [5]


# -- the node's outages ----------------------------------------------------------------------------------------------


def test_connections_are_refused_for_a_while(broker: Broker) -> None:
    broker.faults.refuse(seconds=5)
    publisher = broker.spawn(publish_safely, b"one", restart=2)
    broker.run()
    assert (publisher.starts, bodies(broker)) == (4, [b"one"])
    assert told(broker) == ["the network: refuse for 5 s"]


@pytest.mark.parametrize(("lose", "kept"), [("nothing", [b"one", b"two"]), ("everything", [])])
def test_what_a_crash_loses(lose: str, kept: list[bytes]) -> None:
    with Broker(sync_interval=10) as broker:
        channel = pika.BlockingConnection(NO_HEARTBEAT).channel()
        channel.queue_declare("orders", durable=True)
        broker.faults.crash(lose=lose, seconds=3, after="basic.publish", occurrence=2)
        channel.basic_publish("", "orders", b"one", PERSISTENT)
        channel.basic_publish("", "orders", b"two", PERSISTENT)
        assert not broker.is_running
        with pytest.raises(AMQPConnectionError):
            channel.queue_declare("orders", passive=True)
        broker.advance(3)
        assert bodies(broker) == kept


def test_after_a_crash_supervised_programs_go_on(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.crash(lose="nothing", seconds=5, before="basic.ack")
    broker.spawn(consume, found, restart=True)
    broker.spawn(publish_safely, b"one", restart=True)
    broker.run()
    assert [body for body, _ in found] == [b"one"] * len(found)
    assert len(found) >= 2
    assert bodies(broker) == []


def test_a_graceful_stop_tells_the_clients(broker: Broker, connection: pika.BlockingConnection) -> None:
    broker.faults.stop(seconds=5)
    with pytest.raises(ConnectionClosed) as caught:
        connection.sleep(1)
    assert caught.value.reply_code == 320
    broker.advance(5)
    assert broker.is_running


def test_an_alarm_blocks_publishers(broker: Broker, confirming: BlockingChannel) -> None:
    broker.faults.alarm(seconds=30)
    broker.faults.nack(occurrence=2)
    confirming.basic_publish("", "orders", b"one")
    assert (broker.now, bodies(broker)) == (30, [b"one"])
    confirming.basic_publish("", "orders", b"two")  # the first could not be refused: it was not read at once
    with pytest.raises(NackError):
        confirming.basic_publish("", "orders", b"three")


def test_a_stall_outlives_the_time_for_acknowledgements(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.faults.stall(before="basic.ack", task="worker", seconds=2000)
    broker.spawn(consume, found, name="worker")
    broker.spawn(publish_safely, b"one")
    with pytest.raises(
        ChannelClosedByBroker, match="PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed"
    ):
        broker.run()
    assert (found, bodies(broker), broker.now) == ([(b"one", False)], [b"one"], 2000)


def test_a_stall_outlives_heartbeats(broker: Broker) -> None:
    broker.spawn(consume, [], heartbeat=60, name="worker")
    broker.spawn(publish_safely, b"one")
    broker.faults.stall(before="basic.ack", task="worker", seconds=200)
    with pytest.raises(AMQPConnectionError):
        broker.run()
    assert (broker.now, bodies(broker)) == (200, [b"one"])


def test_a_stall_by_hand(broker: Broker) -> None:
    found: list[tuple[bytes, bool]] = []
    broker.spawn(consume, found, name="worker")
    broker.run()
    broker.faults.stall(task="worker", seconds=60)
    broker.spawn(publish_safely, b"one")
    broker.run(seconds=59)
    assert found == []
    broker.run()
    assert (found, broker.now) == ([(b"one", False)], 60)


# -- plans -----------------------------------------------------------------------------------------------------------

PLAN = (
    Fault("crash", at=3, seconds=2.0, lose="everything"),
    Fault("disconnect", before="basic.ack", task="worker", occurrence=2),
    Fault("close_channel", after="basic.ack", code=404, text="gone"),
    Fault("redeliver", task="worker", times=1),
)


def test_a_plan_prints_as_the_calls_that_make_it(broker: Broker) -> None:
    broker.faults.play(PLAN)
    assert broker.faults.plan == PLAN
    printed = [repr(fault) for fault in broker.faults.plan]
    assert printed == [
        "crash(at=3, seconds=2.0, lose='everything')",
        "disconnect(before='basic.ack', task='worker', occurrence=2)",
        "close_channel(after='basic.ack', code=404, text='gone')",
        "redeliver(task='worker', times=1)",
    ]
    other = Broker()
    for line in printed:
        eval(f"other.faults.{line}")
    assert other.faults.plan == PLAN


def run_with(plan: tuple[Fault, ...]) -> tuple[list[tuple[bytes, bool]], list[str]]:
    """What a worker has seen, and the whole trace."""
    found: list[tuple[bytes, bool]] = []
    with Broker(seed=7, sync_interval=0.1) as broker:
        broker.faults.play(plan)
        broker.spawn(consume, found, name="worker", restart=True)
        broker.spawn(publish_safely, b"one", b"two", b"three", restart=True)
        broker.run()
        assert bodies(broker) == []
        return found, list(map(str, broker.trace))


def test_a_plan_that_is_played_again_does_the_same() -> None:
    assert run_with(PLAN) == run_with(PLAN)
    assert run_with(PLAN) != run_with(())


@pytest.mark.parametrize(
    ("kind", "arguments", "complaint"),
    [
        ("explode", {}, "there is no fault 'explode'; there are crash, stop"),
        ("crash", {"at": 1, "before": "basic.ack"}, "give one of at=, before= and after="),
        ("crash", {"at": 0}, "steps are counted from 1"),
        ("crash", {"lose": "some"}, '"nothing", "everything" or "by chance"'),
        ("crash", {"task": "worker"}, "crash takes no task="),
        ("crash", {"occurrence": 2}, "give before= or after= as well"),
        ("crash", {"before": "basic.akc"}, "no client sends 'basic.akc'"),
        ("crash", {"before": "basic.deliver"}, "no client sends 'basic.deliver'"),
        ("disconnect", {"occurrence": 0, "before": "basic.ack"}, "occurrences are counted from 1"),
        ("disconnect", {"seconds": 3}, "disconnect takes no seconds=; it takes at, occurrence, before, after, task"),
        ("disconnect", {"lose": "nothing"}, "disconnect takes no lose="),
        ("slow", {}, "slow takes seconds="),
        ("stall", {"task": "worker"}, "stall takes seconds="),
        ("alarm", {"seconds": -1}, "no span of time"),
        ("nack", {"before": "basic.publish"}, "nack takes no before="),
        ("nack", {"after": "basic.publish"}, "nack takes no after="),
        ("lose_confirm", {"seconds": 1}, "lose_confirm takes no seconds="),
        ("redeliver", {"times": 0}, "times= is how often a delivery comes again, at least 1"),
        ("reorder", {"times": 3}, "reorder takes no times="),
        ("close_channel", {"code": 504}, "one of 311, 313, 403, 404, 405, 406: not 504"),
        ("close_channel", {"before": "connection.close"}, "said where there is no channel to close"),
        ("close_channel", {"queue": "orders"}, "close_channel takes no queue="),
        ("cancel_consumer", {"text": "gone"}, "cancel_consumer takes no text="),
    ],
)
def test_faults_that_make_no_sense(broker: Broker, kind: str, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Misuse, match=complaint):
        broker.faults.strike(Fault(kind, **arguments))
    assert broker.faults.plan == ()


def test_a_task_that_does_not_exist(broker: Broker) -> None:
    for strike in (broker.faults.kill, broker.faults.disconnect, broker.faults.close_channel):
        with pytest.raises(Misuse, match="there is no task 'worker'"):
            strike(task="worker")


def test_a_kill_wants_a_task(broker: Broker, channel: BlockingChannel) -> None:
    with pytest.raises(Misuse, match="kill strikes a task: give task="):
        broker.faults.kill()


def test_a_step_that_is_over(broker: Broker) -> None:
    broker.spawn(publish_safely, b"one")
    broker.run()
    with pytest.raises(Misuse, match="step 2 is over"):
        broker.faults.crash(at=2)


def test_a_budget_is_no_negative_number() -> None:
    with pytest.raises(Misuse, match="nack= is how often"):
        Faults(nack=-1)


# -- searches --------------------------------------------------------------------------------------------------------


def forgetful_publisher() -> None:
    """A program that does not look at what became of its message."""
    with contextlib.suppress(NackError):
        publish_safely(b"one")


def all_arrived(broker: Broker) -> None:
    """Nothing is lost."""
    assert bodies(broker) == [b"one"]


@pytest.mark.parametrize("search", ["random", "exhaustive"])
def test_a_search_finds_who_ignores_a_nack(search: str) -> None:
    with pytest.raises(fakeamqp.Counterexample) as caught:
        fakeamqp.explore(
            lambda broker: broker.spawn(forgetful_publisher) and None,
            all_arrived,
            faults=Faults(nack=1),
            search=search,
            runs=300,
        )
    assert [fault.kind for fault in caught.value.plan] == ["nack"]
    assert any("!" in line and "the node: refuses forgetful_publisher's b'one'" in line for line in caught.value.story)


@pytest.mark.parametrize("kind", TAKES)
def test_every_kind_may_be_drawn(kind: str) -> None:
    def stage(broker: Broker) -> None:
        broker.spawn(consume, [], heartbeat=60, name="worker", restart=True)
        broker.spawn(publish_safely, b"one", b"two", b"three", name="publisher", restart=True)

    for seed in range(200):
        outcome = run_once(Case(stage, None, seed, Faults(**{kind: 1}), 500), RandomWalk(seed), is_traced=True)
        struck = [(event.details or {})["fault"] for event in outcome.trace if event.kind == "fault"]
        if struck:
            break
    assert set(struck) == {kind}
    assert [fault.kind for fault in outcome.plan] == [kind]
