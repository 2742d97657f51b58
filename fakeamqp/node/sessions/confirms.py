"""Answers that wait for queues and the journal: publisher confirms and tx.commit-ok."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from fakeamqp.node.sessions.handshake import close_channel
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.state.receipts import Awaiting, Commit
from fakeamqp.spec.errors import precondition_failed
from fakeamqp.spec.methods import BasicAck, BasicNack, TxCommitOk


def finish_commits(state: NodeState) -> None:
    """Answer every tx.commit whose messages are safe, or have failed it. The queues have carried out their commands."""
    commits, state.commits = state.commits, []
    for commit in commits:
        channel = commit.channel
        if commit.position is None:
            if _has_failed(commit):
                close_channel(state, channel, precondition_failed("partial tx completion"), commit.method)
                continue
            channel.is_committing = True
            commit.position = state.journal.appended
        if commit.position <= state.journal.synced:
            channel.is_committing = False
            channel.send(TxCommitOk())
        else:
            state.commits.append(commit)


def _has_failed(commit: Commit) -> bool:
    """Whether a queue has refused a message, or is gone that had one.

    A commit forgets a message, and who else refused it, once a quorum queue stopped it: that comes before the commit
    begins (rabbit_channel.erl, record_rejects and handle_method of tx.commit; observed).
    """
    return commit.has_lost_queue or any(each.is_refused and not each.is_stopped for each in commit.receipts)


def release(state: NodeState) -> None:
    """Give every confirm that is safe now."""
    synced = state.journal.synced
    if len(state.awaiting) == 1 and not state.unsafe:  # as for whoever waits for each
        only = state.awaiting[0]
        if only.receipt.is_safe(synced):
            state.awaiting.clear()
            only.channel.send(BasicAck(only.publish_number, False))
            return
    refused: dict[Channel, list[int]] = {}
    safe: dict[Channel, list[int]] = {}
    unsafe = state.unsafe
    while unsafe and unsafe[0].receipt.position <= synced:
        each = unsafe.popleft()
        safe.setdefault(each.channel, []).append(each.publish_number)
    for each in state.awaiting:
        receipt = each.receipt
        if receipt.is_refused or receipt.is_stopped:
            refused.setdefault(each.channel, []).append(each.publish_number)
        elif receipt.is_safe(synced):
            safe.setdefault(each.channel, []).append(each.publish_number)
        else:
            unsafe.append(each)
    state.awaiting.clear()
    for channel, numbers in refused.items():
        _answer(channel, numbers, [*safe.get(channel, ()), *_first_open(unsafe, channel)], BasicNack)
    for channel, numbers in safe.items():
        if len(numbers) == 1:
            channel.send(BasicAck(numbers[0], False))
        else:
            _answer(channel, numbers, [*refused.get(channel, ()), *_first_open(unsafe, channel)], BasicAck)


def _first_open(unsafe: Iterable[Awaiting], channel: Channel) -> list[int]:
    """The first publish of a channel that is not answered, if there is one."""
    return [each.publish_number for each in islice((each for each in unsafe if each.channel is channel), 1)]


def _answer(channel: Channel, numbers: list[int], others: list[int], kind: type[BasicAck | BasicNack]) -> None:
    """Confirms of one moment: one with `multiple` for all below the first that is answered otherwise, then one by one.

    Source: rabbit_channel.erl, send_confirms, send_nacks and coalesce_and_send.
    """
    cutoff = min(others, default=numbers[-1] + 1)
    below = [number for number in numbers if number < cutoff]
    if below:
        channel.send(kind(below[-1], True))
    for number in numbers[len(below) :]:
        channel.send(kind(number, False))
