"""The time that a channel has to acknowledge a delivery; looked at once a minute, on the channel's own tick.

Source: rabbit_channel.erl (evaluate_consumer_timeout, channel_tick_interval); observed.
"""

from __future__ import annotations

from fakeamqp.node.queues.queue import Unacked
from fakeamqp.node.sessions.handshake import close_channel
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.node_state import NodeState
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import precondition_failed

DEFAULT_TIMEOUT_MS = 1_800_000
TICK_US = 60_000_000


def watch(state: NodeState, channel: Channel, delivery: Unacked) -> None:
    """See to it that somebody looks when this delivery should have been acknowledged.

    The default counts as housekeeping: whoever waits forever and acknowledges nothing has a deadlock to be told of.
    """
    own = _own_timeout_ms(delivery, state.profile)
    due_us = delivery.at_us + (DEFAULT_TIMEOUT_MS if own is None else own) * 1000
    tick_us = due_us + TICK_US - (due_us - channel.opened_us) % TICK_US
    if channel.ack_timer is not None:
        if channel.ack_timer.at_us <= tick_us:
            return
        channel.ack_timer.cancel()
    channel.ack_timer = state.timers.at(tick_us, lambda: _look(state, channel), is_housekeeping=own is None)


def _look(state: NodeState, channel: Channel) -> None:
    channel.ack_timer = None
    oldest = next(iter(channel.unacked.values()), None)
    if oldest is None:
        return
    own = _own_timeout_ms(oldest, state.profile)
    timeout_ms = DEFAULT_TIMEOUT_MS if own is None else own
    if oldest.at_us + timeout_ms * 1000 >= state.now_us:
        watch(state, channel, oldest)
        return
    text = (
        f"delivery acknowledgement on channel {channel.number} timed out. Timeout value used: {timeout_ms} ms. "
        "This timeout value can be configured, see consumers doc guide to learn more"
    )
    close_channel(state, channel, precondition_failed(text), None)


def _own_timeout_ms(delivery: Unacked, profile: Profile) -> int | None:
    """What the queue says with x-consumer-timeout, where it says anything that makes sense."""
    own = delivery.queue.settings.consumer_timeout_ms
    if not profile.queues_have_consumer_timeouts or isinstance(own, bool) or not isinstance(own, int) or own <= 0:
        return None
    return own
