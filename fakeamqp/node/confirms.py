"""Answers that wait for the journal: publisher confirms and tx.commit-ok."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.node.channels import Channel
from fakeamqp.spec.methods import BasicAck, TxCommitOk

if TYPE_CHECKING:
    from fakeamqp.node.node import Node

COMMIT = 0
"""Stands for tx.commit-ok where otherwise a publish's number stands."""


class Awaiting(NamedTuple):
    """An answer, and how far the journal must be synced before it may be given."""

    position: int
    channel: Channel
    publish_number: int


def release(node: Node) -> None:
    """Give every answer that is safe now."""
    synced = node.journal.synced
    ready: dict[Channel, list[int]] = {}
    for each in node.awaiting:
        if each.position <= synced:
            ready.setdefault(each.channel, []).append(each.publish_number)
    node.awaiting[:] = [each for each in node.awaiting if each.position > synced]
    for channel, numbers in ready.items():
        if channel.transaction is not None:
            channel.is_committing = False
            channel.send(TxCommitOk())
        else:
            # Confirms of one moment become one `multiple` ack; several are safe at once only when all that waited is.
            # Source: rabbit_channel.erl, send_confirms and coalesce_and_send.
            channel.send(BasicAck(numbers[-1], len(numbers) > 1))
