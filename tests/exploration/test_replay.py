"""`pytest --amqp-replay`: the line that a failing test prints makes the same run fail again."""

from __future__ import annotations

import re
import shlex

import pytest

import fakeamqp.exploration.explore  # noqa: F401 pytester forgets what is imported inside its runs

RACES = """
    import fakeamqp
    import pika
    import pytest

    def publish_unless_there():
        with pika.BlockingConnection() as connection:
            channel = connection.channel()
            if channel.queue_declare("jobs", passive=True).method.message_count == 0:
                channel.basic_publish("", "jobs", b"")

    def scenario(broker):
        with pika.BlockingConnection() as connection:
            connection.channel().queue_declare("jobs")
        for name in ("one", "two"):
            broker.spawn(publish_unless_there, name=name)

    def one_job(broker):
        assert len(broker.vhost().queue("jobs").messages) == 1

    def never(broker):
        print("explored")

    @pytest.mark.parametrize("kind", ["a kind"])
    def test_race(kind):
        fakeamqp.explore(scenario, one_job)

    def test_second():
        assert fakeamqp.explore(scenario, never, runs=3).runs == 3
        fakeamqp.explore(scenario, one_job)

    def test_right():
        fakeamqp.explore(scenario, never, runs=3)
"""


def story_of(result: pytest.RunResult) -> list[str]:
    """The steps that a failing test has told."""
    return [line.lstrip("E ") for line in result.outlines if re.match(r"E +\d+\.[ !]", line)]


@pytest.mark.parametrize(("test", "runs"), [("test_race[a kind]", 1), ("test_second", 1)])
def test_the_line_makes_the_same_run_fail_again(pytester: pytest.Pytester, test: str, runs: int) -> None:
    path = pytester.makepyfile(RACES)
    first = pytester.runpytest("-p", "no:cacheprovider", f"{path.name}::{test}")
    first.assert_outcomes(failed=1)
    line = re.search("Replay it: pytest (.*)", first.stdout.str())
    assert line
    node, option = shlex.split(line[1])
    assert node == f"{path.name}::{test}"
    assert re.fullmatch(r"--amqp-replay=(2/)?0:\d+=1", option)
    assert ("=2/" in option) == (test == "test_second")
    again = pytester.runpytest("-p", "no:cacheprovider", node, option)
    again.assert_outcomes(failed=1)
    assert story_of(again) == story_of(first)
    assert len(story_of(first)) == 4
    again.stdout.fnmatch_lines(["*Found in the run that was replayed*"])


def test_a_replayed_test_that_is_right_makes_this_run_alone(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(RACES)
    for option, runs in (("--amqp-replay=0:5=1", 1), ("--amqp-replay=2/0:5=1", 3), ("-v", 3)):
        result = pytester.runpytest("-p", "no:cacheprovider", "-s", f"{path.name}::test_right", option)
        result.assert_outcomes(passed=1)
        assert result.stdout.str().count("explored") == runs


@pytest.mark.parametrize("text", ["junk", "", "7", "0/7:1=1", "2/junk"])
def test_junk_is_a_usage_error(pytester: pytest.Pytester, text: str) -> None:
    pytester.makepyfile(RACES)
    result = pytester.runpytest("-p", "no:cacheprovider", f"--amqp-replay={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --amqp-replay: * is no run to replay*"])
