"""Class tx, and class confirm, which excludes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeamqp.node.channels import Channel, Publication, Transaction
from fakeamqp.node.confirms import COMMIT, Awaiting
from fakeamqp.node.publishing import deliver
from fakeamqp.node.settling import settle_deliveries
from fakeamqp.spec.errors import precondition_failed
from fakeamqp.spec.methods import (
    ConfirmSelect,
    ConfirmSelectOk,
    TxCommit,
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
    channel.transaction = Transaction()
    position = 0
    is_complete = True
    for publication in transaction.publications:
        present, complete = _still_there(node, channel, publication)
        is_complete = is_complete and complete
        position = max(position, deliver(node, channel, present))
    for settlement in transaction.settlements:
        settle_deliveries(node, channel, settlement)
    if not is_complete:
        raise precondition_failed("partial tx completion")
    node.awaiting.append(Awaiting(max(position, node.journal.appended), channel, COMMIT))


def _still_there(node: Node, channel: Channel, publication: Publication) -> tuple[Publication, bool]:
    """A publication to those of its queues that still exist, and whether that is what was promised.

    3.10 remembers names, so that a queue deleted and declared again takes part; 4.0 remembers the queues (observed).
    """
    vhost = channel.connection.world
    now = [vhost.queues.get(queue.name) for queue in publication.queues]
    if node.profile.tx_keeps_queue_identity:
        present = tuple(queue for queue, found in zip(publication.queues, now, strict=True) if found is queue)
        return Publication(publication.message, present, publication.mandatory), len(present) == len(now)
    present = tuple(queue for queue in now if queue is not None)
    return Publication(publication.message, present, publication.mandatory), True


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
