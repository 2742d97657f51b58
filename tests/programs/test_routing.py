"""routing: each receiver gets the severities that it named."""

from __future__ import annotations

from contextlib import closing

from tests.programs.routing import LogEmitter, LogReceiver
from tests.target import Target


def test_a_receiver_gets_the_lines_of_its_severities_in_order(target: Target) -> None:
    with (
        closing(LogReceiver(target.parameters(), ["error"])) as disk,
        closing(LogReceiver(target.parameters(), ["info", "warning", "error"])) as screen,
        closing(LogEmitter(target.parameters())) as emitter,
    ):
        lines = [("info", "started"), ("error", "disk full"), ("warning", "slow"), ("debug", "?"), ("error", "stopped")]
        for severity, line in lines:
            emitter.emit(severity, line)
        disk.wait(2, patience=10)
        screen.wait(4, patience=10)
        assert disk.log == [("error", "disk full"), ("error", "stopped")]
        assert screen.log == [("info", "started"), ("error", "disk full"), ("warning", "slow"), ("error", "stopped")]


def test_a_receiver_waits_no_longer_than_its_patience(target: Target) -> None:
    with (
        closing(LogReceiver(target.parameters(), ["error"])) as receiver,
        closing(LogEmitter(target.parameters())) as emitter,
    ):
        emitter.emit("info", "nobody wants this")
        receiver.wait(1, patience=0.2)
        assert receiver.log == []
