"""The pytest plugin, as a test suite that uses it sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from inspect import cleandoc

import pytest

import fakeamqp.clients.redirection  # noqa: F401 pytester forgets what is imported inside its runs

SEES_A_BROKER = """
    import pika

    def test(amqp_broker):
        pika.BlockingConnection().channel().queue_declare("orders")
        print("saw", amqp_broker.version, amqp_broker.seed, [vhost.name for vhost in amqp_broker.vhosts()])
"""


def saw(result: pytest.RunResult) -> str:
    """What `SEES_A_BROKER` has printed."""
    result.assert_outcomes(passed=1)
    found = re.search("saw (.*)", result.stdout.str())
    assert found
    return found[1]


# -- fixtures --------------------------------------------------------------------------------------------------------


def test_the_fixtures_are_one_broker_one_connection_and_one_channel(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika
        import fakeamqp

        def test(amqp_broker, amqp_connection, amqp_channel):
            assert isinstance(amqp_broker, fakeamqp.Broker)
            assert isinstance(amqp_connection, pika.BlockingConnection)
            assert amqp_channel.connection is amqp_connection
            amqp_channel.queue_declare("orders")
            with pika.BlockingConnection() as other:
                other.channel().queue_declare("orders", passive=True)

        def test_channel_alone(amqp_channel):
            assert amqp_channel.is_open
        """
    )
    pytester.runpytest().assert_outcomes(passed=2)


def test_every_test_gets_a_fresh_broker_and_pika_is_restored(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_fresh(amqp_broker, number):
            assert amqp_broker.list_queues() == []
            pika.BlockingConnection().channel().queue_declare("orders")

        def test_restored():
            assert "fakeamqp" not in pika.SelectConnection.__init__.__code__.co_filename
        """
    )
    pytester.runpytest().assert_outcomes(passed=4)


def test_the_fixtures_serve_classes_fixtures_and_generators(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def queue(amqp_channel):
            yield amqp_channel.queue_declare("orders").method.queue
            amqp_channel.queue_delete("orders")

        @pytest.mark.amqp(seed=3)
        class TestOrders:
            def test_one(self, amqp_broker, queue):
                assert (queue, amqp_broker.seed) == ("orders", 3)

            @pytest.mark.amqp(seed=4, version="3.10")
            def test_two(self, amqp_broker):
                assert (amqp_broker.seed, amqp_broker.version) == (4, "3.10")

            @pytest.mark.amqp(version="3.10")
            def test_three(self, amqp_broker):
                assert (amqp_broker.seed, amqp_broker.version) == (3, "3.10")
        """
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=3)


def test_a_test_may_crash_the_broker_and_leave_everything_open(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_crash(amqp_broker, amqp_channel):
            amqp_broker.crash()

        def test_stop(amqp_broker, amqp_channel):
            amqp_broker.stop()

        def test_after(amqp_channel):
            amqp_channel.queue_declare("orders")
        """
    )
    pytester.runpytest("-W", "error").assert_outcomes(passed=3)


def test_a_broker_of_ones_own_beside_the_fixture_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import fakeamqp
        import pytest

        def test(amqp_broker):
            with pytest.raises(fakeamqp.Misuse, match="pika is redirected to a Broker already"):
                fakeamqp.Broker().__enter__()
            assert fakeamqp.Broker().connect().is_open
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_the_decorator_serves_unittest_and_functions_without_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import unittest
        import fakeamqp
        import pika

        class TestOrders(unittest.TestCase):
            def setUp(self):
                self.broker = fakeamqp.Broker()
                self.broker.__enter__()
                self.addCleanup(self.broker.__exit__, None, None, None)

            def test_one(self):
                pika.BlockingConnection().channel().queue_declare("orders")
                self.assertEqual([queue.name for queue in self.broker.list_queues()], ["orders"])

        class TestDecorated(unittest.TestCase):
            @fakeamqp.Broker()
            def test_two(self):
                self.assertTrue(pika.BlockingConnection().is_open)

        @fakeamqp.Broker()
        def test_three(tmp_path):
            assert pika.BlockingConnection().is_open
        """
    )
    pytester.runpytest().assert_outcomes(passed=3)


