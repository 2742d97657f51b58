"""`broker.faults`: faults by hand and by script, and what the network and the tasks ask about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fakeamqp.node.node import Node
from fakeamqp.simulation.faults import protocol_faults
from fakeamqp.simulation.faults.fault_effects import Parts, Target, note, perform
from fakeamqp.simulation.faults.faults import OF_THE_NEXT, Fault
from fakeamqp.simulation.faults.protocol_faults import Recurrence
from fakeamqp.simulation.tasks.tasks import Task
from fakeamqp.simulation.world.network import Stream
from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.methods import Method


@dataclass
class Waiting:
    """A fault that has not struck yet."""

    fault: Fault
    to_pass: int
    """How many methods that fit it still lets pass."""
    recurrence: Recurrence | None = None
    """The delivery that comes again and again, once it is known which."""


class FaultCommands:
    """`broker.faults`: each call strikes at once or, with at=, before= or after=, when that comes.

    Misuse is raised for what makes no sense, such as a method that no client sends.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        """What faults strike; for whoever draws some."""
        self._world = parts.world
        self.waiting: list[Waiting] = []
        """Faults that have not struck yet, or are not over."""

    @property
    def plan(self) -> tuple[Fault, ...]:
        """What is still to strike."""
        return tuple(each.fault for each in self.waiting if each.recurrence is None)

    def play(self, plan: Iterable[Fault]) -> None:
        """Have all faults of a plan strike, each when its time comes."""
        for fault in plan:
            self.strike(fault)

    def strike(self, fault: Fault) -> None:
        """Have one fault strike, now or when its time comes."""
        steps = self.parts.tasks.steps
        if fault.at is not None and fault.at <= steps:
            raise Misuse(f"step {fault.at} is over, {steps} were made; leave out at= to strike now")
        if fault.kind in OF_THE_NEXT or fault.at is not None or fault.method is not None:
            self.waiting.append(Waiting(fault, fault.occurrence - 1))
        else:
            self.perform(fault, Target(self._task(fault.task)))

    def perform(self, fault: Fault, target: Target) -> None:
        """Let a fault strike; one that waits for the next of something does so from now on."""
        if fault.kind in OF_THE_NEXT:
            name = fault.task if target.task is None else target.task.name
            self.waiting.append(Waiting(replace(fault, at=None, task=name), fault.occurrence - 1))
        else:
            perform(self.parts, fault, target)

    def crash(self, **when: Any) -> None:
        """The node dies, as by `broker.crash()`; with `seconds` it is started again after that time."""
        self.strike(Fault("crash", **when))

    def stop(self, **when: Any) -> None:
        """The node is shut down gracefully; with `seconds` it is started again after that time."""
        self.strike(Fault("stop", **when))

    def disconnect(self, **when: Any) -> None:
        """A connection breaks: of the task, of whoever sends the method, or all. What is under way is lost."""
        self.strike(Fault("disconnect", **when))

    def partition(self, **when: Any) -> None:
        """A connection goes silent: nothing arrives any more at either end, until heartbeats are missed.

        With `seconds` it recovers after that time; then what was said meanwhile arrives, as TCP sends it again.
        """
        self.strike(Fault("partition", **when))

    def refuse(self, **when: Any) -> None:
        """New connections are refused for `seconds`."""
        self.strike(Fault("refuse", **when))

    def slow(self, **when: Any) -> None:
        """What the node says reaches a client `seconds` later."""
        self.strike(Fault("slow", **when))

    def alarm(self, **when: Any) -> None:
        """The node runs low on memory, for `seconds`: publishers are blocked."""
        self.strike(Fault("alarm", **when))

    def kill(self, **when: Any) -> None:
        """A task dies; its supervisor, if it has one, starts it again."""
        self.strike(Fault("kill", **when))

    def stall(self, **when: Any) -> None:
        """A task does nothing for `seconds`."""
        self.strike(Fault("stall", **when))

    def close_channel(self, **when: Any) -> None:
        """The node closes a channel with `code` (406 by default) and `text`.

        With `before` it is the method's channel, and the method is not executed; with `after` it was. Otherwise all
        channels of the task are closed, or all there are.
        """
        self.strike(Fault("close_channel", **when))

    def cancel_consumer(self, **when: Any) -> None:
        """The node cancels consumers, as when their queue's leader goes: of the task, of the `queue`, or all."""
        self.strike(Fault("cancel_consumer", **when))

    def nack(self, **when: Any) -> None:
        """The next publish on a channel in confirm mode is refused with basic.nack, and not stored."""
        self.strike(Fault("nack", **when))

    def lose_confirm(self, **when: Any) -> None:
        """The next basic.ack or basic.nack with which the node confirms a publish never reaches the client."""
        self.strike(Fault("lose_confirm", **when))

    def redeliver(self, **when: Any) -> None:
        """The next delivery comes again, `times` more times (2 by default), although the client acknowledges it.

        Each of these acknowledgements is as good as lost: the node takes it for a requeue.
        """
        self.strike(Fault("redeliver", **when))

    def reorder(self, **when: Any) -> None:
        """The next delivery with another behind it changes places with that one; not of quorum queues and streams."""
        self.strike(Fault("reorder", **when))

    # -- what tasks call ----------------------------------------------------------------------------------------------

    def at_step(self, number: int, task: Task, stream: Stream | None) -> None:
        """Tasks have come to a step; `stream` is what the task is about to use."""
        for each in [each for each in self.waiting if each.fault.at == number]:
            self.waiting.remove(each)
            meant = self._task(each.fault.task) or task
            self.perform(each.fault, Target(meant, stream if meant is task else None))

    # -- what the network calls ---------------------------------------------------------------------------------------

    def before_send(self, stream: Stream, channel_number: int, method: Method) -> None:
        """A client is about to send a method."""
        self._look_for("before", stream, channel_number, method)

    def after_send(self, stream: Stream, channel_number: int, method: Method) -> None:
        """A method has arrived."""
        self._look_for("after", stream, channel_number, method)

    def _look_for(self, moment: str, stream: Stream, channel_number: int, method: Method) -> None:
        due: list[Waiting] = []
        for each in self.waiting:
            fault = each.fault
            if getattr(fault, moment) == method.NAME and fault.task in (None, stream.owner) and self._is_due(each):
                due.append(each)
        for each in due:
            self.waiting.remove(each)
        for each in due:
            task = self._task(stream.owner or None)
            self.perform(each.fault, Target(task, stream, channel_number, method))
        scheduler = self.parts.tasks.scheduler
        if due and scheduler is not None and scheduler.is_here():
            scheduler.sit_out()

    @staticmethod
    def _is_due(waiting: Waiting) -> bool:
        """Count a method that fits; whether it is the one."""
        waiting.to_pass -= 1
        return waiting.to_pass < 0

    def arriving(self, stream: Stream, node: Node, channel_number: int, method: Method) -> Sequence[Method]:
        """What the node is to execute where a client has sent a method: mostly just that."""
        assert stream.connection is not None
        node.advance(self._world.clock.now_us)
        channel = stream.connection.channels.get(channel_number)
        if channel is None or channel.is_closing:
            return (method,)
        for each in self._armed(stream, "nack"):
            if protocol_faults.is_confirmed(node, channel, method) and self._is_due(each):
                self.waiting.remove(each)
                self._tell(each.fault, stream, protocol_faults.refuse_publish(node, channel, method, stream.owner))
                return ()
        recurrences = [each.recurrence for each in self.waiting if each.recurrence is not None]
        found, words = protocol_faults.take_for_lost(channel, method, recurrences, stream.owner)
        for text in words:
            self._tell(Fault("redeliver"), stream, text)
        self.waiting = [each for each in self.waiting if each.recurrence is None or each.recurrence.times]
        return found

    def let_through(self, stream: Stream, outbox: deque[tuple[int, Method]]) -> bool:
        """A client is about to read what is first in its outbox; whether anything is left there."""
        connection = stream.connection
        assert connection is not None
        for each in self._armed(stream, "lose_confirm"):
            if outbox and protocol_faults.is_confirm(outbox[0][1]) and self._is_due(each):
                self.waiting.remove(each)
                self._tell(each.fault, stream, protocol_faults.lose_confirm(outbox, stream.owner))
        if self._world.node is None or connection.id not in self._world.node.state.connections:
            return bool(outbox)
        for each in self._armed(stream, "reorder"):
            exchange = protocol_faults.successor(connection, outbox, each.fault.queue)
            if exchange is not None and self._is_due(each):
                self.waiting.remove(each)
                self._tell(each.fault, stream, exchange(self._world.node, stream.owner))
        for each in self._armed(stream, "redeliver"):
            recurrence = protocol_faults.recurrence_of(connection, outbox, each.fault)
            if recurrence is not None and self._is_due(each):
                each.recurrence = recurrence
        return bool(outbox)

    def _armed(self, stream: Stream, kind: str) -> list[Waiting]:
        """Faults of a kind that wait for what happens on this stream."""
        return [
            each
            for each in self.waiting
            if each.fault.kind == kind
            and each.fault.at is None
            and each.recurrence is None
            and each.fault.task in (None, stream.owner)
        ]

    def _tell(self, fault: Fault, stream: Stream, text: str) -> None:
        note(self._world, fault, stream.owner, text)

    def _task(self, name: str | None) -> Task | None:
        return None if name is None else self.parts.tasks.named(name)
