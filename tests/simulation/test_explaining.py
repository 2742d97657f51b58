"""Why a message goes where it goes, in words and as values."""

from __future__ import annotations

import pytest
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel

import fakeamqp
from fakeamqp.simulation.management.reasons import topic_difference


@pytest.mark.parametrize(
    ("pattern", "key", "difference"),
    [
        ("a.b", "a.c", "word 2 of 'a.c' is 'c', where 'a.b' has 'b'"),
        ("*.b", "a", "'a' has 1 word, '*.b' asks for 2"),
        ("a.#", "b.a", "word 1 of 'b.a' is 'b', where 'a.#' has 'a'"),
        ("a.#.b", "a", "'a' has 1 word, 'a.#.b' asks for at least 2"),
        ("#.b", "b.a", "the last word of 'b.a' is 'a', where '#.b' has 'b'"),
        ("#.b.*", "a.c", "word 2 from the end of 'a.c' is 'a', where '#.b.*' has 'b'"),
        ("#.x.#", "a.b", "nothing in 'a.b' is what stands between the # of '#.x.#'"),
        ("", "a", "'a' has 1 word, '' asks for 0"),
    ],
)
def test_a_pattern_that_does_not_match_says_which_word_differs(pattern: str, key: str, difference: str) -> None:
    assert not fakeamqp.topic_matches(pattern, key)
    assert topic_difference(pattern, key) == difference


