"""What differs between the RabbitMQ versions that a node can behave as: one row for each version."""

from __future__ import annotations

from fakeamqp.spec.errors import Misuse
from fakeamqp.spec.records import Record

MEBIBYTE = 1024 * 1024


class Profile(Record, frozen=True):
    """One RabbitMQ version. Every difference was observed on real brokers; the rule tests name them."""

    version: str
    """The series: "3.10" or "4.0"."""
    full_version: str
    """What server_properties tell."""
    erlang_version: str
    max_message_size: int
    """Bytes of body above which a publish is refused."""
    unknown_exchange_type_is_soft: bool
    """Whether declaring an unknown exchange type closes the channel (406) or the connection (503)."""
    names_refused_permission: bool
    """Whether an access refusal says which of configure, write and read was missing."""
    fills_in_queue_type: bool
    """Whether a queue declared without x-queue-type counts as one declared with the default type."""
    cuts_any_reply_text: bool
    """Whether a reply text that is too long and not ASCII is cut, or the connection dies of it (541)."""
    delivery_mode_is_checked: bool
    """Whether a delivery mode other than 1 and 2 is refused."""
    normalises_expiration: bool
    """Whether a message's expiration is delivered as the number it spells."""
    sorts_headers: bool
    """Whether a message's headers are delivered sorted by name."""
    headers_timestamps_match: bool
    """Whether a headers exchange finds a timestamp equal to itself; 4.0 compares seconds to milliseconds."""
    checks_message_before_user_id: bool
    """Whether a bad CC or expiration is reported before a bad user_id."""
    tx_keeps_queue_identity: bool
    """Whether tx.commit means the queues that existed at publish, and fails where one is gone."""
    checks_topics_in_cc: bool
    """Whether topic permissions also hold for the routing keys in CC and BCC."""
    quorum_counts_from_first_delivery: bool
    """Whether a quorum queue's first delivery carries `x-delivery-count: 0`."""
    quorum_requeues_to_back: bool
    """Whether a quorum queue without a delivery limit puts returned messages behind all others."""


PROFILES: dict[str, Profile] = {
    "3.10": Profile(
        version="3.10",
        full_version="3.10.8",
        erlang_version="25.2.3",
        max_message_size=128 * MEBIBYTE,
        unknown_exchange_type_is_soft=False,
        names_refused_permission=False,
        fills_in_queue_type=False,
        cuts_any_reply_text=True,
        delivery_mode_is_checked=True,
        normalises_expiration=False,
        sorts_headers=False,
        headers_timestamps_match=True,
        checks_message_before_user_id=False,
        tx_keeps_queue_identity=False,
        checks_topics_in_cc=False,
        quorum_counts_from_first_delivery=True,
        quorum_requeues_to_back=True,
    ),
    "4.0": Profile(
        version="4.0",
        full_version="4.0.5",
        erlang_version="27.3.4",
        max_message_size=16 * MEBIBYTE,
        unknown_exchange_type_is_soft=True,
        names_refused_permission=True,
        fills_in_queue_type=True,
        cuts_any_reply_text=False,
        delivery_mode_is_checked=False,
        normalises_expiration=True,
        sorts_headers=True,
        headers_timestamps_match=False,
        checks_message_before_user_id=True,
        tx_keeps_queue_identity=True,
        checks_topics_in_cc=True,
        quorum_counts_from_first_delivery=False,
        quorum_requeues_to_back=False,
    ),
}


def profile_of(version: str) -> Profile:
    """The profile of a version; raises Misuse for a version that fakeamqp does not know."""
    try:
        return PROFILES[version]
    except KeyError:
        raise Misuse(f"no RabbitMQ version {version!r} here; version= takes one of {', '.join(PROFILES)}") from None
