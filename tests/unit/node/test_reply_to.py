"""Direct reply-to: what the rules cannot ask for through pika's blocking door."""

from __future__ import annotations

from fakeamqp.spec.methods import BasicConsume, QueueDeclare
from tests.unit.node._parts import Session, make_node


def test_who_does_not_want_an_answer_gets_none() -> None:
    session = Session(make_node())
    session.send(BasicConsume("amq.rabbitmq.reply-to", "replies", no_ack=True, nowait=True), 0)
    session.send(QueueDeclare("amq.rabbitmq.reply-to", nowait=True), 0)
    assert session.received() == []
    assert len(session.node.state.reply_channels) == 1
