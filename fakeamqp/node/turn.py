"""A turn: queues carry out the commands that were sent to them, one after the other, until none is left.

Each command ends in its queue's own checkout: what can be delivered is delivered, before the next command is taken.
What a queue wants done elsewhere are effects; those that address another queue are commands at the end of the line.
Source: rabbit_amqqueue_process.erl and rabbit_fifo.erl, where a queue is a process that finishes one message before it
takes the next.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fakeamqp.node.kernel.journal import Journal
from fakeamqp.node.kernel.message import NO_EXPIRY_US, Entry
from fakeamqp.node.messages.dead_letter import dead_letter, finish_dead_letters, give_up
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.metadata.lifecycle import delete_queue
from fakeamqp.node.metadata.recovery import restart_queue
from fakeamqp.node.metadata.survival import survives_entry
from fakeamqp.node.observers.event_exchange import INTERNAL
from fakeamqp.node.queues.effects import (
    Deliver,
    Effect,
    Forget,
    GiveUp,
    Replaced,
    SettledAtOnce,
    Unused,
    WakeAt,
)
from fakeamqp.node.queues.queue import Queue, Unacked
from fakeamqp.node.sessions.confirms import finish_commits, release
from fakeamqp.node.sessions.delivering import deliver, hand_out
from fakeamqp.node.state import queue_commands
from fakeamqp.node.state.connection import ACKNOWLEDGED
from fakeamqp.node.state.connection import REQUEUED as GOES_BACK
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import Command
from fakeamqp.node.state.watching import ACKED, FORGOTTEN, PURGED, REFUSED, REQUEUED
from fakeamqp.spec.methods import BasicGetEmpty, BasicGetOk, QueuePurgeOk


def run(state: NodeState) -> None:
    """Carry out every command, and what follows from them."""
    line = state.line
    while line:
        command = line.popleft()
        queue = command.queue
        if not queue.is_deleted:
            CARRY_OUT[type(command)](state, queue, command)


def answer(state: NodeState) -> None:
    """Give every answer that may be given now, which may send queues new commands."""
    if state.commits:
        finish_commits(state)
    if state.awaiting or state.unsafe:
        release(state)
    if state.dead_letters:
        finish_dead_letters(state)


def _checkout(state: NodeState, queue: Queue) -> None:
    _bring_about(state, queue, queue.type.checkout(queue, state.now_us))


# -- commands ----------------------------------------------------------------------------------------------------------


def _publish(state: NodeState, queue: Queue, command: queue_commands.Publish) -> None:
    message, receipt = command.message, command.receipt
    if queue.may_refuse and _fails(state, queue, command):
        return
    entry = queue.type.enqueue(queue, message, state.now_us)
    if queue.store is not None:
        _keep(state.journal, queue, entry)
    if receipt is not None:
        receipt.taken(queue.name, state.journal.appended if entry.survives else 0)
    if queue.had_consumer or queue.is_limited or entry.expires_us != NO_EXPIRY_US:
        _checkout(state, queue)


def _fails(state: NodeState, queue: Queue, command: queue_commands.Publish) -> bool:
    """Whether a queue that may refuse does not take a message."""
    if queue.type.dies_of_publish(queue):
        if command.receipt is not None and command.message.is_persistent and queue.store is not None:
            command.receipt.refused()
        restart_queue(state, queue)
        return True
    if queue.type.refuses(queue, command.message):
        _refuse(state, queue, command)
        return True
    return False


def _refuse(state: NodeState, queue: Queue, command: queue_commands.Publish) -> None:
    if command.receipt is not None:
        command.receipt.refused()
    if state.watch is not None:
        state.watch((state.now_us, REFUSED, command.message, queue.alone, command.publisher, None))
    if queue.settings.overflow == "reject-publish-dlx":
        dead_letter(state, queue, command.message, "maxlen")


def _keep(journal: Journal, queue: Queue, entry: Entry) -> None:
    """A new entry is in the journal, if it survives."""
    if queue.store is not None and survives_entry(queue, entry.message):
        entry.survives = True
        journal.add_entry(queue.store, entry)


def _settle(state: NodeState, queue: Queue, command: queue_commands.Settle) -> None:
    channel, consumer, outcome = command.channel, command.consumer, command.outcome
    deliveries = command.deliveries
    if outcome is ACKNOWLEDGED:
        for each in deliveries:
            if state.watch is not None:
                details = {"delivery_tag": each.delivery_tag}
                state.watch((state.now_us, ACKED, each.entry.message, queue.alone, channel, details))
            if each.entry.survives:
                state.retract_entry(queue, each.entry)
        effects = queue.type.acknowledge(queue, deliveries, channel, consumer, state.now_us)
    elif outcome is GOES_BACK:
        _tell_of_return(state, queue, deliveries)
        effects = queue.type.requeue(queue, deliveries, channel, consumer, state.now_us)
    else:
        effects = queue.type.reject(queue, deliveries, channel, consumer, state.now_us)
    if effects:
        _bring_about(state, queue, effects)


def _tell_of_return(state: NodeState, queue: Queue, deliveries: list[Unacked]) -> None:
    if not queue.type.is_log:
        state.tell_leaving(REQUEUED, queue, (each.entry for each in deliveries))


def _settle_at_once(state: NodeState, queue: Queue, command: queue_commands.SettleAtOnce) -> None:
    consumer = command.consumer
    consumer.outstanding = 0
    _bring_about(state, queue, queue.type.acknowledge(queue, [], consumer.channel, consumer, state.now_us))


def _return(state: NodeState, queue: Queue, command: queue_commands.Return) -> None:
    for consumer in command.consumers:
        queue.remove_consumer(consumer)
    _tell_of_return(state, queue, command.deliveries)
    if command.deliveries:
        _bring_about(state, queue, queue.type.take_back(queue, command.deliveries, state.now_us))
    else:
        _checkout(state, queue)


def _get(state: NodeState, queue: Queue, command: queue_commands.Get) -> None:
    channel = command.channel
    if not queue.backlog:
        channel.send(BasicGetEmpty())
        return
    entry, ready, effects = queue.type.get(queue, command.no_ack, state.now_us)
    message = entry.message
    redelivered = entry.is_redelivered
    told = queue.type.fetched_properties
    tag = hand_out(state, queue, entry, channel, None, no_ack=command.no_ack)
    channel.send(
        BasicGetOk(
            tag,
            redelivered,
            message.exchange,
            message.routing_key,
            ready,
            message.properties if told is None else told(queue, entry),
            message.body,
        )
    )
    if effects:
        _bring_about(state, queue, effects)


def _consume(state: NodeState, queue: Queue, command: queue_commands.Consume) -> None:
    queue.type.add_consumer(queue, command.consumer, command.unsettled)
    queue.had_consumer = True
    _checkout(state, queue)


def _cancel(state: NodeState, queue: Queue, command: queue_commands.Cancel) -> None:
    _bring_about(state, queue, queue.type.cancel(queue, command.consumer, state.now_us))


def _credit(state: NodeState, queue: Queue, command: queue_commands.Credit) -> None:
    if queue.consumers.unpark_all(command.channel):
        _checkout(state, queue)


def _purge(state: NodeState, queue: Queue, command: queue_commands.Purge) -> None:
    purged = queue.clear()
    state.tell_leaving(PURGED, queue, purged)
    for entry in purged:
        state.retract_entry(queue, entry)
    if command.channel is not None:
        command.channel.send(QueuePurgeOk(len(purged)))
    _checkout(state, queue)


def _configure(state: NodeState, queue: Queue, command: queue_commands.Configure) -> None:
    effects = queue.type.configure(queue, command.settings, state.now_us)
    renew_lease(state, queue)
    _bring_about(state, queue, effects)


def _crash(state: NodeState, queue: Queue, command: queue_commands.Crash) -> None:
    restart_queue(state, queue)


def _let_time_pass(state: NodeState, queue: Queue, command: queue_commands.TimePasses) -> None:
    _checkout(state, queue)


def _expire(state: NodeState, queue: Queue, command: queue_commands.Expire) -> None:
    if not queue.consumers:
        delete_queue(state, queue, INTERNAL)


CARRY_OUT: dict[type[Command], Callable[[NodeState, Queue, Any], None]] = {
    queue_commands.Publish: _publish,
    queue_commands.Settle: _settle,
    queue_commands.SettleAtOnce: _settle_at_once,
    queue_commands.Return: _return,
    queue_commands.Get: _get,
    queue_commands.Consume: _consume,
    queue_commands.Cancel: _cancel,
    queue_commands.Credit: _credit,
    queue_commands.Purge: _purge,
    queue_commands.Configure: _configure,
    queue_commands.Crash: _crash,
    queue_commands.TimePasses: _let_time_pass,
    queue_commands.Expire: _expire,
}


# -- effects -----------------------------------------------------------------------------------------------------------


def _bring_about(state: NodeState, queue: Queue, effects: list[Effect]) -> None:
    for effect in effects:
        if type(effect) is Deliver:
            deliver(state, queue, effect.consumer, effect.entry)
        else:
            BRING_ABOUT[type(effect)](state, queue, effect)


def _give_up(state: NodeState, queue: Queue, effect: GiveUp) -> None:
    give_up(state, queue, effect.entry, effect.reason, effect.failures)


def _wake(state: NodeState, queue: Queue, effect: WakeAt) -> None:
    if queue.wake_timer is not None:
        if queue.wake_timer.at_us == effect.at_us:
            return
        queue.wake_timer.cancel()
    queue.wake_timer = state.timers.at(effect.at_us, partial(_look_at_time, state, queue))


def _look_at_time(state: NodeState, queue: Queue) -> None:
    queue.wake_timer = None
    queue.backlog.unseen_head = None
    state.line.append(queue_commands.TimePasses(queue))


def _send_settlement(state: NodeState, queue: Queue, effect: SettledAtOnce) -> None:
    state.line.append(queue_commands.SettleAtOnce(queue, effect.consumer))


def _delete(state: NodeState, queue: Queue, effect: Unused) -> None:
    delete_queue(state, queue, INTERNAL)


def _replace(state: NodeState, queue: Queue, effect: Replaced) -> None:
    state.retract_entry(queue, effect.old)
    _keep(state.journal, queue, effect.new)


def _forget(state: NodeState, queue: Queue, effect: Forget) -> None:
    state.tell_leaving(FORGOTTEN, queue, [effect.entry])
    state.retract_entry(queue, effect.entry)


BRING_ABOUT: dict[type[Effect], Callable[[NodeState, Queue, Any], None]] = {
    GiveUp: _give_up,
    WakeAt: _wake,
    SettledAtOnce: _send_settlement,
    Unused: _delete,
    Replaced: _replace,
    Forget: _forget,
}