def test_asyncio_needs_no_other_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import asyncio
        from pika.adapters.asyncio_connection import AsyncioConnection

        def test(amqp_broker):
            async def connect():
                opened = asyncio.get_running_loop().create_future()
                AsyncioConnection(on_open_callback=opened.set_result)
                return await opened

            assert asyncio.run(connect()).is_open
        """
    )
    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


# -- how the broker is made ------------------------------------------------------------------------------------------


def test_without_settings_it_is_the_newest_version_and_seed_0(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SEES_A_BROKER)
    assert saw(pytester.runpytest("-s")) == "4.0 0 ['/']"


def test_the_ini_file_makes_it(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\namqp_version = 3.10\namqp_seed = 7\namqp_vhosts = billing shop")
    pytester.makepyfile(SEES_A_BROKER)
    assert saw(pytester.runpytest("-s")) == "3.10 7 ['/', 'billing', 'shop']"


def test_the_command_line_goes_before_the_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\namqp_version = 3.10\namqp_seed = 7")
    pytester.makepyfile(SEES_A_BROKER)
    assert saw(pytester.runpytest("-s", "--amqp-seed=0", "--amqp-version=4.0")) == "4.0 0 ['/']"


def test_the_marker_goes_before_the_command_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import pytest\npytestmark = pytest.mark.amqp(version='3.10', seed=9, vhosts=['billing'])\n"
        + cleandoc(SEES_A_BROKER)
    )
    result = pytester.runpytest("-s", "--amqp-seed=1", "--amqp-version=4.0")
    assert saw(result) == "3.10 9 ['/', 'billing']"


def test_the_marker_makes_users(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pika
        import pytest

        @pytest.mark.amqp(users={"alice": "secret"})
        def test(amqp_broker):
            credentials = pika.PlainCredentials("alice", "secret")
            assert pika.BlockingConnection(pika.ConnectionParameters(credentials=credentials)).is_open
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("version='9'", "no RabbitMQ version '9' here; version= takes one of 3.10, 4.0"),
        ("7", "@pytest.mark.amqp takes keywords only"),
        ("sede=7", "sede"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error_of_its_test(
    pytester: pytest.Pytester, arguments: str, says: str
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.amqp({arguments})
        def test_marked(amqp_broker):
            pass

        def test_other(amqp_broker):
            pass
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines([f"*{says.replace('[', '[[]')}*"])


def test_a_version_on_the_command_line_that_is_none(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SEES_A_BROKER)
    result = pytester.runpytest("--amqp-version=latest")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no RabbitMQ version 'latest' here; version= takes one of 3.10, 4.0*"])


def test_a_seed_on_the_command_line_that_is_no_number(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SEES_A_BROKER)
    result = pytester.runpytest("--amqp-seed=seven")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--amqp-seed*invalid int value: 'seven'*"])


def test_markers_and_options_are_documented(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.amqp(version=, seed=, vhosts=, users=, ...)*"])
    shown = pytester.runpytest("--help").stdout
    shown.fnmatch_lines(["*--amqp-seed=*", "*--amqp-version=*"])
    shown.fnmatch_lines(["*amqp_seed*", "*amqp_version*", "*amqp_vhosts*"])
    shown = pytester.runpytest("--fixtures").stdout
    shown.fnmatch_lines(["*amqp_broker*", "*amqp_connection*", "*amqp_channel*"])


# -- what it costs where it is not used ------------------------------------------------------------------------------


def test_a_suite_that_does_not_use_it_imports_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test():
            loaded = [name for name in sys.modules if name.split(".")[0] in ("fakeamqp", "pika", "sortedcontainers")]
            assert sorted(loaded) == [
                "fakeamqp", "fakeamqp.exploration", "fakeamqp.exploration.settings", "fakeamqp.pytest_plugin"
            ]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_failure_in_such_a_suite_imports_nothing_either(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_failed():
            assert 0

        def test_loaded():
            assert not [name for name in sys.modules if name.startswith(("fakeamqp.node", "fakeamqp.sim", "pika"))]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1, failed=1)


def test_importing_fakeamqp_imports_neither_pika_nor_pytest(pytester: pytest.Pytester) -> None:
    made = pytester.makepyfile(
        program="""
        import sys
        import fakeamqp
        assert not {"pika", "pytest", "fakeamqp.node"} & set(sys.modules)
        fakeamqp.Broker()
        assert not {"pika", "pytest"} & set(sys.modules)
        """
    )
    assert pytester.runpython(made).ret == 0


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test(amqp_broker):\n    pass")
    result = pytester.runpytest_subprocess("-p", "no:fakeamqp")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'amqp_broker' not found*"])


def test_suites_in_parallel_processes_do_not_disturb_one_another(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SEES_A_BROKER)
    command = [sys.executable, "-m", "pytest", "-q"]
    running = [pytester.popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert [each.wait(timeout=60) for each in running] == [0, 0, 0]


def test_no_broker_outlives_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import gc

        import pytest
        from fakeamqp import Broker

        @pytest.mark.parametrize("n", range(3))
        def test(amqp_broker, amqp_channel, n):
            amqp_channel.queue_declare("q")

        def test_last():
            gc.collect()
            assert not [each for each in gc.get_objects() if isinstance(each, Broker)]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=4)
