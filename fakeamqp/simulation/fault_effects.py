"""What each fault does when it strikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.node.kernel.timers import NEVER_US
from fakeamqp.node.metadata.lifecycle import cancel_consumer
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.sessions import handshake
from fakeamqp.node.state.connection import channel_of
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.faults import OF_A_TASK, OF_THE_NEXT, Fault
from fakeamqp.simulation.trace import FAULT
from fakeamqp.spec.errors import Misuse, SoftError
from fakeamqp.spec.methods import BasicCancel, Method

if TYPE_CHECKING:
    from fakeamqp.node.node import Node
    from fakeamqp.node.state.connection import Channel
    from fakeamqp.simulation.broker import SimulatedBroker
    from fakeamqp.simulation.network import Stream
    from fakeamqp.simulation.tasks import Task


class Target(NamedTuple):
    """Whom a fault strikes; where something is None, all are meant."""

    task: Task | None = None
    stream: Stream | None = None
    """Which of its connections."""
    channel_number: int | None = None
    method: Method | None = None
    """What is about to be sent on that channel, or was."""


def perform(broker: SimulatedBroker, fault: Fault, target: Target) -> None:
    """Let a fault strike."""
    words = EFFECTS[fault.kind](broker, fault, target)
    if words:
        name = target.task.name if target.task is not None and fault.kind in OF_A_TASK else ""
        note(broker, fault, name, words)


def note(broker: SimulatedBroker, fault: Fault, task: str, words: str) -> None:
    """Put a fault that has struck on record."""
    broker.trace.note(broker.clock.now_us, FAULT, words, task=task, fault=fault.kind)


def _words(fault: Fault, target: Target) -> str:
    whom = f" {target.task.name}" if target.task is not None and fault.kind in OF_A_TASK else ""
    return f"{fault.kind}{whom}{'' if fault.seconds is None else f' for {fault.seconds:g} s'}"


# -- the node --------------------------------------------------------------------------------------------------------


def _crash(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    if broker.node is None:
        return ""
    broker.crash(fault.lose)
    _start_later(broker, fault.seconds)
    return _words(fault, target)


def _stop(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    if broker.node is None:
        return ""
    broker.stop()
    _start_later(broker, fault.seconds)
    return _words(fault, target)


def _start_later(broker: SimulatedBroker, seconds: float | None) -> None:
    outage = broker.outages

    def start() -> None:
        if broker.node is None and broker.outages == outage:  # and not a later one, which ends at its own time
            broker.restart()

    if seconds is not None:
        broker.later(seconds, start)


def _alarm(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    if broker.node is None:
        return ""
    node = broker.node
    end_us = NEVER_US if fault.seconds is None else broker.clock.now_us + to_us(fault.seconds)
    if "memory" not in node.state.alarms:
        broker.alarm("memory")
        broker.alarm_ends_us = end_us
    elif broker.alarm_ends_us is not None:  # an alarm raised by hand ends by hand
        broker.alarm_ends_us = max(broker.alarm_ends_us, end_us)

    def clear() -> None:
        is_due = broker.alarm_ends_us is not None and broker.alarm_ends_us <= broker.clock.now_us
        if is_due and broker.node is node and "memory" in node.state.alarms:
            broker.clear_alarm("memory")

    if fault.seconds is not None:
        broker.later(fault.seconds, clear)
    return _words(fault, target)


def _close_channel(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    node = _node_now(broker)
    channels = [] if node is None else _channels(broker, target)
    if node is None or not channels:
        return ""
    error = SoftError(fault.code, fault.text)
    with broker.lock:
        for channel in channels:
            handshake.close_channel(node.state, channel, error, target.method if fault.before else None)
        node.finish_turn()
        broker.notify()
    numbers = ", ".join(str(channel.number) for channel in channels)
    return f"the node closes channel {numbers}{_of(target)} with {fault.reply}"


def _cancel_consumer(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    node = _node_now(broker)
    consumers = [] if node is None else _consumers(broker, fault, target)
    if node is None or not consumers:
        return ""
    with broker.lock:
        for consumer in consumers:
            channel = channel_of(consumer)
            cancel_consumer(node.state, consumer)
            if channel.connection.can("consumer_cancel_notify"):
                channel.send(BasicCancel(consumer.tag, True))
        node.finish_turn()
        broker.notify()
    queues = ", ".join(dict.fromkeys(repr(consumer.queue.name) for consumer in consumers))
    return f"the node cancels consumers of {queues}{_of(target)}"


def _node_now(broker: SimulatedBroker) -> Node | None:
    """The node, having done all that it wanted to do by now."""
    if broker.node is not None:
        broker.node.advance(broker.clock.now_us)
    return broker.node


def _of(target: Target) -> str:
    return f" of {target.task.name}" if target.task is not None else ""


def _channels(broker: SimulatedBroker, target: Target) -> list[Channel]:
    return [
        channel
        for stream in _streams(broker, target)
        if stream.connection is not None
        for channel in stream.connection.channels.values()
        if not channel.is_closing and target.channel_number in (None, channel.number)
    ]


def _consumers(broker: SimulatedBroker, fault: Fault, target: Target) -> list[Consumer]:
    channels = _channels(broker, target._replace(channel_number=None))
    found = [consumer for channel in channels for consumer in channel.consumers.values()]
    return [consumer for consumer in found if fault.queue in (None, consumer.queue.name)]


# -- the network -----------------------------------------------------------------------------------------------------


def _streams(broker: SimulatedBroker, target: Target) -> list[Stream]:
    if target.stream is not None:
        return [target.stream]
    streams = [each for each in broker.open_streams() if not each.is_broken]
    return [each for each in streams if target.task is None or each.owner == target.task.name]


def _disconnect(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    found = _streams(broker, target)
    for each in found:
        each.lose()
    return _words(fault, target) if found else ""


def _partition(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    found = _streams(broker, target)
    for each in found:
        each.fall_silent(fault.seconds)
    return _words(fault, target) if found else ""


def _slow(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    found = _streams(broker, target)
    for each in found:
        each.hold_back(fault.seconds or 0)
    return _words(fault, target) if found else ""


def _refuse(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    broker.refuse_connections(fault.seconds or 0)
    return _words(fault, target)


# -- tasks -----------------------------------------------------------------------------------------------------------


def _kill(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    task = _needed_task(fault, target)
    assert broker.scheduler is not None
    if task.is_alive:
        note(broker, fault, task.name, _words(fault, target))  # now, as whoever kills itself does not come back
        broker.scheduler.fall(task)
    return ""


def _stall(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    _needed_task(fault, target).stall(fault.seconds or 0)
    return _words(fault, target)


def _needed_task(fault: Fault, target: Target) -> Task:
    if target.task is None:
        raise Misuse(f"{fault.kind} strikes a task: give task=, the name of one that was spawned")
    return target.task


def _arm(broker: SimulatedBroker, fault: Fault, target: Target) -> str:
    broker.faults.arm(fault, target.task)
    return ""


EFFECTS: dict[str, Callable[[SimulatedBroker, Fault, Target], str]] = {
    "crash": _crash,
    "stop": _stop,
    "disconnect": _disconnect,
    "partition": _partition,
    "refuse": _refuse,
    "slow": _slow,
    "alarm": _alarm,
    "kill": _kill,
    "stall": _stall,
    "close_channel": _close_channel,
    "cancel_consumer": _cancel_consumer,
    **dict.fromkeys(OF_THE_NEXT, _arm),
}
"""What each kind of fault does; answers what is to be told of it, nothing if it has found nothing to strike."""
