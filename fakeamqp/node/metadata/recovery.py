"""How a node comes back from its journal."""

from __future__ import annotations

from fakeamqp.node.kernel.journal import QueueStore
from fakeamqp.node.messages.dead_letter import retry_dead_letters
from fakeamqp.node.messages.late_delivery import recover_delayed
from fakeamqp.node.metadata.apply import APPLY
from fakeamqp.node.metadata.lease import renew_lease
from fakeamqp.node.metadata.lifecycle import cancel_consumers
from fakeamqp.node.metadata.policies import configure_new_queue
from fakeamqp.node.metadata.survival import is_redelivered_after_restart
from fakeamqp.node.queues.effects import Discarded
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.types import make_queue
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.queue_commands import TimePasses
from fakeamqp.node.state.watching import DELETED


def recover(state: NodeState) -> None:
    """Build a node's memory from its journal."""
    journal = state.journal
    for fact in journal.facts.values():
        APPLY[type(fact)](state, fact)
    for vhost in state.vhosts.values():
        for exchange in vhost.exchanges.values():
            exchange.index.recover()
    recover_delayed(state)
    queues = [state.vhosts[vhost_name].queues[name] for vhost_name, name in journal.stores]
    for queue, store in zip(queues, journal.stores.values(), strict=True):
        _recover_messages(queue, store, journal.was_shut_down)
        queue.type.has_recovered(queue)
        renew_lease(state, queue)
        state.line.append(TimePasses(queue))
    for queue in queues:
        retry_dead_letters(state, queue)
    journal.was_shut_down = False


def restart_queue(state: NodeState, queue: Queue) -> None:
    """A queue's process has died and is started again: only what is on disk comes back, and nobody consumes.

    Source: rabbit_amqqueue_process.erl (init_it2), rabbit_amqqueue_sup.erl; observed on 3.10.8.
    """
    state.journal.sync()
    cancel_consumers(state, queue)
    on_disk = {} if queue.store is None else queue.store.entries
    held = (*queue.backlog, *queue.unacked.values())
    state.tell_leaving(DELETED, queue, (each for each in held if each.position not in on_disk))
    queue.close()
    again = make_queue(queue.fact, queue.store, queue.profile)
    configure_new_queue(state, again)
    state.vhosts[queue.fact.vhost].add_queue(again)
    if queue.store is not None:
        _recover_messages(again, queue.store, was_shut_down=False)
    again.next_position = queue.next_position
    state.line.append(TimePasses(again))


def _recover_messages(queue: Queue, store: QueueStore, was_shut_down: bool) -> None:
    for position in sorted(store.entries):
        message, expires_us, appended_us = store.entries[position]
        entry = queue.type.entry_class(position, message, expires_us)
        entry.survives = True
        entry.recall(store.deliveries.get(position, 0), appended_us)
        entry.is_redelivered = is_redelivered_after_restart(
            was_delivered=position in store.deliveries,
            remembers_deliveries=queue.type.remembers_deliveries,
            was_shut_down=was_shut_down,
        )
        if entry.is_redelivered:
            # What a crash made of it outlasts the next shutdown (rabbit_queue_index.erl, recover_message).
            store.deliveries.setdefault(position, 0)
        queue.next_position = position + 1
        if position in store.discarded:
            reason = store.discarded[position]
            failures = entry.failures + (reason == "rejected")
            queue.discard(Discarded(entry, reason, failures))
        else:
            queue.admit(entry)