def test_every_binding_says_why(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("events", "topic")
    channel.queue_bind("orders", "events", "orders.*")
    channel.queue_bind("orders", "events", "invoices.*")
    explanation = broker.explain("orders.eu", "events")
    assert explanation.queues == ("orders",)
    (exchange,) = explanation.exchanges
    assert [(each.leads, each.reason) for each in exchange.bindings] == [
        (True, "'orders.eu' matches 'orders.*'"),
        (False, "word 1 of 'orders.eu' is 'orders', where 'invoices.*' has 'invoices'"),
    ]


def test_headers_say_which_is_missing_or_different(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.queue_bind("orders", "amq.headers", "", {"a": 1, "b": 2, "c": None, "x-d": 1})
    (exchange,) = broker.explain("", "amq.headers", {"a": 1, "b": 3}).exchanges
    (binding,) = exchange.bindings
    assert not binding.leads
    assert binding.reason == (
        "x-match=all: header 'a' is 1, as asked; header 'b' is 3, not 2; header 'c' is missing; "
        "'x-d' does not count, as with x-match=all no name that begins with x- does"
    )


def test_the_default_exchange_names_the_nearest_queue(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    explanation = broker.explain("order")
    assert explanation.queues == ()
    assert "there is no queue 'order'; the nearest name is 'orders'" in str(explanation)
    assert broker.explain("orders").queues == ("orders",)


def test_an_alternate_exchange_is_followed(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("events", "direct", arguments={"alternate-exchange": "amq.fanout"})
    channel.queue_bind("orders", "amq.fanout")
    explanation = broker.explain("key", "events")
    assert explanation.queues == ("orders",)
    assert [each.reached for each in explanation.exchanges] == [
        "which it was published to",
        "the alternate exchange of 'events'",
    ]


def test_what_a_queue_would_do_is_told(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    arguments = {"x-max-length": 1, "x-message-ttl": 5000, "x-dead-letter-exchange": "dead"}
    channel.queue_declare("small", arguments=arguments)
    assert "it has room for the message (max-length 1)" in str(broker.explain("small"))
    channel.basic_publish("", "small", b"one")
    (outlook,) = broker.explain("small").outlooks
    assert outlook.notes == (
        "1 ready, 0 unacked, 0 consumers",
        "it is full (max-length 1), and drops its oldest message unless somebody takes one",
        "it expires after 5 s if nobody takes it",
        "dead letters go to exchange 'dead', which does not exist, with its own key",
    )


def test_chance_is_not_drawn_and_leaves_open_where_it_goes(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("any", "x-random", arguments={"alternate-exchange": "amq.fanout"})
    channel.queue_declare("others")
    for queue in ("orders", "others"):
        channel.queue_bind(queue, "any")
    explanation = broker.explain("", "any")
    assert explanation.queues == ()
    assert explanation.possible_queues == ("orders", "others")
    assert "? queue 'orders' by key 'orders': chance chooses one of 2 bindings" in str(explanation)


def test_a_function_of_the_users_own_is_not_called() -> None:
    def never(*_: object) -> list[object]:
        raise AssertionError("called")

    broker = fakeamqp.Broker(exchange_types={"mine": never})  # type: ignore[dict-item]
    channel = broker.connect().channel()
    channel.exchange_declare("own", "mine", arguments={"alternate-exchange": "amq.fanout"})
    for queue, exchange in (("orders", "own"), ("rest", "amq.fanout")):
        channel.queue_declare(queue)
        channel.queue_bind(queue, exchange)
    explanation = broker.explain("", "own")
    assert explanation.queues == ()
    assert explanation.possible_queues == ("orders", "rest")


def test_a_delayed_message_goes_on_later(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.exchange_declare("late", "x-delayed-message", arguments={"x-delayed-type": "direct"})
    channel.queue_bind("orders", "late", "key")
    assert broker.explain("key", "late").queues == ("orders",)
    explanation = broker.explain("key", "late", {"x-delay": 1500})
    assert explanation.queues == ()
    assert "it is set aside for 1.5 s, and goes on by these bindings then" in str(explanation)


def test_keys_in_cc_and_bcc_count(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    channel.queue_declare("copies")
    explanation = broker.explain("orders", headers={"CC": ["copies"]})
    assert explanation.routing_keys == ("orders", "copies")
    assert explanation.queues == ("orders", "copies")
    with pytest.raises(fakeamqp.Misuse, match="unacceptable_type_in_header"):
        broker.explain("orders", headers={"CC": "copies"})


def test_what_does_not_exist_is_named(broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
    with pytest.raises(fakeamqp.Misuse, match="no exchange 'events'"):
        broker.explain("key", "events")
    with pytest.raises(fakeamqp.Misuse, match="no virtual host 'other'"):
        broker.explain("key", vhost="other")


class TestPublishedMessages:
    def test_the_last_of_its_body_or_message_id_is_explained(
        self, broker: fakeamqp.Broker, channel: BlockingChannel
    ) -> None:
        channel.basic_publish("", "orders", b"one", BasicProperties(message_id="1"))
        channel.basic_publish("", "missing", b"two", BasicProperties(message_id="2"))
        assert broker.explain_published(body="one").queues == ("orders",)
        assert broker.explain_published(message_id="2").queues == ()

    def test_an_event_is_explained_whatever_it_tells_of_the_message(
        self, broker: fakeamqp.Broker, channel: BlockingChannel
    ) -> None:
        channel.basic_publish("", "orders", b"one")
        channel.basic_get("orders")
        about = [event for event in broker.trace if event.body == b"one"]
        assert len(about) == 4
        assert all(broker.explain_published(event).queues == ("orders",) for event in about)

    def test_it_says_so_if_it_went_elsewhere_then(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        channel.queue_bind("orders", "amq.direct", "key")
        channel.basic_publish("amq.direct", "key", b"one")
        channel.queue_unbind("orders", "amq.direct", "key")
        explanation = broker.explain_published(body=b"one")
        assert explanation.queues == ()
        assert explanation.notes == ("when it was published, at 0 s, it went to 'orders'",)

    def test_it_is_explained_in_its_virtual_host(self) -> None:
        import pika

        with fakeamqp.Broker(vhosts=("other",)) as broker:
            channel = pika.BlockingConnection(pika.ConnectionParameters(virtual_host="other")).channel()
            channel.queue_declare("orders")
            channel.basic_publish("", "orders", b"one")
            explanation = broker.explain_published(body=b"one")
        assert (explanation.vhost, explanation.queues) == ("other", ("orders",))

    def test_what_is_not_in_the_trace_is_refused(self, broker: fakeamqp.Broker, channel: BlockingChannel) -> None:
        with pytest.raises(fakeamqp.Misuse, match="no message of body 'one'"):
            broker.explain_published(body="one")
        with pytest.raises(fakeamqp.Misuse, match="no message of message_id '7'"):
            broker.explain_published(message_id="7")
        with pytest.raises(fakeamqp.Misuse, match="needs an event, a body or a message_id"):
            broker.explain_published()
        with pytest.raises(fakeamqp.Misuse, match="about a message"):
            broker.explain_published(broker.trace.filter(method="queue.declare")[0])
