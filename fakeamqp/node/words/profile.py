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
    has_local_random_exchange: bool
    """Whether there is the exchange type x-local-random."""
    history_comes_before_binding: bool
    """Whether a binding that fails for an x-recent-history exchange's memory does not exist."""
    has_message_containers: bool
    """Whether plugins see messages through mc.erl, which has types of its own for the values of headers."""
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
    checks_message_before_user: bool
    """Whether a bad CC or expiration is reported before what the user may not: write to a topic, or to one of those in
    CC and BCC, which an earlier version does not look at; name another user."""
    tx_keeps_queue_identity: bool
    """Whether tx.commit means the queues that existed at publish, and fails where one is gone."""
    keeps_own_deaths: bool
    """Whether the broker counts a message's deaths itself, or believes its x-death header."""
    default_delivery_limit: int | None
    """How often a quorum queue's message may come back where nothing else is said."""
    binding_again_is_an_event: bool
    """Whether amq.rabbitmq.event also tells of a binding that was there already."""
    queues_have_consumer_timeouts: bool
    """Whether a queue's x-consumer-timeout says how long a delivery may be unacknowledged."""
    negative_delivery_limit: int | None
    """What a delivery limit below zero means."""
    quorum_get_counts_from_zero: bool
    """Whether what basic.get finds in a quorum queue carries `x-delivery-count: 0` if it never left."""
    quorum_queues_have_priorities: bool
    """Whether a quorum queue heeds the priorities of messages, and of waiting single active consumers."""
    classic_queues_have_leaders: bool
    """Whether a classic queue takes x-queue-leader-locator."""
    leader_locators: tuple[str, ...]
    """What x-queue-leader-locator may be."""
    takes_any_master_locator: bool
    """Whether x-queue-master-locator may be anything, or the channel dies of one that is not known."""
    streams_have_filters: bool
    """Whether a stream's x-stream-filter-size-bytes is checked, and its consumers' x-stream-filter heeded."""
    streams_take_returns: bool
    """Whether nack, reject and recover make room like acks at a stream, or are refused."""
    streams_roll_over_at_once: bool
    """Whether a stream's full segment is followed by a new one at once, or by the next message."""
    streams_store_annotations: bool
    """Whether a stream keeps x- headers that are tables or arrays, and says delivery mode 1 where none was said."""
    streams_take_any_dead_letter: bool
    """Whether every dead letter that is routed to a stream arrives, or only those that are sent at least once."""
    stream_refusals_say_stream: bool
    """Whether the texts that refuse a stream's consumer call the queue a stream queue."""
    cancelling_leaves_successor: bool
    """Whether a classic queue does not look at its messages as its single active consumer is cancelled.

    The successor gets nothing before something else makes the queue look; a publish kills the queue's process."""
    bad_deaths_kill: bool
    """Whether a dead letter whose x-death has entries that are no tables kills what handles it."""
    over_limit_frees_twice: bool
    """Whether a quorum queue counts the credit of a message that came back too often twice."""
    zero_priorities_are_one: bool
    """Whether x-max-priority 0 means 1, or no priorities."""
    quorum_sorts_consumers_by_tag: bool
    """Whether a quorum queue goes through consumers that are gone by their tags, or by their age."""
    foreign_policy_keys: tuple[str, ...]
    """Keys of policies that only other versions know."""
    operator_policy_keys: tuple[str, ...]
    """What an operator policy may set."""
    policy_keys_not_classic: tuple[str, ...]
    """Keys that keep a policy from applying to a classic queue, besides those of CLASSIC_LACKS."""
    policies_name_queue_types: bool
    """Whether a policy's apply-to may be a type of queue."""
    delivery_limits_may_be_negative: bool
    """Whether a policy may set a delivery limit below zero, which is no limit and so the weaker of two."""
    policy_expiry_wins: bool
    """Whether a quorum queue expires as its policy says, or as the smaller of policy and argument does."""
    unlimited_quorum_queues_unblock: bool
    """Whether a quorum queue that a policy leaves without a limit lets go on whom it refused before."""
    bad_master_locator: str
    """What is said of a policy's queue-master-locator that nobody knows."""
    checks_room_for_queue_first: bool
    """Whether max-queues is looked at before a new queue's arguments."""
    names_user_of_channel_limit: bool
    """Whether a refused channel.open names the user, or by mistake the node."""
    imports_default_queue_type: bool
    """Whether imported queues, and virtual hosts that exist, take the default queue type."""
    refuses_bad_bindings_in_imports: bool
    """Whether an imported binding that cannot be is refused, or left out."""
    limits_event_names_vhost: bool
    """Whether the event vhost.limits.set tells of which virtual host."""


LIMITS_BY_OPERATOR = (
    "delivery-limit",
    "expires",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "max-length",
    "max-length-bytes",
    "message-ttl",
)
MORE_BY_OPERATOR = ("overflow", "queue-master-locator", "queue-version", "target-group-size")
MIRRORING_KEYS = (
    "ha-mode",
    "ha-params",
    "ha-promote-on-failure",
    "ha-promote-on-shutdown",
    "ha-sync-batch-size",
    "ha-sync-mode",
)

