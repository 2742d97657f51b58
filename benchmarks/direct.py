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
    BasicQos,
    QueueDeclare,
    QueuePurge,
)
from fakeamqp.testing.direct import connect

MESSAGES = 100_000
ROUNDS = 5
PREFETCH = 100
BODY = b"small body"
REFERENCE_APPENDS_PER_S = 2_400_000
TARGETS_PER_S = {"publish": 330_000, "get": 330_000, "get and ack": 150_000, "deliver and ack": 220_000}
"""On the machine that they were set on; elsewhere they move with the bare append."""


class DirectRounds:
    """Rounds of `MESSAGES` messages through one queue; each leaves it empty. Methods are made inside the loops."""

    def __init__(self, broker: fakeamqp.Broker | None = None) -> None:
        self._connection = connect(broker or fakeamqp.Broker())
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
        return seconds_each(MESSAGES, self._get_all)

    def get_and_ack(self) -> float:
        """basic.get, its answer, and basic.ack, one message after the other."""
        self._publish_all()
        return seconds_each(MESSAGES, self._get_and_ack_all)

    def deliver_and_ack(self) -> float:
        """basic.deliver to one consumer with a prefetch limit, and basic.ack."""
        self._publish_all()
        self._connection.send(1, BasicQos(prefetch_count=PREFETCH))
        self._connection.send(1, BasicConsume("work", "consumer"))
        spent = seconds_each(MESSAGES, self._ack_deliveries)
        self._connection.send(1, BasicCancel("consumer"))
        self._connection.receive()
        return spent

    def _publish_all(self) -> None:
        send = self._connection.send
        for _ in range(MESSAGES):
            send(1, BasicPublish("", "work", body=BODY))

    def _get_all(self) -> None:
        send = self._connection.send
        for _ in range(MESSAGES):
            send(1, BasicGet("work", no_ack=True))
        assert len(self._connection.receive()) == MESSAGES

    def _get_and_ack_all(self) -> None:
        send, receive = self._connection.send, self._connection.receive
        for _ in range(MESSAGES):
            send(1, BasicGet("work"))
            for _, method in receive():
                if type(method) is BasicGetOk:
                    send(1, BasicAck(method.delivery_tag))

    def _ack_deliveries(self) -> None:
        send, receive = self._connection.send, self._connection.receive
        left = MESSAGES
        while left:
            for _, method in receive():
                if type(method) is BasicDeliver:
                    send(1, BasicAck(method.delivery_tag))
                    left -= 1


def figures() -> Iterator[Figure]:
    """How many times in a second, against bare appends."""
    rounds = DirectRounds()
    sides: dict[str, Round] = {
        "publish": rounds.publish,
        "get": rounds.get,
        "get and ack": rounds.get_and_ack,
        "deliver and ack": rounds.deliver_and_ack,
    }
    append_s, *spent = interleaved(ROUNDS, bare_append, *sides.values())
    for name, each_s in zip(sides, spent, strict=True):
        target = TARGETS_PER_S[name]
        least = target / REFERENCE_APPENDS_PER_S
        measured = f"{shown(each_s)} ({1 / each_s:,.0f}/s)"
        compared_with = f"bare append, {1 / append_s:,.0f}/s"
        yield at_least(least, f"direct: {name}", measured, compared_with, append_s / each_s, f"({target:,}/s)")
