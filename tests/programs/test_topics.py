"""topics: each receiver gets the topics that match its patterns, each line once."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.programs.topics import LogReceiver, emit_logs
from tests.target import Target

LINES = [
    ("kern.info", "booted"),
    ("kern.critical", "out of memory"),
    ("cron.info", "daily"),
    ("cron.critical", "job died"),
    ("kern", "a topic of one word"),
    ("auth.login.info", "root"),
    ("kern.end.critical", "three words"),
]
END = ("system.halted", "the end")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["#"], [0, 1, 2, 3, 4, 5, 6]),
        (["kern.*"], [0, 1]),
        (["*.critical"], [1, 3]),
        (["kern.#"], [0, 1, 4, 6]),
        (["kern.*", "*.critical"], [0, 1, 3]),
        (["#.info"], [0, 2, 5]),
        (["*.*.*"], [5, 6]),
        (["kern"], [4]),
        (["ker*"], []),
    ],
    ids=str,
)
def test_a_receiver_gets_what_its_patterns_match(target: Target, patterns: list[str], expected: list[int]) -> None:
    with closing(LogReceiver(target.parameters(), *patterns, "system.halted")) as receiver:
        emit_logs(target.parameters(), [*LINES, END])
        assert receiver.receive(last_topic="system.halted") == [*(LINES[number] for number in expected), END]


def test_receivers_do_not_take_lines_from_one_another(target: Target) -> None:
    with (
        closing(LogReceiver(target.parameters(), "kern.*")) as kernel,
        closing(LogReceiver(target.parameters(), "*.critical")) as pager,
        closing(LogReceiver(target.parameters(), "#")) as archive,
    ):
        emit_logs(target.parameters(), [("cron.info", "daily"), ("kern.critical", "out of memory")])
        assert kernel.receive(last_topic="kern.critical") == [("kern.critical", "out of memory")]
        assert pager.receive(last_topic="kern.critical") == [("kern.critical", "out of memory")]
        assert [topic for topic, _ in archive.receive(last_topic="kern.critical")] == ["cron.info", "kern.critical"]
