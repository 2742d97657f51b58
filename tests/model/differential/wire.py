"""A pika connection whose channels are spoken to in single methods, and that keeps all that arrives, in order."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import pika
import pika.exceptions
import pika.frame
import pika.spec

from fakeamqp.spec import methods
from fakeamqp.spec.methods import BasicPublish, ExchangeDeclare, ExchangeDeclareOk, Method
from fakeamqp.spec.properties import BasicProperties

PATIENCE = 20.0
"""Seconds after which a broker that has not answered never will."""


class NoAnswer(Exception):
    """The broker neither answered nor closed anything."""


class Wire:
    """One connection. `arrived` holds (channel number, method) since it was last emptied; 0 for the connection."""

    def __init__(self, connection: pika.BlockingConnection) -> None:
        self.arrived: list[tuple[int, Method]] = []
        self._connection = connection
        self._impl: Any = connection._impl
        self._pass_on = self._impl._process_frame
        self._impl._process_frame = self._on_frame
        self._content: dict[int, list[Any]] = {}

    @property
    def is_open(self) -> bool:
        """Whether the connection is open."""
        return bool(self._connection.is_open)

    def send(self, channel: int, method: Method) -> None:
        """Send a method, without waiting for anything. Raises what pika raises where it is closed."""
        content = None
        if isinstance(method, BasicPublish):
            content = (pika.BasicProperties(**_fields(method.properties)), method.body)
        self._impl._send_method(channel, _to_pika(method), content)

    def call(self, channel: int, method: Method) -> None:
        """Send a method, and return when the broker has answered it, or has handled it where no answer is due.

        Or when the channel or the connection is closed. Raises NoAnswer.
        """
        mark = len(self.arrived)
        self.send(channel, method)
        answers = _answers_to(method)
        if not answers:
            self.send(channel, ExchangeDeclare("amq.direct", passive=True))
            answers = (ExchangeDeclareOk,)
        ends = (*answers, methods.ChannelClose)
        self._wait(lambda: any(at == channel and isinstance(each, ends) for at, each in self.arrived[mark:]))
        if answers == (ExchangeDeclareOk,) and not isinstance(method, ExchangeDeclare):
            with contextlib.suppress(ValueError):
                self.arrived.remove((channel, ExchangeDeclareOk()))

    def pump(self) -> None:
        """Read what is there."""
        if self.is_open:
            with contextlib.suppress(pika.exceptions.AMQPError):
                self._connection.process_data_events(0)

    def close(self) -> None:
        """Say goodbye, if there is anybody to say it to."""
        if self.is_open:
            with contextlib.suppress(pika.exceptions.AMQPError):
                self._connection.close()

    def _wait(self, is_done: Callable[[], bool]) -> None:
        late: list[None] = []
        timer = self._impl._adapter_call_later(PATIENCE, lambda: late.append(None))
        with contextlib.suppress(pika.exceptions.AMQPError):
            self._connection._flush_output(is_done, lambda: bool(late))
        if self.is_open:
            self._impl._adapter_remove_timeout(timer)
        if late:
            raise NoAnswer

    # -- what arrives ---------------------------------------------------------------------------------------------

    def _on_frame(self, frame: Any) -> None:
        number = frame.channel_number
        if number == 0:
            if isinstance(frame, pika.frame.Method) and isinstance(frame.method, pika.spec.Connection.Close):
                self.arrived.append((0, _from_pika(frame.method)))
            self._pass_on(frame)
        elif isinstance(frame, pika.frame.Method):
            if pika.spec.has_content(frame.method.INDEX):
                self._content[number] = [frame.method]
            else:
                self._on_method(number, _from_pika(frame.method))
        else:
            self._content[number].append(frame)
            self._finish_content(number)

    def _on_method(self, number: int, method: Method) -> None:
        self.arrived.append((number, method))
        if isinstance(method, methods.ChannelClose):
            self.send(number, methods.ChannelCloseOk())  # until then a quorum queue keeps the channel's consumers

    def _finish_content(self, number: int) -> None:
        method, header, *bodies = self._content[number]
        body = b"".join(each.fragment for each in bodies)
        if len(body) == header.body_size:
            del self._content[number]
            fields = {name: getattr(header.properties, name) for name in BasicProperties.__slots__}
            self.arrived.append((number, _from_pika(method, properties=BasicProperties(**fields), body=body)))


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _to_pika(method: Method) -> Any:
    kind = _pika_class(type(method))
    known = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in _fields(method).items() if name in known})


def _from_pika(method: Any, **content: Any) -> Method:
    kind = methods.METHODS[method.INDEX >> 16, method.INDEX & 0xFFFF]
    return kind(**{name: getattr(method, name) for name in kind.__slots__ if name not in content}, **content)


def _pika_class(kind: type[Method]) -> Any:
    class_id, method_id = kind.INDEX
    return pika.spec.methods[class_id << 16 | method_id]


_BY_NAME = {each.NAME: each for each in methods.METHODS.values()}


def _answers_to(method: Method) -> tuple[type[Method], ...]:
    """The kinds of method that may answer this one; none where nothing does."""
    if getattr(method, "nowait", False):
        return ()
    if isinstance(method, methods.BasicGet):
        return (methods.BasicGetOk, methods.BasicGetEmpty)
    answer = _BY_NAME.get(f"{method.NAME}-ok")
    return () if answer is None else (answer,)
