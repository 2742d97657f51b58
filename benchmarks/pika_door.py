"""The pika door, against the same door over a node that does nothing: what is left is pika's own cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fakeamqp
from benchmarks.program import BODY, Program
from benchmarks.timing import Figure, at_most, interleaved, shown
from fakeamqp.node.node import Node
from fakeamqp.node.state.connection import Connection
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicConsumeOk,
    BasicDeliver,
    BasicGet,
    BasicGetOk,
    BasicPublish,
    Method,
)

MESSAGES = 1000
ROUNDS = 25
MOST_RATIO = 1.35


class NullNode:
    """Stands in for a node: it has the answers of the measured methods ready, and leaves all others to a real one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._got = (1, BasicGetOk(1, False, "", "work", 0, body=BODY))
        self._delivered = [
            (1, BasicDeliver("consumer", tag, False, "", "work", body=BODY)) for tag in range(1, MESSAGES + 1)
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def handle(self, connection: Connection, channel_number: int, method: Method, now_us: int) -> None:
        """Answer without doing anything."""
        kind = type(method)
        if kind is BasicPublish or kind is BasicAck:
            return
        if kind is BasicGet:
            connection.outbox.append(self._got)
        elif kind is BasicConsume:
            connection.outbox.append((channel_number, BasicConsumeOk("consumer")))
            connection.outbox.extend(self._delivered)
        else:
            self._node.handle(connection, channel_number, method, now_us)


def figures() -> Iterator[Figure]:
    """Time with the node, against time without."""
    full = Program(fakeamqp.Broker().connect, MESSAGES)
    idle = fakeamqp.Broker()
    assert idle.simulation.world.node is not None
    idle.simulation.world.node = NullNode(idle.simulation.world.node)  # type: ignore[assignment]
    null = Program(idle.connect, MESSAGES)
    sides = {
        "pika door: publish": (full.publish, null.publish),
        "pika door: get": (full.get, null.get),
        "pika door: consume and ack": (full.consume_and_ack, null.consume_and_ack),
    }
    for name, (with_node, without) in sides.items():
        full_s, null_s = interleaved(ROUNDS, with_node, without)
        yield at_most(MOST_RATIO, name, shown(full_s), f"the door over a null node, {shown(null_s)}", full_s / null_s)
