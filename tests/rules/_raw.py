"""Single AMQP methods, as pika's internals send and receive them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pika
import pika.exceptions
import pytest
from pika.amqp_object import Method
from pika.spec import Channel, Connection


class Refusal(NamedTuple):
    """What a Connection.Close or Channel.Close says: code, text, and the class and method that failed."""

    code: int
    text: str
    failed: tuple[int, int]


class Wire:
    """Sends methods on an open connection, on any channel number, and collects what RabbitMQ answers."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        self.connection = connection
        self.channel = connection.channel()
        self._impl: Any = connection._impl

    def send(self, method: Method, channel: int = 1, body: bytes | None = None) -> None:
        """Send one method; with a body also a header without properties."""
        content = None if body is None else (pika.BasicProperties(), body)
        self._impl._send_method(channel, method, content)

    def listen(self, kind: type[Method], channel: int = 1) -> list[Method]:
        """The list to which every method of this kind will be added."""
        methods: list[Method] = []
        self._impl.callbacks.add(channel, kind, lambda frame: methods.append(frame.method), one_shot=False)
        return methods

    def call(self, method: Method, answer: type[Method], channel: int = 1) -> Method:
        """Send a method and wait for this kind of answer."""
        answers = self.listen(answer, channel)
        self.send(method, channel)
        self._wait(answers)
        return answers[0]

    def _wait(self, answers: list[Method]) -> None:
        """Until there is an answer; pika does not return early for those it does not expect itself."""
        for _ in range(500):
            if answers:
                return
            self.connection.process_data_events(time_limit=0.02)
        raise AssertionError("RabbitMQ did not answer")

    def connection_refusal(self, method: Method, channel: int = 1, body: bytes | None = None) -> Refusal:
        """Send a method that makes RabbitMQ close the connection; what it says then."""
        closes = self.listen(Connection.Close, 0)
        self.send(method, channel, body)
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
            self._wait([])
        return _refusal(closes)

    def channel_refusal(self, method: Method, channel: int = 1, body: bytes | None = None) -> Refusal:
        """Send a method that makes RabbitMQ close the channel; what it says then."""
        closes = self.listen(Channel.Close, channel)
        self.send(method, channel, body)
        self._wait(closes)
        assert self.connection.is_open
        return _refusal(closes)


def _refusal(closes: list[Any]) -> Refusal:
    (close,) = closes
    return Refusal(close.reply_code, close.reply_text, (close.class_id, close.method_id))
