"""A broker that does nothing, under pika's own connection class: what is measured over it is what pika itself costs.

Nothing of fakeamqp is here, and no socket. What pika sends and what it reads is made as pika makes it, anew each time:
methods, frames, properties. But no frame is made into bytes, as fakeamqp makes none either: that would be most of the
time. A message that is published is gone; each basic.get has an answer; a consumer is sent the number of messages that
`deliveries` says.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pika
from pika import frame, spec
from pika.adapters import select_connection
from pika.adapters.base_connection import BaseConnection

from benchmarks.program import BODY

SERVER = {"capabilities": {"basic.nack": True, "publisher_confirms": True, "consumer_cancel_notify": True}}
ANSWERS: dict[type, Callable[[], Any]] = {
    spec.Connection.StartOk: lambda: spec.Connection.Tune(2047, 131072, 60),
    spec.Connection.Open: spec.Connection.OpenOk,
    spec.Connection.Close: spec.Connection.CloseOk,
    spec.Channel.Open: spec.Channel.OpenOk,
    spec.Channel.Close: spec.Channel.CloseOk,
    spec.Confirm.Select: spec.Confirm.SelectOk,
    spec.Queue.Declare: lambda: spec.Queue.DeclareOk("work", 0, 0),
    spec.Queue.Purge: lambda: spec.Queue.PurgeOk(0),
    spec.Basic.Get: lambda: spec.Basic.GetOk(1, False, "", "work", 0),
    spec.Basic.Consume: lambda: spec.Basic.ConsumeOk("consumer"),
    spec.Basic.Cancel: lambda: spec.Basic.CancelOk("consumer"),
}
"""What is answered to each method that pika awaits an answer to."""


def _frames(channel_number: int, method: Any) -> Iterator[Any]:
    yield frame.Method(channel_number, method)
    if isinstance(method, spec.Basic.GetOk | spec.Basic.Deliver):
        yield frame.Header(channel_number, len(BODY), spec.BasicProperties())
        yield frame.Body(channel_number, BODY)


class NullLoop:
    """What pika asks of its loop, and of its I/O services; to poll is to process what has been answered."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.answers: deque[tuple[int, Any]] = deque()
        """Methods, each with its channel's number."""
        self._callbacks: deque[Callable[[], None]] = deque()

    def get_native_ioloop(self) -> NullLoop:
        """This loop."""
        return self

    def activate_poller(self) -> None:
        """There is no poller."""

    def close(self) -> None:
        """There is nothing to close."""

    def poll(self) -> None:
        """Process what has been answered."""
        while self.answers:
            for each in _frames(*self.answers.popleft()):
                self.connection._process_frame(each)

    def process_timeouts(self) -> None:
        """Call back whoever has asked for it."""
        while self._callbacks:
            self._callbacks.popleft()()

    def add_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        """Call back in the next round."""
        self._callbacks.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        """Nobody waits here, so nothing falls due."""
        return callback

    def remove_timeout(self, timer: object) -> None:
        """Nothing would have fallen due."""


class NullConnection(BaseConnection):
    """pika's connection, but that what it sends is answered at once."""

    deliveries = 0
    """How many messages the next consumer is sent."""

    def __init__(self, parameters: Any, loop: NullLoop) -> None:
        super().__init__(parameters, None, None, None, loop, internal_connection_workflow=False)
        self._answers = loop.answers
        self._publish_numbers: dict[int, Iterator[int]] = {}
        """Of each channel with confirms."""

    @classmethod
    def create_connection(cls, connection_configs: Sequence[Any], on_done: Any, custom_ioloop: Any) -> None:
        """Open a connection, without pika's search for an address that answers."""
        connection = cls(connection_configs[0], custom_ioloop)
        custom_ioloop.connection = connection
        connection.add_on_open_callback(on_done)
        connection._proto_connection_made(object())

    def _output_marshaled_frames(self, marshaled_frames: Sequence[Any]) -> None:
        self.frames_sent += len(marshaled_frames)
        first = marshaled_frames[0]
        if isinstance(first, frame.ProtocolHeader):
            self._answers.append((0, spec.Connection.Start(0, 9, SERVER, b"PLAIN", b"en_US")))
        elif len(marshaled_frames) == 1:
            self._answer(first.channel_number, type(first.method))
        elif first.channel_number in self._publish_numbers:
            number = next(self._publish_numbers[first.channel_number])
            self._answers.append((first.channel_number, spec.Basic.Ack(number)))

    def _answer(self, channel_number: int, asked: type) -> None:
        if asked not in ANSWERS:
            return
        self._answers.append((channel_number, ANSWERS[asked]()))
        if asked is spec.Basic.Consume:
            for tag in range(1, self.deliveries + 1):
                self._answers.append((channel_number, spec.Basic.Deliver("consumer", tag, False, "", "work")))
        elif asked is spec.Confirm.Select:
            self._publish_numbers[channel_number] = itertools.count(1)

    def _get_write_buffer_size(self) -> int:
        return 0

    def _adapter_add_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        self.ioloop.add_callback_threadsafe(callback)

    def _adapter_call_later(self, delay: float, callback: Callable[[], None]) -> object:
        return self.ioloop.call_later(delay, callback)

    def _adapter_remove_timeout(self, timeout_id: object) -> None:
        self.ioloop.remove_timeout(timeout_id)

    def _adapter_disconnect_stream(self) -> None:
        self.ioloop.add_callback_threadsafe(lambda: self._proto_connection_lost(None))


@contextlib.contextmanager
def without_bytes() -> Iterator[None]:
    """While it lasts, pika's frames stay frames where pika would make bytes of them, and loops are null loops."""
    with contextlib.ExitStack() as stack:
        for kind in (frame.ProtocolHeader, frame.Method, frame.Header, frame.Body):
            stack.callback(setattr, kind, "marshal", kind.marshal)
            kind.marshal = lambda self: self
        stack.callback(setattr, select_connection, "IOLoop", select_connection.IOLoop)
        select_connection.IOLoop = NullLoop
        yield


def connect(deliveries: int) -> pika.BlockingConnection:
    """A BlockingConnection to nothing, which sends so many messages to each consumer; `without_bytes` must last."""
    connection = pika.BlockingConnection(pika.ConnectionParameters(), _impl_class=NullConnection)
    connection._impl.deliveries = deliveries
    return connection
