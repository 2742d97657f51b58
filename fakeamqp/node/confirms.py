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
    waiting = [each for each in node.awaiting if each.position > synced]
    ready: dict[Channel, list[int]] = {}
    for each in node.awaiting:
        if each.position <= synced:
            ready.setdefault(each.channel, []).append(each.publish_number)
    node.awaiting[:] = waiting
    for channel, numbers in ready.items():
        if channel.transaction is not None:
            channel.send(TxCommitOk())
        else:
            unconfirmed = [each.publish_number for each in waiting if each.channel is channel]
            _acknowledge(channel, numbers, min(unconfirmed, default=numbers[-1] + 1))


def _acknowledge(channel: Channel, numbers: list[int], first_unconfirmed: int) -> None:
    # Confirms of one moment become one `multiple` ack as far as nothing before them is open.
    # Source: rabbit_channel.erl, send_confirms and coalesce_and_send.
    if len(numbers) == 1:
        channel.send(BasicAck(numbers[0], False))
        return
    together = [each for each in numbers if each < first_unconfirmed]
    if together:
        channel.send(BasicAck(together[-1], True))
    for each in numbers[len(together) :]:
        channel.send(BasicAck(each, False))
