"""The direct door: methods into the node, and methods out."""

from __future__ import annotations

from collections.abc import Iterator

import fakeamqp
from benchmarks.timing import Figure, Round, at_least, bare_append, interleaved, seconds_each, shown
from fakeamqp.spec.methods import (
    BasicAck,
    BasicCancel,
    BasicConsume,
    BasicDeliver,
    BasicGet,
    BasicGetOk,
    BasicPublish,
    QueueDeclare,
    QueuePurge,
)
from fakeamqp.testing.direct import connect

MESSAGES = 100_000
ROUNDS = 5
BODY = b"small body"
TARGET_PER_S = 300_000
LEAST_RATIO = TARGET_PER_S / 2_400_000


class DirectRounds:
    """Rounds of `MESSAGES` messages through one queue; each leaves it empty. Methods are made inside the loops."""

    def __init__(self) -> None:
        self._connection = connect(fakeamqp.Broker())
        self._connection.channel().call(QueueDeclare("work"))

    def publish(self) -> float:
        """basic.publish."""
        spent = seconds_each(MESSAGES, self._publish_all)
        self._connection.send(1, QueuePurge("work"))
        self._connection.receive()
        return spent

    def get(self) -> float:
        """basic.get without acknowledgement, and its answer."""
        self._publish_all()
        return seconds_each(MESSAGES, lambda: self._get_all(no_ack=True))

    def get_and_ack(self) -> float:
        """basic.get, its answer, and basic.ack."""
        self._publish_all()
        return seconds_each(MESSAGES, lambda: self._ack(self._get_all(no_ack=False)))

    def deliver_and_ack(self) -> float:
        """basic.deliver to one consumer, and basic.ack."""
        self._publish_all()
        spent = seconds_each(MESSAGES, lambda: self._ack(self._consume_all()))
        self._connection.send(1, BasicCancel("consumer"))
        self._connection.receive()
        return spent

    def _publish_all(self) -> None:
        send = self._connection.send
        for _ in range(MESSAGES):
            send(1, BasicPublish("", "work", body=BODY))

    def _get_all(self, *, no_ack: bool) -> list[int]:
        send = self._connection.send
        for _ in range(MESSAGES):
            send(1, BasicGet("work", no_ack))
        tags = [method.delivery_tag for _, method in self._connection.receive() if type(method) is BasicGetOk]
        assert len(tags) == MESSAGES
        return tags

    def _consume_all(self) -> list[int]:
        self._connection.send(1, BasicConsume("work", "consumer"))
        tags = [method.delivery_tag for _, method in self._connection.receive() if type(method) is BasicDeliver]
        assert len(tags) == MESSAGES
        return tags

    def _ack(self, tags: list[int]) -> None:
        send = self._connection.send
        for tag in tags:
            send(1, BasicAck(tag))


def figures() -> Iterator[Figure]:
    """How many times in a second, against bare appends."""
    rounds = DirectRounds()
    sides: dict[str, Round] = {
        "direct: publish": rounds.publish,
        "direct: get": rounds.get,
        "direct: get and ack": rounds.get_and_ack,
        "direct: deliver and ack": rounds.deliver_and_ack,
    }
    append_s, *spent = interleaved(ROUNDS, bare_append, *sides.values())
    for name, each_s in zip(sides, spent, strict=True):
        measured = f"{shown(each_s)} ({1 / each_s:,.0f}/s)"
        words = f"({TARGET_PER_S:,}/s)"
        compared_with = f"bare append, {1 / append_s:,.0f}/s"
        yield at_least(LEAST_RATIO, name, measured, compared_with, append_s / each_s, words)
