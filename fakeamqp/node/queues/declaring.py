"""Who may use a queue, and whether a declaration says the same as one before."""

from __future__ import annotations

from fakeamqp.node.queues.queue_arguments import (
    QUEUE_TYPE,
    QUEUE_TYPES,
    assert_equivalent_queue_arguments,
    check_queue_arguments,
    check_stream_sizes,
)
from fakeamqp.node.words.arguments import assert_equivalent, described
from fakeamqp.node.words.facts import QueueFact
from fakeamqp.node.words.names import queue_named
from fakeamqp.node.words.profile import Profile
from fakeamqp.spec.errors import HardError, precondition_failed, resource_locked

NEVER_SERVER_NAMED = ("quorum", "stream")


def assert_may_use(queue: QueueFact, connection_id: int) -> None:
    """Raise 405 for an exclusive queue of another connection."""
    if queue.owner is not None and queue.owner != connection_id:
        raise locked(queue)


def locked(queue: QueueFact) -> Exception:
    """405 for a queue that is exclusive, or is not what the declaration says in this respect."""
    return resource_locked(
        f"cannot obtain exclusive access to locked {queue_named(queue.name, queue.vhost)}. It could be originally "
        "declared on another connection or the exclusive property value does not match that of the "
        "original declaration."
    )


def assert_equivalent_queue(existing: QueueFact, received: QueueFact, profile: Profile) -> None:
    """Raise 405 or 406 unless a redeclaration says the same. Source: rabbit_amqqueue.erl, assert_equivalence."""
    where = queue_named(existing.name, existing.vhost)
    if existing.owner != received.owner:
        raise locked(existing)
    for key in ("durable", "auto_delete"):
        assert_equivalent(described(getattr(existing, key)), described(getattr(received, key)), key, where)
    assert_equivalent_queue_arguments(existing.arguments, received.arguments, profile, where)


def check_server_named(queue_type: object) -> None:
    """Raise 406 for a type of queue that the server does not name, 541 for one that there is not."""
    if queue_type in NEVER_SERVER_NAMED:
        raise precondition_failed(f"Cannot declare a server-named queue for type rabbit_{queue_type}_queue")
    if isinstance(queue_type, str) and queue_type not in QUEUE_TYPES:
        raise HardError(541, "", names_method=False)  # RabbitMQ's channel dies of it (observed)


def check_arguments(fact: QueueFact, profile: Profile) -> None:
    """Raise 406 for arguments that are bad in themselves, or do not go with the queue's other properties."""
    where = queue_named(fact.name, fact.vhost)
    check_queue_arguments(fact.arguments, profile, where)
    queue_type = fact.arguments.get(QUEUE_TYPE)
    if queue_type in NEVER_SERVER_NAMED:
        refused = {
            "auto-delete": fact.auto_delete,
            "exclusive-owner": fact.owner is not None,
            "non-durable": not fact.durable,
        }
        for reason, applies in refused.items():
            if applies:
                raise precondition_failed(f"invalid property '{reason}' for {where}")
    if queue_type == "stream":
        check_stream_sizes(fact.arguments, profile)