PROFILES: dict[str, Profile] = {
    "3.10": Profile(
        version="3.10",
        full_version="3.10.8",
        erlang_version="25.2.3",
        max_message_size=128 * MEBIBYTE,
        has_local_random_exchange=False,
        history_comes_before_binding=True,
        has_message_containers=False,
        unknown_exchange_type_is_soft=False,
        names_refused_permission=False,
        fills_in_queue_type=False,
        cuts_any_reply_text=True,
        delivery_mode_is_checked=True,
        normalises_expiration=False,
        sorts_headers=False,
        headers_timestamps_match=True,
        checks_message_before_user=False,
        tx_keeps_queue_identity=False,
        keeps_own_deaths=False,
        default_delivery_limit=None,
        binding_again_is_an_event=False,
        queues_have_consumer_timeouts=False,
        negative_delivery_limit=0,
        quorum_get_counts_from_zero=True,
        quorum_queues_have_priorities=False,
        classic_queues_have_leaders=False,
        leader_locators=("client-local", "balanced", "random", "least-leaders"),
        takes_any_master_locator=False,
        streams_have_filters=False,
        streams_take_returns=False,
        streams_roll_over_at_once=True,
        streams_store_annotations=False,
        streams_take_any_dead_letter=False,
        stream_refusals_say_stream=False,
        cancelling_leaves_successor=True,
        bad_deaths_kill=True,
        over_limit_frees_twice=True,
        zero_priorities_are_one=False,
        quorum_sorts_consumers_by_tag=True,
        foreign_policy_keys=("consumer-timeout", "stream-filter-size-bytes", "target-group-size"),
        operator_policy_keys=LIMITS_BY_OPERATOR,
        policy_keys_not_classic=("queue-leader-locator",),
        policies_name_queue_types=False,
        delivery_limits_may_be_negative=False,
        policy_expiry_wins=True,
        unlimited_quorum_queues_unblock=False,
        bad_master_locator="{} invalid queue-master-locator value",
        checks_room_for_queue_first=True,
        names_user_of_channel_limit=True,
        imports_default_queue_type=False,
        refuses_bad_bindings_in_imports=False,
        limits_event_names_vhost=False,
    ),
    "4.0": Profile(
        version="4.0",
        full_version="4.0.5",
        erlang_version="27.3.4",
        max_message_size=16 * MEBIBYTE,
        has_local_random_exchange=True,
        history_comes_before_binding=False,
        has_message_containers=True,
        unknown_exchange_type_is_soft=True,
        names_refused_permission=True,
        fills_in_queue_type=True,
        cuts_any_reply_text=False,
        delivery_mode_is_checked=False,
        normalises_expiration=True,
        sorts_headers=True,
        headers_timestamps_match=False,
        checks_message_before_user=True,
        tx_keeps_queue_identity=True,
        keeps_own_deaths=True,
        default_delivery_limit=20,
        binding_again_is_an_event=True,
        queues_have_consumer_timeouts=True,
        negative_delivery_limit=None,
        quorum_get_counts_from_zero=False,
        quorum_queues_have_priorities=True,
        classic_queues_have_leaders=True,
        leader_locators=("client-local", "balanced", "random", "least-leaders", "min-masters"),
        takes_any_master_locator=True,
        streams_have_filters=True,
        streams_take_returns=True,
        streams_roll_over_at_once=False,
        streams_store_annotations=True,
        streams_take_any_dead_letter=True,
        stream_refusals_say_stream=True,
        cancelling_leaves_successor=False,
        bad_deaths_kill=False,
        over_limit_frees_twice=False,
        zero_priorities_are_one=True,
        quorum_sorts_consumers_by_tag=False,
        foreign_policy_keys=MIRRORING_KEYS,
        operator_policy_keys=(*LIMITS_BY_OPERATOR, *MORE_BY_OPERATOR),
        policy_keys_not_classic=("max-in-memory-bytes", "max-in-memory-length", "target-group-size"),
        policies_name_queue_types=True,
        delivery_limits_may_be_negative=True,
        policy_expiry_wins=False,
        unlimited_quorum_queues_unblock=True,
        bad_master_locator="{} is not a valid master locator",
        checks_room_for_queue_first=False,
        names_user_of_channel_limit=False,
        imports_default_queue_type=True,
        refuses_bad_bindings_in_imports=True,
        limits_event_names_vhost=True,
    ),
}


def profile_of(version: str) -> Profile:
    """The profile of a version; raises Misuse for a version that fakeamqp does not know."""
    try:
        return PROFILES[version]
    except KeyError:
        raise Misuse(f"no RabbitMQ version {version!r} here; version= takes one of {', '.join(PROFILES)}") from None
