"""What a queue is made of, by its type."""

from __future__ import annotations

from typing import Any

from fakeamqp.node.queues.backlog import Backlog, Line, PriorityBacklog, QuorumBacklog
from fakeamqp.node.queues.consumers import Rotation, Succession
from fakeamqp.node.queues.queue_arguments import QueueArguments
from fakeamqp.node.queues.quorum_consumers import QuorumRotation, QuorumSuccession
from fakeamqp.node.words.profile import Profile


def backlog_of(settings: QueueArguments, profile: Profile) -> Backlog:
    """Where a queue other than a stream keeps what is ready."""
    if settings.queue_type == "quorum":
        return QuorumBacklog(has_levels=profile.quorum_queues_have_priorities)
    if settings.max_priority is None:
        return Line()
    return PriorityBacklog(settings.max_priority or int(profile.zero_priorities_are_one))


def consumers_of(settings: QueueArguments, profile: Profile) -> Rotation | Succession:
    """The consumers of a queue other than a stream."""
    is_quorum = settings.queue_type == "quorum"
    if not settings.single_active_consumer:
        return QuorumRotation(knows_by_tag=profile.quorum_sorts_consumers_by_tag) if is_quorum else Rotation()
    if is_quorum and profile.quorum_queues_have_priorities:
        return QuorumSuccession()
    return Succession(by_priority=not is_quorum)


def delivery_limit_of(limit: Any, profile: Profile) -> int | None:
    """What a quorum queue makes of its x-delivery-limit, which may be anything (observed)."""
    if limit is None:
        return profile.default_delivery_limit
    if isinstance(limit, bool) or not isinstance(limit, int):
        return None
    return limit if limit >= 0 else profile.negative_delivery_limit
