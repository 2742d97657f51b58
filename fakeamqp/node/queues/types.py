"""The types of queues, by the names that x-queue-type takes."""

from __future__ import annotations

from fakeamqp.node.kernel.journal import QueueStore
from fakeamqp.node.queues.classic import CLASSIC
from fakeamqp.node.queues.queue import Queue, QueueType
from fakeamqp.node.queues.queue_arguments import parse_queue_arguments
from fakeamqp.node.queues.quorum import QUORUM
from fakeamqp.node.queues.stream import STREAM
from fakeamqp.node.words.facts import QueueFact
from fakeamqp.node.words.profile import Profile

TYPES: dict[str, QueueType] = {each.name: each for each in (CLASSIC, QUORUM, STREAM)}


def make_queue(fact: QueueFact, store: QueueStore | None, profile: Profile) -> Queue:
    """A new queue, empty, of the type that its arguments name; `store` is its part of the journal, if it survives."""
    queue_type = TYPES[parse_queue_arguments(fact.arguments).queue_type]
    queue = Queue(fact, queue_type, store, profile)
    queue_type.configure(queue, queue.settings, 0)
    return queue
