"""Where a real broker is free: steps after which it may do this or that, and differences that this explains.

A channel is the node's end of a step's channel, as it is before the step unless told; None where it is closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fakeamqp.node.queues.consumer import Consumer
from fakeamqp.node.queues.queue import Queue
from fakeamqp.node.queues.quorum_consumers import QuorumSingleActive
from fakeamqp.node.state.connection import Channel
from fakeamqp.node.state.watching import DEAD_LETTERED, EXPIRED, ROUTED
from fakeamqp.simulation.record.events import Event
from fakeamqp.spec import methods
from tests.model.differential.observations import Observation, Place
from tests.model.differential.steps import Step

SETTLES = (methods.BasicAck, methods.BasicNack, methods.BasicReject, methods.BasicRecover, methods.TxCommit)
TAKES = (
    methods.BasicGet,
    methods.BasicConsume,
    methods.QueueDeclare,
    methods.QueuePurge,
    methods.QueueDelete,
)
"""What finds a message, or finds it expired."""


def is_quorum(queue: Queue) -> bool:
    """Whether this is a quorum queue."""
    return queue.type.name == "quorum"


def _queue_of(channel: Channel, consumer: Consumer) -> Queue:
    return channel.vhost.queues[consumer.queue.name]


def overtakes(channel: Channel | None, step: Step) -> bool:
    """Whether a step commits a publish to a quorum queue and what was decided about a delivery of the same queue.

    What a channel says of deliveries may overtake its publishes: these are commands of low priority to the log,
    which appends them when it has nothing else to do. (ra_server_proc.erl, flush_commands. Of 60 such commits to
    one queue 4 had the publish first in 3.10, and 1 of 30 in 4.0.)
    """
    if channel is None or channel.transaction is None or not isinstance(step.method, methods.TxCommit):
        return False
    published = {queue.name for each in channel.transaction.publications for queue in each.queues}
    settled = [each.queue for some in channel.transaction.settlements for each in some.deliveries]
    return any(is_quorum(queue) and queue.name in published for queue in settled)


def reuses_tag(channel: Channel | None, step: Step) -> bool:
    """Whether a step consumes from a quorum queue with the tag of a consumer that left, and is not settled with it.

    Of 3.10 the queue goes on with what it knows of that consumer, while the channel begins anew, takes the next
    delivery for one that followed others, and dies as it asks for those (observed).
    """
    if channel is None or not isinstance(step.method, methods.BasicConsume):
        return False
    tag = step.method.consumer_tag
    held = [each.consumer for each in channel.held() if is_quorum(each.queue) and each.consumer is not None]
    return tag not in channel.consumers and any(consumer.tag == tag for consumer in held)


def outruns_expiry(queues: Iterable[Queue], step: Step) -> bool:
    """Whether a step takes from a quorum queue whose messages expire as they arrive.

    They do so at the end of the millisecond, and the step may come before that.
    """
    if not isinstance(step.method, TAKES):
        return False
    return any(queue.name == step.method.queue and is_quorum(queue) and queue.ttl_us == 0 for queue in queues)


def race(events: Iterable[Event], queues: Iterable[Queue]) -> bool:
    """Whether what a step has brought to a quorum queue came from more than one side: the channel, dead letters.

    Each of them sends to the queue's log, and nobody knows which is faster.
    """
    sources: dict[str, set[str | None]] = {}
    for event in events:
        if event.details is not None and event.outcome in (ROUTED, DEAD_LETTERED):
            for name in event.details["queues"]:
                sources.setdefault(name, set()).add(event.details["queue"])
    return any(is_quorum(queue) and len(sources.get(queue.name, ())) > 1 for queue in queues)


def ends_with_dead_letters(events: Iterable[Event], observation: Observation, step: Step) -> bool:
    """Whether a channel has closed, and what it held has dead letters.

    Those may come to a queue before this has heard that the channel, which consumes from it as well, is gone.
    """
    lines = [line for arrived in observation.arrived.values() for line in arrived]
    closes = isinstance(step.method, methods.ChannelClose | methods.ConnectionClose) or any(
        line.startswith(("ChannelClose(", "ConnectionClose(")) for line in lines
    )
    return closes and any(event.outcome == DEAD_LETTERED for event in events)


def is_slow(events: Iterable[Event], queues: Iterable[Queue]) -> bool:
    """Whether a quorum queue has expired messages or sent dead letters, which takes a moment nobody can ask about."""
    busy = {
        event.details["queue"]
        for event in events
        if event.outcome in (EXPIRED, DEAD_LETTERED) and event.details is not None
    }
    return any(is_quorum(queue) and queue.name in busy for queue in queues)


def wakes(queues: Iterable[Queue], observation: Observation) -> bool:
    """Whether a channel has closed while a quorum queue has consumers, but no active one; ask after the step.

    If the channel ever published to the queue, this notices, in its own time, and activates one.
    """
    sleeps = any(
        isinstance(queue.consumers, QuorumSingleActive) and queue.consumers.active is None and len(queue.consumers)
        for queue in queues
    )
    lines = [line for arrived in observation.arrived.values() for line in arrived]
    return sleeps and any(line.startswith(("ChannelClose", "ConnectionClose")) for line in lines)


def resumes_first(channel: Channel | None, step: Step, found: Observation, expected: Observation) -> bool:
    """Whether a channel with a limit as a whole has got another delivery than the one that it returned.

    A channel tells the queue what returns, and then its limiter that there is room, which tells the queue to
    resume. If the queue is not quick, it finds both, and that it resumes goes before what returns: it delivers
    what is next (rabbit_amqqueue_process.erl, prioritise_cast; of a hundred returns it happened to one).
    """
    if channel is None or not channel.global_prefetch:
        return False
    method = step.method
    returns = isinstance(method, methods.BasicRecover | methods.TxCommit) or (
        isinstance(method, methods.BasicNack | methods.BasicReject) and method.requeue
    )
    place = (step.connection, step.channel)
    return returns and _without_deliveries_to(place, found) == _without_deliveries_to(place, expected)


def shares_room(channel: Channel | None, step: Step, found: Observation, expected: Observation) -> bool:
    """Whether, of several classic queues, others have filled the room that a step makes on a channel with a limit.

    Chance says which of them hears first of a channel's room (rabbit_limiter.erl, notify_queues). What the channel has
    got is missing in these queues: it may be more or less, as consumers that acknowledge nothing take no room.
    """
    if channel is None or not channel.global_prefetch or not isinstance(step.method, SETTLES):
        return False
    queues = {
        consumer.queue.name for consumer in channel.consumers.values() if not is_quorum(_queue_of(channel, consumer))
    }
    place = (step.connection, step.channel)
    return len(queues) > 1 and (
        _without_deliveries_to(place, found, queues) == _without_deliveries_to(place, expected, queues)
    )


def _without_deliveries_to(place: Place, observation: Observation, shared: Collection[str] = ()) -> tuple[object, ...]:
    """An observation, but for which deliveries a channel got, and of the shared queues all but what is in both."""
    arrived = {at: list(lines) for at, lines in observation.arrived.items()}
    rest = [line for line in arrived.pop(place, []) if not line.startswith("BasicDeliver(")]
    number = len(observation.arrived.get(place, [])) - len(rest)
    queues = {name: said for name, said in observation.queues.items() if name not in shared}
    number += sum(said[0] for name, said in observation.queues.items() if name in shared)
    return arrived, rest, number, observation.confirmed, observation.refused, queues
