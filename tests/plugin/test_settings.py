"""What the plugin says of brokers: to explore, to fixtures of a wider scope, and of connections without a broker."""

from __future__ import annotations

import pytest

import fakeamqp.clients.redirection  # noqa: F401 pytester forgets what is imported inside its runs


def test_marker_command_line_and_ini_file_reach_explore(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\namqp_vhosts = from-ini")
    pytester.makepyfile(
        """
        import pika, pytest, fakeamqp

        def program():
            pika.BlockingConnection(pika.URLParameters("amqp://alice:secret@x/billing"))
            pika.BlockingConnection(pika.URLParameters("amqp://guest:guest@x/from-marker"))

        @pytest.mark.amqp(users={"alice": "secret"}, vhosts=["billing", "from-marker"], version="3.10", seed=5)
        def test_marked():
            seen = []
            def scenario(broker):
                seen.append((broker.version, broker.seed))
                broker.spawn(program)
            fakeamqp.explore(scenario, runs=2)
            assert seen == [("3.10", 5)] * 2

        @pytest.mark.amqp(version="3.10", seed=5)
        def test_arguments_of_explore_go_before():
            seen = []
            def scenario(broker):
                seen.append((broker.version, broker.seed))
                broker.spawn(pika.BlockingConnection)
            fakeamqp.explore(scenario, runs=1, version="4.0", seed=6)
            assert seen == [("4.0", 6)]

        def test_unmarked():
            def scenario(broker):
                assert broker.seed == 9
                assert [vhost.name for vhost in broker.vhosts()] == ["/", "from-ini"]
                broker.spawn(pika.BlockingConnection)
            fakeamqp.explore(scenario, runs=1)
        """
    )
    pytester.runpytest("--amqp-seed=9").assert_outcomes(passed=3)


def test_explore_beside_the_fixture_says_what_to_do(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import fakeamqp, pika

        def test(amqp_broker):
            fakeamqp.explore(lambda broker: broker.spawn(pika.BlockingConnection) and None, runs=1)
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*amqp_broker goes neither with a broker of a wider*"])


@pytest.mark.parametrize(
    ("given", "hint"), [("versoin", "did you mean version?"), ("xyz", "it takes version, seed, vhosts")]
)
def test_a_marker_keyword_that_no_broker_takes(pytester: pytest.Pytester, given: str, hint: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.amqp({given}="3.10")
        def test(amqp_broker):
            pass
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*takes no {given}=; {hint}*"])


def test_a_broker_of_a_wider_scope(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika, pytest

        @pytest.fixture(scope="module")
        def broker(amqp_broker_factory):
            with amqp_broker_factory(vhosts=["shop"]) as broker:
                yield broker

        def connect():
            return pika.BlockingConnection(pika.ConnectionParameters(virtual_host="shop"))

        def test_first(broker):
            assert broker.seed == 3
            connect().channel().queue_declare("q")

        def test_second(broker):
            connect().channel().queue_declare("q", passive=True)

        def test_both(broker, amqp_broker):
            pass
        """
    )
    result = pytester.runpytest("--amqp-seed=3")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*amqp_broker goes neither with a broker of a wider*"])


TOO_EARLY = """
    import pika, pytest

    class Listener:
        def __init__(self):
            self.connection = pika.SelectConnection(pika.ConnectionParameters("localhost", 1))

    @pytest.fixture(scope="session")
    def listener():
        return Listener()

    def test(listener, amqp_broker):
        pass
"""


@pytest.mark.parametrize("option", [["--amqp-strict"], ["-o", "amqp_strict=true"]])
def test_strict_refuses_a_connection_without_a_broker(pytester: pytest.Pytester, option: list[str]) -> None:
    pytester.makepyfile(TOO_EARLY)
    result = pytester.runpytest_subprocess(*option)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*made while no fakeamqp.Broker is active: at *test_strict*.py:5*"])


def test_strict_refuses_a_blocking_connection_before_it_looks_for_the_network(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika

        def test_without():
            pika.BlockingConnection(pika.ConnectionParameters("localhost", 1))

        def test_with(amqp_channel):
            amqp_channel.queue_declare("q")
        """
    )
    result = pytester.runpytest_subprocess("--amqp-strict")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*BlockingConnection*"])


def test_a_connection_that_was_made_too_early_is_warned_of(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TOO_EARLY)
    result = pytester.runpytest_subprocess("-W", "default")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*to localhost:1 was made before the first amqp_broker of this session*"])
