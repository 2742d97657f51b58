"""Class tx, and class confirm, which excludes it."""

from __future__ import annotations

from functools import partial

from fakeamqp.node.messages.arrivals import arrive
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.sessions.publishing import give_back
from fakeamqp.node.sessions.settling import check_return, settle_deliveries
from fakeamqp.node.state.connection import ACKNOWLEDGED, Channel, Publication, Transaction
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.receipts import Commit, Receipt
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import precondition_failed
from fakeamqp.spec.methods import (
    ConfirmSelect,
    ConfirmSelectOk,
    TxCommit,
    TxCommitOk,
    TxRollback,
    TxRollbackOk,
    TxSelect,
    TxSelectOk,
)


def confirm_select(state: NodeState, channel: Channel, method: ConfirmSelect) -> None:
    """confirm.select, RabbitMQ's publisher confirms."""
    if channel.transaction is not None:
        raise precondition_failed("cannot switch from tx to confirm mode")
    channel.confirms = True
    if not method.nowait:
        channel.send(ConfirmSelectOk())


def select(state: NodeState, channel: Channel, method: TxSelect) -> None:
    """tx.select."""
    if channel.confirms:
        raise precondition_failed("cannot switch from confirm to tx mode")
    if channel.transaction is None:
        channel.transaction = Transaction()
    channel.send(TxSelectOk())


def commit(state: NodeState, channel: Channel, method: TxCommit) -> None:
    """tx.commit: publishes first, then acknowledgements; the answer waits for queues and the journal."""
    transaction = _of(channel)
    for settlement in transaction.settlements:
        if settlement.outcome is not ACKNOWLEDGED:
            check_return(settlement.deliveries)
    channel.transaction = Transaction()
    receipts = [_send(state, channel, publication) for publication in transaction.publications]
    late = [each for each in state.line if each.queue.type.is_applied_late]
    early = [each for each in state.line if not each.queue.type.is_applied_late]
    state.line.clear()
    state.line.extend(early)
    for settlement in transaction.settlements:
        settle_deliveries(state, channel, settlement.deliveries, settlement.outcome)
    state.line.extend(late)
    if receipts:
        has_lost_queue = any(map(partial(_has_lost_queue, state), transaction.publications))
        state.commits.append(Commit(channel, method, receipts, has_lost_queue))
    else:  # nothing to wait for: the answer precedes what consumers are set free to take
        channel.send(TxCommitOk())


def _send(state: NodeState, channel: Channel, publication: Publication) -> Receipt:
    receipt = Receipt()
    queues = _queues_now(state.profile, channel, publication)
    arrive(state, queues, publication.message, channel, receipt)
    if publication.mandatory and not queues and not _gone(state, publication):
        give_back(state.now_us, state.watch, channel, publication.message)
    return receipt


def _has_lost_queue(state: NodeState, publication: Publication) -> bool:
    return not all(queue.type.forgives_deletion for queue in _gone(state, publication))


def _gone(state: NodeState, publication: Publication) -> list[Queue]:
    """The queues that a publication was for and that are deleted; 3.10 knows only names."""
    return [each for each in publication.queues if each.is_deleted and state.profile.tx_keeps_queue_identity]


def _queues_now(profile: Profile, channel: Channel, publication: Publication) -> tuple[Queue, ...]:
    """Those of a publication's queues that exist at commit.

    3.10 remembers names, so that a queue declared since takes part; 4.0 remembers the queues (observed).
    """
    vhost = channel.vhost
    if profile.tx_keeps_queue_identity:
        return tuple(queue for queue in publication.queues if not queue.is_deleted)
    found = (vhost.queues.get(name) for name in publication.names)
    return tuple(dict.fromkeys(queue for queue in found if queue is not None))


def rollback(state: NodeState, channel: Channel, method: TxRollback) -> None:
    """tx.rollback: publishes are forgotten, and what was acknowledged is unacknowledged again."""
    transaction = _of(channel)
    channel.transaction = Transaction()
    for settlement in transaction.settlements:
        channel.unpick(settlement.deliveries)
    channel.send(TxRollbackOk())


def _of(channel: Channel) -> Transaction:
    if channel.transaction is None:
        raise precondition_failed("channel is not transactional")
    return channel.transaction
