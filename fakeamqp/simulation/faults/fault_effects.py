"""What each fault does when it strikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fakeamqp.node.kernel.timers import NEVER_US
from fakeamqp.node.metadata.lifecycle import cancel_consumer
from fakeamqp.node.node import Node
from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.sessions import handshake
from fakeamqp.node.state.connection import Channel, channel_of
from fakeamqp.simulation.clock import to_us
from fakeamqp.simulation.faults.faults import OF_A_TASK, Fault
from fakeamqp.simulation.management.operating import Operator
from fakeamqp.simulation.record.trace import FAULT
from fakeamqp.simulation.task_commands import TaskCommands
from fakeamqp.simulation.tasks.tasks import Task
from fakeamqp.simulation.world.life import Life
from fakeamqp.simulation.world.network import Network, Stream
from fakeamqp.simulation.world.world import World
from fakeamqp.spec.errors import Misuse, SoftError
from fakeamqp.spec.methods import BasicCancel, Method


class Parts(NamedTuple):
    """The parts of a simulation that faults strike."""

    world: World
    life: Life
    network: Network
    tasks: TaskCommands
    operator: Operator


class Target(NamedTuple):
    """Whom a fault strikes; where something is None, all are meant."""

    task: Task | None = None
    stream: Stream | None = None
    """Which of its connections."""
    channel_number: int | None = None
    method: Method | None = None
    """What is about to be sent on that channel, or was."""


def perform(parts: Parts, fault: Fault, target: Target) -> None:
    """Let a fault strike."""
    words = EFFECTS[fault.kind](parts, fault, target)
    if words:
        name = target.task.name if target.task is not None and fault.kind in OF_A_TASK else ""
        note(parts.world, fault, name, words)


def note(world: World, fault: Fault, task: str, words: str) -> None:
    """Put a fault that has struck on record."""
    world.trace.note(world.clock.now_us, FAULT, words, task=task, fault=fault.kind)


def _words(fault: Fault, target: Target) -> str:
    whom = f" {target.task.name}" if target.task is not None and fault.kind in OF_A_TASK else ""
    return f"{fault.kind}{whom}{'' if fault.seconds is None else f' for {fault.seconds:g} s'}"


# -- the node --------------------------------------------------------------------------------------------------------


def _crash(parts: Parts, fault: Fault, target: Target) -> str:
    if parts.world.node is None:
        return ""
    parts.life.crash(fault.lose)
    _start_later(parts, fault.seconds)
    return _words(fault, target)


def _stop(parts: Parts, fault: Fault, target: Target) -> str:
    if parts.world.node is None:
        return ""
    parts.life.stop()
    _start_later(parts, fault.seconds)
    return _words(fault, target)


def _start_later(parts: Parts, seconds: float | None) -> None:
    outage = parts.world.outages

    def start() -> None:
        if (
            parts.world.node is None and parts.world.outages == outage
        ):  # and not a later one, which ends at its own time
            parts.life.restart()

    if seconds is not None:
        parts.world.later(seconds, start)


def _alarm(parts: Parts, fault: Fault, target: Target) -> str:
    if parts.world.node is None:
        return ""
    node = parts.world.node
    end_us = NEVER_US if fault.seconds is None else parts.world.clock.now_us + to_us(fault.seconds)
    if "memory" not in node.state.alarms:
        parts.operator.alarm("memory")
        parts.operator.alarm_ends_us = end_us
    elif parts.operator.alarm_ends_us is not None:  # an alarm raised by hand ends by hand
        parts.operator.alarm_ends_us = max(parts.operator.alarm_ends_us, end_us)

    def clear() -> None:
        is_due = parts.operator.alarm_ends_us is not None and parts.operator.alarm_ends_us <= parts.world.clock.now_us
        if is_due and parts.world.node is node and "memory" in node.state.alarms:
            parts.operator.clear_alarm("memory")

    if fault.seconds is not None:
        parts.world.later(fault.seconds, clear)
    return _words(fault, target)


def _close_channel(parts: Parts, fault: Fault, target: Target) -> str:
    node = _node_now(parts)
    channels = [] if node is None else _channels(parts, target)
    if node is None or not channels:
        return ""
    error = SoftError(fault.code, fault.text)
    with parts.world.lock:
        for channel in channels:
            handshake.close_channel(node.state, channel, error, target.method if fault.before else None)
        node.finish_turn()
        parts.world.notify()
    numbers = ", ".join(str(channel.number) for channel in channels)
    return f"the node closes channel {numbers}{_of(target)} with {fault.reply}"


def _cancel_consumer(parts: Parts, fault: Fault, target: Target) -> str:
    node = _node_now(parts)
    consumers = [] if node is None else _consumers(parts, fault, target)
    if node is None or not consumers:
        return ""
    with parts.world.lock:
        for consumer in consumers:
            channel = channel_of(consumer)
            cancel_consumer(node.state, consumer)
            if channel.connection.can("consumer_cancel_notify"):
                channel.send(BasicCancel(consumer.tag, True))
        node.finish_turn()
        parts.world.notify()
    queues = ", ".join(dict.fromkeys(repr(consumer.queue.name) for consumer in consumers))
    return f"the node cancels consumers of {queues}{_of(target)}"


def _node_now(parts: Parts) -> Node | None:
    """The node, having done all that it wanted to do by now."""
    if parts.world.node is not None:
        parts.world.node.advance(parts.world.clock.now_us)
    return parts.world.node


def _of(target: Target) -> str:
    return f" of {target.task.name}" if target.task is not None else ""


def _channels(parts: Parts, target: Target) -> list[Channel]:
    return [
        channel
        for stream in _streams(parts, target)
        if stream.connection is not None
        for channel in stream.connection.channels.values()
        if not channel.is_closing and target.channel_number in (None, channel.number)
    ]


def _consumers(parts: Parts, fault: Fault, target: Target) -> list[Consumer]:
    channels = _channels(parts, target._replace(channel_number=None))
    found = [consumer for channel in channels for consumer in channel.consumers.values()]
    return [consumer for consumer in found if fault.queue in (None, consumer.queue.name)]


# -- the network -----------------------------------------------------------------------------------------------------


def _streams(parts: Parts, target: Target) -> list[Stream]:
    if target.stream is not None:
        return [target.stream]
    streams = [each for each in parts.network.open_streams() if not each.is_broken]
    return [each for each in streams if target.task is None or each.owner == target.task.name]


def _disconnect(parts: Parts, fault: Fault, target: Target) -> str:
    found = _streams(parts, target)
    for each in found:
        each.lose()
    return _words(fault, target) if found else ""


def _partition(parts: Parts, fault: Fault, target: Target) -> str:
    found = _streams(parts, target)
    for each in found:
        each.fall_silent(fault.seconds)
    return _words(fault, target) if found else ""


def _slow(parts: Parts, fault: Fault, target: Target) -> str:
    found = _streams(parts, target)
    for each in found:
        each.hold_back(fault.seconds or 0)
    return _words(fault, target) if found else ""


def _refuse(parts: Parts, fault: Fault, target: Target) -> str:
    parts.network.refuse_connections(fault.seconds or 0)
    return _words(fault, target)


# -- tasks -----------------------------------------------------------------------------------------------------------


def _kill(parts: Parts, fault: Fault, target: Target) -> str:
    task = _needed_task(fault, target)
    if task.is_alive:
        note(parts.world, fault, task.name, _words(fault, target))  # now, as whoever kills itself does not come back
        parts.tasks.needed_scheduler().fall(task)
    return ""


def _stall(parts: Parts, fault: Fault, target: Target) -> str:
    _needed_task(fault, target).stall(fault.seconds or 0)
    return _words(fault, target)


def _needed_task(fault: Fault, target: Target) -> Task:
    if target.task is None:
        raise Misuse(f"{fault.kind} strikes a task: give task=, the name of one that was spawned")
    return target.task


EFFECTS: dict[str, Callable[[Parts, Fault, Target], str]] = {
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
}
"""What each kind of fault does; answers what is to be told of it, nothing if it has found nothing to strike."""
