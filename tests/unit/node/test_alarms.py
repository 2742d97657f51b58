"""Alarms: who is told, and what the operator cannot mean."""

from __future__ import annotations

import pytest

from fakeamqp.node.sessions.alarms import raise_alarm
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import BasicPublish, ConnectionBlocked, ConnectionUnblocked, QueueDeclare, QueueDeclareOk
from tests.unit.node._parts import Session, make_node


def test_there_is_no_alarm_for_anything_else() -> None:
    with pytest.raises(Misuse, match="no alarm 'cpu'; there is one for disk and one for memory"):
        raise_alarm(make_node().state, "cpu")


def test_an_alarm_is_raised_once_and_cleared_once() -> None:
    node = make_node()
    raise_alarm(node.state, "memory")
    raise_alarm(node.state, "memory")
    assert node.state.alarms == ("memory",)
    node.clear_alarm("memory")
    with pytest.raises(Misuse, match="no alarm 'memory' to clear"):
        node.clear_alarm("memory")


@pytest.mark.parametrize("capable", [True, False])
def test_only_a_client_that_can_hear_it_is_told(capable: bool) -> None:
    node = make_node()
    session = Session(node)
    session.connection.client_properties = {"capabilities": {"connection.blocked": capable}}
    session.call(QueueDeclare("orders"), 0)
    raise_alarm(node.state, "disk")
    session.send(BasicPublish("", "orders"), 0)
    assert session.received() == ([ConnectionBlocked("low on disk")] if capable else [])
    node.clear_alarm("disk")
    assert session.received() == ([ConnectionUnblocked()] if capable else [])
    assert session.call(QueueDeclare("orders"), 0) == QueueDeclareOk("orders", 1, 0)
