"""What a failed test tells of its broker."""

from __future__ import annotations

import pytest

import fakeamqp.clients.redirection  # noqa: F401 pytester forgets what is imported inside its runs


def test_a_failed_test_shows_what_is_left_in_its_broker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.amqp(seed=7, version="3.10")
        def test(amqp_broker, amqp_channel):
            amqp_channel.queue_declare("orders")
            for body in (b"one", b"two", b"three"):
                amqp_channel.basic_publish("", "orders", body)
            amqp_channel.basic_qos(prefetch_count=1)
            amqp_channel.basic_consume("orders", print, consumer_tag="worker")
            amqp_broker.advance(30)
            assert False, "mine"
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*mine*",
            "*- fakeamqp -*",
            "RabbitMQ 3.10, seed 7, 30.000000 s of virtual time",
            "queues:",
            "  'orders': 2 ready, 1 unacked, 1 consumers",
            "    consumer 'worker' on 127.0.0.1:* channel 1 holds 1 of at most 1",
            "the last * things that happened:",
            "*-> basic.publish *routing_key='orders'*body=b'three'*",
            "*-> basic.consume *queue='orders'*consumer_tag='worker'*",
        ]
    )


def test_a_test_that_hangs_fails_with_a_deadlock_and_the_story(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test(amqp_channel):
            amqp_channel.queue_declare("orders")
            amqp_channel.basic_consume("orders", print, consumer_tag="worker")
            amqp_channel.start_consuming()
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*Deadlock: nothing can happen*", "E*deliveries to worker*", "*- fakeamqp -*"])


def test_a_failed_test_whose_broker_is_down_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "def test(amqp_broker, amqp_channel):\n    amqp_broker.crash()\n    amqp_channel.queue_declare('a')"
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["RabbitMQ 4.0, seed 0*", "the broker is down", "*the broker has crashed"])


def test_where_nothing_happened_it_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(amqp_broker):\n    assert 0")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["*seed 0*", "no queues", "nothing has happened yet"])


@pytest.mark.parametrize("body", ["assert 1", "pytest.skip('not now')", "pytest.xfail('known')"])
def test_a_test_that_did_not_fail_shows_nothing(pytester: pytest.Pytester, body: str) -> None:
    pytester.makepyfile(f"import pytest\ndef test(amqp_broker):\n    {body}")
    pytester.runpytest("-rA").stdout.no_fnmatch_line("*- fakeamqp -*")


def test_a_failed_test_without_a_broker_shows_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_with(amqp_broker):\n    pass\n\ndef test_without():\n    assert 0")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*- fakeamqp -*")
