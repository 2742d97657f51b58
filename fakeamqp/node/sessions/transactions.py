"""Class tx, and class confirm, which excludes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.messages.arrivals import Receipt, arrive
from fakeamqp.node.messages.publishing import give_back
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.streams import assert_may_return
from fakeamqp.node.sessions.confirms import COMMIT, Awaiting
from fakeamqp.node.sessions.settling import settle_deliveries
from fakeamqp.node.state.channel import ACKNOWLEDGED, Channel, Publication, Transaction
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

if TYPE_CHECKING:
    from fakeamqp.node.node import Node


def confirm_select(node: Node, channel: Channel, method: ConfirmSelect) -> None:
    """confirm.select, RabbitMQ's publisher confirms."""
    if channel.transaction is not None:
        raise precondition_failed("cannot switch from tx to confirm mode")
    channel.confirms = True
    if not method.nowait:
        channel.send(ConfirmSelectOk())


def select(node: Node, channel: Channel, method: TxSelect) -> None:
    """tx.select."""
    if channel.confirms:
        raise precondition_failed("cannot switch from confirm to tx mode")
    if channel.transaction is None:
        channel.transaction = Transaction()
    channel.send(TxSelectOk())


def commit(node: Node, channel: Channel, method: TxCommit) -> None:
    """tx.commit: publishes first, then acknowledgements; the answer waits for the journal."""
    transaction = _of(channel)
    for settlement in transaction.settlements:
        if settlement.outcome is not ACKNOWLEDGED:
            assert_may_return(settlement.deliveries, node.profile)
    channel.transaction = Transaction()
    is_complete = True
    for publication in transaction.publications:
        queues = _queues_now(node, channel, publication)
        gone = (
            [] if not node.profile.tx_keeps_queue_identity else [each for each in publication.queues if each.is_deleted]
        )
        mandatory = publication.mandatory and not gone
        receipt = arrive(node, queues, publication.message, channel)
        if mandatory and not queues:
            give_back(node, channel, publication.message)
        is_complete = is_complete and all(each.is_quorum for each in gone) and not _is_failure(receipt)
    if not transaction.publications:  # nothing to wait for: the answer precedes what consumers are set free to take
        channel.send(TxCommitOk())
    node.run_classic_queues()
    for settlement in transaction.settlements:
        settle_deliveries(node, channel, settlement.deliveries, settlement.outcome)
    if not transaction.publications:
        return
    if not is_complete:
        raise precondition_failed("partial tx completion")
    channel.is_committing = True
    node.awaiting.append(Awaiting(node.journal.appended, channel, COMMIT))


def _is_failure(receipt: Receipt) -> bool:
    """Whether a commit fails because queues have refused a message.

    It forgets the message, and who else refused it, once a quorum queue did: that comes before the commit begins
    (rabbit_channel.erl, record_rejects and handle_method of tx.commit; observed).
    """
    return bool(receipt.refusing) and not any(queue.is_quorum for queue in receipt.refusing)


def _queues_now(node: Node, channel: Channel, publication: Publication) -> tuple[Queue, ...]:
    """Those of a publication's queues that exist at commit.

    3.10 remembers names, so that a queue declared since takes part; 4.0 remembers the queues (observed).
    """
    vhost = channel.vhost
    if node.profile.tx_keeps_queue_identity:
        return tuple(queue for queue in publication.queues if not queue.is_deleted)
    found = (vhost.queues.get(name) for name in publication.names)
    return tuple(dict.fromkeys(queue for queue in found if queue is not None))


def rollback(node: Node, channel: Channel, method: TxRollback) -> None:
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
