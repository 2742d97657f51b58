"""The time for acknowledgements: whoever must answer first is looked at first."""

from __future__ import annotations

import pytest

from fakeamqp.spec.methods import BasicGet, BasicPublish, ChannelClose, QueueDeclare
from tests.unit.node._parts import SECOND_US, Session, make_node


@pytest.mark.parametrize("own_times_ms", [(90_000, 30_000), (30_000, 90_000)])
def test_the_oldest_delivery_counts_and_nobody_looks_later_than_its_time(own_times_ms: tuple[int, int]) -> None:
    session = Session(make_node())
    for name, own_ms in zip(("one", "two"), own_times_ms, strict=True):
        session.call(QueueDeclare(name, arguments={"x-consumer-timeout": own_ms}), 0)
        session.send(BasicPublish("", name), 0)
        session.call(BasicGet(name), 0)
    ticks = [60, 120]
    closed = []
    for tick in ticks:
        session.node.advance(tick * SECOND_US)
        closed.append(any(isinstance(method, ChannelClose) for method in session.received()))
    assert closed == [own_times_ms[0] < 60_000, own_times_ms[0] > 60_000]
