"""The report of a run, as one HTML page."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from fakeamqp import Broker, Misuse
from tests.simulation._page import Element, bars, lanes, marks, read, read_report

Connect = Callable[..., pika.BlockingConnection]
PERSISTENT = pika.BasicProperties(delivery_mode=2)
NASTY = "<script>alert('\"&')</script>"


def journey(report: Element, number: int) -> list[str]:
    """What the marks of one message tell."""
    found = [mark for mark in report.all("g", "mark") if str(number) in mark.attributes["data-messages"].split()]
    return [mark.attributes["data-words"] for mark in found]


# -- the page ------------------------------------------------------------------------------------------------------


def test_it_is_one_file_that_loads_nothing(broker: Broker, channel: BlockingChannel, tmp_path: Path) -> None:
    channel.basic_publish("", "orders", b"one")
    broker.write_report(tmp_path / "run.html", title="my run")
    html = (tmp_path / "run.html").read_text(encoding="utf-8")
    report = read(html)
    assert html.startswith("<!doctype html>")
    assert [title.text for title in report.all("head")[0].all("title")] == ["my run"]
    assert not re.search(r"https?:|@import|url\(|\bsrc=|<link", html)
    assert {use.attributes["href"][:3] for use in report.all("use")} == {"#s-"}
    drawings = {drawing.attributes.get("id") for drawing in report.all("g")}
    assert {use.attributes["href"][1:] for use in report.all("use")} <= drawings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.html"]


def test_the_path_may_be_a_string(broker: Broker, tmp_path: Path) -> None:
    broker.write_report(str(tmp_path / "run.html"))
    assert (tmp_path / "run.html").exists()


def test_what_programs_name_and_send_is_text_and_nothing_else(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.exchange_declare(NASTY, "topic")
    channel.queue_declare(NASTY)
    channel.queue_bind(NASTY, NASTY, NASTY)
    channel.basic_publish(NASTY, NASTY, NASTY.encode())
    channel.basic_consume(NASTY, lambda *_: None, consumer_tag=NASTY)
    report = read_report(broker, title=NASTY)
    assert len(report.all("script")) == 1
    assert report.all("h1")[0].text == NASTY
    assert f"queue {NASTY}" in lanes(report)
    assert any(NASTY in mark and "publishes message 1" in mark for mark in marks(report))
    assert NASTY in [title.text for title in report.all("title")]


def test_without_jinja_it_says_what_to_install(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(Misuse, match=r"pip install 'fakeamqp\[report\]'"):
        broker.write_report(tmp_path / "run.html")
    assert not list(tmp_path.iterdir())


def test_where_nothing_happened_it_says_so(broker: Broker) -> None:
    report = read_report(broker)
    assert "Nothing has happened yet" in report.text
    assert "No queues" in report.text
    assert not report.all("tr")


def test_while_the_broker_is_down_there_is_no_topology(broker: Broker, channel: BlockingChannel) -> None:
    broker.crash()
    report = read_report(broker)
    assert "The broker is down" in report.text
    assert not report.all("figure", "topology")
    assert "queue orders" in lanes(report)


# -- lanes and marks -------------------------------------------------------------------------------------------------


def test_every_client_exchange_and_queue_has_a_lane(broker: Broker, connect: Connect) -> None:
    first, second = connect().channel(), connect().channel()
    first.exchange_declare("shop", "fanout")
    first.queue_declare("orders")
    first.queue_declare("audit")
    first.queue_bind("orders", "shop")
    second.basic_publish("shop", "", b"one")
    assert lanes(read_report(broker)) == [
        "broker broker",
        "connection connection 1",
        "connection connection 2",
        "exchange shop",
        "queue orders",
        "queue audit",
    ]


def test_a_task_is_a_lane_whatever_connections_it_makes(broker: Broker) -> None:
    def producer() -> None:
        for _ in range(2):
            with pika.BlockingConnection(pika.ConnectionParameters(heartbeat=0)) as connection:
                connection.channel().queue_declare("orders")
            time.sleep(5)

    broker.spawn(producer)
    broker.run()
    report = read_report(broker)
    assert lanes(report) == ["broker broker", "task producer", "queue orders"]
    assert report.all("div", "task")[0].all("small")[0].text == "connections 1, 2"
    assert marks(report)[0] == "producer starts"
    assert marks(report)[-1] == "producer is through"


def test_handshakes_and_answers_have_no_mark_and_stand_in_the_table(broker: Broker, channel: BlockingChannel) -> None:
    report = read_report(broker)
    assert marks(report) == ["connection 1 connects to virtual host '/'", "connection 1 declares queue 'orders'"]
    said = [row.all("code")[0].text for row in report.all("tr")[1:] if row.all("code")]
    assert any("queue.declare-ok" in each for each in said)
    assert any("connection.start-ok" in each for each in said)


def test_a_refusal_is_told_in_the_brokers_words(broker: Broker, channel: BlockingChannel) -> None:
    with pytest.raises(pika.exceptions.ChannelClosedByBroker):
        channel.queue_declare("orders", durable=True)
    (told,) = [mark for mark in marks(read_report(broker)) if "is told" in mark]
    assert "the broker closes the channel: 406 PRECONDITION_FAILED - inequivalent arg 'durable'" in told


# -- messages ----------------------------------------------------------------------------------------------------------


def test_a_message_is_followed_from_publisher_to_acknowledgement(broker: Broker, channel: BlockingChannel) -> None:
    channel.confirm_delivery()
    for body in (b"one", b"two"):
        channel.basic_publish("", "orders", body)
    for method, _, _ in [channel.basic_get("orders") for _ in range(2)]:
        channel.basic_ack(method.delivery_tag)
    report = read_report(broker)
    assert journey(report, 2) == [
        "publishes message 2 “two” to queue 'orders', by the default exchange",
        "is told that message 2 arrived safely (confirm)",
        "receives message 2 “two” from queue 'orders', delivery tag 2",
        "acknowledges message 2 (delivery tag 2)",
    ]
    assert bars(report, "ready") == ["Message 1 “one” waits in orders", "Message 2 “two” waits in orders"]
    assert bars(report, "with")[0] == "Message 1 “one” is held, from orders; then acknowledged"


def test_messages_that_look_the_same_are_told_apart_by_their_order(broker: Broker, channel: BlockingChannel) -> None:
    for _ in range(3):
        channel.basic_publish("", "orders", b"same")
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(3)]
    channel.basic_ack(tags[1])
    channel.basic_nack(tags[0])
    channel.basic_get("orders")
    report = read_report(broker)
    assert [words.partition(" ")[0] for words in journey(report, 1)] == ["publishes", "receives", "gives", "receives"]
    assert [words.partition(" ")[0] for words in journey(report, 2)] == ["publishes", "receives", "acknowledges"]
    assert [words.partition(" ")[0] for words in journey(report, 3)] == ["publishes", "receives"]
    assert "redelivered" in journey(report, 1)[-1]


def test_one_acknowledgement_of_many_is_a_mark_of_each(broker: Broker, channel: BlockingChannel) -> None:
    for body in (b"one", b"two"):
        channel.basic_publish("", "orders", body)
    tags = [channel.basic_get("orders")[0].delivery_tag for _ in range(2)]
    channel.basic_ack(tags[-1], multiple=True)
    last = "acknowledges messages 1, 2 (everything up to delivery tag 2)"
    assert journey(read_report(broker), 1)[-1] == journey(read_report(broker), 2)[-1] == last


def test_a_dead_letter_is_the_same_message_in_the_next_queue(broker: Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("dead")
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-message-ttl": 5000}
    channel.queue_declare("waiting", arguments=arguments)
    channel.basic_publish("", "waiting", b"late")
    broker.advance(10)
    channel.basic_get("dead", auto_ack=True)
    report = read_report(broker)
    assert bars(report, "ready") == [
        "Message 1 “late” waits in waiting; then expired",
        "Message 1 “late” waits in dead",
    ]
    assert [words.partition(" ")[0] for words in journey(report, 1)] == ["publishes", "b'late'", "receives"]
    assert [seam.text for seam in report.all("g", "seam")] == ["+5 s", "+5 s"]


def test_a_queue_without_room_does_not_have_what_it_refuses(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.queue_declare("small", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    for body in (b"one", b"two"):
        channel.basic_publish("", "small", body)
    report = read_report(broker)
    assert bars(report, "ready") == ["Message 1 “one” waits in small"]
    assert "is refused by 'small', which has no room for it" in journey(report, 2)[-1]


def test_a_message_that_leads_nowhere_comes_back(broker: Broker, channel: BlockingChannel) -> None:
    channel.basic_publish("", "nowhere", b"one", mandatory=True)
    channel.connection.process_data_events(0)
    assert journey(read_report(broker), 1)[-1] == "gets message 1 “one” back: 312 NO_ROUTE"


def test_a_stream_keeps_what_it_has_delivered(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.queue_declare("log", durable=True, arguments={"x-queue-type": "stream"})
    channel.basic_publish("", "log", b"one")
    for _ in range(2):
        reader = connect().channel()
        reader.basic_qos(prefetch_count=10)
        reader.basic_consume("log", lambda *_: None, arguments={"x-stream-offset": "first"})
        reader.connection.process_data_events(0)
    report = read_report(broker)
    assert bars(report, "ready") == ["Message 1 “one” waits in log"]
    assert len(bars(report, "with")) == 2


def test_what_was_published_before_the_trace_begins_is_shown_from_where_it_was_seen() -> None:
    broker = Broker(trace_limit=6)
    channel = broker.connect().channel()
    channel.queue_declare("orders")
    channel.basic_publish("", "orders", b"one")
    broker.trace.clear()
    channel.basic_get("orders")
    report = read_report(broker)
    assert journey(report, 1) == ["receives message 1 “one” from queue 'orders', delivery tag 1"]
    for body in (b"two", b"three"):
        channel.basic_publish("", "orders", body)
    assert "The trace keeps 6 events" in read_report(broker).text


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_a_crash_is_marked_with_the_outage_and_what_was_lost(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.queue_declare("durable", durable=True)
    channel.queue_declare("transient")
    for queue in ("durable", "transient"):
        channel.basic_publish("", queue, b"one", PERSISTENT)
    channel.basic_get("durable")
    broker.crash()
    broker.restart()
    report = read_report(broker)
    assert "broker the broker has crashed" in marks(report)
    assert "broker the broker is started again" in marks(report)
    assert len(report.all("rect", "outage")) == 2  # with the legend's
    assert bars(report, "ready") == [
        "Message 1 “one” waits in durable",
        "Message 1 “one” waits in durable",
        "Message 2 “one” waits in transient; then lost when the broker went down",
    ]
    assert bars(report, "with") == ["Message 1 “one” is held, from durable; then back, as the broker went down"]


def test_a_fault_is_marked(broker: Broker) -> None:
    def worker() -> None:
        channel = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=0)).channel()
        channel.queue_declare("orders")
        time.sleep(60)

    broker.spawn(worker, restart=True)
    broker.run(seconds=5)
    broker.faults.kill(task="worker")
    broker.run(seconds=10)
    report = read_report(broker)
    told = marks(report)
    assert told[told.index("fault kill worker") :][:3] == ["fault kill worker", "worker dies", "worker starts again"]
    assert len(report.all("path", "fault")) == 1


def test_what_the_broker_closes_and_what_nobody_receives_is_marked(broker: Broker) -> None:
    def worker() -> None:
        channel = pika.BlockingConnection(pika.ConnectionParameters(heartbeat=30)).channel()
        channel.queue_declare("orders")
        time.sleep(300)
        channel.basic_publish("", "orders", b"late")

    broker.spawn(worker)
    broker.run()
    told = marks(read_report(broker))
    assert "broker closes connection 1: missed heartbeats from client, timeout: 30s" in told
    assert (
        "worker publishes a message “late” to queue 'orders', by the default exchange, which nobody receives" in told
    ), told


def test_time_that_jumps_is_as_wide_as_any_other_jump(broker: Broker, channel: BlockingChannel) -> None:
    for seconds in (0.05, 5, 3600, 86_400 * 7):
        broker.advance(seconds)
        channel.queue_declare("orders")
    report = read_report(broker)
    seams = report.all("g", "seam")
    assert [seam.text for seam in seams] == ["+50 ms", "+5 s", "+60 min", "+7 d"]
    assert len({seam.all("rect")[0].attributes["width"] for seam in seams}) == 1


# -- much --------------------------------------------------------------------------------------------------------------


def test_of_a_long_run_the_last_events_are_shown(broker: Broker, channel: BlockingChannel) -> None:
    for number in range(50):
        channel.basic_publish("", "orders", b"%d" % number)
    count = len(broker.trace)
    report = read_report(broker, most_events=20)
    assert f"Only the last 20 events are shown; {count - 20} came before." in report.text
    assert len(report.all("tr")) == 21
    assert journey(report, 50)
    assert not journey(report, 1)
    assert len(bars(report, "ready")) == 50  # those that wait since before, too


def test_no_event_at_all_is_no_report(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="most_events=0: show one event at least"):
        broker.write_report(tmp_path / "run.html", most_events=0)


def test_marks_do_not_overlap_unless_the_same_befalls_many_messages(broker: Broker, channel: BlockingChannel) -> None:
    for number in range(30):
        channel.basic_publish("", "orders", b"%d" % number)
    broker.crash()
    places = [mark.attributes["transform"].split()[0] for mark in read_report(broker).all("g", "mark")]
    columns = sorted({float(place.removeprefix("translate(")) for place in places})
    assert len(columns) == 30 + 2 + 1 + 1  # messages; connecting, declaring; the crash; all that was lost
    assert min(later - sooner for sooner, later in pairwise(columns)) >= 20


# -- the topology ------------------------------------------------------------------------------------------------------


def test_the_topology_has_exchanges_bindings_queues_and_consumers(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    channel.exchange_declare("shop", "topic", durable=True)
    channel.exchange_declare("eu", "fanout")
    channel.exchange_bind("eu", "shop", "eu.#")
    channel.queue_declare("orders", durable=True, arguments={"x-dead-letter-exchange": "eu"})
    channel.queue_bind("orders", "eu", "")
    channel.queue_bind("orders", "shop", "order.*")
    channel.basic_qos(prefetch_count=1)
    for _ in range(3):
        channel.basic_publish("shop", "order.new", b"one")
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")
    (picture,) = read_report(broker).all("figure", "topology")
    boxes = [[text.own_text for text in box.all("text")] for box in picture.all("g", "box")]
    assert ["shop", "topic, durable"] in boxes
    assert ["eu", "fanout"] in boxes
    assert ["connection 1"] in boxes
    assert ["orders", "2 ready, 1 unacknowledged", "classic, durable", "dead letters → eu"] in boxes
    assert ["worker", "of connection 1", "holds 1 of at most 1"] in boxes
    labels = [line.all("text")[0].own_text for line in picture.all("g", "line") if line.all("text")]
    assert sorted(labels) == ["3 sent", "eu.#", "order.*"]


def test_exchanges_bound_in_a_circle_can_be_drawn(broker: Broker, connect: Connect) -> None:
    channel = connect().channel()
    for name in ("a", "b"):
        channel.exchange_declare(name, "fanout")
    channel.exchange_bind("a", "b")
    channel.exchange_bind("b", "a")
    assert len(read_report(broker).all("g", "exchange")) == 2


def test_each_virtual_host_has_a_topology_of_its_own() -> None:
    broker = Broker(vhosts=["billing"])
    for vhost in ("/", "billing"):
        channel = broker.connect(pika.ConnectionParameters(virtual_host=vhost)).channel()
        channel.queue_declare("orders")
        channel.basic_publish("", "orders", vhost.encode())
    report = read_report(broker)
    captions = [caption.text.partition(":")[0] for caption in report.all("figcaption")]
    assert captions == ["Virtual host /", "Virtual host billing"]
    assert lanes(report)[-2:] == ["queue orders", "queue orders"]
    assert report.all("div", "queue")[-1].all("small")[0].text == "queue in billing"
    assert bars(report, "ready") == ["Message 1 “/” waits in orders", "Message 2 “billing” waits in orders"]
