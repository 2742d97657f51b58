"""Settling: what an acknowledgement frees."""

from __future__ import annotations

from fakeamqp import Broker
from fakeamqp.spec.methods import (
    BasicAck,
    BasicConsume,
    BasicDeliver,
    BasicPublish,
    BasicQos,
    QueueDeclare,
    TxCommit,
    TxSelect,
)
from fakeamqp.testing.direct import connect


def test_an_ack_that_was_given_before_a_global_limit_frees_nothing_of_it() -> None:
    channel = connect(Broker()).channel()
    channel.call(QueueDeclare("orders"))
    channel.send(BasicPublish("", "orders", body=b"1"))
    channel.send(BasicConsume("orders"))
    channel.receive()
    channel.send(TxSelect())
    channel.send(BasicAck(1))
    channel.send(BasicQos(0, 1, True))
    channel.send(TxCommit())
    for body in (b"2", b"3"):
        channel.send(BasicPublish("", "orders", body=body))
    channel.send(TxCommit())
    delivered = [method.body for method in channel.receive() if isinstance(method, BasicDeliver)]
    assert delivered == [b"2"]
