"""Answers that wait for the journal: publisher confirms and tx.commit-ok."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fakeamqp.node.state.channel import Channel
from fakeamqp.spec.methods import BasicAck, BasicNack, TxCommitOk

if TYPE_CHECKING:
    from fakeamqp.node.node import Node

COMMIT = 0
"""Stands for tx.commit-ok where otherwise a publish's number stands."""


class Awaiting(NamedTuple):
    """An answer, and how far the journal must be synced before it may be given."""

    position: int
    channel: Channel
    publish_number: int
    is_refused: bool = False
    """Whether a queue had no room: then the answer is a nack."""


def release(node: Node) -> None:
    """Give every answer that is safe now."""
    synced = node.journal.synced
    refused: dict[Channel, list[int]] = {}
    safe: dict[Channel, list[int]] = {}
    waiting: list[Awaiting] = []
    for each in node.awaiting:
        if each.is_refused:
            refused.setdefault(each.channel, []).append(each.publish_number)
        elif each.position <= synced:
            safe.setdefault(each.channel, []).append(each.publish_number)
        else:
            waiting.append(each)
    node.awaiting[:] = waiting
    for channel, numbers in refused.items():
        _answer(channel, numbers, [*safe.get(channel, ()), *_open(waiting, channel)], BasicNack)
    for channel, numbers in safe.items():
        if channel.transaction is not None:
            channel.is_committing = False
            channel.send(TxCommitOk())
        elif len(numbers) == 1:
            channel.send(BasicAck(numbers[0], False))
        else:
            _answer(channel, numbers, [*refused.get(channel, ()), *_open(waiting, channel)], BasicAck)


def _open(waiting: list[Awaiting], channel: Channel) -> list[int]:
    return [each.publish_number for each in waiting if each.channel is channel]


def _answer(channel: Channel, numbers: list[int], others: list[int], kind: type[BasicAck | BasicNack]) -> None:
    """Confirms of one moment: one with `multiple` for all below the first that has another fate, then one by one.

    Source: rabbit_channel.erl, send_confirms, send_nacks and coalesce_and_send.
    """
    cutoff = min(others, default=numbers[-1] + 1)
    below = [number for number in numbers if number < cutoff]
    if below:
        channel.send(kind(below[-1], True))
    for number in numbers[len(below) :]:
        channel.send(kind(number, False))
